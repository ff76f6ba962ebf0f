// A row about a version, opened in place: what that version changed.

/** @import { Table } from "./data.js" */

import { drawChange } from "./changes.js";
import { data, partsOf } from "./data.js";
import { el, nothing } from "./elements.js";
import { changesByVersion } from "./history.js";
import { stateNames } from "./paths.js";
import { state, writeFragment } from "./state.js";

/** @param {Table} table @param {number} row */
export const rowKey = (table, row) => `${data.ids[table.assistants[row]]}@${table.versions[row]}`;

/** @param {Table} table @param {number} row */
export const isOpenRow = (table, row) => state.rows[table.id] === rowKey(table, row);

/** The row under a row, with its changes, which come a moment later. @param {Table} table @param {number} row */
export function drawRowChanges(table, row) {
  const box = el("div", { class: "row-changes" }, nothing("…"));
  fillChanges(box, table.assistants[row], table.versions[row]);
  return el("tr", { class: "opened" }, el("td", { colspan: table.titles.length }, box));
}

async function fillChanges(box, place, version) {
  const detail = data.details.find(({ kind }) => kind === "timeline");
  const rows = await partsOf(place);
  const changes = (detail && changesByVersion(detail, rows).get(version)) || [];
  const names = stateNames(data.details, rows);
  box.replaceChildren(...(changes.length
    ? changes.map((change) => drawChange(change, names, true))
    : [nothing("This is the first version that a sync saw, or no field changed.")]));
}

/** @param {Table} table @param {number} row */
export function toggleRow(table, row) {
  state.rows[table.id] = isOpenRow(table, row) ? "" : rowKey(table, row);
  writeFragment(true);
}
