// A cut-off on the rows of a table: the last sync, since Friday, seven days, or a range of one's own. Days are UTC, and
// count back from the last sync, not from the clock.

/** @import { Table } from "./data.js" */

import { data, tables } from "./data.js";
import { isWholeDay } from "./days.js";
import { el, find } from "./elements.js";
import { changed, state } from "./state.js";

const DAY = 86_400_000;
const PRESETS = [["", "All"], ["sync", "Last sync"], ["friday", "Since Friday"], ["7d", "7 days"]];

const moment = (time) => `${new Date(time).toISOString().slice(0, 19)}Z`;

/** Whether a row is inside the cut-off; null if there is none. @param {Table} table
 * @returns {((row: number) => boolean) | null} */
export function sinceKeeper(table) {
  const chosen = state.since[table.id];
  if (!chosen || !table.since || !data.lastSync) return null;
  const column = /** @type {string[]} */ (table.columns[table.titles.indexOf(table.since)]);
  const last = Date.parse(data.lastSync);
  if (chosen === "sync") return (row) => column[row] !== null && column[row] >= data.lastSync;
  if (chosen === "7d") return (row) => column[row] !== null && column[row] > moment(last - 7 * DAY);
  if (chosen === "friday") {
    const back = (new Date(last).getUTCDay() + 2) % 7 || 7; // 1 on a Saturday … 7 on a Friday
    const friday = moment(last - back * DAY).slice(0, 10);
    return (row) => column[row] !== null && column[row] >= friday;
  }
  const [from, to] = chosen.split("..");
  return (row) => column[row] !== null && column[row].slice(0, 10) >= (from || "") && column[row].slice(0, 10) <= (to || "9");
}

/** @param {Table} table */
export function drawPresets(table) {
  const box = find(`[data-since="${table.id}"]`);
  if (!box) return;
  const chosen = state.since[table.id] || "";
  const [from, to] = chosen.includes("..") ? chosen.split("..") : ["", ""];
  if (!box.firstChild) {
    const day = (name) => el("label", {}, el("span", {}, name), el("input", { type: "date", "data-day": name }));
    box.append(...PRESETS.map(([value, name]) => el("button", { type: "button", class: "chip", "data-preset": value, onclick: () => choose(table.id, value) }, name)), day("From"), day("To"));
    box.addEventListener("change", () => {
      const [first, last] = [...box.querySelectorAll("input")].map((input) => input.value);
      if (!isWholeDay(first) || !isWholeDay(last)) return;
      choose(table.id, first || last ? `${first}..${last}` : "");
    });
  }
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (box.querySelectorAll("[data-preset]")))
    button.setAttribute("aria-pressed", String(button.dataset.preset === chosen));
  [...box.querySelectorAll("input")].forEach((input, place) => { input.value = [from, to][place]; });
}

/** @param {string} id of a table @param {string} since */
export function choose(id, since) {
  if (!tables.has(id)) return;
  state.since[id] = since;
  delete state.pages[id];
  changed();
}
