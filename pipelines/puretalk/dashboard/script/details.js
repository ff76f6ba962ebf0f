// The parts of the view of one assistant.

import { drawComparison } from "./comparison.js";
import { data } from "./data.js";
import { badge, el, nothing } from "./elements.js";
import { drawTimeline } from "./history.js";
import { laidOut, prose } from "./texts.js";
import { cellClass, shown } from "./values.js";

/** @type {(other: string) => void} */
let showOther = () => {};

/** What compares the open assistant with another one. @param {(other: string) => void} show */
export function whenOtherChosen(show) {
  showOther = show;
}

const drawCompare = (detail, rows) => drawComparison(detail, rows, showOther);

export function drawDetail(detail, rows) {
  const drawn = { settings: drawSettings, texts: drawTexts, tree: drawTree, table: drawDetailTable, timeline: drawTimeline, compare: drawCompare }[detail.kind](detail, rows);
  return el("section", { class: `part-${detail.kind}`, "data-detail": detail.id }, el("h3", {}, detail.title), drawn);
}

function drawSettings(detail, rows) {
  const [row] = rows(detail.id);
  if (!row) return nothing("Not known.");
  return el("dl", { class: "settings" }, detail.titles.map((title, column) =>
    el("div", { class: row[column] === null ? "unset" : null }, el("dt", {}, title), el("dd", {}, shown(row[column], detail.formats[column])))));
}

function drawTexts(detail, rows) {
  const [row] = rows(detail.id);
  const texts = detail.titles.map((title, column) => [title, row?.[column]]).filter(([, text]) => text);
  if (!texts.length) return nothing(data.hasPrompts ? "No texts." : "This page was made without texts.");
  return texts.map(([title, text]) => [el("h4", {}, title, el("span", { class: "count" }, `${shown(text.length, "integer")} characters`)), prose(laidOut(text), title)]);
}

function drawTree(detail, rows) {
  const column = (row, title) => row[detail.titles.indexOf(title)];
  const nodes = new Map();
  const top = [];
  for (const row of rows(detail.id)) {
    const node = { row, children: [] };
    nodes.set(column(row, "node"), node);
    (nodes.get(column(row, "parent_node"))?.children || top).push(node);
  }
  if (!top.length) return nothing("This assistant has no states.");
  const list = (level) => el("ul", { class: "tree" }, level.map(({ row, children }) => {
    const name = column(row, "name") || "A state without a name";
    const [id, about, prompt, tools] = ["state_id", "description", "prompt", "tools"].map((title) => column(row, title));
    return el("li", {}, el("div", { class: "state" },
      el("p", { class: "state-name" }, el("span", { class: "name" }, name), id ? el("code", {}, id) : null,
        (tools || "").split("\n").filter(Boolean).map((tool) => el("span", { class: "mark tool" }, tool))),
      about ? el("p", { class: "muted" }, about) : null,
      prompt ? el("details", {}, el("summary", {}, `Prompt, ${shown(prompt.length, "integer")} characters`), prose(prompt, `the prompt of ${name}`)) : null),
    children.length ? list(children) : null);
  }));
  return el("div", { class: "tree-scroll", tabindex: 0, role: "region", "aria-label": "State tree" }, list(top));
}

function drawDetailTable(detail, rows) {
  const all = rows(detail.id);
  if (!all.length) return nothing(`No ${detail.title.toLowerCase()}.`);
  const line = (row) => el("tr", {}, row.map((value, column) =>
    el("td", { class: cellClass(detail.formats[column]) }, detail.titles[column] === "Severity" ? badge(value) : el("span", { class: "cell" }, shown(value, detail.formats[column])))));
  return el("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": detail.title }, el("table", { class: "grid" },
    el("thead", {}, el("tr", {}, detail.titles.map((title, column) => el("th", { scope: "col", class: cellClass(detail.formats[column]) }, title)))),
    el("tbody", {}, all.map(line))));
}
