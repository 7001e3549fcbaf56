// One person of the demo page: a panel with their notifications and their conversation, on a client of their own.

import { Conversation } from "./demo-conversation.js";
import { clock, inLanguage, texts, word } from "./demo-language.js";
import { fromTemplate } from "./demo-lists.js";
import { Notifications } from "./demo-notifications.js";
import { Standing } from "./demo-standing.js";

const FIRST_NOTIFICATIONS = 40;

export class Person {
  #me;
  #other;
  #client;
  #root;
  #standings = new Map(); // channel → Standing
  #notifications;
  #conversation;
  #connection = { state: "stopped" };
  #isAttentive = false;

  constructor(me, other, client) {
    this.#me = me;
    this.#other = other;
    this.#client = client;
    this.#root = fromTemplate("person-template");
    this.#notifications = new Notifications(this.#find(".notifications"), {
      standing: (channel) => this.#standing(channel),
      markRead: (channel, selection) => this.#markRead(channel, selection),
    });
    this.#conversation = new Conversation(this.#find(".conversation"), { me, other, client });
    this.#build();
    this.#listen();
    this.#client.sharePresence();
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
    on("receipt", (receipt) => this.#conversation.receipt(receipt));
    for (const type of ["presence", "state"]) on(type, () => this.#conversation.showPresence(this.#client.presence(this.#other.id)));
    on("switched", () => this.#showSwitched());
    on("signal", ({ signal, channel, user }) => {
      if (signal === "typing" && channel === this.#conversation.channel && user === this.#other.id) this.#conversation.showTyping();
    });
  }

  async #welcomed({ channels }) {
    this.#root.ariaBusy = "true";
    channels.forEach((state) => this.#learn(state));
    try {
      for (const { channel, kind } of channels) {
        if (kind !== "conversation") await this.#follow(channel);
      }
      if (this.#conversation.channel === null) {
        const state = await this.#client.command("open", { with: this.#other.id });
        this.#conversation.channel = state.channel;
        this.#learn(state);
      }
      await this.#follow(this.#conversation.channel);
      this.#root.ariaBusy = "false";
    } catch (error) {
      // A lost connection comes back by itself, and through here again.
      if (error.code !== "lost") throw error;
    }
  }

  /** The last entries, then everything after them, once and for all connections. */
  async #follow(channel) {
    if (this.#client.follows(channel)) return;
    const head = await this.#showLast(channel);
    this.#learn(await this.#client.subscribe(channel, head));
  }

  async #showLast(channel) {
    const isConversation = channel === this.#conversation.channel;
    const limit = isConversation ? Conversation.page : FIRST_NOTIFICATIONS;
    const { entries, head, more } = await this.#client.command("history", { channel, limit });
    if (isConversation) this.#conversation.begin(entries, more);
    else entries.forEach((entry) => this.#notifications.add(entry));
    if (this.#isAttentive) this.#lookAt(isConversation ? "conversation" : "notifications");
    return head;
  }

  /** The hub no longer has what is shown of the channel: its database is another one, or an older copy. */
  async #begunAnew(channel) {
    this.#standings.delete(channel);
    this.#notifications.forget(channel);
    if (channel === this.#conversation.channel) this.#conversation.forget();
    try {
      await this.#showLast(channel);
    } catch (error) {
      if (error.code !== "lost") throw error;
    }
  }

  /** Nothing is pushed now: the inbox and the conversation are read once, by requests. */
  async #readAgain() {
    try {
      for (const channel of this.#standings.keys()) await this.#showLast(channel);
    } catch (error) {
      if (!error.temporary) throw error;
    }
  }

  #received(entry) {
    // Of somebody whom this person has blocked.
    if (entry.kind === "hidden") return;
    const part = entry.kind === "message" || entry.refers !== undefined ? "conversation" : "notifications";
    if (part === "conversation") this.#conversation.add(entry);
    // The platform takes notifications of any channel back.
    if (part === "notifications" || entry.kind === "retraction") this.#notifications.add(entry);
    if (this.#isAttentive) this.#lookAt(part);
  }

  #standing(channel) {
    if (!this.#standings.has(channel)) this.#standings.set(channel, new Standing());
    return this.#standings.get(channel);
  }

  #learn(state) {
    this.#standing(state.channel).learn(state);
    this.#notifications.showRead();
    this.#showNumbers();
  }

  #markAll() {
    for (const [channel, { unread }] of this.#standings) {
      if (channel !== this.#conversation.channel && unread > 0) this.#markRead(channel, { all: true });
    }
  }

  #markRead(channel, selection) {
    this.#client.command("mark-read", { channel, ...selection }).then((state) => this.#learn(state), () => {});
  }

  // Attention: what lies open before somebody's eyes is seen; a message there is read.

  #attend(isAttentive) {
    this.#isAttentive = isAttentive;
    if (!isAttentive) return;
    this.#lookAt("notifications");
    this.#lookAt("conversation");
  }

  #lookAt(part) {
    if (document.visibilityState !== "visible" || this.#client.state !== "connected") return;
    if (part === "conversation") {
      const { channel, lastReceived } = this.#conversation;
      if (channel !== null && lastReceived > this.#standing(channel).read) this.#markRead(channel, { upTo: lastReceived });
      return;
    }
    for (const [channel, seq] of this.#notifications.newest()) {
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
    this.#find(".mark-all").addEventListener("click", () => this.#markAll());
    this.#find(".cut").addEventListener("click", () => {
      if (["stopped", "ended"].includes(this.#client.state)) this.#client.start();
      else this.#client.stop();
    });
    this.#find(".read-again").addEventListener("click", () => this.#readAgain());
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
    this.#find(".own-window").textContent = say.ownWindow;
    this.#find(".own-window").setAttribute("aria-label", say.ownWindowOf(this.#me.name));
    this.#showConnection();
    this.#notifications.show();
    this.#conversation.translate();
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
    this.#showSwitched();
  }

  /** What operators have switched off, in the hub's words. */
  #showSwitched() {
    const { switched } = this.#client;
    const isSuspended = this.#connection.reason === "feature_off";
    const told = switched.map(({ text, until }) => inLanguage(text) + (until ? ` ${texts().until(clock(until))}` : ""));
    this.#find(".switched-text").textContent = told.join(" ");
    this.#find(".switched").hidden = switched.length === 0;
    this.#find(".read-again").hidden = !isSuspended;
    this.#conversation.allow(!isSuspended && !this.#client.isOff("direct-messages"));
  }

  #showNumbers() {
    let notifications = 0;
    for (const [channel, { unread }] of this.#standings) if (!channel.startsWith("conversation:")) notifications += unread;
    const { channel } = this.#conversation;
    this.#showBadge(this.#find(".notifications .badge"), notifications);
    this.#showBadge(this.#find(".conversation .badge"), channel === null ? 0 : this.#standing(channel).unread);
    const markAll = this.#find(".mark-all");
    const hadFocus = document.activeElement === markAll;
    markAll.disabled = notifications === 0;
    if (hadFocus && markAll.disabled) this.#notifications.heading.focus();
  }

  #showBadge(badge, number) {
    badge.hidden = number === 0;
    badge.querySelector(".badge-number").textContent = number > 99 ? "99+" : String(number);
  }
}
