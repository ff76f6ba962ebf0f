// Which rows and which assistants the filters leave. The filter of a chart narrows the rows that say what they have in
// that chart (`matches`). For all others it narrows the assistants: to those with such a row in the chart.

/** @import { Match, Place } from "./data.js" */

import { charts, data } from "./data.js";
import { state } from "./state.js";

/** By filtered chart, which of its labels and series are chosen; null for all.
 * @type {Map<string, { labels: boolean[] | null, series: boolean[] | null }>} */
let chosen = new Map();
/** @type {Map<string, Uint8Array>} */
let masks = new Map();

export function readFilters() {
  chosen = new Map();
  masks = new Map();
  for (const [id, chart] of charts) {
    if (!chart.members) continue;
    const [labels, series] = [state.labels.get(id), state.series.get(id)];
    if (!labels && !series) continue;
    chosen.set(id, {
      labels: labels ? chart.labels.map((label) => labels.has(label)) : null,
      series: series ? chart.series.map((one) => series.has(one)) : null,
    });
  }
}

export const isFiltered = () => chosen.size > 0;
export const isChosen = (id) => chosen.has(id);

/** @param {boolean[] | null} wanted @param {Place} place */
function isWanted(wanted, place) {
  if (!wanted) return true;
  return Array.isArray(place) ? place.some((one) => wanted[one]) : Boolean(wanted[place]);
}

/** @param {string} id @param {Match} match @param {number} row */
function hasChosen(id, { labels, series }, row) {
  const wanted = chosen.get(id);
  if (wanted.series && !series) return false;
  return isWanted(wanted.labels, labels[row]) && (!wanted.series || isWanted(wanted.series, series[row]));
}

/** The assistants with a row in a chart that its filter leaves, and the other filters that the row knows, except one. */
function maskOf(id, except) {
  const key = `${id} ${except}`;
  if (masks.has(key)) return masks.get(key);
  const { members } = charts.get(id);
  const known = Object.entries(members.matches).filter(([other]) => chosen.has(other) && other !== except);
  const mask = new Uint8Array(data.ids.length);
  members.assistants.forEach((assistant, row) => {
    if (hasChosen(id, members, row) && known.every(([other, match]) => hasChosen(other, match, row))) mask[assistant] = 1;
  });
  masks.set(key, mask);
  return mask;
}

/** Whether the filters leave a row, except the filter of one chart; null when nothing filters it. `own`: the chart that
 * the rows are of.
 * @param {{ assistants: (number | null)[], matches: Record<string, Match>, labels?: number[], series?: number[] }} rows
 * @returns {((row: number) => boolean) | null} */
export function keeper(rows, except = "", own = "") {
  const filters = [...chosen.keys()].filter((id) => id !== except);
  if (!filters.length) return null;
  const matches = own ? { ...rows.matches, [own]: /** @type {Match} */ (rows) } : rows.matches;
  const byRow = filters.filter((id) => matches[id]);
  const byAssistant = filters.filter((id) => !matches[id]).map((id) => maskOf(id, except));
  return (row) =>
    byRow.every((id) => hasChosen(id, matches[id], row)) && byAssistant.every((mask) => mask[rows.assistants[row]]);
}

/** The places of the assistants that all filters leave. */
export function selectedAssistants() {
  const all = [...chosen.keys()].map((id) => maskOf(id, ""));
  return data.ids.map((_, place) => place).filter((place) => all.every((mask) => mask[place]));
}

export function aggregated(aggregate, count, total, distinct) {
  if (aggregate === "count") return count;
  if (aggregate === "assistants") return distinct.size;
  if (aggregate === "sum") return total;
  return count ? total / count : null;
}

export const isPressed = (filters, id, label) => Boolean(filters.get(id)?.has(label));
