// What the reader chose, kept in the fragment of the address.

import { charts, tables } from "./data.js";

/** By chart, the chosen labels or series. @typedef {Map<string, Set<string>>} Filters */

/** By table: `queries`; `sorts`, the number of a column, negative for descending; `pages`; `since`, a cut-off as in
 * since.js; `rows`, the row that is open, as assistant_id@version. Of the open assistant: its tab, the version that is
 * looked at (`3`, or `3..7` for a comparison), and the assistant that it is compared with. `text` is looked for in all
 * texts, `at` is the card at the top of the window.
 * @type {{ labels: Filters, series: Filters, queries: Record<string, string>, sorts: Record<string, number>,
 *   pages: Record<string, number>, since: Record<string, string>, rows: Record<string, string>, open: string | null,
 *   tab: string, version: string, other: string, text: string, at: string }} */
export const state = {
  ...{ labels: new Map(), series: new Map(), queries: {}, sorts: {}, pages: {}, since: {}, rows: {} },
  ...{ open: null, tab: "", version: "", other: "", text: "", at: "" },
};

export function readFragment() {
  const read = new URLSearchParams(location.hash.startsWith("#section-") ? "" : location.hash.slice(1));
  state.labels = new Map();
  state.series = new Map();
  const given = (key) => read.get(key) || "";
  Object.assign(state, { queries: {}, sorts: {}, pages: {}, since: {}, rows: {}, open: read.get("a"), tab: given("tab") });
  Object.assign(state, { version: given("v"), other: given("c"), text: given("x"), at: given("at") });
  for (const [key, value] of read) {
    const [kind, id] = [key.slice(0, 2), key.slice(2)];
    const filters = { "f.": state.labels, "s.": state.series }[kind];
    if (filters && charts.has(id)) filters.set(id, (filters.get(id) || new Set()).add(value));
    else if (kind === "q." && tables.has(id)) state.queries[id] = value;
    else if (kind === "o." && tables.has(id)) state.sorts[id] = Number(value) || 0;
    else if (kind === "d." && tables.has(id)) state.since[id] = value;
    else if (kind === "r." && tables.has(id)) state.rows[id] = value;
    else if (kind === "p." && tables.has(id)) state.pages[id] = Math.max(1, Math.floor(Number(value)) || 1);
  }
}

/** What the reader chose, as the fragment of an address. */
function fragment() {
  const written = new URLSearchParams();
  for (const [id, wanted] of state.labels) for (const label of wanted) written.append(`f.${id}`, label);
  for (const [id, wanted] of state.series) for (const label of wanted) written.append(`s.${id}`, label);
  for (const [id, query] of Object.entries(state.queries)) if (query) written.set(`q.${id}`, query);
  for (const [id, sort] of Object.entries(state.sorts)) if (sort) written.set(`o.${id}`, String(sort));
  for (const [id, page] of Object.entries(state.pages)) if (page > 1) written.set(`p.${id}`, String(page));
  for (const [id, since] of Object.entries(state.since)) if (since) written.set(`d.${id}`, since);
  for (const [id, row] of Object.entries(state.rows)) if (row) written.set(`r.${id}`, row);
  if (state.text) written.set("x", state.text);
  if (state.open) {
    written.set("a", state.open);
    if (state.tab) written.set("tab", state.tab);
    if (state.version) written.set("v", state.version);
    if (state.other) written.set("c", state.other);
  }
  if (state.at) written.set("at", state.at);
  return `#${written}`;
}

/** @param {boolean} isNew whether Back leads to the view before */
export function writeFragment(isNew) {
  const address = fragment();
  if (address === (location.hash || "#")) return;
  try {
    if (isNew) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  } catch {
    location.hash = address;
  }
}

/** @param {Filters} filters @param {string} id of a chart @param {string} label */
export function toggle(filters, id, label) {
  const wanted = filters.get(id) || new Set();
  if (!wanted.delete(label)) wanted.add(label);
  if (wanted.size) filters.set(id, wanted);
  else filters.delete(id);
  state.pages = {};
  changed();
}

/** @type {() => void} */
let onChange = () => {};

/** What draws the page again when the reader has chosen something. @param {() => void} draw */
export function whenChanged(draw) {
  onChange = draw;
}

export function changed() {
  state.at = "";
  writeFragment(true);
  onChange();
}
