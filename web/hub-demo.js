// The demo page: two people (or one, with ?as=alice), each with a connection of their own, and a service that publishes.
// ?transport=eventstream or ?transport=poll keeps to one transport.

import { choose, currentLanguage, texts, word } from "./demo-language.js";
import { Person } from "./demo-person.js";
import { HubClient } from "./hub-client.js";
import { TRANSPORTS } from "./hub-ladder.js";
import { events } from "./texts.js";

const PEOPLE = [
  { id: "alice", name: "Alice", initial: "A" },
  { id: "bob", name: "Bob", initial: "B" },
];

function clientFor({ id }) {
  const transport = new URLSearchParams(location.search).get("transport");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return new HubClient({
    url: `${scheme}//${location.host}/v1/socket`,
    getToken: async () => {
      const answer = await fetch(`/demo/token?subject=${encodeURIComponent(id)}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(`no token: ${answer.status}`);
      return (await answer.json()).token;
    },
    transports: TRANSPORTS.includes(transport) ? [transport] : TRANSPORTS,
  });
}

const asked = new URLSearchParams(location.search).get("as");
const shown = PEOPLE.some(({ id }) => id === asked) ? PEOPLE.filter(({ id }) => id === asked) : PEOPLE;
const people = shown.map((me) => new Person(me, PEOPLE.find((other) => other !== me), clientFor(me)));
document.getElementById("people").append(...people.map(({ element }) => element));
document.body.dataset.people = String(people.length);

const publish = document.getElementById("publish");
const outcome = document.getElementById("publish-outcome");

function fill(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

publish.addEventListener("submit", async (submission) => {
  submission.preventDefault();
  const { event, recipient } = publish.elements;
  const { label, expiresInMs, ...published } = events.find((one) => one.type === event.value);
  const expiry = expiresInMs === undefined ? {} : { expiresAt: new Date(Date.now() + expiresInMs).toISOString() };
  try {
    const answer = await fetch("/demo/publish", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ to: [recipient.value], ...published, ...expiry }),
    });
    if (answer.status !== 202) throw new Error(String(answer.status));
    outcome.textContent = texts().published(recipient.selectedOptions[0].textContent);
    outcome.dataset.outcome = "good";
  } catch {
    outcome.textContent = word("publishFailed");
    outcome.dataset.outcome = "bad";
  }
});

function translate() {
  document.documentElement.lang = currentLanguage();
  document.title = word("pageTitle");
  for (const element of document.querySelectorAll("body > header [data-text], main > .platform [data-text], body > footer [data-text], .skip"))
    element.textContent = word(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label));
  for (const button of document.querySelectorAll("[data-language]"))
    button.setAttribute("aria-pressed", String(button.dataset.language === currentLanguage()));
  fill(publish.elements.event, events.map(({ type, label }) => [type, label[currentLanguage()]]));
  fill(publish.elements.recipient, [...PEOPLE.map(({ id, name }) => [`user:${id}`, name]), ["broadcast:system", word("everyone")]]);
  people.forEach((person) => person.translate());
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    choose(button.dataset.language);
    translate();
  });
}
translate();
