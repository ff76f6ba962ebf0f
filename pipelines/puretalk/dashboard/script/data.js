// The data of the page: gzip in base64, in elements of the page. The script fetches nothing.

import { $ } from "./elements.js";

/** @typedef {string | number | boolean | null} Value */
/** Rows that take part in filters: for each its assistant, label, series (places in their lists) and value.
 * @typedef {{ assistants: number[], labels: number[], series: number[], values: (number | null)[] | null }} Members */
/** `values`: by label and series, over the rows that all filters leave.
 * @typedef {{ id: string, title: string, kind: string, aggregate: string, format: string, order: string, limit: number,
 *   labels: string[], marks: (string | null)[], series: string[], members: Members | null,
 *   values?: (number | null)[][] }} Chart */
/** @typedef {{ id: string, aggregate: string, format: string, chart: string, members: Members | null }} Tile */
/** `columns[column][row]`; `rows`: the rows that filters and search leave, in their order.
 * @typedef {{ id: string, title: string, pageSize: number, match: Record<string, string>, titles: string[],
 *   formats: string[], columns: Value[][], assistants: number[] | null, rows?: number[], searchable?: string[] }} Table */
/** A part of the view of one assistant.
 * @typedef {{ id: string, title: string, tab: string, kind: string, titles: string[], formats: string[],
 *   changes: string[] | null }} Detail */
/** @typedef {{ ids: string[], names: (string | null)[], deleted: Record<string, string>, chunkOf: number[],
 *   hasPrompts: boolean, staleSeconds: number, colours: number, dataRows: number, tiles: Tile[], charts: Chart[],
 *   tables: Table[], details: Detail[] }} Data */
/** A value in a chunk: itself, or [the place of a long text], or [that place, 1] for that text as JSON.
 * @typedef {Value | number[]} Packed */
/** @typedef {{ texts: string[], assistants: Record<string, Record<string, Packed[][]>> }} Chunk */

async function unpack(id) {
  const binary = atob($(id).textContent);
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < bytes.length; place += 1) bytes[place] = binary.charCodeAt(place);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** @type {Data} */
export let data;
/** @type {Map<string, Chart>} */
export let charts;
/** @type {Map<string, Table>} */
export let tables;
/** The place of an assistant, by its id. @type {Map<string, number>} */
export let placeOf;
/** @type {Map<number, Promise<Chunk>>} */
const chunks = new Map();

/** The chunk of that number, unpacked; the newest few stay. @param {number} number */
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
