// Two assistants beside each other: settings first, then texts; and with which others a comparison is worth it.

/** @import { Detail } from "./data.js" */

import { drawChange } from "./changes.js";
import { data, partsOf, placeOf } from "./data.js";
import { el, nothing } from "./elements.js";
import { state } from "./state.js";
import { shown } from "./values.js";
import { settingsFirst } from "./versions.js";

const nameOf = (place) => data.names[place] || data.ids[place];

/** All that the page says of an assistant, by where it is. @param {(id: string) => any[][]} rows
 * @returns {Map<string, { steps: string[], value: string }>} */
function flattened(rows) {
  const found = new Map();
  const put = (steps, value) => {
    if (value !== null && value !== "") found.set(JSON.stringify(steps), { steps, value: JSON.stringify(value) });
  };
  for (const detail of data.details) {
    const column = (row, title) => row[detail.titles.indexOf(title)] ?? null;
    if (detail.kind === "settings" || detail.kind === "texts") {
      const [row] = rows(detail.id);
      detail.titles.forEach((title, at) => {
        if (row && detail.formats[at] !== "time" && !placeOf.has(row[at])) put([detail.title, title], row[at]);
      });
    } else if (detail.kind === "tree") {
      const paths = new Map();
      for (const row of rows(detail.id)) {
        const path = [...(paths.get(column(row, "parent_node")) ?? ["States"]), column(row, "name") || column(row, "state_id") || `no. ${column(row, "node")}`];
        paths.set(column(row, "node"), path);
        for (const title of ["description", "prompt", "tools"]) put([...path, title], column(row, title));
      }
    } else if (detail.id === "variables") {
      for (const row of rows(detail.id)) put(["Variables", row[0]], column(row, "Value") ?? "declared");
    }
  }
  return found;
}

/** @param {Detail} detail @param {(id: string) => any[][]} rows of the open assistant
 * @param {(other: string) => void} choose */
export function drawComparison(detail, rows, choose) {
  const [other, ...titles] = detail.titles;
  const near = rows(detail.id);
  const input = /** @type {HTMLInputElement} */ (el("input", { list: "assistants-list", type: "search", id: "other", autocomplete: "off", placeholder: "Name or id", onfocus: () => fillNames(list), onchange: () => {
    const place = data.ids.findIndex((id, at) => input.value === nameOf(at) || input.value === id);
    if (place >= 0) choose(data.ids[place]);
  } }));
  const list = el("datalist", { id: "assistants-list" });
  const result = el("div", { class: "comparison" });
  if (state.other) fillComparison(result, rows, state.other);
  return [
    el("div", { class: "chooser" }, el("label", {}, "Compare with ", input), list,
      state.other ? el("button", { type: "button", class: "quiet", "data-all-versions": "", onclick: () => choose("") }, "Close the comparison") : null),
    result,
    el("h4", {}, "Near-duplicates of its prompt"),
    near.length && other === "other_id"
      ? el("ul", { class: "others" }, near.map(([place, ...facts]) => el("li", {},
        el("button", { type: "button", class: "quiet", "data-other": place, onclick: () => choose(data.ids[place]) }, `Compare with ${nameOf(place)}`), " ",
        el("span", { class: "muted" }, facts.map((fact, at) => `${titles[at]}: ${shown(fact, detail.formats[at + 1])}`).join(", ")))))
      : nothing("No other assistant has nearly the same prompt."),
  ];
}

function fillNames(list) {
  if (!list.firstChild) list.append(...data.ids.map((_, place) => el("option", { value: nameOf(place) })));
}

async function fillComparison(box, rows, id) {
  const place = data.ids.indexOf(id);
  if (place < 0) return box.replaceChildren(nothing("The page has no such assistant."));
  const one = flattened(rows);
  const other = flattened(await partsOf(place));
  const paths = [...new Set([...one.keys(), ...other.keys()])];
  const found = paths.map((path) => {
    const [old, now] = [one.get(path)?.value ?? null, other.get(path)?.value ?? null];
    const kind = old === null ? "only there" : now === null ? "only here" : "changed";
    return { path, steps: (one.get(path) ?? other.get(path)).steps, change_kind: kind, old_value: old, new_value: now };
  }).filter((change) => change.old_value !== change.new_value);
  return box.replaceChildren(
    el("h4", { tabindex: -1 }, `Here, and in ${nameOf(place)} `, el("span", { class: "count" }, `${shown(found.length, "integer")} differences, ${shown(paths.length - found.length, "integer")} alike`)),
    el("div", { class: "changes" }, settingsFirst(found).map((change) => drawChange(change, new Map(), true))));
}
