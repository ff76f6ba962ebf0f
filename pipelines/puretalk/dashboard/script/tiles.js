// Tiles: one number each, and its parts.

/** @import { Tile } from "./data.js" */

import { selector } from "./charts.js";
import { charts } from "./data.js";
import { $, badge, el, find } from "./elements.js";
import { aggregated, isChosen, isFiltered, keeper } from "./selection.js";
import { shown, sum } from "./values.js";

const notes = new Map();

/** @param {Tile} tile @param {((row: number) => boolean) | null} keeps */
function tileValue(tile, keeps) {
  const distinct = new Set();
  let [count, total] = [0, 0];
  tile.members.assistants.forEach((assistant, row) => {
    if (keeps && !keeps(row)) return;
    const value = tile.members.values ? tile.members.values[row] : 1;
    distinct.add(assistant);
    if (value === null && tile.aggregate !== "count") return;
    count += 1;
    total += Number(value);
  });
  return aggregated(tile.aggregate, count, total, distinct);
}

/** @param {Tile} tile */
export function renderTile(tile) {
  const card = $(`tile-${tile.id}`);
  const note = find("[data-note]", card);
  if (!notes.has(tile.id)) notes.set(tile.id, [...note.childNodes]);
  const keeps = tile.members ? keeper(tile.members) : null;
  card.querySelector(".spark")?.classList.toggle("faded", isFiltered());
  if (tile.members) {
    const all = tileValue(tile, null);
    const value = shown(tileValue(tile, keeps), tile.format);
    for (const place of card.querySelectorAll("[data-value], [data-now]")) place.replaceChildren(value);
    note.replaceChildren(...(keeps ? [`${shown(all, tile.format)} in the whole account`] : notes.get(tile.id)));
  }
  const chart = charts.get(tile.chart);
  if (!chart?.values) return;
  const parts = find("[data-parts]", card);
  parts.classList.toggle("narrowed", isChosen(chart.id));
  parts.replaceChildren(...chart.labels.map((label, place) =>
    el("li", {}, selector(chart, { class: "part" }, place, badge(chart.marks[place] || label),
      el("span", { class: "part-value" }, shown(sum(chart.values[place]), chart.format))))));
}
