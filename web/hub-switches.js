// What operators have switched off for the user: the list that the hub told last, and the way to read while everything is off.
//
// Invariant: the list is the hub's, whole; it outlives the connection, because the hub ends it when everything is off.

import { HubError } from "./hub-advice.js";

const LONGEST_WAIT_MS = 3_600_000;

export class Switches {
  #switched = [];

  get all() {
    return this.#switched;
  }

  /** The hub's list has come. The names of the features that are on again, and of those that are off now. */
  learn(switched = []) {
    const before = this.#off();
    this.#switched = switched;
    const now = this.#off();
    const without = (all, others) => new Set([...all].filter((feature) => !others.has(feature)));
    return { on: without(before, now), off: without(now, before) };
  }

  isOff(feature) {
    return this.#off().has(feature);
  }

  #off() {
    return new Set(this.#switched.filter(({ mode, context }) => mode === "off" && context === undefined).map(({ feature }) => feature));
  }

  /** How long to stay away while everything is off: until its end when that is known. */
  waitMs({ offRetryMs }) {
    const left = Date.parse(this.#switched.find(({ feature }) => feature === "realtime")?.until) - Date.now();
    const wait = left > 0 ? Math.min(left, LONGEST_WAIT_MS) : offRetryMs;
    return wait + Math.random() * Math.min(wait, offRetryMs / 5);
  }
}

/** One command in a request of its own, which the hub answers while everything is off. */
export async function askOnce(url, token, { timeoutMs, type, members }) {
  const base = new URL(".", new URL(String(url).replace(/^ws/, "http"), globalThis.location?.href));
  try {
    const response = await fetch(new URL("commands", base), {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ id: 1, type, ...members }),
      cache: "no-store",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const { ok, error } = JSON.parse((await response.text()).split("\n")[0]);
    if (error) throw new HubError(error);
    return ok;
  } catch (error) {
    throw error instanceof HubError ? error : new HubError({ code: "lost", message: "the hub could not be reached", temporary: true });
  }
}
