// The channels the client follows: the position in each, gaps, and acknowledgements.
//
// Invariant: entries of one channel are told in order, each seq once, whichever connections they come by.

import { HubError, adviceFor, delayFor } from "./hub-advice.js";
import { Timers } from "./hub-timers.js";

const ACK_RETRY_MS = 1_000;

export class Channels {
  #channels = new Map(); // channel → {position, epoch: of the database that gave it, tail, acked, mending, refusals, asked: what `subscribe` promised}
  #link; // () → the connected link, or null
  #emit;
  #onFollowed;
  #onElsewhere; // the hub that got a `subscribe` does not have the session
  #ackDelayMs;
  #timers = new Timers();

  constructor({ link, emit, onFollowed, onElsewhere, ackDelayMs }) {
    this.#onElsewhere = onElsewhere;
    this.#link = link;
    this.#emit = emit;
    this.#onFollowed = onFollowed;
    this.#ackDelayMs = ackDelayMs;
  }

  has(name) {
    return this.#channels.has(name);
  }

  position(name) {
    return this.#channels.get(name)?.position;
  }

  /**
   * For `connect`. Channels without a position are subscribed to afterwards: only that reply tells where they begin, and what `subscribe` resolves
   * with. `all` names them too, for hubs that cannot be asked afterwards: then the channel's state in the reply to `connect` has to do.
   */
  positions({ all = false } = {}) {
    const known = [...this.#channels].filter(([, { position, asked }]) => all || (position !== undefined && asked === null));
    return known.map(([channel, state]) => ({ channel, ...start(state) }));
  }

  /** Resolves when the channel is followed, over this connection or a later one; rejects when it may not be followed, or is forgotten before. */
  subscribe(name, since, tail) {
    // Known before it is asked for: replayed entries may come in the same message as the reply, or before it.
    const channel = this.#channels.get(name) ?? { position: since, tail, acked: 0, mending: false, refusals: 0, asked: null };
    if (channel.asked !== null) return channel.asked.promise;
    const promise = new Promise((resolve, reject) => (channel.asked = { resolve, reject }));
    channel.asked.promise = promise;
    this.#channels.set(name, channel);
    const link = this.#link();
    if (link !== null) this.#follow(link, name, channel);
    return promise;
  }

  forget(name, error = new HubError({ code: "not_subscribed" })) {
    const asked = this.#channels.get(name)?.asked;
    this.#channels.delete(name);
    this.#timers.clear(`follow ${name}`);
    asked?.reject(error);
  }

  /** Makes the session follow what the client follows, and nothing else. */
  settle(link) {
    for (const { channel, code } of link.welcome.refused ?? []) this.#refused(link, channel, new HubError({ code }));
    for (const state of link.welcome.channels) {
      const channel = this.#channels.get(state.channel);
      if (channel?.asked && link.followed.has(state.channel)) this.#begun(channel, { ...state, since: beginning(channel, state) });
    }
    for (const [name, channel] of this.#channels) {
      if (!link.follows.has(name) && !this.#timers.has(`follow ${name}`)) this.#follow(link, name, channel);
    }
    for (const name of link.follows) {
      if (!this.#channels.has(name) && link.unfollow(name)) link.ask("unsubscribe", { channel: name }).catch(() => {});
    }
    this.#planAck();
  }

  /** The connection is gone; positions stay. */
  pause() {
    this.#timers.clearAll();
  }

  received(link, entry) {
    const channel = this.#channels.get(entry.channel);
    if (!channel) return;
    // Until a reply has told where the channel begins, its first entry does.
    const position = channel.position ?? entry.seq - 1;
    if (entry.seq > position + 1) return this.#mend(link, entry.channel, channel);
    // Also for a repeat: what an earlier session was sent, this one may acknowledge only after it was sent the same.
    if (entry.seq > position || position > channel.acked) this.#planAck();
    if (entry.seq <= position) return;
    Object.assign(channel, { position: entry.seq, epoch: link.welcome.epoch });
    this.#emit("entry", entry);
  }

  /** A gap: have it replayed. What came too early comes again in its turn. */
  #mend(link, name, channel) {
    if (channel.mending || link !== this.#link() || this.#timers.has(`follow ${name}`)) return;
    channel.mending = true;
    this.#follow(link, name, channel).finally(() => (channel.mending = false));
  }

  async #follow(link, name, channel) {
    link.follows.add(name);
    try {
      const state = await link.ask("subscribe", { channel: name, ...start(channel) }, (ok) => {
        channel.position ??= ok.since;
        channel.epoch = ok.epoch;
        if (link.follows.has(name)) link.followed.add(name);
      });
      this.#begun(channel, state);
    } catch (error) {
      link.unfollow(name);
      if (error.code === "session_elsewhere") this.#onElsewhere(link);
      else if (error.code !== "lost" && this.#channels.get(name) === channel) this.#refused(link, name, error);
    }
  }

  #begun(channel, state) {
    channel.position ??= state.since;
    channel.epoch ??= state.epoch;
    channel.refusals = 0;
    channel.asked?.resolve(state);
    channel.asked = null;
    this.#onFollowed();
  }

  #refused(link, name, error) {
    const channel = this.#channels.get(name);
    if (!channel || link !== this.#link()) return;
    const isGone = error.code === "position_unknown" || error.code === "position_too_old";
    if (isGone && channel.position !== undefined && channel.asked === null) {
      Object.assign(channel, { position: undefined, epoch: undefined, acked: 0 });
      this.#follow(link, name, channel);
      // Told when the command is on its way: whoever asks for the history now misses nothing between the two.
      this.#emit("reset", { channel: name });
    } else if (error.temporary) {
      const againInMs = error.retryAfterMs || delayFor(channel.refusals++, adviceFor(4100));
      this.#timers.set(`follow ${name}`, againInMs, () => {
        const current = this.#link();
        if (current !== null && !current.follows.has(name)) this.#follow(current, name, channel);
      });
    } else if (channel.asked !== null) {
      this.forget(name, error);
    } else {
      this.forget(name);
      this.#emit("refused", { channel: name, code: error.code });
    }
  }

  #planAck() {
    if (!this.#timers.has("ack")) this.#timers.set("ack", this.#ackDelayMs, () => this.#ackAll());
  }

  #ackAll() {
    const link = this.#link();
    for (const [name, channel] of this.#channels) {
      if (!link?.follows.has(name) || !(channel.position > channel.acked)) continue;
      const seq = channel.position;
      link.ask("ack", { channel: name, seq }).then(
        () => (channel.acked = Math.max(channel.acked, seq)),
        ({ temporary, retryAfterMs }) => {
          if (temporary && this.#link() !== null) this.#timers.set("ack again", retryAfterMs || ACK_RETRY_MS, () => this.#ackAll());
        },
      );
    }
  }
}

/** Where a subscription begins: behind the position, else before the newest `tail` entries, else at the head. */
const start = ({ position, epoch, tail }) => (position === undefined ? { tail } : { since: position, epoch });

/** Where the hub began, when `connect` named the channel: the same rule as the hub's. */
const beginning = ({ position, tail = 0 }, { head, first = 1 }) => position ?? Math.max(head - Math.min(tail, head), first - 1);
