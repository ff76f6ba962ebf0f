// Search in all texts: prompts, states and messages. They are in chunks, so a search unpacks one after the other, says how
// far it is, and says "none" only at the end.

import { chunk, data } from "./data.js";
import { $, el } from "./elements.js";
import { selectedAssistants } from "./selection.js";
import { state } from "./state.js";
import { shown, sum } from "./values.js";

const SNIPPET = 60;
const SHOWN = 50;
const LEAST = 2;

/** A text that has the query. @typedef {{ tab: string, where: string, text: string, count: number, first: number }} Hit */

let running = 0;
let searched = "";

/** Searches again if the query or the filters are others than before. */
export function renderTextSearch() {
  const box = document.getElementById("text-query");
  if (!box) return;
  const query = state.text.trim().toLowerCase();
  if (document.activeElement !== box) /** @type {HTMLInputElement} */ (box).value = state.text;
  const places = selectedAssistants().filter((place) => !data.deleted[place]);
  const key = `${query}\n${places.length === data.ids.length ? "" : places.join()}`;
  if (key === searched) return;
  searched = key;
  running += 1;
  $("text-results").replaceChildren();
  $("text-count").replaceChildren();
  if (query.length >= LEAST) search(query, new Set(places), running);
}

async function search(query, places, mine) {
  const numbers = [...new Set([...places].map((place) => data.chunkOf[place]))];
  /** @type {{ place: number, hits: Hit[] }[]} */
  const found = [];
  for (const [done, number] of numbers.entries()) {
    say(`Searching: ${shown(done, "integer")} of ${shown(numbers.length, "integer")} parts read; ${mentions(found)} so far`);
    const { texts, assistants } = await chunk(number);
    if (mine !== running) return;
    for (const [place, parts] of Object.entries(assistants)) {
      if (!places.has(Number(place))) continue;
      const hits = hitsOf(parts, texts, query);
      if (hits.length) found.push({ place: Number(place), hits });
    }
  }
  say(found.length ? mentions(found) : `No text has “${query}”`);
  $("text-results").replaceChildren(...found.slice(0, SHOWN).map(drawFound),
    ...(found.length > SHOWN ? [el("li", { class: "muted" }, `and ${shown(found.length - SHOWN, "integer")} more assistants`)] : []));
}

const say = (text) => $("text-count").replaceChildren(text);

function mentions(found) {
  const many = (count, one) => `${shown(count, "integer")} ${one}${count === 1 ? "" : "s"}`;
  const hits = sum(found.map((one) => sum(one.hits.map((hit) => hit.count))));
  return `${many(hits, "mention")} in ${many(found.length, "assistant")}`;
}

/** @returns {Hit[]} */
function hitsOf(parts, texts, query) {
  const value = (packed) => (Array.isArray(packed) ? texts[packed[0]] : packed);
  const hits = [];
  const look = (tab, where, text) => {
    if (typeof text !== "string") return;
    const lower = text.toLowerCase();
    const first = lower.indexOf(query);
    if (first >= 0) hits.push({ tab, where, text, first, count: lower.split(query).length - 1 });
  };
  for (const detail of data.details) {
    if (detail.kind !== "texts" && detail.kind !== "tree") continue;
    for (const row of parts[detail.id] || []) {
      const name = detail.kind === "tree" ? value(row[detail.titles.indexOf("name")]) || "State" : "";
      detail.titles.forEach((title, column) => {
        if (detail.kind === "texts" || title === "prompt" || title === "description")
          look(detail.tab, name ? `${name} › ${title}` : title, value(row[column]));
      });
    }
  }
  return hits;
}

/** The text around a mention, cut between words. @param {Hit} hit @param {number} length of the mention */
function snippet({ text, first }, length) {
  const end = first + length;
  const start = first <= SNIPPET ? 0 : text.indexOf(" ", first - SNIPPET) + 1;
  const from = start > first ? first - SNIPPET : start;
  const space = text.lastIndexOf(" ", end + SNIPPET);
  const to = end + SNIPPET >= text.length ? text.length : space > end ? space : end + SNIPPET;
  return [from ? "…" : "", text.slice(from, first), el("mark", {}, text.slice(first, end)), text.slice(end, to), to < text.length ? "…" : ""];
}

function drawFound({ place, hits }) {
  const length = state.text.trim().length;
  return el("li", {},
    el("a", { class: "open", href: `#${new URLSearchParams({ a: data.ids[place], tab: hits[0].tab })}`, "data-open": place, "data-at": hits[0].tab, "data-from": "assistants" }, data.names[place] || data.ids[place]),
    hits.map((hit) => el("p", { class: "hit" }, el("span", { class: "muted" }, `${hit.where}${hit.count > 1 ? ` (${hit.count})` : ""}: `), snippet(hit, length))));
}
