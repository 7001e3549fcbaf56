// The browser's half of the protocol hub.v1.json (docs/reference/protocol.md): one state machine over three transports.
//
// It owns the connection and the reconnection; `Channels` owns the positions, `Outbox` what is not yet confirmed. Invariant: there is
// one connection in use; while a better one is tried beside it, both bring entries, and the page hears each once.

import { HubError, TIMING, adviceFor, delayFor } from "./hub-advice.js";
import { Channels } from "./hub-channels.js";
import { Ladder, TRANSPORTS } from "./hub-ladder.js";
import { Link } from "./hub-link.js";
import { isMark } from "./hub-marks.js";
import { Outbox } from "./hub-outbox.js";
import { Timers } from "./hub-timers.js";

export { HubError, adviceFor, delayFor };

const SIGNS_OF_THE_USER = ["pointerdown", "keydown"];

/**
 * Events (all `CustomEvent`, the frame or value in `detail`):
 * `state` {state, code, reason, retryInMs}, `connected` (the reply to connect), `transport` {transport}, `entry`, `live`, `cursor`,
 * `receipt`, `counters`, `signal`, `frame` {direction, text, transport},
 * `reset` {channel}: what was kept of the channel is not the hub's, the client follows it from its head;
 * `refused` {channel, code}: the channel may not be followed any more.
 * States: stopped, connecting, connected, waiting (until the next attempt), idle (until activity), ended (must not reconnect).
 */
export class HubClient extends EventTarget {
  #url;
  #getToken;
  #timing;
  #ladder;
  #state = "stopped";
  #transport;
  #link = null;
  #candidate = null; // a connection by a better transport, until it is established
  #retired = null; // a replaced connection that waits for its last replies
  #generation = 0;
  #attempt = 0;
  #freshToken = false;
  #channels;
  #outbox;
  #timers = new Timers();

  /**
   * `url` is the address of the WebSocket; the fallbacks are beside it. `getToken({fresh})` is awaited before every connection; `fresh`
   * says that the last token was refused. An error of it with `signedOut` true ends the client; after any other it tries again.
   * `transports` are tried in this order. `timing` is for tests.
   */
  constructor({ url, getToken, transports = TRANSPORTS, timing = {} }) {
    super();
    this.#url = url;
    this.#getToken = getToken;
    this.#timing = { ...TIMING, ...timing };
    this.#ladder = new Ladder(transports);
    this.#transport = this.#ladder.transport;
    const link = () => this.#current;
    this.#channels = new Channels({
      link,
      emit: (type, detail) => this.#emit(type, detail),
      onFollowed: () => this.#outbox.flushMarks(),
      ackDelayMs: this.#timing.ackDelayMs,
    });
    this.#outbox = new Outbox({ link, isReady: (channel) => this.#current.follows.has(channel) || !this.#channels.has(channel) });
  }

  get state() {
    return this.#state;
  }

  /** The transport in use or being tried: websocket, eventstream or poll. */
  get transport() {
    return this.#transport;
  }

  get #current() {
    return this.#state === "connected" ? this.#link : null;
  }

  start() {
    if (!["stopped", "ended"].includes(this.#state)) return;
    globalThis.addEventListener?.("online", this.#online);
    globalThis.addEventListener?.("offline", this.#offline);
    for (const sign of SIGNS_OF_THE_USER) globalThis.addEventListener?.(sign, this.#activity, { passive: true });
    globalThis.document?.addEventListener("visibilitychange", this.#activity);
    this.#connect();
  }

  /** Leaves and stays away until `start()`. Positions, unconfirmed messages and marks are kept. */
  stop() {
    globalThis.removeEventListener?.("online", this.#online);
    globalThis.removeEventListener?.("offline", this.#offline);
    for (const sign of SIGNS_OF_THE_USER) globalThis.removeEventListener?.(sign, this.#activity);
    globalThis.document?.removeEventListener("visibilitychange", this.#activity);
    this.#drop();
    this.#become("stopped");
  }

  /**
   * One command, one answer. Rejects with `HubError`; `lost` means that nobody knows whether it was carried out. Marks are kept while
   * there is no connection and sent with the next one.
   */
  async command(type, members = {}) {
    if (isMark(type)) return this.#outbox.mark(type, members, this.#channels.position(members.channel));
    if (type === "unsubscribe") return this.unsubscribe(members.channel);
    if (this.#current === null) throw new HubError({ code: "lost", message: "not connected", temporary: true });
    const ok = await this.#current.ask(type, members);
    if (type === "leave") this.#channels.forget(members.channel);
    return ok;
  }

  /** Follows a channel behind `since`, over every later connection. Resolves with its state. */
  async subscribe(channel, since) {
    if (this.#current === null || this.#channels.has(channel)) return this.command("subscribe", { channel });
    return this.#channels.subscribe(this.#current, channel, since);
  }

  /** Follows the channel no longer, on this connection and on later ones. */
  async unsubscribe(channel) {
    this.#channels.forget(channel);
    if (!this.#current?.follows.delete(channel)) return { channel };
    return this.#current.ask("unsubscribe", { channel }).catch((error) => {
      if (error.code !== "lost") throw error;
      return { channel };
    });
  }

  follows(channel) {
    return this.#channels.has(channel);
  }

  /** Sends a message and keeps trying under the same key until the hub has stored or refused it. */
  send(members) {
    return this.#outbox.send(members);
  }

  // Connecting

  #online = () => {
    if (this.#link?.welcome) return this.#ladder.isAtTop || this.#climb();
    this.#ladder.restart();
    if (this.#timers.has("retry") || this.#state === "idle") this.#connect();
  };

  #offline = () => {
    if (this.#state === "connected" || this.#state === "connecting") this.#lost({ code: 1006, cause: "offline" });
  };

  #activity = ({ type }) => {
    if (type === "visibilitychange" && document.visibilityState !== "visible") return;
    if (this.#state === "idle") return this.#connect();
    if (this.#state !== "connected" || performance.now() - this.#link.signAt < this.#timing.activityEveryMs) return;
    this.#link.ask("activity").catch(() => {});
  };

  async #connect() {
    const generation = ++this.#generation;
    this.#timers.clear("retry");
    this.#showTransport(this.#ladder.transport);
    if (this.#state !== "connecting") this.#become("connecting");
    const token = await this.#tokenFor(generation, { fresh: this.#freshToken });
    if (token === null) return;
    this.#link = this.#makeLink(this.#ladder.transport);
    this.#link.open(token, this.#channels.positions());
  }

  /** The token, or null when the connection it was for is no longer wanted or cannot be made. */
  async #tokenFor(generation, how) {
    try {
      const token = await this.#getToken(how);
      return generation === this.#generation ? token : null;
    } catch (error) {
      if (generation !== this.#generation) return null;
      if (error?.signedOut) this.#finish({ reason: "signed_out" });
      else this.#lost({ code: 1006, cause: "token" });
      return null;
    }
  }

  #makeLink(name) {
    const owner = {
      opened: (link) => link === this.#link && this.#settle(link),
      established: (link) => (link === this.#candidate ? this.#promote() : this.#established(link)),
      pushed: (link, frame) => this.#pushed(link, frame),
      ended: (link, end) => this.#ended(link, end),
      traced: (direction, text) => this.#emit("frame", { direction, text, transport: name }),
    };
    return new Link({ name, url: this.#url, timing: this.#timing, owner });
  }

  /** The connection is the one in use from here on. */
  #settle(link) {
    const { welcome } = link;
    this.#freshToken = false;
    this.#planRefresh(link, welcome.tokenTtlMs);
    this.#planClimb();
    this.#showTransport(link.name);
    if (this.#state !== "connected") this.#become("connected");
    // The page may stop the client whenever it is told something.
    if (link !== this.#current) return;
    this.#channels.settle(link);
    this.#outbox.flush();
    this.#emit("connected", welcome);
  }

  #established(link) {
    if (link !== this.#link) return;
    this.#attempt = 0;
    this.#ladder.established();
  }

  #ended(link, end) {
    if (link === this.#candidate) {
      this.#candidate = null;
      this.#climbFailed();
    } else if (link === this.#link) {
      const { reconnect, onActivity, freshToken } = adviceFor(end.code, link.bye);
      // A better connection is there already, if not yet established.
      if (this.#candidate?.welcome && reconnect && !onActivity && !freshToken) this.#promote();
      else this.#lost(end);
    }
  }

  #lost({ code, cause = null, afterMs = 0 }) {
    const bye = this.#link?.bye ?? null;
    const established = this.#link?.isEstablished ?? false;
    const advice = adviceFor(code, bye);
    advice.afterMs = Math.max(advice.afterMs, afterMs);
    this.#drop();
    if (advice.freshToken) this.#freshToken = true;
    if (!advice.reconnect) return this.#finish({ code, reason: bye?.reason });
    if (advice.onActivity) return this.#become("idle", { code });
    // What the hub says itself, and a device without a network or a token, tell nothing about the transport.
    const isMute = bye === null && (code < 4000 || code === 4201) && !["token", "offline"].includes(cause) && globalThis.navigator?.onLine !== false;
    const next = isMute ? this.#ladder.died({ established, cause }) : "wait";
    if (next === "down") return this.#connect();
    const retryInMs = delayFor(this.#attempt++, advice);
    if (next === "wait") this.#become("waiting", { code, retryInMs });
    else if (this.#state !== "connecting") this.#become("connecting");
    this.#timers.set("retry", retryInMs, () => this.#connect());
  }

  #finish(detail) {
    this.#drop();
    this.#become("ended", detail);
  }

  #drop() {
    const links = [this.#link, this.#candidate, this.#retired];
    this.#link = this.#candidate = this.#retired = null;
    this.#generation++;
    this.#timers.clearAll();
    this.#channels.pause();
    this.#outbox.pause();
    for (const link of links) link?.close();
  }

  // Climbing: back to the best transport, beside the one in use

  #planClimb() {
    if (!this.#ladder.isAtTop) this.#timers.set("climb", this.#ladder.climbDelay(this.#timing), () => this.#climb());
  }

  async #climb() {
    this.#timers.clear("climb");
    if (this.#candidate) return;
    const [generation, link] = [this.#generation, this.#link];
    try {
      const token = await this.#getToken({ fresh: false });
      if (generation !== this.#generation || link !== this.#link || this.#candidate) return;
      this.#candidate = this.#makeLink(this.#ladder.best);
      this.#candidate.open(token, this.#channels.positions());
    } catch (error) {
      if (generation !== this.#generation) return;
      if (error?.signedOut) this.#finish({ reason: "signed_out" });
      else this.#climbFailed();
    }
  }

  #climbFailed() {
    this.#ladder.climbFailed();
    this.#planClimb();
  }

  #promote() {
    this.#retired?.close();
    this.#retired = this.#link;
    this.#link = this.#candidate;
    this.#candidate = null;
    this.#ladder.restart();
    this.#timers.clear("climb");
    this.#settle(this.#link);
    if (this.#link?.isEstablished) this.#established(this.#link);
    this.#retired?.retire();
  }

  // Hearing

  #pushed(link, frame) {
    switch (frame.type) {
      case "entry":
        return this.#channels.received(link, frame);
      case "signal":
        // Two connections at once hear every signal twice.
        if (link !== this.#link) return;
        if (frame.signal === "unsubscribed") this.#channels.forget(frame.channel);
        return this.#emit(frame.signal === "live" ? "live" : "signal", frame);
      case "cursor":
      case "receipt":
      case "counters":
        return this.#emit(frame.type, frame);
    }
  }

  #planRefresh(link, ttlMs) {
    this.#timers.set("refresh", Math.min(Math.max(ttlMs * 0.75, 1_000), 2 ** 31 - 1), async () => {
      try {
        const token = await this.#getToken({ fresh: true });
        if (link !== this.#link) return;
        const { tokenTtlMs } = await link.ask("refresh", { token });
        if (link === this.#link) this.#planRefresh(link, tokenTtlMs);
      } catch (error) {
        if (link !== this.#link) return;
        if (error?.signedOut) this.#finish({ reason: "signed_out" });
        else this.#planRefresh(link, 4_000);
      }
    });
  }

  // Telling

  #showTransport(transport) {
    if (transport === this.#transport) return;
    this.#transport = transport;
    this.#emit("transport", { transport });
  }

  #become(state, detail = {}) {
    this.#state = state;
    this.#emit("state", { state, ...detail });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
