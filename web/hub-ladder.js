// Which transport to use next: WebSocket, then event stream, then long poll. It is told what happened to a connection and
// answers what to do; it has no timers and no connections of its own.

export const TRANSPORTS = ["websocket", "eventstream", "poll"];

const DEATHS_UNTIL_NEXT = 2;

export class Ladder {
  #rungs;
  #rung = 0;
  #deaths = 0; // connections in a row that ended before they were established
  #failedClimbs = 0;
  #climb = 0; // the rung that the climb under way tries

  constructor(transports = TRANSPORTS) {
    this.#rungs = transports;
  }

  get transport() {
    return this.#rungs[this.#rung];
  }

  /** The transport to try beside the one in use: the best, and when that failed the next one. */
  get better() {
    return this.#rungs[this.#climb];
  }

  get isAtTop() {
    return this.#rung === 0;
  }

  /** The connection in use has been stable for a while and has answered a ping. */
  established() {
    this.#deaths = 0;
    if (this.isAtTop) this.#failedClimbs = 0;
  }

  /**
   * The connection in use broke without a word of the hub. `cause`: `unreachable` (no answer of the hub to an HTTP request) or
   * `unfit` (an event stream that does not stream). The answer: `down` (try the next transport at once), `again` (the same one
   * after a short pause) or `wait` (this is an outage: growing pauses).
   */
  died({ established, cause = null }) {
    if (established) {
      this.#deaths = 0;
      if (cause !== "unfit") return "wait";
    }
    // A hub that answers on no transport is away: that says nothing about WebSockets.
    if (cause === "unreachable" && !this.isAtTop) return this.#returnToTop();
    this.#deaths += 1;
    if (cause !== "unfit" && this.#deaths < DEATHS_UNTIL_NEXT) return this.#rungs.length > 1 ? "again" : "wait";
    if (this.#rung === this.#rungs.length - 1) return this.#returnToTop();
    this.#stand(this.#rung + 1);
    return "down";
  }

  #returnToTop() {
    this.restart();
    return "wait";
  }

  /** The network has changed: what was learned about it no longer holds. */
  restart() {
    this.#stand(0);
  }

  #stand(rung) {
    this.#rung = rung;
    this.#deaths = 0;
    this.#climb = 0;
  }

  /** Milliseconds until the better transports are tried again; a little spread, because a restart of the hub sends many down at once. */
  climbDelay({ climbAfterMs, climbLongestMs }, random = Math.random) {
    return Math.min(climbLongestMs, climbAfterMs * 2 ** Math.min(this.#failedClimbs, 10)) * (1 + random() / 10);
  }

  /** A better transport is the one in use from here on. */
  climbed(name) {
    if (name !== this.#rungs[0]) this.#failedClimbs += 1;
    this.#stand(this.#rungs.indexOf(name));
  }

  /** Whether there is another one to try, which is not as good but better than the one in use. */
  climbFailed() {
    this.#climb += 1;
    if (this.#climb < this.#rung) return true;
    this.#climb = 0;
    this.#failedClimbs += 1;
    return false;
  }
}
