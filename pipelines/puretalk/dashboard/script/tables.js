// Tables: rows that filters and search leave, sorted, page by page.

/** @import { Table } from "./data.js" */

import { data } from "./data.js";
import { badge, el, find } from "./elements.js";
import { drawRowChanges, isOpenRow } from "./row_changes.js";
import { keeper } from "./selection.js";
import { drawPresets, sinceKeeper } from "./since.js";
import { state } from "./state.js";
import { cellClass, shown } from "./values.js";

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compare(one, other) {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  if (typeof one === "string" && typeof other === "string") return collator.compare(one, other);
  return Number(one) - Number(other);
}

// Severities have an order of their own: as words, "medium" would be above "low" and "high".
const SEVERITIES = ["low", "medium", "high"];

function sortKeys(table, place) {
  const column = table.columns[place];
  return table.titles[place] === "Severity" ? column.map((value) => (value === null ? null : SEVERITIES.indexOf(value))) : column;
}

function searchable(table) {
  table.searchable ??= table.columns[0]?.map((_, row) => {
    const id = table.assistants ? data.ids[table.assistants[row]] : "";
    return [id, ...table.columns.map((column) => column[row]).filter((value) => typeof value === "string")].join("\n").toLowerCase();
  }) || [];
  return table.searchable;
}

function tableRows(table) {
  const keeps = table.assistants ? keeper(table) : null;
  const isSince = sinceKeeper(table);
  const words = (state.queries[table.id] || "").toLowerCase().split(/\s+/).filter(Boolean);
  const texts = words.length ? searchable(table) : [];
  const rows = [];
  const count = table.columns[0]?.length || 0;
  for (let row = 0; row < count; row += 1) {
    if ((keeps && !keeps(row)) || (isSince && !isSince(row))) continue;
    if (words.every((word) => texts[row].includes(word))) rows.push(row);
  }
  const sort = state.sorts[table.id] || 0;
  if (table.columns[Math.abs(sort) - 1]) {
    const column = sortKeys(table, Math.abs(sort) - 1);
    const direction = Math.sign(sort);
    rows.sort((one, other) => {
      const [a, b] = [column[one], column[other]];
      if (a === null || b === null) return compare(a, b) || one - other;
      return direction * compare(a, b) || one - other;
    });
  }
  return rows;
}

export /** What opens a row about a version in place, where that version changed something. */
function rowButton(table, row, text) {
  if (text === "–") return el("td", {}, el("span", { class: "cell" }, text));
  const isOpen = String(isOpenRow(table, row));
  return el("td", {}, el("button", { type: "button", class: "row-opener", "data-opener": table.id, "data-row": row, "aria-expanded": isOpen }, text));
}

function cell(table, column, row) {
  const value = table.columns[column][row];
  const format = table.formats[column];
  const assistant = column === 0 && table.assistants ? table.assistants[row] : null;
  const text = shown(value, format);
  if (column === table.titles.length - 1 && table.versions) return rowButton(table, row, text);
  let content = el("span", { class: text.length <= 16 ? "cell short" : "cell" }, text);
  const address = `#${new URLSearchParams({ a: data.ids[assistant] })}`;
  if (assistant !== null) content = el("a", { class: "open", href: address, "data-open": assistant, "data-from": table.id }, text);
  else if (table.titles[column] === "Severity") content = badge(value);
  return el("td", { class: cellClass(format) }, content);
}

/** How many rows the filters and the search leave, and of how many assistants, where that is another number. */
function counted(table, rows, all) {
  if (rows.length === all) return shown(all, "integer");
  const text = `${shown(rows.length, "integer")} of ${shown(all, "integer")}`;
  if (!table.assistants) return text;
  const assistants = new Set(rows.map((row) => table.assistants[row])).size;
  return assistants === rows.length ? text : `${text}, on ${shown(assistants, "integer")} assistants`;
}

/** @param {Table} table */
export function renderTable(table) {
  const rows = tableRows(table);
  table.rows = rows;
  const pages = Math.max(1, Math.ceil(rows.length / table.pageSize));
  const page = Math.min(state.pages[table.id] || 1, pages);
  const grid = /** @type {HTMLTableElement} */ (find(`[data-table="${table.id}"]`));
  const visible = rows.slice((page - 1) * table.pageSize, page * table.pageSize);
  const lines = (row) => [el("tr", {}, table.titles.map((_, column) => cell(table, column, row))),
    table.versions && isOpenRow(table, row) ? drawRowChanges(table, row) : null];
  grid.tBodies[0].replaceChildren(...visible.flatMap(lines).filter(Boolean));
  drawPresets(table);
  const sort = state.sorts[table.id] || 0;
  [...grid.tHead.rows[0].cells].forEach((head, column) => {
    if (Math.abs(sort) - 1 === column) head.setAttribute("aria-sort", sort > 0 ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
  const all = table.columns[0]?.length || 0;
  find(`[data-count="${table.id}"]`).replaceChildren(counted(table, rows, all));
  const empty = find(`[data-empty="${table.id}"]`);
  empty.hidden = rows.length > 0;
  empty.replaceChildren("Nothing matches the filters and the search.");
  const search = /** @type {HTMLInputElement} */ (find(`[data-search="${table.id}"]`));
  if (document.activeElement !== search) search.value = state.queries[table.id] || "";
  const nav = find(`[data-pages="${table.id}"]`);
  nav.hidden = pages === 1;
  const step = (label, name, target) =>
    el("button", { type: "button", class: "quiet", "aria-label": name, "data-page": table.id, "data-target": target, disabled: target < 1 || target > pages }, label);
  const first = (page - 1) * table.pageSize + 1;
  const last = Math.min(page * table.pageSize, rows.length);
  nav.replaceChildren(
    step("«", "First page", page === 1 ? 0 : 1), step("‹", "Previous page", page - 1),
    el("span", {}, `${shown(first, "integer")}–${shown(last, "integer")} of ${shown(rows.length, "integer")}`),
    step("›", "Next page", page + 1), step("»", "Last page", page === pages ? pages + 1 : pages));
}
