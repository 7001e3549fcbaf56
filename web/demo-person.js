// One person of the demo page: a panel with their notifications and their conversation, on a client of their own.

import { clock, inLanguage, texts, word } from "./demo-language.js";
import { Standing } from "./demo-standing.js";

const SHOWN_NOTIFICATIONS = 40;
const SHOWN_MESSAGES = 50;
const TYPING_SHOWN_MS = 4_000;
const TYPING_SENT_EVERY_MS = 3_000;

const fromTemplate = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export class Person {
  #me;
  #other;
  #client;
  #root;
  #standings = new Map(); // channel → Standing
  #notifications = []; // entries, newest first
  #messages = []; // {key, seq, sender, body, createdAt, refused}
  #conversation = null;
  #progress = { delivered: 0, read: 0 }; // of the other one, in the conversation
  #connection = { state: "stopped" };
  #attentive = false;
  #typedAt = -Infinity;
  #typingTimer = 0;
  #expiryTimer = 0;

  constructor(me, other, client) {
    this.#me = me;
    this.#other = other;
    this.#root = fromTemplate("person-template");
    this.#build();
    this.#client = client;
    this.#listen();
    this.#client.start();
  }

  get element() {
    return this.#root;
  }

  // What the hub says

  #listen() {
    const on = (type, body) => this.#client.addEventListener(type, ({ detail }) => body(detail));
    on("state", (connection) => {
      this.#connection = connection;
      this.#showConnection();
    });
    on("transport", () => this.#showConnection());
    on("connected", (welcome) => this.#welcomed(welcome));
    on("entry", (entry) => this.#received(entry));
    on("reset", ({ channel }) => this.#begunAnew(channel));
    on("cursor", (cursor) => this.#learn(cursor));
    on("counters", ({ channels }) => channels.forEach((state) => this.#learn(state)));
    on("receipt", ({ channel, user, delivered, read }) => {
      if (channel !== this.#conversation || user !== this.#other.id) return;
      this.#progress = { delivered: Math.max(delivered, this.#progress.delivered), read: Math.max(read, this.#progress.read) };
      this.#showMarks();
    });
    on("signal", ({ signal, channel, user }) => {
      if (signal === "typing" && channel === this.#conversation && user === this.#other.id) this.#showTyping();
    });
  }

  async #welcomed({ channels }) {
    this.#root.ariaBusy = "true";
    channels.forEach((state) => this.#learn(state));
    try {
      for (const { channel, kind } of channels) {
        if (kind !== "conversation") await this.#follow(channel, SHOWN_NOTIFICATIONS);
      }
      if (this.#conversation === null) {
        const state = await this.#client.command("open", { with: this.#other.id });
        this.#conversation = state.channel;
        this.#learn(state);
      }
      await this.#follow(this.#conversation, SHOWN_MESSAGES);
      this.#root.ariaBusy = "false";
    } catch (error) {
      // A lost connection comes back by itself, and through here again.
      if (error.code !== "lost") throw error;
    }
  }

  /** The last entries, then everything after them, once and for all connections. */
  async #follow(channel, limit) {
    if (this.#client.follows(channel)) return;
    const { entries, head } = await this.#client.command("history", { channel, limit });
    entries.forEach((entry) => this.#received(entry));
    this.#learn(await this.#client.subscribe(channel, head));
  }

  /** The hub no longer has what is shown of the channel: its database is another one, or an older copy. */
  async #begunAnew(channel) {
    this.#standings.delete(channel);
    this.#notifications = this.#notifications.filter((entry) => entry.channel !== channel);
    if (channel === this.#conversation) this.#messages = this.#messages.filter(({ seq }) => seq === null);
    this.#showNotifications();
    this.#showMessages();
    try {
      const { entries } = await this.#client.command("history", { channel, limit: SHOWN_MESSAGES });
      entries.forEach((entry) => this.#received(entry));
    } catch (error) {
      if (error.code !== "lost") throw error;
    }
  }

  #received(entry) {
    if (entry.kind === "message") this.#addMessage(entry);
    else this.#addNotification(entry);
  }

  #standing(channel) {
    if (!this.#standings.has(channel)) this.#standings.set(channel, new Standing());
    return this.#standings.get(channel);
  }

  #learn(state) {
    this.#standing(state.channel).learn(state);
    this.#showNumbers();
    this.#showReadNotifications();
  }

  // Notifications

  #addNotification(entry) {
    if (this.#notifications.some(({ channel, seq }) => channel === entry.channel && seq === entry.seq)) return;
    this.#notifications.push(entry);
    this.#notifications.sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.seq - a.seq);
    this.#notifications.splice(SHOWN_NOTIFICATIONS);
    this.#showNotifications();
    if (this.#attentive) this.#lookAt("notifications");
  }

  /** From `expiresAt` on an entry is not to be shown: the hub still sends it, for its seq would be missing otherwise. */
  #dropExpired() {
    const now = Date.now();
    const expiry = ({ expiresAt }) => (expiresAt ? Date.parse(expiresAt) : Infinity);
    this.#notifications = this.#notifications.filter((entry) => expiry(entry) > now);
    clearTimeout(this.#expiryTimer);
    const next = Math.min(...this.#notifications.map(expiry));
    // Longer waits than this a timer cannot keep.
    if (next < Infinity) this.#expiryTimer = setTimeout(() => this.#showNotifications(), Math.min(next - now, 2 ** 31 - 1));
  }

  #showNotifications() {
    this.#dropExpired();
    const list = this.#find(".notification-list");
    const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
    const items = this.#notifications.map((entry) => {
      const key = `${entry.channel}#${entry.seq}`;
      const item = known.get(key) ?? this.#notificationItem(entry, key);
      item.querySelector(".notification-title").textContent = inLanguage(entry.title) || entry.event;
      item.querySelector(".notification-body").textContent = inLanguage(entry.body);
      item.querySelector(".notification-source").textContent = entry.channel === "inbox" ? word("forYou") : word("forAll");
      item.querySelector("time").textContent = clock(entry.createdAt);
      return item;
    });
    for (const [key, item] of known) if (!items.includes(item)) known.get(key).remove();
    items.forEach((item, index) => {
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    this.#find(".notification-empty").hidden = items.length > 0;
    this.#showReadNotifications();
  }

  #notificationItem(entry, key) {
    const item = fromTemplate("notification-template");
    item.dataset.key = key;
    item.dataset.priority = entry.priority;
    item.querySelector("time").dateTime = entry.createdAt;
    item.querySelector(".mark-one").addEventListener("click", () => this.#markRead(entry.channel, { seq: entry.seq }));
    return item;
  }

  #showReadNotifications() {
    for (const item of this.#find(".notification-list").children) {
      const [channel, seq] = item.dataset.key.split("#");
      const isRead = this.#standing(channel).hasRead(Number(seq));
      const button = item.querySelector(".mark-one");
      item.classList.toggle("is-read", isRead);
      button.disabled = isRead;
      button.textContent = isRead ? word("isRead") : word("markOne");
      button.setAttribute("aria-label", isRead ? word("isRead") : texts().markOneOf(item.querySelector(".notification-title").textContent));
    }
  }

  #markAll() {
    for (const [channel, { unread }] of this.#standings) {
      if (channel !== this.#conversation && unread > 0) this.#markRead(channel, { all: true });
    }
  }

  #markRead(channel, selection) {
    this.#client.command("mark-read", { channel, ...selection }).then((state) => this.#learn(state), () => {});
  }

  // Messages

  #addMessage({ id, seq, channel, sender, body, createdAt }) {
    if (channel !== this.#conversation) return;
    const mine = sender === this.#me.id ? this.#messages.find(({ key }) => key === id) : undefined;
    if (mine) Object.assign(mine, { seq, createdAt });
    else if (this.#messages.some((message) => message.seq === seq)) return;
    else this.#messages.push({ key: id, seq, sender, body, createdAt });
    if (sender === this.#other.id) this.#hideTyping();
    this.#showMessages();
    if (this.#attentive) this.#lookAt("conversation");
  }

  #submit(event) {
    event.preventDefault();
    const input = event.target.elements.body;
    const body = input.value.trim();
    if (body === "") return;
    input.value = "";
    this.#typedAt = -Infinity;
    const message = { key: crypto.randomUUID(), seq: null, sender: this.#me.id, body, createdAt: new Date().toISOString() };
    this.#messages.push(message);
    this.#showMessages();
    const target = this.#conversation === null ? { to: this.#other.id } : { channel: this.#conversation };
    this.#client.send({ ...target, key: message.key, body }).then(
      ({ seq, createdAt }) => Object.assign(message, { seq, createdAt }),
      (error) => (message.refused = error.message),
    ).finally(() => this.#showMessages());
  }

  #typed() {
    if (this.#conversation === null || performance.now() - this.#typedAt < TYPING_SENT_EVERY_MS) return;
    this.#typedAt = performance.now();
    this.#client.command("typing", { channel: this.#conversation }).catch(() => {});
  }

  #showMessages() {
    const inOrder = (message) => message.seq ?? Infinity;
    this.#messages.sort((a, b) => inOrder(a) - inOrder(b) || 0);
    this.#messages.splice(0, Math.max(0, this.#messages.length - SHOWN_MESSAGES));
    const list = this.#find(".messages");
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
    for (const item of known.values()) if (!items.includes(item)) item.remove();
    items.forEach((item, index) => {
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    list.scrollTop = list.scrollHeight;
    this.#showMarks();
  }

  #showMarks() {
    const items = this.#find(".messages").children;
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

  // Attention: what lies open before somebody's eyes is seen; a message there is read.

  #attend(attentive) {
    this.#attentive = attentive;
    if (!attentive) return;
    this.#lookAt("notifications");
    this.#lookAt("conversation");
  }

  #lookAt(part) {
    if (document.visibilityState !== "visible" || this.#client.state !== "connected") return;
    if (part === "conversation") {
      const last = this.#messages.findLast(({ sender, seq }) => sender === this.#other.id && seq !== null);
      if (last && last.seq > this.#standing(this.#conversation).read) this.#markRead(this.#conversation, { upTo: last.seq });
      return;
    }
    const newest = new Map();
    for (const { channel, seq } of this.#notifications) newest.set(channel, Math.max(seq, newest.get(channel) ?? 0));
    for (const [channel, seq] of newest) {
      if (seq <= this.#standing(channel).seen) continue;
      this.#client.command("mark-seen", { channel, seq }).then((state) => this.#learn(state), () => {});
    }
  }

  // The panel

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #build() {
    const { id, name, initial } = this.#me;
    this.#root.id = id;
    this.#root.dataset.person = id;
    this.#find(".avatar").textContent = initial;
    this.#find(".name").textContent = name;
    this.#find(".name").id = `${id}-name`;
    this.#root.setAttribute("aria-labelledby", `${id}-name`);
    this.#find(".own-window").href = `?as=${id}`;
    const input = this.#find(".compose input");
    input.id = `${id}-message`;
    this.#find(".message-label").htmlFor = input.id;
    input.addEventListener("input", () => this.#typed());
    this.#find(".compose").addEventListener("submit", (event) => this.#submit(event));
    this.#find(".mark-all").addEventListener("click", () => this.#markAll());
    this.#find(".cut").addEventListener("click", () => {
      if (["stopped", "ended"].includes(this.#client.state)) this.#client.start();
      else this.#client.stop();
    });
    for (const sign of ["pointerenter", "focusin"]) this.#root.addEventListener(sign, () => this.#attend(true));
    this.#root.addEventListener("pointerleave", () => this.#attend(this.#root.contains(document.activeElement)));
    this.#root.addEventListener("focusout", ({ relatedTarget }) => {
      if (!this.#root.contains(relatedTarget) && !this.#root.matches(":hover")) this.#attend(false);
    });
    this.translate();
  }

  translate() {
    const say = texts();
    for (const element of this.#root.querySelectorAll("[data-text]")) element.textContent = word(element.dataset.text);
    this.#find(".conversation-title").textContent = say.conversationWith(this.#other.name);
    this.#find(".message-label").textContent = say.messageTo(this.#other.name);
    this.#find(".compose input").placeholder = say.placeholder(this.#other.name);
    this.#find(".messages").setAttribute("aria-label", say.conversationWith(this.#other.name));
    this.#find(".own-window").textContent = say.ownWindow;
    this.#find(".own-window").setAttribute("aria-label", say.ownWindowOf(this.#me.name));
    this.#showConnection();
    this.#showNotifications();
    this.#showMessages();
  }

  #showConnection() {
    const say = texts();
    const { state, retryInMs = 0, code, reason } = this.#connection;
    const text = say.states[state];
    this.#root.dataset.state = state;
    this.#find(".connection-text").textContent =
      typeof text === "string" ? text : text(state === "waiting" ? Math.ceil(retryInMs / 1000) : code, reason);
    const transport = this.#find(".connection-transport");
    transport.textContent = state === "connected" ? say.transports[this.#client.transport] : "";
    transport.title = say.transportTitle;
    const off = state === "stopped" || state === "ended";
    this.#find(".cut").textContent = off ? say.resume : say.cut;
    this.#find(".cut").setAttribute("aria-label", off ? say.resumeOf(this.#me.name) : say.cutOf(this.#me.name));
  }

  #showNumbers() {
    let notifications = 0;
    for (const [channel, { unread }] of this.#standings) if (!channel.startsWith("conversation:")) notifications += unread;
    const messages = this.#conversation === null ? 0 : this.#standing(this.#conversation).unread;
    this.#showBadge(this.#find(".notifications .badge"), notifications);
    this.#showBadge(this.#find(".conversation .badge"), messages);
    this.#find(".mark-all").disabled = notifications === 0;
  }

  #showBadge(badge, number) {
    badge.hidden = number === 0;
    badge.querySelector(".badge-number").textContent = number > 99 ? "99+" : String(number);
  }

  #showTyping() {
    this.#find(".typing").textContent = texts().isTyping(this.#other.name);
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.#hideTyping(), TYPING_SHOWN_MS);
  }

  #hideTyping() {
    clearTimeout(this.#typingTimer);
    this.#find(".typing").textContent = "";
  }
}
