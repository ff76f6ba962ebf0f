// Tiles: one number each, and its parts.

import { selector } from "./charts.js";
import { charts } from "./data.js";
import { $, badge, el, find } from "./elements.js";
import { aggregated, selection } from "./selection.js";
import { shown, sum } from "./values.js";

const notes = new Map();

function tileValue(tile, selected) {
  const distinct = new Set();
  let [count, total] = [0, 0];
  tile.members.assistants.forEach((assistant, row) => {
    if (selected && !selected[assistant]) return;
    const value = tile.members.values ? tile.members.values[row] : 1;
    distinct.add(assistant);
    if (value === null && tile.aggregate !== "count") return;
    count += 1;
    total += Number(value);
  });
  return aggregated(tile.aggregate, count, total, distinct);
}

export function renderTile(tile) {
  const card = $(`tile-${tile.id}`);
  const note = find("[data-note]", card);
  if (!notes.has(tile.id)) notes.set(tile.id, [...note.childNodes]);
  const selected = selection();
  const spark = card.querySelector(".spark");
  if (spark) spark.classList.toggle("faded", Boolean(selected));
  if (tile.members) {
    const all = tileValue(tile, null);
    card.querySelector("[data-value]").replaceChildren(shown(tileValue(tile, selected), tile.format));
    note.replaceChildren(...(selected ? [`${shown(all, tile.format)} in the whole account`] : notes.get(tile.id)));
  }
  const chart = charts.get(tile.chart);
  if (!chart?.values) return;
  card.querySelector("[data-parts]").replaceChildren(...chart.labels.map((label, place) =>
    el("li", {}, selector(chart, { class: "part" }, place, badge(chart.marks[place] || label),
      el("span", { class: "part-value" }, shown(sum(chart.values[place]), chart.format))))));
}
