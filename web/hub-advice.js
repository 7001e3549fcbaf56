// What a client does about refusals and lost connections: the tables of docs/reference/protocol.md as functions without state.

/** Every duration of the client, in one place. Tests give shorter ones to `HubClient`. */
export const TIMING = Object.freeze({
  connectTimeoutMs: 15_000, // until the reply to `connect`
  requestTimeoutMs: 30_000, // until the answer to commands over HTTP
  pongTimeoutMs: 10_000,
  doubtAfterMs: 2_000, // a command waits, and nothing at all has come for so long: the hub is asked whether it is there
  doubtTimeoutMs: 5_000, // what has not answered such a question then is lost
  tokenTimeoutMs: 15_000, // until `getToken` gives a token
  stableAfterMs: 5_000, // a connection that lives so long, and answers a ping, is established
  firstByteMs: 8_000, // the hub begins a stream with a comment: without a byte for so long, a proxy holds it back
  streamSilenceMs: 35_000, // two heartbeats of the hub, and five seconds
  climbAfterMs: 60_000, // on a lower transport: until the WebSocket is tried again
  climbLongestMs: 900_000,
  activityEveryMs: 60_000,
  ackDelayMs: 150,
  renewAfterMs: 100, // a session that its commands do not reach is replaced; several commands about it share the new one
  offRetryMs: 300_000, // everything is switched off for the user, nobody knows until when
  offActivityMs: 30_000, // the same: after so long the user's activity is a reason to try
  drainMs: 5_000, // a replaced connection waits so long for its last replies
});

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const TOKEN_ERRORS = ["invalid_token", "token_expired", "token_revoked"];
const TEMPORARY_ERRORS = ["unavailable", "overloaded", "rate_limited", "feature_off", "internal"];

/** What the hub answered instead of `ok`, or `lost` when the connection went before an answer came. */
export class HubError extends Error {
  constructor({ code, message = code, temporary = TEMPORARY_ERRORS.includes(code), retryAfterMs = 0 }) {
    super(message);
    this.name = "HubError";
    this.code = code;
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An answer to an HTTP request after which its session cannot go on; `end` says how the connection ends. */
export class Refusal extends Error {
  constructor(end) {
    super(`refused: ${end.code}`);
    this.end = end;
  }
}

/**
 * What a close code asks of a client. The hundreds decide, so that an unknown code is obeyed too.
 * `bye`, when one came before, refines it: `afterMs`, `spreadMs`, and `reconnect: false`.
 */
export function adviceFor(code, bye = null) {
  const advice = { reconnect: true, freshToken: false, onActivity: false, afterMs: 0, spreadMs: 0, backOff: true };
  if ((code >= 4000 && code < 4100) || [1000, 1010].includes(code)) advice.reconnect = false;
  else if (code === 4104) advice.onActivity = true;
  else if (code >= 4100 && code < 4200) advice.afterMs = 1_000;
  else if (code >= 4200 && code < 4300) advice.backOff = bye === null;
  else if (code >= 4300 && code < 4400) advice.freshToken = true;
  if (bye !== null) {
    advice.reconnect = advice.reconnect && bye.reconnect;
    advice.afterMs = Math.max(advice.afterMs, bye.afterMs);
    advice.spreadMs = bye.spreadMs;
  }
  return advice;
}

/** Milliseconds to wait before attempt number `attempt` (0 is the first after a loss): full jitter, under the advice. */
export function delayFor(attempt, advice, random = Math.random) {
  const ceiling = advice.backOff ? Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10)) : 0;
  return advice.afterMs + random() * Math.max(ceiling, advice.spreadMs);
}

/** The close code that a refused `connect`, or a refused HTTP request, amounts to. */
export function codeFor({ code, temporary }) {
  if (code === "feature_off") return 4010;
  if (temporary) return 4100;
  if (TOKEN_ERRORS.includes(code)) return 4301;
  if (code === "forbidden") return 4003;
  if (code === "too_large") return 1009;
  // A new session is opened with the positions of the lost one.
  if (code === "session_unknown") return 1006;
  return 4000;
}
