// One session over one transport: matches replies with commands, checks that the hub still answers, and tells when the
// connection is established. A link ends once; a new connection is a new link.

import { HubError, codeFor } from "./hub-advice.js";
import { Timers } from "./hub-timers.js";
import { makeTransport } from "./hub-transports.js";

const SECRETS = /"(token|ticket|credential)":"[^"]*"/;

/** The member of `connect` and `refresh` for what `getToken` gave: a token, or `{ticket}`. */
export const proofOf = (given) => (typeof given === "string" ? { token: given } : { ticket: given.ticket });

export class Link {
  /** The last word of the hub, when there was one. */
  bye = null;
  /** The reply to `connect`. */
  welcome = null;
  /** The channels this session follows, or has asked to follow. */
  follows = new Set();
  /** Those of them for which the hub has said so: only there it takes marks. */
  followed = new Set();
  /** Stable for a while, a ping was answered, and pushes get through: many proxies accept a WebSocket and cut it soon after. */
  isEstablished = false;
  /** It takes over as soon as it is opened: the session before it is on another hub than the one that got its commands. */
  renews = false;
  /** When the hub last heard a command that counts as a sign of the user. */
  signAt = performance.now();
  #transport;
  #owner;
  #timing;
  #isOver = false;
  #nextID = 1;
  #waiting = new Map(); // id → {resolve, reject, onReply}
  #timers = new Timers();
  #heardAt = performance.now();
  #hasAnswered = false;

  /**
   * `owner` is told `opened(link)`, `reopened(link)` (another session carries the link on), `served(link, node)`, `established(link)`, `pushed(link, frame)`, `ended(link, {code, cause, afterMs})`, and sees every
   * line as `traced(direction, text)`.
   */
  constructor({ name, url, timing, owner }) {
    this.name = name;
    this.#owner = owner;
    this.#timing = timing;
    this.#transport = makeTransport(name, url, timing, {
      lines: (lines) => this.#hear(lines),
      channels: () => owner.channels(),
      served: (node) => owner.served(this, node),
      ended: (end) => this.#end(end),
    });
  }

  open(token, channels) {
    this.follows = new Set(channels.map(({ channel }) => channel));
    this.#timers.set("connect", this.#timing.connectTimeoutMs, () => this.#end({ code: 1006, cause: this.name === "websocket" ? null : "unreachable" }));
    const line = this.#register("connect", { ...proofOf(token), channels }, (welcome) => this.#opened(welcome)).line;
    this.#transport.open(line);
  }

  /** One command, one answer. `onReply` is called with `ok` before any later line is looked at. */
  ask(type, members = {}, onReply = null) {
    if (this.#isOver) return Promise.reject(lost());
    if (type !== "ping") this.signAt = performance.now();
    const { line, answer } = this.#register(type, members, onReply);
    this.#transport.send(line);
    if (!this.#timers.has("doubt")) this.#doubtIn(this.#timing.doubtAfterMs);
    return answer;
  }

  /** The hub has accepted a new token. */
  keep(token) {
    this.#transport.keep(token);
  }

  /** Asks whether the hub is still there, when there is a reason to doubt it; without an answer the link ends soon. */
  probe() {
    if (this.#isOver || this.welcome === null || this.#timers.has("probe")) return;
    // So many commands wait that the hub may not read a further one.
    if (this.#waiting.size >= (this.welcome.limits?.inFlight ?? Infinity)) return;
    this.#expectPong("probe", this.#timing.doubtTimeoutMs);
  }

  unfollow(channel) {
    this.followed.delete(channel);
    return this.follows.delete(channel);
  }

  close() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timers.clearAll();
    this.#transport.close();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(lost());
  }

  /** Closes when every command has its reply, at the latest after `drainMs`. */
  retire() {
    this.#timers.set("drain", this.#timing.drainMs, () => this.close());
    this.#closeWhenAnswered();
  }

  #closeWhenAnswered() {
    if (this.#timers.has("drain") && this.#waiting.size === 0) this.close();
  }

  #register(type, members, onReply) {
    const id = this.#nextID++;
    const line = JSON.stringify({ id, type, ...members });
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, onReply }));
    if (type === "connect") answer.catch((error) => this.#refused(error));
    this.#owner.traced("out", line.replace(SECRETS, '"$1":"…"'));
    return { line, answer };
  }

  #hear(lines) {
    this.#heardAt = performance.now();
    this.#checkEstablished();
    for (const line of lines) {
      if (this.#isOver) return;
      this.#owner.traced("in", line.replace(SECRETS, '"$1":"…"'));
      const frame = JSON.parse(line);
      if (frame.re === 0 && frame.ok) this.#reopened(frame.ok);
      else if ("re" in frame) this.#answered(frame);
      else if (frame.type === "bye") this.bye = frame;
      else this.#owner.pushed(this, frame);
    }
    this.#closeWhenAnswered();
  }

  #answered({ re, ok, error }) {
    const asked = this.#waiting.get(re);
    if (!asked) return;
    this.#waiting.delete(re);
    if (error) return asked.reject(new HubError(error));
    asked.onReply?.(ok);
    asked.resolve(ok);
  }

  #opened({ credential, ...welcome }) {
    this.welcome = welcome;
    this.#timers.clear("connect");
    for (const { channel } of welcome.refused ?? []) this.follows.delete(channel);
    this.followed = new Set(this.follows);
    this.#keepAlive(welcome.pingIntervalMs);
    this.#owner.opened(this);
    this.#prove();
  }

  /** The hub that got the stream or the poll had no session for it, and has opened one. The client's own commands begin with number 1. */
  #reopened({ credential, position, ...welcome }) {
    this.welcome = welcome;
    this.follows = new Set(welcome.channels.filter(({ subscribed }) => subscribed).map(({ channel }) => channel));
    this.followed = new Set(this.follows);
    this.#owner.reopened(this);
  }

  #refused(error) {
    // The transport has ended already when the connection was lost.
    if (error.code !== "lost") this.#end({ code: codeFor(error), afterMs: error.retryAfterMs });
  }

  #prove() {
    this.#timers.set("stable", this.#timing.stableAfterMs, () => this.#checkEstablished());
    this.ask("ping").then(
      () => {
        this.#hasAnswered = true;
        this.#checkEstablished();
      },
      () => {},
    );
  }

  #checkEstablished() {
    if (this.isEstablished || this.#isOver || !this.#hasAnswered || !this.#transport.isHeard || this.#timers.has("stable")) return;
    this.isEstablished = true;
    this.#owner.established(this);
  }

  /** The hub's own pings are invisible to a page, so a silent connection is asked whether it still lives. */
  #keepAlive(intervalMs) {
    const look = () => {
      const silentMs = performance.now() - this.#heardAt;
      if (silentMs < intervalMs) return this.#timers.set("ping", intervalMs - silentMs, look);
      this.#expectPong("pong", this.#timing.pongTimeoutMs);
      this.#timers.set("ping", intervalMs, look);
    };
    this.#timers.set("ping", intervalMs, look);
  }

  /** Silence is normal until a command waits for its reply. The store may be slow, so a ping tells whether the hub is there. */
  #doubtIn(ms, silenceMs = ms) {
    this.#timers.set("doubt", ms, () => {
      if (this.#waiting.size === 0) return;
      const silentMs = performance.now() - this.#heardAt;
      if (silentMs < silenceMs) return this.#doubtIn(silenceMs - silentMs, silenceMs);
      this.probe();
      this.#doubtIn(Math.min(2 * silenceMs, this.welcome?.pingIntervalMs ?? silenceMs));
    });
  }

  /** Sends a ping. The link ends unless anything at all comes within the time. */
  #expectPong(timer, ms) {
    const askedAt = performance.now();
    const { line, answer } = this.#register("ping", {}, null);
    answer.catch(() => {});
    this.#transport.ask(line);
    this.#timers.set(timer, ms, () => {
      if (this.#heardAt < askedAt) this.#end({ code: 4201 });
    });
  }

  #end(end) {
    if (this.#isOver) return;
    // The owner looks at the link before the commands without an answer are rejected. A proxy may have changed the close code.
    this.#owner.ended(this, { ...end, code: this.bye?.code ?? end.code });
    this.close();
  }
}

function lost() {
  return new HubError({ code: "lost", message: "the connection was lost", temporary: true });
}
