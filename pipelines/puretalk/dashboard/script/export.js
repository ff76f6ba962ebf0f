// The rows of a table as a file.

/** @import { Table } from "./data.js" */

import { data } from "./data.js";
import { copyText } from "./clipboard.js";
import { el } from "./elements.js";
import { shown } from "./values.js";

// A cell that a spreadsheet would run as a formula gets an apostrophe in front.
function csvCell(value, format) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  let text = format === "bool" ? shown(value, format) : String(value);
  if (/^[=+\-@\t\r\n]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv(table) {
  const head = [...(table.assistants ? ["assistant_id"] : []), ...table.titles].map((title) => csvCell(title));
  const lines = table.rows.map((row) => [
    ...(table.assistants ? [csvCell(data.ids[table.assistants[row]] ?? null)] : []),
    ...table.columns.map((column, place) => csvCell(column[row], table.formats[place])),
  ]);
  return [head, ...lines].map((line) => line.join(",")).join("\r\n") + "\r\n";
}

export function download(table) {
  const address = URL.createObjectURL(new Blob(["\ufeff", csv(table)], { type: "text/csv;charset=utf-8" }));
  const link = el("a", { href: address, download: `puretalk-${table.id}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A text as one cell. A break or a tab in it becomes a blank, else it would begin another row or cell; one that a
 * spreadsheet would run gets an apostrophe in front. @param {string} text */
export function spreadsheetCell(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return /^[=+\-@]/.test(line) ? `'${line}` : line;
}

/** The rows of a table as a spreadsheet takes them from the clipboard: one line a row, tabs between the cells.
 * @param {Table} table */
function tabbed(table) {
  const cell = (value, format) => {
    if (typeof value === "number") return String(value);
    return value === null ? "" : spreadsheetCell(shown(value, format));
  };
  const lines = table.rows.map((row) => table.columns.map((column, place) => cell(column[row], table.formats[place])));
  return [table.titles, ...lines].map((line) => line.join("\t")).join("\n");
}

/** @param {Table} table @param {HTMLElement} button */
export const copyTable = (table, button) => copyText(tabbed(table), button);
