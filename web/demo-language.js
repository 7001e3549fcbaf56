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
/** The time of day, with the date unless it is today. */
export function clock(time) {
  const date = new Date(time);
  const day = date.toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(language, { ...day, hour: "2-digit", minute: "2-digit" }).format(date);
}

/** A time that is left: with seconds below an hour, with minutes below a day, else in days. */
export function duration(ms) {
  const seconds = Math.ceil(ms / 1_000);
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${two(Math.floor((seconds % 3_600) / 60))}`;
  return texts().days(Math.floor(seconds / 86_400));
}
