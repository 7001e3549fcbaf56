// The browser's half of the protocol hub.v1.json (docs/reference/protocol.md): one state machine over three transports.
//
// It owns the connection and the reconnection; `Channels` owns the positions, `Outbox` what is not yet confirmed. Invariant: there is
// one connection in use; while a better one is tried beside it, both bring entries, and the page hears each once.

import { HubError, TIMING, adviceFor, delayFor } from "./hub-advice.js";
import { Channels } from "./hub-channels.js";
import { Ladder, TRANSPORTS } from "./hub-ladder.js";
import { Link, proofOf } from "./hub-link.js";
import { isMark } from "./hub-marks.js";
import { Outbox } from "./hub-outbox.js";
import { Presence } from "./hub-presence.js";
import { Switches, askOnce } from "./hub-switches.js";
import { watchSurroundings } from "./hub-surroundings.js";
import { Timers } from "./hub-timers.js";

export { HubError, adviceFor, delayFor };

/**
 * Events (all `CustomEvent`, the frame or value in `detail`):
 * `state` {state, code, reason, retryInMs}, `connected` (the reply to connect), `transport` {transport}, `entry`, `live`, `cursor`,
 * `receipt`, `counters`, `activity`, `features`, `signal`, `frame` {direction, text, transport},
 * `presence` {users: [{user, state, lastSeen}], isWhole}: members of followed conversations are online, away or offline; with `isWhole` all
 * others are offline. `presence(user)` tells the same, and `unknown` while there is no connection,
 * `switched` {switched: [{feature, mode, until, text: {fr, en}}]}: what operators have switched off for the user, whole each time; `switched` and
 * `isOff(feature)` tell the same,
 * `node` {node}: the name of the hub that serves from here on,
 * `reset` {channel}: what was kept of the channel is not the hub's, the client follows it from its head;
 * `refused` {channel, code}: the channel may not be followed any more;
 * `tokenfailed` {error}: there was no token, or the hub refused to go on with it; the client tries again.
 * States: stopped, connecting, connected, waiting (until the next attempt), idle (until activity), ended (must not reconnect). Their `reason`
 * is the hub's (`feature_off`: everything is off for the user; `history`, `conversations` and marks are then sent by single requests), or `token` (none
 * was given), `offline` (no network), `unreachable`, `unfit`, `signed_out`, or `subject_changed`: the token is
 * another user's, who needs a client of their own.
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
  #user = null; // positions, messages and marks are this user's
  #node = null;
  #unwatch = null;
  #channels;
  #outbox;
  #presence;
  #switches = new Switches();
  #suspendedAt = null; // since when everything is off for the user
  #timers = new Timers();

  /**
   * `url` is the address of the WebSocket; the fallbacks are beside it. `getToken({fresh})` is awaited before every connection; `fresh`
   * says that the last token was refused. It gives a token, or `{ticket}` with a one-time ticket of POST /v1/ticket. An error of it with `signedOut` true ends the client; after any other it tries again.
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
    const emit = (type, detail) => this.#emit(type, detail);
    const onElsewhere = (link) => link === this.#link && this.#renew();
    this.#presence = new Presence({ link, emit, onElsewhere });
    this.#channels = new Channels({
      link,
      emit,
      onFollowed: () => this.#outbox.flushMarks(),
      onElsewhere,
      ackDelayMs: this.#timing.ackDelayMs,
    });
    this.#outbox = new Outbox({ link, isReady: (channel) => this.#current.followed.has(channel) || !this.#channels.has(channel) });
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
    this.#unwatch ??= watchSurroundings({
      online: () => this.#online(),
      offline: () => this.#offline(),
      doubtful: () => this.#current?.probe(),
      active: () => this.#active(),
      visible: () => this.#presence.tell(),
    });
    this.#connect();
  }

  /** Leaves and stays away until `start()`. Positions, unconfirmed messages and marks are kept. */
  stop() {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#drop();
    this.#suspendedAt = null;
    this.#become("stopped");
  }

  /**
   * One command, one answer. Rejects with `HubError`; `lost` means that nobody knows whether it was carried out. Marks are kept while
   * there is no connection and sent with the next one.
   */
  async command(type, members = {}) {
    if (this.#suspendedAt !== null && (isMark(type) || ["history", "conversations"].includes(type))) return this.#askOnce(type, members);
    if (isMark(type)) return this.#outbox.mark(type, members, this.#channels.position(members.channel));
    if (type === "subscribe") return this.subscribe(members.channel, members.since, members.tail);
    if (type === "unsubscribe") return this.unsubscribe(members.channel);
    if (this.#current === null) throw new HubError({ code: "lost", message: "not connected", temporary: true });
    const ok = await this.#current.ask(type, members);
    if (type === "leave") this.#channels.forget(members.channel);
    return ok;
  }

  /**
   * Follows a channel behind `since`, over this and every later connection. Resolves with its state as soon as it is followed; while there is
   * no connection, or the hub cannot do it yet, the client keeps trying. Rejects when the channel may not be followed.
   */
  async subscribe(channel, since, tail) {
    if (this.#current?.followed.has(channel)) return this.#current.ask("subscribe", { channel });
    return this.#channels.subscribe(channel, since, tail);
  }

  /** Follows the channel no longer, on this connection and on later ones. */
  async unsubscribe(channel) {
    this.#channels.forget(channel);
    if (!this.#current?.unfollow(channel)) return { channel };
    return this.#current.ask("unsubscribe", { channel }).catch((error) => {
      if (error.code === "session_elsewhere") this.#renew();
      else if (error.code !== "lost") throw error;
      return { channel };
    });
  }

  /**
   * From now on, and over every later connection, the members of followed conversations who share it, too, see whether the user is there (`away`
   * while the page is hidden), and the other way round: events `presence`. Nothing happens where the hub lacks the feature of that name.
   */
  sharePresence(isShared = true) {
    this.#presence.share(isShared);
  }

  /** {user, state, lastSeen}: `state` is online, away, offline or, as long as the hub has not told, unknown. */
  presence(user) {
    return this.#presence.of(user);
  }

  /** What operators have switched off for the user, as the hub told last. */
  get switched() {
    return this.#switches.all;
  }

  isOff(feature) {
    return this.#switches.isOff(feature);
  }

  follows(channel) {
    return this.#channels.has(channel);
  }

  /** Sends a message and keeps trying under the same key until the hub has stored or refused it. */
  send(members) {
    return this.#outbox.send(members);
  }

  // Connecting

  #online() {
    if (this.#current !== null) {
      this.#current.probe();
      return this.#ladder.isAtTop || this.#climb();
    }
    this.#ladder.restart();
    if (this.#timers.has("retry") || this.#state === "idle") this.#connect();
  }

  #offline() {
    if (this.#state === "connected" || this.#state === "connecting") this.#lost({ code: 1006, cause: "offline" });
  }

  #active() {
    if (this.#state === "idle") return this.#connect();
    if (this.#suspendedAt !== null && this.#timers.has("retry") && performance.now() - this.#suspendedAt > this.#timing.offActivityMs) return this.#connect();
    if (this.#state !== "connected" || performance.now() - this.#link.signAt < this.#timing.activityEveryMs) return;
    this.#link.ask("activity").catch(() => {});
  }

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
      const token = await this.#askForToken(how);
      return generation === this.#generation ? token : null;
    } catch (error) {
      if (generation !== this.#generation) return null;
      if (this.#hasNoToken(error)) this.#lost({ code: 1006, cause: "token" });
      return null;
    }
  }

  /** A promise that is never kept would leave the client connecting for ever. */
  async #askForToken(how) {
    const { tokenTimeoutMs } = this.#timing;
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`getToken gave no token within ${tokenTimeoutMs} ms`)), tokenTimeoutMs);
    });
    try {
      return await Promise.race([this.#getToken(how), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether to go on without a token for now. What only the user can mend ends the client. */
  #hasNoToken(error) {
    const final = error?.signedOut ? "signed_out" : error?.code === "subject_changed" ? "subject_changed" : null;
    if (final !== null) {
      this.#finish({ reason: final });
      return false;
    }
    const generation = this.#generation;
    this.#emit("tokenfailed", { error });
    return generation === this.#generation;
  }

  #makeLink(name) {
    const owner = {
      opened: (link) => {
        if (link === this.#link) this.#settle(link);
        else if (link === this.#candidate && link.renews) this.#promote();
      },
      reopened: (link) => link === this.#link && this.#resettle(link),
      channels: () => this.#channels.positions({ all: true }),
      served: (link, node) => link === this.#link && this.#served(node),
      established: (link) => (link === this.#candidate ? this.#promote() : this.#established(link)),
      pushed: (link, frame) => this.#pushed(link, frame),
      ended: (link, end) => this.#ended(link, end),
      traced: (direction, text) => this.#emit("frame", { direction, text, transport: name }),
    };
    return new Link({ name, url: this.#url, timing: this.#timing, owner });
  }

  /** The connection is the one in use from here on. */
  #settle(link) {
    this.#planClimb();
    this.#showTransport(link.name);
    this.#resettle(link);
  }

  /** The session of the connection in use is new. */
  #resettle(link) {
    const { welcome } = link;
    if (welcome.user !== (this.#user ??= welcome.user)) return this.#finish({ reason: "subject_changed" });
    this.#freshToken = false;
    this.#suspendedAt = null;
    this.#planRefresh(link, welcome.tokenTtlMs);
    if (this.#state !== "connected") this.#become("connected");
    // The page may stop the client whenever it is told something.
    if (link !== this.#current) return;
    this.#channels.settle(link);
    this.#outbox.flush();
    this.#learnSwitches(welcome.switched);
    this.#presence.tell();
    this.#served(welcome.node);
    this.#emit("connected", welcome);
  }

  /** What the client holds back goes out as soon as it may. */
  #learnSwitches(switched = []) {
    if (switched.length === 0 && this.#switches.all.length === 0) return;
    const { on, off } = this.#switches.learn(switched);
    if (off.has("presence")) this.#presence.stop();
    if (on.has("presence")) this.#presence.tell();
    if (on.has("direct-messages") || on.has("group-messages")) {
      this.#outbox.pause();
      this.#outbox.flush();
    }
    this.#emit("switched", { switched });
  }

  async #askOnce(type, members) {
    const token = await this.#askForToken({ fresh: false });
    return askOnce(this.#url, token, { timeoutMs: this.#timing.requestTimeoutMs, type, members });
  }

  #served(node) {
    if (node === undefined || node === this.#node) return;
    this.#node = node;
    this.#emit("node", { node });
  }

  /** A command about the session reached a hub that does not have it: a new session takes over, which follows everything from the start. */
  async #renew(token = null) {
    if (this.#candidate?.renews || this.#timers.has("renew")) return;
    this.#timers.set("renew", this.#timing.renewAfterMs, () => this.#openAgain(token));
  }

  async #openAgain(known) {
    const [generation, link] = [this.#generation, this.#link];
    try {
      const token = known ?? (await this.#askForToken({ fresh: false }));
      if (generation !== this.#generation || link !== this.#link) return;
      this.#candidate?.close();
      this.#candidate = this.#makeLink(link.name);
      this.#candidate.renews = true;
      this.#candidate.open(token, this.#channels.positions({ all: true }));
    } catch (error) {
      if (generation === this.#generation && this.#hasNoToken(error)) this.#renew();
    }
  }

  #established(link) {
    if (link !== this.#link) return;
    this.#attempt = 0;
    this.#ladder.established();
  }

  #ended(link, end) {
    if (link === this.#candidate) {
      this.#candidate = null;
      if (link.renews) this.#renew();
      else this.#climbFailed();
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
    if (code === 4010) return this.#suspend();
    if (advice.freshToken) this.#freshToken = true;
    if (!advice.reconnect) return this.#finish({ code, reason: bye?.reason });
    if (advice.onActivity) return this.#become("idle", { code });
    // What the hub says itself, and a device without a network or a token, tell nothing about the transport.
    const isMute = bye === null && (code < 4000 || code === 4201) && !["token", "offline"].includes(cause) && globalThis.navigator?.onLine !== false;
    const next = isMute ? this.#ladder.died({ established, cause }) : "wait";
    if (next === "down") return this.#connect();
    const retryInMs = delayFor(this.#attempt++, advice);
    if (next === "wait") this.#become("waiting", { code, reason: bye?.reason ?? cause, retryInMs });
    else if (this.#state !== "connecting") this.#become("connecting");
    this.#timers.set("retry", retryInMs, () => this.#connect());
  }

  /** Everything is off for the user. The client stays away until its end, for some minutes, or until the user is active after a while. */
  #suspend() {
    this.#suspendedAt = performance.now();
    const retryInMs = this.#switches.waitMs(this.#timing);
    this.#become("waiting", { code: 4010, reason: "feature_off", retryInMs });
    this.#timers.set("retry", retryInMs, () => this.#connect());
  }

  #finish(detail) {
    this.#suspendedAt = null;
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
    this.#presence.pause();
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
      const token = await this.#askForToken({ fresh: false });
      if (generation !== this.#generation || link !== this.#link || this.#candidate) return;
      this.#candidate = this.#makeLink(this.#ladder.better);
      this.#candidate.open(token, this.#channels.positions());
    } catch (error) {
      if (generation === this.#generation && this.#hasNoToken(error)) this.#planClimb();
    }
  }

  #climbFailed() {
    if (this.#ladder.climbFailed()) this.#climb();
    else this.#planClimb();
  }

  #promote() {
    this.#retired?.close();
    this.#retired = this.#link;
    this.#link = this.#candidate;
    this.#candidate = null;
    if (!this.#link.renews) this.#ladder.climbed(this.#link.name);
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
        if (frame.signal === "presence") return this.#presence.received(frame);
        if (frame.signal === "unsubscribed") this.#channels.forget(frame.channel, new HubError({ code: "forbidden" }));
        return this.#emit(frame.signal === "live" ? "live" : "signal", frame);
      case "control":
        return link === this.#link && this.#learnSwitches(frame.switched);
      case "cursor":
      case "receipt":
      case "counters":
      case "activity":
      case "features":
        return this.#emit(frame.type, frame);
      // Any other type is of a later version, and ignored.
    }
  }

  #planRefresh(link, ttlMs) {
    this.#timers.set("refresh", Math.min(Math.max(ttlMs * 0.75, 1_000), 2 ** 31 - 1), async () => {
      try {
        const token = await this.#askForToken({ fresh: true });
        if (link !== this.#link) return;
        const { tokenTtlMs } = await link.ask("refresh", proofOf(token), () => link.keep(token)).catch((error) => {
          if (error.code !== "session_elsewhere") throw error;
          this.#renew(typeof token === "string" ? token : null);
          return {};
        });
        if (link === this.#link && tokenTtlMs !== undefined) this.#planRefresh(link, tokenTtlMs);
      } catch (error) {
        if (link === this.#link && this.#hasNoToken(error)) this.#planRefresh(link, 4_000);
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
