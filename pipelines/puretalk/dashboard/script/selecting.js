// Rows of a table that are selected with the pointer and copied: one line a row, tabs between the cells, as the button
// Copy writes them. A browser itself would begin a line for each cell.

import { spreadsheetCell } from "./export.js";

/** @param {ClipboardEvent} event */
function onCopy(event) {
  const selection = getSelection();
  const range = selection.rangeCount ? selection.getRangeAt(0) : null;
  if (!range || range.collapsed) return;
  const [table, ...others] = /** @type {HTMLTableElement[]} */ ([...document.querySelectorAll("table.grid")]).filter((one) => range.intersectsNode(one));
  if (!table || others.length) return;
  const isChosen = (cell) => range.intersectsNode(cell) && cell.textContent !== "";
  const rows = [...table.rows].filter((row) => !row.classList.contains("opened") && [...row.cells].some(isChosen));
  const lines = rows.map((row) => [...row.cells].filter((cell) => range.intersectsNode(cell)).map((cell) => spreadsheetCell(cell.textContent)));
  if (lines.length < 2 && (lines[0]?.length ?? 0) < 2) return;
  event.clipboardData.setData("text/plain", lines.map((line) => line.join("\t")).join("\n"));
  event.preventDefault();
}

export function startSelecting() {
  document.addEventListener("copy", onCopy);
}
