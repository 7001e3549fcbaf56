// Six clients over the proxy, and the nodes that serve them. `scripts/cluster` starts the nodes and answers /cluster/.

import { HubClient } from "./client/hub-client.js";

const TEXTS = {
  fr: {
    tagline: "Trois nœuds, une base, un proxy sans affinité",
    nodes: "Les nœuds",
    nodesText: "Arrêtez-en un brutalement : ses clients reviennent sur un autre, et rien ne manque. Les événements qu’il lisait dans Kafka arrivent quelques secondes plus tard.",
    clients: "Les clients",
    clientsText: "Chacun suit le même canal, par le proxy.",
    client: "Client",
    transport: "Transport",
    node: "Servi par",
    state: "État",
    received: "Reçus",
    newest: "Dernier",
    missing: "Manquants",
    away: "Dernière absence",
    kill: "Tuer (kill -9)",
    start: "Relancer",
    running: "en marche",
    stopped: "arrêté",
    serves: (count) => `${count} client${count > 1 ? "s" : ""}`,
    eventsOn: "Arrêter les événements",
    eventsOff: "Un événement par seconde",
    states: { connecting: "connexion", connected: "connecté", waiting: "attend", idle: "inactif", ended: "terminé", stopped: "arrêté" },
    transports: { websocket: "WebSocket", eventstream: "flux d’événements", poll: "interrogation longue" },
  },
  en: {
    tagline: "Three nodes, one database, a proxy without affinity",
    nodes: "The nodes",
    nodesText: "Kill one: its clients come back on another, and nothing is missing. The events that it read from Kafka come some seconds later.",
    clients: "The clients",
    clientsText: "Each follows the same channel, through the proxy.",
    client: "Client",
    transport: "Transport",
    node: "Served by",
    state: "State",
    received: "Received",
    newest: "Newest",
    missing: "Missing",
    away: "Last absence",
    kill: "Kill (kill -9)",
    start: "Start again",
    running: "running",
    stopped: "stopped",
    serves: (count) => `${count} client${count === 1 ? "" : "s"}`,
    eventsOn: "Stop the events",
    eventsOff: "An event every second",
    states: { connecting: "connecting", connected: "connected", waiting: "waiting", idle: "idle", ended: "ended", stopped: "stopped" },
    transports: { websocket: "WebSocket", eventstream: "event stream", poll: "long poll" },
  },
};

const CHANNEL = "broadcast:system";
const EVERY_MS = 1_000;
const find = (selector) => document.querySelector(selector);

let language = navigator.language.startsWith("fr") ? "fr" : "en";
let nodes = [];
let timer = null;
const clients = ["websocket", "eventstream", "poll", "websocket", "eventstream", "poll"].map((transport, index) => makeClient(`visitor-${index + 1}`, transport));

function makeClient(name, transport) {
  const shown = { name, transport, node: null, received: 0, first: null, newest: 0, awaySince: null, awayMs: null };
  shown.client = new HubClient({
    url: `ws://${location.host}/v1/socket`,
    transports: [transport],
    getToken: async () => (await ask(`token?subject=${name}`)).said,
  });
  shown.client.addEventListener("node", ({ detail }) => {
    shown.node = detail.node;
    show();
  });
  shown.client.addEventListener("state", ({ detail: { state } }) => {
    if (state === "connected" && shown.awaySince !== null) Object.assign(shown, { awayMs: performance.now() - shown.awaySince, awaySince: null });
    else if (state !== "connected" && shown.node !== null) shown.awaySince ??= performance.now();
    show();
  });
  shown.client.addEventListener("entry", ({ detail: { seq } }) => {
    shown.first ??= seq;
    shown.received += 1;
    shown.newest = seq;
    show();
  });
  return shown;
}

async function ask(path, options) {
  const response = await fetch(`/cluster/${path}`, { cache: "no-store", ...options });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

/** `action` is `kill` or `start`. */
async function command(action, node) {
  try {
    nodes = await ask(`${action}?node=${encodeURIComponent(node)}`, { method: "POST" });
    find("#problem").textContent = "";
  } catch (error) {
    find("#problem").textContent = error.message;
  }
  show();
}

async function look() {
  try {
    nodes = await ask("nodes");
  } catch {
    nodes = nodes.map((node) => ({ ...node, running: false }));
  }
  show();
}

function publish(isOn) {
  clearInterval(timer);
  timer = isOn ? setInterval(() => ask(`publish?title=${Date.now()}`, { method: "POST" }).catch(() => {}), EVERY_MS) : null;
  show();
}

// Showing

const element = (name, text, className = "") => Object.assign(document.createElement(name), { textContent: text, className });

function show() {
  const texts = TEXTS[language];
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = texts[place.dataset.text];
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", button.dataset.language === language);
  find("#events").textContent = timer === null ? texts.eventsOff : texts.eventsOn;
  showNodes(texts);
  find("#clients").replaceChildren(
    ...clients.map(({ name, transport, client, node, received, first, newest, awayMs }) => {
      const row = document.createElement("tr");
      const missing = first === null ? 0 : newest - first + 1 - received;
      const away = awayMs === null ? "–" : `${Math.round(awayMs)} ms`;
      row.append(element("td", name), element("td", texts.transports[transport]), element("td", node ?? "–"), element("td", texts.states[client.state]));
      row.append(...[received, newest, missing, away].map((value) => element("td", value, "number")));
      return row;
    }),
  );
}

/** In place, so that a button keeps the focus. */
function showNodes(texts) {
  for (const { name, port, pid, running } of nodes) {
    let card = document.getElementById(`node-${name}`);
    if (card === null) {
      card = element("div", "", "node");
      card.id = `node-${name}`;
      card.append(element("h3", name), element("p", ""), element("code", ""), element("p", ""));
      const button = element("button", "");
      button.type = "button";
      button.addEventListener("click", () => command(card.classList.contains("stopped") ? "start" : "kill", name));
      card.append(button);
      find("#nodes").append(card);
    }
    card.classList.toggle("stopped", !running);
    const served = clients.filter((client) => client.node === name && client.client.state === "connected").length;
    card.children[1].textContent = `${running ? texts.running : texts.stopped} · ${texts.serves(running ? served : 0)}`;
    card.children[2].textContent = running ? `127.0.0.1:${port} · kill -9 ${pid}` : `127.0.0.1:${port}`;
    card.querySelector("button").textContent = running ? texts.kill : texts.start;
  }
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    language = button.dataset.language;
    show();
  });
}
find("#events").addEventListener("click", () => publish(timer === null));
for (const { client } of clients) {
  client.subscribe(CHANNEL).catch(() => {});
  client.start();
}
publish(true);
look();
setInterval(look, 1_000);
