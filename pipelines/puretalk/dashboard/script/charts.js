// Charts: what is drawn, over the rows of the selected assistants.

/** @import { Chart } from "./data.js" */

import { data } from "./data.js";
import { badge, drawing, el, find, slug, svg } from "./elements.js";
import { aggregated, isChosen, isFiltered, isPressed, keeper } from "./selection.js";
import { state } from "./state.js";
import { shown, sum } from "./values.js";

/** values[label][series] of a chart, over the rows that the filters leave, except the filter of one chart.
 * @param {Chart} chart */
function chartValues(chart, except = "") {
  const { members, labels, series, aggregate } = chart;
  const empty = () => ({ rows: 0, count: 0, total: 0, distinct: new Set() });
  const cells = labels.map(() => series.map(empty));
  const keeps = keeper(members, except, chart.id);
  members.assistants.forEach((assistant, row) => {
    if (keeps && !keeps(row)) return;
    const cell = cells[members.labels[row]][members.series[row]];
    const value = members.values ? members.values[row] : 1;
    cell.rows += 1;
    if (aggregate === "assistants") cell.distinct.add(assistant);
    if (value === null && aggregate !== "count") return;
    cell.count += 1;
    cell.total += Number(value);
  });
  return cells.map((line) =>
    line.map((cell) => (cell.rows ? aggregated(aggregate, cell.count, cell.total, cell.distinct) : null)),
  );
}

export function selector(chart, attributes, label, ...children) {
  const pressed = isPressed(state.labels, chart.id, chart.labels[label]);
  const given = { type: "button", "data-chart": chart.id, "data-label": label, "aria-pressed": String(pressed) };
  return el("button", { ...given, ...attributes }, ...children);
}

export const expanded = new Set();

function drawBars(chart, values) {
  const totals = values.map(sum);
  const pressed = (label) => isPressed(state.labels, chart.id, chart.labels[label]);
  let order = totals.map((_, label) => label).filter((label) => totals[label] > 0 || pressed(label) || !isFiltered());
  if (chart.order === "value") order.sort((one, other) => totals[other] - totals[one] || one - other);
  if (!order.length) return [el("p", { class: "empty" }, "The filters leave nothing.")];
  const largest = Math.max(...totals, 0);
  const isExpanded = expanded.has(chart.id);
  const hidden = order.length - chart.limit;
  if (!isExpanded) order = order.filter((label, place) => place < chart.limit || pressed(label));
  const bars = order.map((label) => {
    const width = totals[label] > 0 ? Math.max((totals[label] / largest) * 100, 0.8).toFixed(1) : "0";
    const isMark = chart.marks[label] === chart.labels[label];
    const name = isMark ? null : el("span", { class: "name", title: chart.labels[label] }, chart.labels[label]);
    return el("li", {}, selector(chart, { class: "bar" }, label,
      el("span", { class: "bar-name" }, name, badge(chart.marks[label])),
      drawing({ class: `track tone-${slug(chart.marks[label])}`, viewBox: "0 0 100 8" }, svg("rect", { width, height: 8 })),
      el("span", { class: "bar-value" }, shown(totals[label], chart.format))));
  });
  const more = el("button", { type: "button", class: "quiet more", "data-more": chart.id, "aria-expanded": String(isExpanded) },
    isExpanded ? "Show fewer" : `Show all ${shown(hidden + chart.limit, "integer")}`);
  return [el("ol", { class: "bars" }, bars), hidden > 0 ? more : null];
}

function drawColumns(chart, values) {
  const totals = values.map(sum);
  const largest = Math.max(...totals, 0);
  const columns = values.map((parts, label) => {
    let top = 100;
    const drawn = parts.map((value, place) => {
      if (!value || !largest) return null;
      const height = (value / largest) * 100;
      top -= height;
      const colour = Math.min(place, data.colours - 1);
      return svg("rect", { class: `c${colour}`, x: 0, width: 10, y: top.toFixed(2), height: height.toFixed(2) });
    });
    const text = `${chart.labels[label]}: ${shown(totals[label], chart.format)}`;
    const name = chart.labels[label];
    return el("li", {},
      selector(chart, { class: "column", "aria-label": text, title: text }, label, drawing({ viewBox: "0 0 10 100" }, drawn)),
      el("span", { class: "column-label", "aria-hidden": "true" }, name.length === 10 ? name.slice(5) : name));
  });
  const legend = chart.series.map((name, place) => {
    const pressed = String(isPressed(state.series, chart.id, name));
    const swatch = el("span", { class: `swatch c${Math.min(place, data.colours - 1)}`, "aria-hidden": "true" });
    const given = { type: "button", class: "key", "data-chart": chart.id, "data-series": place, "aria-pressed": pressed };
    return el("li", {}, el("button", given, swatch, name));
  });
  return [
    el("p", { class: "axis-top" }, el("span", { class: "hidden-label" }, "The highest column: "), shown(largest, chart.format)),
    el("div", { class: "columns-scroll", tabindex: 0, role: "region", "aria-label": chart.title }, el("ol", { class: "columns" }, columns)),
    el("ul", { class: "legend" }, legend),
  ];
}

function drawMatrix(chart, values) {
  const lines = values.slice(0, 20).map((line, label) =>
    el("tr", {},
      el("th", { scope: "row" }, selector(chart, { class: "row-key" }, label, el("span", { class: "name" }, chart.labels[label]))),
      line.map((value) => {
        const heat = chart.format === "percent" ? Math.floor((value || 0) * 5) : 0;
        return el("td", { class: `heat heat-${heat}` }, shown(value, chart.format));
      })));
  return el("div", { class: "matrix-scroll", tabindex: 0, role: "region", "aria-label": chart.title },
    el("table", { class: "matrix" },
      el("thead", {}, el("tr", {}, el("td"), chart.series.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, lines)));
}

const drawChips = (chart, values) =>
  values.map((line, label) =>
    selector(chart, { class: "chip" }, label, `${chart.labels[label]} `, el("span", { class: "count" }, shown(sum(line), chart.format))));

const DRAW = { bars: drawBars, columns: drawColumns, matrix: drawMatrix, chips: drawChips };

export function renderChart(chart) {
  if (!chart.members || !chart.labels.length) return;
  const values = chartValues(chart, chart.id);
  chart.values = values;
  const box = find(`[data-body="${chart.id}"]`);
  box.classList.toggle("narrowed", isChosen(chart.id));
  box.replaceChildren(...[DRAW[chart.kind](chart, values)].flat(2).filter(Boolean));
  const left = isChosen(chart.id) ? chartValues(chart) : values;
  find(`[data-total="${chart.id}"]`)?.replaceChildren(shown(sum(left.flat()), chart.format));
  const body = find(`[data-chart-data="${chart.id}"] tbody`);
  body?.replaceChildren(...values.slice(0, data.dataRows).map((line, label) =>
    el("tr", {}, el("td", {}, chart.labels[label]), line.map((value) => el("td", { class: "number" }, shown(value, chart.format))))));
}
