// The data of the page: gzip in base64, in elements of the page. The script fetches nothing.

import { $ } from "./elements.js";

async function unpack(id) {
  const binary = atob($(id).textContent);
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < bytes.length; place += 1) bytes[place] = binary.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

export let data;
export let charts;
export let tables;
export let placeOf;
const chunks = new Map();

export function chunk(number) {
  if (!chunks.has(number)) {
    if (chunks.size > 8) chunks.delete(chunks.keys().next().value);
    chunks.set(number, unpack(`chunk-${number}`));
  }
  return chunks.get(number);
}

/** Unpack what the whole page needs; the chunks with the assistants' own parts wait until one is opened. */
export async function load() {
  data = await unpack("data");
  charts = new Map(data.charts.map((chart) => [chart.id, chart]));
  tables = new Map(data.tables.map((table) => [table.id, table]));
  placeOf = new Map(data.ids.map((id, place) => [id, place]));
}
