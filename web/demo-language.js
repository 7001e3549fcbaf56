// The language of the demo page, and words in it.

import { texts as words } from "./texts.js";

let language = new URLSearchParams(location.search).get("lang") ?? (navigator.language.startsWith("en") ? "en" : "fr");
if (!(language in words)) language = "fr";

export const currentLanguage = () => language;
export const choose = (one) => (language = one);

/** Every word of the page in its language. */
export const texts = () => words[language];
export const word = (key) => texts()[key];

/** A text, or an object of texts by language. */
export const inLanguage = (text) => (typeof text === "string" ? text : (text?.[language] ?? Object.values(text ?? {})[0] ?? ""));
export const clock = (time) => new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }).format(new Date(time));
