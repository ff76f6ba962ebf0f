// The bar of active filters.

import { charts, data } from "./data.js";
import { $, el } from "./elements.js";
import { selectedAssistants } from "./selection.js";
import { changed, state, toggle } from "./state.js";
import { shown } from "./values.js";

export function renderFilters() {
  const bar = $("filters");
  const chips = [];
  for (const filters of [state.labels, state.series]) {
    const kind = filters === state.labels ? "label" : "series";
    for (const [id, wanted] of filters) {
      for (const label of wanted) {
        const chart = charts.get(id);
        const remove = () => toggle(filters, id, label);
        chips.push(el("button", { type: "button", class: "chip on", "data-remove": `${kind}.${id}`, "aria-label": `Remove the filter ${chart.title}: ${label}`, onclick: remove },
          el("span", { class: "chip-kind" }, chart.kind === "chips" ? "" : `${chart.title}: `), el("span", { class: "name" }, label), " ×"));
      }
    }
  }
  bar.hidden = !chips.length;
  const places = selectedAssistants();
  const gone = places.filter((place) => data.deleted[place]).length;
  const live = data.ids.length - Object.keys(data.deleted).length;
  const text = `${shown(places.length - gone, "integer")} of ${shown(live, "integer")} assistants${gone ? ` and ${shown(gone, "integer")} deleted` : ""}`;
  const clear = el("button", { type: "button", class: "quiet", id: "clear", onclick: clearFilters }, "Clear all");
  bar.replaceChildren(el("span", { class: "filters-count" }, text), ...chips, clear);
  $("announce").replaceChildren(chips.length ? `Filtered: ${text}` : "");
  for (const mark of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-whole]"))) mark.hidden = !chips.length;
}

function clearFilters() {
  state.labels.clear();
  state.series.clear();
  state.pages = {};
  changed();
  $("main").focus({ preventScroll: true });
}
