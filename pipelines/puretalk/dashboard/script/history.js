// The history of one assistant: its versions, and what changed in each.

/** @import { Detail } from "./data.js" */

import { drawChange } from "./changes.js";
import { data } from "./data.js";
import { el, nothing } from "./elements.js";
import { stateNames } from "./paths.js";
import { state } from "./state.js";
import { shown } from "./values.js";
import { drawChooser, drawVersion } from "./version_view.js";

/** @type {(version: string) => void} */
let showVersion = () => {};

/** What shows a version, or two (`3..7`). @param {(version: string) => void} show */
export function whenVersionChosen(show) {
  showVersion = show;
}

/** A field that a version changed. `old_value` and `new_value` are JSON.
 * @typedef {{ version_number: number, path: string, area: string, change_kind: string, old_value: string | null,
 *   new_value: string | null }} Change */

/** The changes of an assistant by the version that made them. @param {Detail} detail a timeline
 * @param {(id: string) => any[][]} rows @returns {Map<number, Change[]>} */
export function changesByVersion(detail, rows) {
  const changes = new Map();
  for (const row of detail.changes ? rows(`${detail.id}.changes`) : []) {
    const change = Object.fromEntries(detail.changes.map((title, at) => [title, row[at]]));
    changes.set(change.version_number, [...(changes.get(change.version_number) || []), change]);
  }
  return changes;
}

/** What ticks a version; the second tick compares the two. @param {HTMLElement} chooser that says so */
function ticks(chooser) {
  /** @type {number[]} */
  let ticked = [];
  const hint = el("span", { class: "muted", role: "status" }, "or tick two versions");
  chooser.append(hint);
  return (number) => el("label", { class: "tick" }, el("input", { type: "checkbox", "aria-label": `Compare version ${number} with another one`, onchange: (event) => {
    ticked = event.target.checked ? [...ticked, number] : ticked.filter((one) => one !== number);
    hint.replaceChildren(ticked.length ? `Version ${ticked[0]} is ticked: tick the one to compare it with` : "or tick two versions");
    if (ticked.length === 2) showVersion(ticked.sort((one, other) => one - other).join(".."));
  } }), `Version ${number}`);
}

export function drawTimeline(detail, rows) {
  const column = (titles, row, title) => row[titles.indexOf(title)];
  const versions = rows(detail.id);
  if (!versions.length) return nothing("No sync has observed a version.");
  const changes = changesByVersion(detail, rows);
  const names = stateNames(data.details, rows);
  const seen = versions.map((row) => {
    const [number, observed] = ["version_number", "observed_at"].map((title) => column(detail.titles, row, title));
    return { number, observed };
  });
  const chooser = drawChooser(seen, showVersion);
  if (state.version) return [chooser, drawVersion(seen, changes, rows, names)];
  const tickOf = versions.length > 2 ? ticks(chooser) : (number) => `Version ${number}`;
  const items = versions.map((row, place) => {
    const [number, observed, updated, silent, first, returned] = ["version_number", "observed_at", "updated_at", "is_silent", "is_first", "is_return"].map((title) => column(detail.titles, row, title));
    const mine = changes.get(number) || [];
    const kinds = [first && "first observed", returned && "came back", silent && "silent"].filter(Boolean);
    const drawn = mine.map((change, order) => drawChange(change, names, place === 0 && order < 3));
    return el("li", { class: first ? "first" : null },
      el("h4", {}, tickOf(number), kinds.map((kind) => el("span", { class: "mark" }, kind)),
        el("button", { type: "button", class: "quiet", "data-version": number, "aria-label": `View version ${number} in full`, onclick: () => showVersion(String(number)) }, "View"),
        place ? el("button", { type: "button", class: "quiet", "aria-label": `Compare version ${number} with the newest`, onclick: () => showVersion(`${number}..${seen[0].number}`) }, "Compare") : null),
      el("p", { class: "muted" }, `Observed ${shown(observed, "time")} UTC`, updated ? `; the API says ${shown(updated, "time")}` : null),
      drawn.length ? el("div", { class: "changes" }, drawn) : first ? null : el("p", { class: "muted" }, "Only updated_at changed."));
  });
  const oldest = column(detail.titles, versions.at(-1), "version_number");
  return [chooser, el("ol", { class: "timeline" }, items), oldest > 1 ? el("p", { class: "muted" }, `${oldest - 1} older versions are in the warehouse.`) : null];
}
