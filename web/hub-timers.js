// Named timers of one owner: setting one again replaces it, and all of them end together.

export class Timers {
  #timers = new Map();

  set(name, ms, body) {
    this.clear(name);
    const run = () => {
      this.#timers.delete(name);
      body();
    };
    this.#timers.set(name, setTimeout(run, ms));
  }

  has(name) {
    return this.#timers.has(name);
  }

  clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  clearAll() {
    for (const name of [...this.#timers.keys()]) this.clear(name);
  }
}
