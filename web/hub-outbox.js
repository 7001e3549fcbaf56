// Messages and marks until the hub has stored or refused them, across connections.

import { KeptMarks } from "./hub-marks.js";
import { Timers } from "./hub-timers.js";

const RETRY_MS = 1_000;

/** A key for a message. `crypto.randomUUID` exists only on pages from https and localhost. */
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Outbox {
  #link; // () → the connected link, or null
  #isReady; // channel → whether marks in it can be sent
  #messages = new Map(); // key → {members, resolve, reject, isAsked}
  #marks = new KeptMarks();
  #timers = new Timers();

  constructor({ link, isReady }) {
    this.#link = link;
    this.#isReady = isReady;
  }

  /** A connection is there: everything that waits for no answer goes out, again or for the first time. */
  flush() {
    for (const [key, { isAsked }] of this.#messages) if (!isAsked) this.#post(key);
    this.flushMarks();
  }

  flushMarks() {
    if (this.#link() === null) return;
    for (const mark of this.#marks.take(this.#isReady)) this.#postMark(mark);
  }

  /** The connection is gone: the next one brings a `flush`. */
  pause() {
    this.#timers.clearAll();
  }

  send(members) {
    const key = members.key ?? newKey();
    return new Promise((resolve, reject) => {
      this.#messages.set(key, { members: { ...members, key }, resolve, reject, isAsked: false });
      if (this.#link() !== null) this.#post(key);
    });
  }

  /** `position` is what the client has of the channel at this moment. */
  mark(type, members, position) {
    return new Promise((resolve, reject) => {
      const mark = { type, members, position, promises: [{ resolve, reject }] };
      if (this.#link() !== null && this.#isReady(members.channel)) this.#postMark(mark);
      else this.#marks.keep(mark);
    });
  }

  #post(key) {
    const link = this.#link();
    const message = this.#messages.get(key);
    message.isAsked = true;
    link.ask("send", message.members).then(
      (ok) => {
        this.#messages.delete(key);
        message.resolve(ok);
      },
      (error) => {
        message.isAsked = false;
        if (!error.temporary) {
          this.#messages.delete(key);
          message.reject(error);
        } else if (error.code !== "lost") {
          this.#timers.set(`send ${key}`, error.retryAfterMs || RETRY_MS, () => this.#post(key));
        } else if (this.#hasReplaced(link)) {
          this.#post(key);
        }
      },
    );
  }

  #postMark(mark) {
    const link = this.#link();
    link.ask(mark.type, mark.members).then(
      (ok) => mark.promises.forEach(({ resolve }) => resolve(ok)),
      (error) => {
        if (error.code === "session_elsewhere" && mark.members.all && mark.position !== undefined) {
          // What was sent to the session is known there only; what came from it is known here.
          this.#marks.keep(mark);
          return this.flushMarks();
        }
        if (!error.temporary) return mark.promises.forEach(({ reject }) => reject(error));
        this.#marks.keep(mark);
        if (error.code !== "lost") this.#timers.set("marks", error.retryAfterMs || RETRY_MS, () => this.flushMarks());
        else if (this.#hasReplaced(link)) this.flushMarks();
      },
    );
  }

  /** Another connection took over while this one still had to answer. */
  #hasReplaced(link) {
    const current = this.#link();
    return current !== null && current !== link;
  }
}
