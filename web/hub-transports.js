// The ways to the hub. Each carries lines for one session and has the same interface:
//   open(line)  connects; `line` is the command `connect`, its reply comes like every other line
//   send(line)  one command
//   ask(line)   the same, before commands that wait
//   keep(token) the token to go on with
//   isHeard     whether what the hub pushes gets through, as far as known
//   close()     ends it; nothing is told afterwards
// and tells `lines(texts)` (an empty list is a sign of life) and, once, `ended({code, cause, afterMs})`.

import { Refusal, codeFor } from "./hub-advice.js";
import { listenByPolling, listenByStream } from "./hub-listeners.js";

const SUBPROTOCOL = "hub.v1.json";
const COMMANDS_PER_REQUEST = 64;

export function makeTransport(name, url, timing, events) {
  if (name === "websocket") return new WebSocketTransport(url, events);
  return new HTTPTransport(url, timing, events, name === "poll" ? listenByPolling : listenByStream);
}

class WebSocketTransport {
  #url;
  #events;
  #socket = null;
  isHeard = true;

  constructor(url, events) {
    this.#url = url;
    this.#events = events;
  }

  open(line) {
    let socket;
    try {
      socket = new WebSocket(this.#url, [SUBPROTOCOL]);
    } catch {
      // A policy of the page or the browser forbids it.
      return this.#events.ended({ code: 1006 });
    }
    this.#socket = socket;
    socket.onopen = () => {
      if (socket === this.#socket) socket.send(line);
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#events.lines(data.split("\n").filter((text) => text !== ""));
    };
    socket.onclose = ({ code }) => {
      // 1000 answers a close of ours, and then nobody listens here any more. Otherwise it comes from a proxy.
      if (socket === this.#socket) this.#events.ended({ code: code === 1000 ? 1006 : code });
    };
  }

  send(line) {
    this.#socket.send(line);
  }

  ask(line) {
    this.send(line);
  }

  /** The hub has it from `refresh`. */
  keep() {}

  close() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close(1000);
  }
}

/**
 * A session over HTTP: commands by requests, one at a time so that they keep their order; `listen` brings what the hub pushes. Each request
 * has the token: where several hubs share the work, one that does not have the session can then answer all the same.
 */
export class HTTPTransport {
  #base;
  #events;
  #listen;
  /** Null: the requests go on without a session. */
  #credential = null;
  #token;
  #requests = new Set(); // their AbortControllers
  #queue = [];
  #isPosting = false;
  #messageBytes = 32_768;

  constructor(url, timing, events, listen) {
    this.#base = new URL(".", new URL(String(url).replace(/^ws/, "http"), globalThis.location?.href));
    this.timing = timing;
    this.#events = events;
    this.#listen = listen;
    // A poll is a request like those for commands; a stream may be held back by a proxy.
    this.isHeard = listen === listenByPolling;
  }

  isClosed = false;
  /** Where the session begins, for the first stream or poll. */
  position = "";

  /** What the client follows, as `connect` takes it; undefined while the session knows it. */
  get channels() {
    return this.#credential === null ? this.#events.channels() : undefined;
  }

  async open(line) {
    this.#token = JSON.parse(line).token;
    const replies = await this.#post([line]);
    if (replies === null) return;
    const { ok } = JSON.parse(replies[0]);
    this.#credential = ok?.credential ?? null;
    this.position = ok?.position ?? "";
    this.#messageBytes = ok?.limits?.messageBytes ?? this.#messageBytes;
    this.hear(replies);
    if (ok && !this.isClosed) this.#listen(this);
  }

  send(line) {
    this.#queue.push(line);
    if (this.#isPosting) return;
    this.#isPosting = true;
    // Commands given in the same turn share a request.
    queueMicrotask(() => this.#postQueue());
  }

  async ask(line) {
    const replies = await this.#post([line]);
    if (replies !== null) this.hear(replies);
  }

  keep(token) {
    this.#token = typeof token === "string" ? token : undefined;
  }

  /** The polls go to hubs that do not have the session. It is left for good: what it is told, they would not know. */
  leaveSession(node) {
    this.#credential = null;
    if (!this.isClosed) this.#events.served(node);
  }

  close() {
    this.isClosed = true;
    for (const request of this.#requests) request.abort();
  }

  hear(lines) {
    // The hub that a stream was attached to did not have the session, and has opened another one.
    for (const line of lines) if (line.startsWith('{"re":0,')) this.#credential = JSON.parse(line).ok?.credential ?? this.#credential;
    if (!this.isClosed) this.#events.lines(lines);
  }

  end(end) {
    if (this.isClosed) return;
    this.close();
    this.#events.ended(end);
  }

  async #postQueue() {
    while (this.#queue.length > 0 && !this.isClosed) {
      const replies = await this.#post(this.#nextBatch());
      if (replies !== null) this.hear(replies);
    }
    this.#isPosting = false;
  }

  #nextBatch() {
    const encoder = new TextEncoder();
    let count = 0;
    for (let bytes = 0; count < Math.min(this.#queue.length, COMMANDS_PER_REQUEST); count += 1) {
      bytes += encoder.encode(this.#queue[count]).length + 1;
      if (count > 0 && bytes > this.#messageBytes) break;
    }
    return this.#queue.splice(0, count);
  }

  /** The reply lines, or null when the transport has ended. */
  async #post(lines) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), this.timing.requestTimeoutMs);
    try {
      const response = await this.request("commands", { method: "POST", body: lines.join("\n") }, abort, [400, 401, 503]);
      const replies = (await response.text()).split("\n").filter((text) => text !== "");
      if (!isReply(replies[0])) throw new Refusal(refusalIn(replies[0]));
      return this.isClosed ? null : replies;
    } catch (error) {
      this.end(error instanceof Refusal ? error.end : { code: 1006, cause: "unreachable" });
      return null;
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  /**
   * A request in this session; `abort` belongs to the caller, who aborts it in the end. Throws `Refusal` when the answer is neither good nor one of `known`,
   * and whatever `fetch` throws when no answer comes.
   */
  async request(path, { headers = {}, ...options }, abort, known = []) {
    if (this.isClosed) abort.abort();
    this.#requests.add(abort);
    abort.signal.addEventListener("abort", () => this.#requests.delete(abort), { once: true });
    const session = this.#credential === null ? {} : { "Hub-Session": this.#credential };
    const token = this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` };
    const type = options.body === undefined ? {} : { "Content-Type": "application/json" };
    const response = await fetch(new URL(path, this.#base), { ...options, headers: { ...session, ...token, ...type, ...headers }, cache: "no-store", signal: abort.signal });
    if (response.ok || known.includes(response.status)) return response;
    throw new Refusal(refusalIn(await response.text()));
  }
}

function isReply(line) {
  try {
    return "re" in JSON.parse(line);
  } catch {
    return false;
  }
}

/** How a refused request ends the transport. What is not the hub's JSON was said by a proxy. */
function refusalIn(text) {
  try {
    const { error } = JSON.parse(text);
    return { code: codeFor(error), cause: null, afterMs: error.retryAfterMs ?? 0 };
  } catch {
    return { code: 1006, cause: "unreachable" };
  }
}
