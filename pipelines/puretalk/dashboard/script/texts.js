// Texts for reading: variables highlighted, long ones cut, JSON laid out.

import { el } from "./elements.js";
import { shown } from "./values.js";

/** Text with its {{variables}} highlighted. */
export function withVariables(text) {
  return text.split(/(\{\{[^{}\n]{1,100}\}\})/).map((part, place) => (place % 2 ? el("span", { class: "variable" }, part) : part));
}

const LONG = 1500;

export function prose(text, name) {
  const box = el("pre", { class: "prose" }, withVariables(text.length > LONG * 1.2 ? `${text.slice(0, LONG)}…` : text));
  if (text.length <= LONG * 1.2) return box;
  const more = el("button", { type: "button", class: "quiet", "aria-label": `Show all of ${name}`, onclick: () => {
    box.replaceChildren(...withVariables(text));
    more.remove();
  } }, `Show all ${shown(text.length, "integer")} characters`);
  return [box, more];
}

/** JSON in a string, indented; any other text as it is. */
export function laidOut(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function readable(json) {
  if (json === null || json === undefined) return null;
  try {
    const value = JSON.parse(json);
    if (typeof value === "string") return laidOut(value);
    return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : String(value);
  } catch {
    return String(json);
  }
}
