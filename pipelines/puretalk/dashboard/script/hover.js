// The values of a chart where the pointer is: of a week with its parts, of a point of a line.

import { $, find } from "./elements.js";

/** The rows of the chart's data, which the page has under Data. @returns {HTMLTableRowElement[]} */
function dataRows(id) {
  const table = /** @type {HTMLTableElement | null} */ (find(`[data-chart-data="${id}"]`));
  return table ? [...table.tBodies[0].rows] : [];
}

function giveParts(column) {
  const { chart, label } = column.dataset;
  const row = dataRows(chart)[label];
  if (!row) return;
  const names = [...row.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent);
  const parts = [...row.cells].map((cell, place) => `${names[place]}: ${cell.textContent}`);
  column.title = [column.getAttribute("aria-label"), ...parts.slice(1).filter((part) => !part.endsWith(": –"))].join("\n");
}

function showPoint(event) {
  const line = event.target.closest?.(".line-chart");
  const column = event.target.closest?.(".column");
  if (column) giveParts(column);
  for (const shown of document.querySelectorAll(".line-value")) if (shown.closest(".line-chart") !== line) shown.textContent = "";
  if (!line) return;
  const rows = dataRows(line.closest(".chart").id.slice("chart-".length));
  const { left, width } = find("svg", line).getBoundingClientRect();
  const all = Number(line.dataset.points);
  const row = rows[Math.max(0, Math.min(all - 1, Math.round(((event.clientX - left) / width) * (all - 1))))];
  find(".line-value", line).textContent = row ? [...row.cells].map((cell) => cell.textContent).join(": ") : "";
}

export function startHover() {
  $("main").addEventListener("pointermove", showPoint);
}
