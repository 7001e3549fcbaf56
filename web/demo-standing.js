/** Where a user stands in a channel, by the hub's numbers only; older news never replaces newer. */
export class Standing {
  delivered = 0;
  seen = 0;
  read = 0;
  readAlso = [];
  unread = 0;
  #cursorVersion = -1;
  #countVersion = -1;

  learn(state) {
    if ("read" in state && state.version >= this.#cursorVersion) {
      this.#cursorVersion = state.version;
      ({ delivered: this.delivered, seen: this.seen, read: this.read, readAlso: this.readAlso } = state);
    }
    if ("unread" in state && state.version >= this.#countVersion) {
      this.#countVersion = state.version;
      this.unread = state.unread;
    }
  }

  hasRead(seq) {
    return seq <= this.read || this.readAlso.some(([from, to]) => from <= seq && seq <= to);
  }
}
