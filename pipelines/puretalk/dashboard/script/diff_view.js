// A difference, drawn: lines with their numbers, unified or side by side, unchanged ones folded.

/** @import { Line } from "./difference.js" */

import { difference } from "./difference.js";
import { el } from "./elements.js";
import { shown } from "./values.js";

/** Unchanged lines that stay around a change. */
const AROUND = 3;
/** Fewer hidden lines than this are not worth a fold. */
const LEAST_FOLD = 4;

/** How the reader likes differences; for those drawn from now on. */
const liking = { isSplit: false };

/** @param {string | null} old null: there was no text @param {string | null} now */
export function drawDiff(old, now) {
  const lines = difference(old, now);
  const box = el("div", { class: "diff" });
  const withoutBlanks = (text) => (text ?? "").replace(/\s/g, "").replace(UNSEEN, "");
  const isUnseen = lines.some((line) => line.kind !== "same" && line.parts.some((part) => part.text.search(UNSEEN) >= 0));
  let isMarked = isUnseen || (old !== null && now !== null && withoutBlanks(old) === withoutBlanks(now));
  let isWhole = false;
  const button = (label, name, press, isPressed) =>
    el("button", { type: "button", class: "quiet", "aria-label": name, "aria-pressed": String(isPressed), onclick: () => {
      press();
      draw();
    } }, label);
  const tools = el("div", { class: "diff-tools" });
  const draw = () => {
    const had = [...tools.querySelectorAll("button")].indexOf(/** @type {any} */ (document.activeElement));
    const count = (kind) => shown(lines.filter((line) => line.kind === kind).length, "integer");
    tools.replaceChildren(
      el("span", { class: "diff-count" }, el("span", { class: "more-lines" }, `+${count("new")}`), " ", el("span", { class: "less-lines" }, `−${count("old")}`)),
      button("Split", "Old and new side by side", () => { liking.isSplit = !liking.isSplit; }, liking.isSplit),
      button("¶", "Show blanks, tabs, ends of lines and what cannot be seen", () => { isMarked = !isMarked; }, isMarked),
      button("Expand all", "Show all unchanged lines", () => { isWhole = !isWhole; }, isWhole));
    box.classList.toggle("split", liking.isSplit);
    box.replaceChildren(...(liking.isSplit ? splitRows : unifiedRows)(lines, isWhole, isMarked));
    if (had >= 0) /** @type {HTMLElement} */ (tools.querySelectorAll("button")[had]).focus();
  };
  draw();
  return [tools, box];
}

/** Characters without a shape, and those that turn the direction of what follows: a line may read as another one. */
const UNSEEN = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const marked = (text) => text.replaceAll(" ", "·").replaceAll("\t", "→\t")
  .replace(UNSEEN, (one) => `[U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);

/** @param {Line} line @param {boolean} isMarked */
function drawLine(line, isMarked) {
  const text = (part) => (isMarked ? marked(part.text) : part.text);
  const parts = line.parts.map((part) => (part.isChanged ? el("b", {}, text(part)) : text(part)));
  return el({ same: "span", old: "del", new: "ins" }[line.kind],
    { class: "line", "data-old": line.old || " ", "data-new": line.now || " " }, parts, isMarked ? "¶" : null);
}

/** Draws lines, and a button in place of many unchanged ones.
 * @param {Line[]} lines @param {boolean} isWhole @param {(line: Line) => HTMLElement} draw */
function folded(lines, isWhole, draw) {
  const isNear = new Uint8Array(lines.length);
  lines.forEach((line, place) => {
    if (line.kind !== "same") isNear.fill(1, Math.max(0, place - AROUND), place + AROUND + 1);
  });
  const drawn = [];
  for (let place = 0; place < lines.length;) {
    let end = place;
    while (end < lines.length && !isNear[end]) end += 1;
    if (isWhole || end - place < LEAST_FOLD) {
      drawn.push(...lines.slice(place, Math.max(end, place + 1)).map(draw));
      place = Math.max(end, place + 1);
      continue;
    }
    const hidden = lines.slice(place, end);
    const more = el("button", { type: "button", class: "fold", onclick: () => more.replaceWith(...hidden.map(draw)) },
      `… ${shown(hidden.length, "integer")} unchanged lines …`);
    drawn.push(more);
    place = end;
  }
  return drawn;
}

const unifiedRows = (lines, isWhole, isMarked) => folded(lines, isWhole, (line) => drawLine(line, isMarked));

/** Old and new lines that replace each other share a row. */
function splitRows(lines, isWhole, isMarked) {
  const news = new Map(lines.filter((line) => line.kind === "new").map((line) => [line.now, line]));
  const rows = lines.filter((line) => !(line.kind === "new" && line.mate));
  const side = (line) => (line ? drawLine(line, isMarked) : el("span", { class: "line none" }));
  return folded(rows, isWhole, (line) => {
    if (line.kind === "same") return el("div", { class: "pair" }, side(line), side(line));
    if (line.kind === "new") return el("div", { class: "pair" }, side(null), side(line));
    return el("div", { class: "pair" }, side(line), side(line.mate ? news.get(line.mate) : null));
  });
}
