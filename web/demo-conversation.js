// The conversation of one person with the other: messages, how far the other one is, and who is typing.

import { clock, texts, word } from "./demo-language.js";
import { arrange, fromTemplate } from "./demo-lists.js";
import { newKey } from "./hub-outbox.js";

const PAGE = 50;
const KEPT = 300;
const NEAR_PX = 60;
const TYPING_SHOWN_MS = 4_000;
const TYPING_SENT_EVERY_MS = 3_000;

export class Conversation {
  static page = PAGE;
  channel = null;
  #root;
  #me;
  #other;
  #client;
  #messages = []; // {key, seq, sender, body, createdAt, refused}
  #progress = { delivered: 0, read: 0 }; // of the other one
  #hasOlder = false;
  #isLoading = false;
  #isAtButton = false;
  #typedAt = -Infinity;
  #typingTimer = 0;
  #presence = { state: "unknown" }; // of the other one

  constructor(root, { me, other, client }) {
    this.#root = root;
    this.#me = me;
    this.#other = other;
    this.#client = client;
    this.#build();
  }

  #build() {
    const input = this.#find(".compose input");
    input.id = `${this.#me.id}-message`;
    this.#find(".message-label").htmlFor = input.id;
    input.addEventListener("input", () => this.#typed());
    this.#find(".compose").addEventListener("submit", (event) => this.#submit(event));
    const scroller = this.#scroller;
    scroller.addEventListener("scroll", () => {
      if (scroller.scrollTop >= NEAR_PX) this.#isAtButton = false;
      else if (!this.#isAtButton) this.#loadOlder();
      if (this.#isAtEnd) this.#find(".newer").hidden = true;
    });
    // The focus scrolls there too. Who comes by keyboard decides by pressing the button.
    this.#find(".older").addEventListener("focus", () => (this.#isAtButton = true));
    this.#find(".older").addEventListener("click", () => this.#loadOlder());
    this.#find(".newer").addEventListener("click", () => {
      this.#scrollToEnd();
      scroller.focus();
    });
  }

  translate() {
    const { name } = this.#other;
    const say = texts();
    this.#find(".conversation-title").textContent = say.conversationWith(name);
    this.#find(".message-label").textContent = say.messageTo(name);
    this.#find(".compose input").placeholder = say.placeholder(name);
    this.#scroller.setAttribute("aria-label", say.conversationWith(name));
    this.#find(".presence-name").textContent = say.presenceOf(name);
    this.showPresence(this.#presence);
    this.#show();
  }

  /** Whether messages may be written now. */
  allow(isAllowed) {
    for (const part of this.#root.querySelectorAll(".compose input, .compose button")) part.disabled = !isAllowed;
  }

  // What the hub says

  /** `more`: there are older messages than these. */
  begin(entries, more) {
    this.#hasOlder = more;
    entries.forEach((entry) => this.#keep(entry));
    this.#show({ follows: true });
  }

  /** What was shown is not the hub's. What was not sent yet stays. */
  forget() {
    this.#messages = this.#messages.filter(({ seq }) => seq === null);
    this.#progress = { delivered: 0, read: 0 };
    this.#hasOlder = false;
    this.#show();
  }

  add(entry) {
    if (!this.#keep(entry)) return;
    if (entry.sender === this.#other.id) this.hideTyping();
    const wasAtEnd = this.#isAtEnd;
    if (wasAtEnd && this.#messages.length > KEPT) {
      this.#messages.splice(0, this.#messages.length - KEPT);
      this.#hasOlder = true;
    }
    this.#show();
    this.#find(".newer").hidden = wasAtEnd;
  }

  /** Whether something has changed. */
  #keep({ id, seq, channel, sender, body, createdAt, kind, refers, retracted }) {
    if (channel !== this.channel || retracted || kind === "hidden") return false;
    if (refers !== undefined) return this.#change(kind, refers, body);
    const mine = sender === this.#me.id ? this.#messages.find(({ key }) => key === id) : undefined;
    if (mine) Object.assign(mine, { seq, createdAt });
    else if (this.#messages.some((message) => message.seq === seq)) return false;
    else this.#messages.push({ key: id, seq, sender, body, createdAt });
    return true;
  }

  /** A change without a body was superseded by a later one. */
  #change(kind, refers, body) {
    const index = this.#messages.findIndex(({ seq }) => seq === refers);
    if (index < 0 || (kind === "change" && body === undefined)) return false;
    if (kind === "retraction") this.#messages.splice(index, 1);
    else this.#messages[index].body = body;
    return true;
  }

  receipt({ channel, user, delivered, read }) {
    if (channel !== this.channel || user !== this.#other.id) return;
    this.#progress = { delivered: Math.max(delivered, this.#progress.delivered), read: Math.max(read, this.#progress.read) };
    this.#showMarks();
  }

  /** The `seq` of the other one's last message, 0 without any. */
  get lastReceived() {
    return Math.max(0, ...this.#messages.filter(({ sender, seq }) => sender === this.#other.id && seq !== null).map(({ seq }) => seq));
  }

  async #loadOlder() {
    const first = this.#messages.find(({ seq }) => seq !== null)?.seq;
    if (!this.#hasOlder || this.#isLoading || first === undefined) return;
    this.#isLoading = true;
    const scroller = this.#scroller;
    try {
      const { channel } = this;
      const { entries, more } = await this.#client.command("history", { channel, before: first, limit: PAGE });
      if (!this.#messages.some(({ seq }) => seq === first)) return; // meanwhile the channel began anew
      // A screen reader reads out what is new, and not the past.
      scroller.setAttribute("aria-live", "off");
      this.#hasOlder = more;
      entries.forEach((entry) => this.#keep(entry));
      const belowPx = scroller.scrollHeight - scroller.scrollTop;
      if (!more && document.activeElement === this.#find(".older")) scroller.focus();
      this.#show({ follows: false });
      scroller.scrollTop = scroller.scrollHeight - belowPx;
      setTimeout(() => scroller.setAttribute("aria-live", "polite"), 1_000);
    } catch (error) {
      // The button stays, for when the connection is back.
      if (error.code !== "lost") throw error;
    } finally {
      this.#isLoading = false;
    }
  }

  // What the user does

  #submit(event) {
    event.preventDefault();
    const input = event.target.elements.body;
    const body = input.value.trim();
    if (body === "") return;
    input.value = "";
    this.#typedAt = -Infinity;
    const message = { key: newKey(), seq: null, sender: this.#me.id, body, createdAt: new Date().toISOString() };
    this.#messages.push(message);
    this.#show();
    this.#scrollToEnd();
    const target = this.channel === null ? { to: this.#other.id } : { channel: this.channel };
    this.#client.send({ ...target, key: message.key, body }).then(
      ({ seq, createdAt }) => Object.assign(message, { seq, createdAt }),
      (error) => (message.refused = error.message),
    ).finally(() => this.#show());
  }

  #typed() {
    if (this.channel === null || performance.now() - this.#typedAt < TYPING_SENT_EVERY_MS) return;
    this.#typedAt = performance.now();
    this.#client.command("typing", { channel: this.channel }).catch(() => {});
  }

  // What is shown

  get #scroller() {
    return this.#find(".messages");
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_PX;
  }

  #scrollToEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#find(".newer").hidden = true;
  }

  /** Who reads older messages is not moved by a new one. */
  #show({ follows = this.#isAtEnd } = {}) {
    const inOrder = (message) => message.seq ?? Infinity;
    this.#messages.sort((a, b) => inOrder(a) - inOrder(b) || 0);
    const list = this.#find(".message-list");
    const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
    const items = this.#messages.map((message) => {
      const key = `${message.sender} ${message.key}`;
      const item = known.get(key) ?? fromTemplate("message-template");
      item.dataset.key = key;
      item.classList.toggle("is-mine", message.sender === this.#me.id);
      item.querySelector(".bubble").textContent = message.body;
      item.querySelector("time").textContent = clock(message.createdAt);
      item.querySelector("time").dateTime = message.createdAt;
      return item;
    });
    arrange(list, items);
    this.#find(".older").hidden = !this.#hasOlder;
    this.#showMarks();
    if (follows) this.#scrollToEnd();
  }

  #showMarks() {
    const items = this.#find(".message-list").children;
    this.#messages.forEach((message, index) => {
      if (message.sender !== this.#me.id || !items[index]) return;
      const mark = items[index].querySelector(".mark");
      const [state, sign, words] = this.#markOf(message);
      if (mark.dataset.mark === state && mark.title === words) return;
      mark.dataset.mark = state;
      mark.title = words;
      mark.replaceChildren(
        Object.assign(document.createElement("span"), { textContent: sign, ariaHidden: "true" }),
        Object.assign(document.createElement("span"), { textContent: words, className: "mark-words" }),
      );
    });
  }

  #markOf({ seq, refused }) {
    if (refused) return ["refused", "✕", texts().refused(refused)];
    if (seq === null) return ["pending", "…", word("pending")];
    if (seq <= this.#progress.read) return ["read", "✓✓", word("read")];
    if (seq <= this.#progress.delivered) return ["delivered", "✓✓", word("delivered")];
    return ["sent", "✓", word("sent")];
  }

  showPresence(presence) {
    const { state, lastSeen } = (this.#presence = presence);
    const element = this.#find(".presence");
    element.hidden = state === "unknown";
    element.dataset.presence = state;
    const say = texts().presence;
    const text = state === "offline" && lastSeen !== undefined ? say.lastSeen(clock(lastSeen)) : say[state];
    if (text !== undefined) this.#find(".presence-text").textContent = text;
  }

  showTyping() {
    this.#find(".typing").textContent = texts().isTyping(this.#other.name);
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.hideTyping(), TYPING_SHOWN_MS);
  }

  hideTyping() {
    clearTimeout(this.#typingTimer);
    this.#find(".typing").textContent = "";
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }
}
