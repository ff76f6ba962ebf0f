// Which assistants the filters leave: for each chart with a selection, those that have a row in it.

import { charts, data } from "./data.js";
import { state } from "./state.js";

export let masks = new Map();

export function readMasks() {
  masks = new Map();
  for (const id of new Set([...state.labels.keys(), ...state.series.keys()])) {
    const { labels, series, members } = charts.get(id);
    if (!members) continue;
    const [wantedLabels, wantedSeries] = [state.labels.get(id), state.series.get(id)];
    const isLabel = labels.map((label) => !wantedLabels || wantedLabels.has(label));
    const isSeries = series.map((one) => !wantedSeries || wantedSeries.has(one));
    const mask = new Uint8Array(data.ids.length);
    members.assistants.forEach((assistant, row) => {
      if (isLabel[members.labels[row]] && isSeries[members.series[row]]) mask[assistant] = 1;
    });
    masks.set(id, mask);
  }
}

/** The assistants that all filters leave, except the filter of one chart; null when there is no filter. */
export function selection(except) {
  const all = [...masks].filter(([id]) => id !== except).map(([, mask]) => mask);
  if (!all.length) return null;
  return all[0].map((_, place) => (all.every((mask) => mask[place]) ? 1 : 0));
}

export function aggregated(aggregate, count, total, distinct) {
  if (aggregate === "count") return count;
  if (aggregate === "assistants") return distinct.size;
  if (aggregate === "sum") return total;
  return count ? total / count : null;
}


export const isPressed = (filters, id, label) => Boolean(filters.get(id)?.has(label));
