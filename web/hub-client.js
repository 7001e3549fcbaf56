// The browser's half of the protocol hub.v1.json (docs/reference/protocol.md): one state machine, one way to connect.
//
// It owns the socket, the reconnection, the position in every subscribed channel and the messages not yet confirmed.
// Invariant: `entry` events of one channel come in order, each seq once, whatever happens to the socket.

const SUBPROTOCOL = "hub.v1.json";
const CONNECT_TIMEOUT_MS = 15_000;
const PONG_TIMEOUT_MS = 10_000;
const STABLE_AFTER_MS = 5_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const ACK_DELAY_MS = 150;

/** What the hub answered instead of `ok`, or `lost` when the connection went before an answer came. */
export class HubError extends Error {
  constructor({ code, message, temporary = false, retryAfterMs = 0 }) {
    super(message);
    this.name = "HubError";
    this.code = code;
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
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

/**
 * Events (all `CustomEvent`, the frame or value in `detail`):
 * `state` {state, code, retryInMs}, `connected` (the reply to connect), `entry`, `live`, `cursor`, `receipt`, `counters`,
 * `signal`, `frame` {direction, text}.
 * States: stopped, connecting, connected, waiting (until the next attempt), idle (until activity), ended (must not reconnect).
 */
export class HubClient extends EventTarget {
  #url;
  #getToken;
  #state = "stopped";
  #socket = null;
  #generation = 0;
  #attempt = 0;
  #freshToken = false;
  #bye = null;
  #nextID = 1;
  #waiting = new Map(); // id → {resolve, reject} of commands sent on this socket
  #channels = new Map(); // channel → {position, acked, mending}
  #outbox = new Map(); // key → {members, resolve, reject}: messages without an answer, kept across connections
  #timers = new Map();
  #lastHeard = 0;

  /** `getToken({fresh})` is awaited before every connection; `fresh` says that the last one was refused. */
  constructor({ url, getToken }) {
    super();
    this.#url = url;
    this.#getToken = getToken;
  }

  get state() {
    return this.#state;
  }

  start() {
    if (!["stopped", "ended"].includes(this.#state)) return;
    globalThis.addEventListener?.("online", this.#wake);
    for (const sign of ["pointerdown", "keydown"]) globalThis.addEventListener?.(sign, this.#activity, { passive: true });
    this.#connect();
  }

  /** Leaves and stays away until `start()`. Positions and unconfirmed messages are kept. */
  stop() {
    globalThis.removeEventListener?.("online", this.#wake);
    for (const sign of ["pointerdown", "keydown"]) globalThis.removeEventListener?.(sign, this.#activity);
    this.#drop(1000);
    this.#become("stopped");
  }

  /** One command, one answer. Rejects with `HubError`; `lost` means that nobody knows whether it was carried out. */
  command(type, members = {}) {
    if (this.#state !== "connected") return Promise.reject(new HubError({ code: "lost", message: "not connected", temporary: true }));
    return this.#ask(type, members);
  }

  /** Follows a channel behind `since`, over every later connection. Resolves with its state. */
  async subscribe(channel, since) {
    if (this.#channels.has(channel)) return this.command("subscribe", { channel });
    // Known before it is asked for: replayed entries may stand in the same frame as the reply.
    this.#channels.set(channel, { position: since, acked: 0, mending: false });
    try {
      return await this.command("subscribe", { channel, since });
    } catch (error) {
      this.#channels.delete(channel);
      throw error;
    }
  }

  follows(channel) {
    return this.#channels.has(channel);
  }

  /** Sends a message and keeps trying under the same key until the hub has stored or refused it. */
  send(members) {
    const key = members.key ?? crypto.randomUUID();
    return new Promise((resolve, reject) => {
      this.#outbox.set(key, { members: { ...members, key }, resolve, reject });
      if (this.#state === "connected") this.#post(key);
    });
  }

  // Connecting

  #wake = () => {
    if (this.#state === "waiting" || this.#state === "idle") this.#connect();
  };

  #activity = () => {
    if (this.#state === "idle") this.#connect();
  };

  async #connect() {
    const generation = ++this.#generation;
    this.#clear("retry");
    this.#bye = null;
    this.#become("connecting");
    let token;
    try {
      token = await this.#getToken({ fresh: this.#freshToken });
    } catch {
      if (generation === this.#generation) this.#lost(1006);
      return;
    }
    if (generation !== this.#generation) return;
    const socket = new WebSocket(this.#url, [SUBPROTOCOL]);
    this.#socket = socket;
    this.#after("connect", CONNECT_TIMEOUT_MS, () => this.#lost(1006));
    socket.onopen = () => {
      if (socket === this.#socket) this.#enter(token);
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#hear(data);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code);
    };
  }

  async #enter(token) {
    const channels = [...this.#channels].map(([channel, { position }]) => ({ channel, since: position }));
    try {
      const welcome = await this.#ask("connect", { token, channels });
      this.#clear("connect");
      this.#freshToken = false;
      for (const { channel } of welcome.refused ?? []) this.#channels.delete(channel);
      this.#after("stable", STABLE_AFTER_MS, () => (this.#attempt = 0));
      this.#keepAlive(welcome.pingIntervalMs);
      this.#planRefresh(welcome.tokenTtlMs);
      this.#become("connected");
      this.#emit("connected", welcome);
      for (const key of this.#outbox.keys()) this.#post(key);
      this.#planAck();
    } catch (error) {
      // A refused token is followed by a close with a 43xx code; anything else ends here.
      if (error.code !== "lost") this.#lost(error.temporary ? 4100 : ["invalid_token", "token_expired", "token_revoked"].includes(error.code) ? 4301 : 4000);
    }
  }

  #lost(code) {
    const advice = adviceFor(code, this.#bye);
    this.#drop(1000);
    if (advice.freshToken) this.#freshToken = true;
    if (!advice.reconnect) return this.#become("ended", { code });
    if (advice.onActivity) return this.#become("idle", { code });
    const retryInMs = delayFor(this.#attempt++, advice);
    this.#become("waiting", { code, retryInMs });
    this.#after("retry", retryInMs, () => this.#connect());
  }

  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    this.#generation++;
    for (const name of [...this.#timers.keys()]) this.#clear(name);
    if (socket && socket.readyState <= WebSocket.OPEN) socket.close(code);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new HubError({ code: "lost", message: "the connection was lost", temporary: true }));
  }

  // Talking

  #ask(type, members) {
    const id = this.#nextID++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const text = JSON.stringify({ id, type, ...members });
      this.#socket.send(text);
      this.#emit("frame", { direction: "out", text: type === "connect" || type === "refresh" ? text.replace(/"token":"[^"]*"/, '"token":"…"') : text });
    });
  }

  #hear(data) {
    this.#lastHeard = performance.now();
    for (const line of data.split("\n")) {
      if (line === "") continue;
      this.#emit("frame", { direction: "in", text: line });
      const frame = JSON.parse(line);
      if ("re" in frame) this.#answered(frame);
      else this.#pushed(frame);
    }
  }

  #answered({ re, ok, error }) {
    const asked = this.#waiting.get(re);
    if (!asked) return;
    this.#waiting.delete(re);
    if (error) asked.reject(new HubError(error));
    else asked.resolve(ok);
  }

  #pushed(frame) {
    switch (frame.type) {
      case "entry":
        return this.#received(frame);
      case "signal":
        if (frame.signal === "unsubscribed") this.#channels.delete(frame.channel);
        return this.#emit(frame.signal === "live" ? "live" : "signal", frame);
      case "bye":
        this.#bye = frame;
        return;
      case "cursor":
      case "receipt":
      case "counters":
        return this.#emit(frame.type, frame);
    }
  }

  #received(entry) {
    const channel = this.#channels.get(entry.channel);
    if (!channel || entry.seq <= channel.position) return;
    if (entry.seq > channel.position + 1) return this.#mend(entry.channel, channel);
    channel.position = entry.seq;
    this.#planAck();
    this.#emit("entry", entry);
  }

  /** A gap: have it replayed. What came too early comes again in its turn. */
  #mend(name, channel) {
    if (channel.mending) return;
    channel.mending = true;
    this.command("subscribe", { channel: name, since: channel.position }).then(
      () => (channel.mending = false),
      ({ code }) => {
        channel.mending = false;
        if (code !== "lost") this.#lost(1006);
      },
    );
  }

  // Confirming

  #planAck() {
    if (!this.#timers.has("ack")) this.#after("ack", ACK_DELAY_MS, () => this.#ackAll());
  }

  #ackAll() {
    for (const [name, channel] of this.#channels) {
      if (channel.position <= channel.acked) continue;
      const seq = channel.position;
      this.command("ack", { channel: name, seq }).then(
        () => (channel.acked = Math.max(channel.acked, seq)),
        ({ temporary, retryAfterMs }) => {
          if (temporary && this.#state === "connected" && !this.#timers.has("ack")) this.#after("ack", retryAfterMs || 1_000, () => this.#ackAll());
        },
      );
    }
  }

  #post(key) {
    const { members, resolve, reject } = this.#outbox.get(key);
    this.#ask("send", members).then(
      (ok) => {
        this.#outbox.delete(key);
        resolve(ok);
      },
      (error) => {
        if (!error.temporary) {
          this.#outbox.delete(key);
          reject(error);
        } else if (error.code !== "lost") {
          this.#after(`send ${key}`, error.retryAfterMs || 1_000, () => this.#post(key));
        }
      },
    );
  }

  // Staying

  #planRefresh(ttlMs) {
    this.#after("refresh", Math.min(Math.max(ttlMs * 0.75, 1_000), 2 ** 31 - 1), async () => {
      const generation = this.#generation;
      try {
        const token = await this.#getToken({ fresh: true });
        if (generation !== this.#generation) return;
        this.#planRefresh((await this.command("refresh", { token })).tokenTtlMs);
      } catch {
        if (generation === this.#generation) this.#planRefresh(4_000);
      }
    });
  }

  /** The hub's own pings are invisible to a page, so a silent connection is asked whether it still lives. */
  #keepAlive(intervalMs) {
    this.#lastHeard = performance.now();
    const look = () => {
      const silentMs = performance.now() - this.#lastHeard;
      if (silentMs < intervalMs) return this.#after("ping", intervalMs - silentMs, look);
      this.command("ping").catch(() => {});
      this.#after("pong", PONG_TIMEOUT_MS, () => {
        if (performance.now() - this.#lastHeard >= PONG_TIMEOUT_MS) this.#lost(4201);
      });
      this.#after("ping", intervalMs, look);
    };
    this.#after("ping", intervalMs, look);
  }

  #become(state, detail = {}) {
    this.#state = state;
    this.#emit("state", { state, ...detail });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #after(name, ms, body) {
    this.#clear(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        body();
      }, ms),
    );
  }

  #clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
