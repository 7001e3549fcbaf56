// How a session over HTTP hears what the hub pushes: by an event stream, or by long polls.

import { Refusal } from "./hub-advice.js";

const FAILURES_UNTIL_END = 3;
const SHORT_PAUSE_MS = 250;
const LONGEST_POLL_MS = 35_000; // the longest that the hub lets a poll wait, and ten seconds
const IDLE_POLL_PAUSE_MS = 1_000;

/**
 * The format text/event-stream (HTML Standard, 9.2.6), piece by piece. A byte order mark is the text decoder's business.
 * `lastEventId` is what the stream said last, also in a block without data.
 */
export class EventStreamParser {
  lastEventId = "";
  #rest = "";
  #type = "";
  #data = [];
  #id = "";

  constructor(lastEventId = "") {
    this.lastEventId = this.#id = lastEventId;
  }

  /** The events that this piece completes: {type, data}. */
  push(text) {
    const events = [];
    this.#rest += text;
    // A CR at the end may be the first half of CR LF: it waits for the next piece.
    const whole = this.#rest.endsWith("\r") ? this.#rest.slice(0, -1) : this.#rest;
    const lines = whole.split(/\r\n|\r|\n/);
    this.#rest = lines.pop() + this.#rest.slice(whole.length);
    for (const line of lines) {
      if (line !== "") this.#take(line);
      else this.#dispatch(events);
    }
    return events;
  }

  #take(line) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
  }

  #dispatch(events) {
    this.lastEventId = this.#id;
    if (this.#data.length > 0) events.push({ type: this.#type || "message", data: this.#data.join("\n") });
    this.#type = "";
    this.#data = [];
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Attaches a stream to the session, and again after every cut, until the session or the transport ends. */
export async function listenByStream(transport) {
  let lastEventId = transport.position;
  let hasStreamed = false;
  let failures = 0; // attachments in a row that ended too soon
  while (!transport.isClosed) {
    const startedAt = performance.now();
    const outcome = await stream(transport, lastEventId);
    if (transport.isClosed) return;
    if (outcome.end) return transport.end(outcome.end);
    ({ lastEventId } = outcome);
    hasStreamed ||= outcome.hasByte;
    failures = performance.now() - startedAt < transport.timing.stableAfterMs ? failures + 1 : 0;
    // Where streams used to pass and now no answer comes at all, the way to the hub is at fault and not the stream.
    const cause = hasStreamed && !outcome.hasAnswered ? "unreachable" : "unfit";
    if (failures >= FAILURES_UNTIL_END) return transport.end({ code: 1006, cause });
    await pause(Math.random() * SHORT_PAUSE_MS * 2 ** failures);
  }
}

/** One attachment. The outcome has `end` when the transport cannot go on this way. */
async function stream(transport, lastEventId) {
  const { firstByteMs, streamSilenceMs } = transport.timing;
  const parser = new EventStreamParser(lastEventId);
  const decoder = new TextDecoder();
  const abort = new AbortController();
  let hasAnswered = false;
  let hasByte = false;
  let isSilent = false;
  let timer;
  const expectWithin = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      isSilent = true;
      abort.abort();
    }, ms);
  };
  try {
    expectWithin(firstByteMs);
    const headers = { Accept: "text/event-stream", ...(lastEventId === "" ? {} : { "Last-Event-ID": lastEventId }) };
    const response = await transport.request("events", { headers }, abort);
    hasAnswered = true;
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return { end: { code: 1006, cause: "unfit" } };
    const reader = response.body.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      hasByte = transport.isHeard = true;
      expectWithin(streamSilenceMs);
      const events = parser.push(decoder.decode(piece.value, { stream: true }));
      transport.hear(events.map(({ data }) => data));
      const bye = events.find(({ type }) => type === "bye");
      if (bye) return { end: { code: JSON.parse(bye.data).code } };
    }
  } catch (error) {
    // The hub answers commands: an answer that is not its own comes from a proxy that wants no streams.
    if (error instanceof Refusal) return { end: error.end.cause === "unreachable" ? { code: 1006, cause: "unfit" } : error.end };
    // A proxy that collects the stream before it passes it on.
    if (isSilent && !hasByte) return { end: { code: 1006, cause: "unfit" } };
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
  return { lastEventId: parser.lastEventId, hasAnswered, hasByte };
}

/** One poll after the other. An answer that was lost is asked for again: `after` moves only with the answers that came. */
export async function listenByPolling(transport) {
  let after = transport.position || undefined;
  let waitSeconds = null; // as long as the hub likes
  let failures = 0;
  while (!transport.isClosed) {
    const startedAt = performance.now();
    const outcome = await poll(transport, after, waitSeconds);
    const lastedMs = performance.now() - startedAt;
    if (transport.isClosed) return;
    if (outcome.end) return transport.end(outcome.end);
    if (outcome.answer) {
      failures = 0;
      ({ after } = outcome.answer);
      if (outcome.answer.session === false) transport.leaveSession(outcome.answer.node);
      const { events } = outcome.answer;
      transport.hear(events.map((event) => JSON.stringify(event)));
      const bye = events.find(({ type }) => type === "bye");
      if (bye) return transport.end({ code: bye.code });
      // The hub's longest wait may be short; that must not become a storm of requests.
      if (events.length === 0 && lastedMs < IDLE_POLL_PAUSE_MS) await pause(IDLE_POLL_PAUSE_MS);
    } else {
      failures += 1;
      if (failures >= FAILURES_UNTIL_END) return transport.end({ code: 1006, cause: "unreachable" });
      // A proxy may end requests that wait too long for its taste.
      if (lastedMs > 2_000) waitSeconds = Math.max(1, Math.floor(lastedMs / 2_000));
      await pause(Math.random() * SHORT_PAUSE_MS * 2 ** failures);
    }
  }
}

async function poll(transport, after, waitSeconds) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), LONGEST_POLL_MS);
  try {
    const path = waitSeconds === null ? "poll" : `poll?wait=${waitSeconds}`;
    const { channels } = transport;
    const body = after === undefined && channels === undefined ? "" : JSON.stringify({ after, channels });
    const response = await transport.request(path, { method: "POST", body }, abort);
    const answer = await response.json();
    return Array.isArray(answer.events) ? { answer } : {};
  } catch (error) {
    // A refusal by the hub ends the session; a proxy's error page is only a failed poll.
    return error instanceof Refusal && error.end.cause !== "unreachable" ? { end: error.end } : {};
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}
