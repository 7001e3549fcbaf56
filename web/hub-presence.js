// Who is there: what the user shares, and what the hub tells of the members of followed conversations.
//
// Invariant: what is kept of others was told to the session in use; without one nothing is known of them.

import { Timers } from "./hub-timers.js";

const RETRY_MS = 1_000;

export class Presence {
  #link; // () → the connected link, or null
  #emit;
  #onElsewhere; // the hub that got the command does not have the session
  #isShared = false;
  #isTold = false; // the hub has listed those who are there
  #users = new Map(); // user → {user, state, lastSeen}
  #timers = new Timers();

  constructor({ link, emit, onElsewhere }) {
    this.#link = link;
    this.#emit = emit;
    this.#onElsewhere = onElsewhere;
  }

  of(user) {
    return this.#users.get(user) ?? { user, state: this.#isTold ? "offline" : "unknown" };
  }

  share(isShared) {
    if (isShared === this.#isShared) return;
    this.#isShared = isShared;
    const wasTold = this.#isTold;
    if (!isShared) this.pause();
    this.#tell(isShared ? whetherSeen() : "off");
    if (isShared || !wasTold) return;
    this.#emit("presence", { users: [], isWhole: true });
  }

  /** Another session is in use, or the page was shown or hidden. */
  tell() {
    if (this.#isShared) this.#tell(whetherSeen());
  }

  /** The connection is gone. */
  pause() {
    this.#timers.clearAll();
    this.#isTold = false;
    this.#users.clear();
  }

  /** It is switched off. */
  stop() {
    const wasTold = this.#isTold;
    this.pause();
    if (wasTold) this.#emit("presence", { users: [], isWhole: true });
  }

  /** A push of the hub. */
  received({ user, state, lastSeen }) {
    if (!this.#isTold) return;
    this.#users.set(user, { user, state, lastSeen });
    this.#emit("presence", { users: [this.of(user)], isWhole: false });
  }

  #tell(state) {
    const link = this.#link();
    this.#timers.clear("tell");
    if (!link?.welcome.features?.includes("presence")) return;
    const isInUse = () => link === this.#link();
    link.ask("presence", { state }, ({ users }) => isInUse() && this.#isShared && this.#learn(users)).catch((error) => {
      if (!isInUse()) return;
      if (error.code === "session_elsewhere") this.#onElsewhere(link);
      else if (error.temporary) this.#timers.set("tell", error.retryAfterMs || RETRY_MS, () => this.#tell(this.#isShared ? whetherSeen() : "off"));
    });
  }

  /** The reply lists everybody of whom something is known. */
  #learn(users) {
    this.#isTold = true;
    this.#users = new Map(users.map((one) => [one.user, one]));
    this.#emit("presence", { users, isWhole: true });
  }
}

const whetherSeen = () => (globalThis.document?.visibilityState === "hidden" ? "away" : "online");
