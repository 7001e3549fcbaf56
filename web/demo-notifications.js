// The notifications of one person: what is shown of the entries, and for how long.

import { clock, duration, inLanguage, texts, word } from "./demo-language.js";
import { arrange, fromTemplate, keepingFocus } from "./demo-lists.js";

const SHOWN = 40;
const KEPT = 200;
const COUNTED_IN_SECONDS_MS = 3_600_000;
const LONGEST_TIMER_MS = 60_000;

const expiry = ({ expiresAt }) => (expiresAt ? Date.parse(expiresAt) : Infinity);

/** Only what opens a page: `javascript:` and the like come from who published the entry, and would run as this page. */
export function safeLink(link) {
  if (!link) return null;
  try {
    const url = new URL(link, location.href);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export class Notifications {
  #root;
  #standing; // channel → Standing
  #markRead;
  #entries = []; // newest first
  #timer = 0;

  /** `markRead(channel, selection)` is called when the user says so. */
  constructor(root, { standing, markRead }) {
    this.#root = root;
    this.#standing = standing;
    this.#markRead = markRead;
  }

  add(entry) {
    if (entry.kind === "retraction") return this.#retract(entry);
    if (entry.retracted) return;
    if (this.#entries.some(({ channel, seq }) => channel === entry.channel && seq === entry.seq)) return;
    this.#entries.push(entry);
    this.#entries.sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.seq - a.seq);
    this.#entries.splice(KEPT);
    this.show();
  }

  /** The platform has taken the entry back. Its number stays known, so that an older page of history does not bring it again. */
  #retract({ channel, refers }) {
    this.#entries = this.#entries.filter((entry) => entry.channel !== channel || entry.seq !== refers);
    this.show();
  }

  forget(channel) {
    this.#entries = this.#entries.filter((entry) => entry.channel !== channel);
    this.show();
  }

  /** channel → the newest `seq` that is known. */
  newest() {
    const newest = new Map();
    for (const { channel, seq } of this.#entries) newest.set(channel, Math.max(seq, newest.get(channel) ?? 0));
    return newest;
  }

  get heading() {
    return this.#find("h3");
  }

  /** What is on the screen: the newest entry of each `collapse`, with those that it replaces, and nothing that has expired. */
  #shown() {
    const newest = new Map();
    for (const entry of this.#entries) {
      const key = entry.collapse === undefined ? `${entry.channel}#${entry.seq}` : `${entry.channel} ${entry.collapse}`;
      if (newest.has(key)) newest.get(key).replaced.push(entry);
      else newest.set(key, { entry, replaced: [] });
    }
    const now = Date.now();
    return [...newest.values()].filter(({ entry }) => expiry(entry) > now).slice(0, SHOWN);
  }

  show() {
    const list = this.#find(".notification-list");
    const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
    const shown = this.#shown();
    const items = shown.map(({ entry, replaced }) => {
      const key = `${entry.channel}#${entry.seq}`;
      const item = known.get(key) ?? this.#item(entry, key);
      this.#fill(item, entry, replaced);
      return item;
    });
    keepingFocus(list, this.heading, () => arrange(list, items));
    this.#find(".notification-empty").hidden = items.length > 0;
    this.showRead();
    this.#countDown(shown);
  }

  #item(entry, key) {
    const item = fromTemplate("notification-template");
    item.dataset.key = key;
    item.dataset.priority = entry.priority;
    item.querySelector("time").dateTime = entry.createdAt;
    const mark = () => this.#markRead(entry.channel, this.#selection(entry));
    item.querySelector(".mark-one").addEventListener("click", mark);
    const link = item.querySelector(".notification-link");
    const href = safeLink(entry.link);
    if (href === null) link.remove();
    else link.href = href;
    link.addEventListener("click", mark);
    return item;
  }

  /** Who reads an entry has read what it replaces, which is counted too. */
  #selection({ channel, seq }) {
    const { replaced } = this.#shown().find(({ entry }) => entry.channel === channel && entry.seq === seq) ?? { replaced: [] };
    const unread = replaced.map((entry) => entry.seq).filter((one) => !this.#standing(channel).hasRead(one));
    return unread.length > 0 ? { seqs: [...unread, seq] } : { seq };
  }

  #fill(item, entry, replaced) {
    const part = (name) => item.querySelector(`.notification-${name}`);
    part("title").textContent = inLanguage(entry.title) || entry.event;
    part("body").textContent = inLanguage(entry.body);
    part("source").textContent = entry.channel === "inbox" ? word("forYou") : word("forAll");
    item.querySelector("time").textContent = clock(entry.createdAt);
    const priority = texts().priorities[entry.priority];
    part("priority").textContent = priority ?? "";
    part("priority").hidden = priority === undefined;
    part("replaced").textContent = texts().replaces(replaced.length);
    part("replaced").hidden = replaced.length === 0;
    const link = part("link");
    if (link === null) return;
    link.textContent = word("openLink");
    link.setAttribute("aria-label", texts().openLinkOf(part("title").textContent));
  }

  showRead() {
    const list = this.#find(".notification-list");
    keepingFocus(list, this.heading, () => {
      for (const item of list.children) {
        const [channel, seq] = item.dataset.key.split("#");
        const isRead = this.#standing(channel).hasRead(Number(seq));
        const button = item.querySelector(".mark-one");
        item.classList.toggle("is-read", isRead);
        button.disabled = isRead;
        button.textContent = isRead ? word("isRead") : word("markOne");
        button.setAttribute("aria-label", isRead ? word("isRead") : texts().markOneOf(item.querySelector(".notification-title").textContent));
      }
    });
  }

  /** The hub still sends entries that have expired, for their `seq` would be missing otherwise; from `expiresAt` on they are not shown. */
  #countDown(shown) {
    clearTimeout(this.#timer);
    const now = Date.now();
    let nextMs = Infinity;
    for (const { entry } of shown) {
      const leftMs = expiry(entry) - now;
      if (leftMs === Infinity) continue;
      if (leftMs <= 0) return this.show();
      const label = this.#find(`[data-key="${CSS.escape(`${entry.channel}#${entry.seq}`)}"] .notification-expiry`);
      label.textContent = texts().expiresIn(duration(leftMs));
      label.hidden = false;
      nextMs = Math.min(nextMs, leftMs < COUNTED_IN_SECONDS_MS ? leftMs % 1_000 || 1_000 : LONGEST_TIMER_MS);
    }
    if (nextMs < Infinity) this.#timer = setTimeout(() => this.#countDown(shown), nextMs);
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }
}
