// A difference, drawn.

import { difference } from "./difference.js";
import { el } from "./elements.js";
import { shown } from "./values.js";

const AROUND = 160;

export function drawDiff(old, now) {
  const found = difference(old, now);
  const parts = found.map(({ kind, text }, place) => {
    if (kind !== "same") return el(kind === "old" ? "del" : "ins", {}, text);
    const head = place === 0 ? 0 : AROUND;
    const tail = place === found.length - 1 ? 0 : AROUND;
    if (text.length <= head + tail + 120) return text;
    // Fold at the nearest end of a line, or else of a word.
    const from = head && (text.slice(0, head * 2).search(/\n[^\n]*$/) + 1 || text.slice(0, head).lastIndexOf(" ") + 1 || head);
    const until = text.length - tail * 2;
    const to = tail ? until + (text.slice(until).match(/[\n ]/)?.index ?? 0) + 1 : text.length;
    const hidden = text.slice(from, to);
    const more = el("button", { type: "button", class: "fold", onclick: () => more.replaceWith(hidden) }, `… ${shown(hidden.length, "integer")} characters unchanged …`);
    return [text.slice(0, from), more, text.slice(to)];
  });
  return el("div", { class: "diff" }, parts);
}
