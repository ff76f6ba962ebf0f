// The data of the page: gzip in base85, in elements of the page. The script fetches nothing.

import { $ } from "./elements.js";

/** @typedef {string | number | boolean | null} Value */
/** The place of a label, or places of several; -1 for one that is not drawn. @typedef {number | number[]} Place */
/** By row, what it has in a chart. @typedef {{ labels: Place[], series: Place[] | null }} Match */
/** Rows that take part in filters: for each its assistant, label, series (places in their lists) and value, and by
 * chart what that chart's filter sees in it.
 * @typedef {{ assistants: number[], labels: number[], series: number[], values: (number | null)[] | null,
 *   matches: Record<string, Match> }} Members */
/** `values`: by label and series, over the rows that all filters leave.
 * @typedef {{ id: string, title: string, kind: string, aggregate: string, format: string, order: string, limit: number,
 *   labels: string[], marks: (string | null)[], series: string[], members: Members | null,
 *   values?: (number | null)[][] }} Chart */
/** @typedef {{ id: string, aggregate: string, format: string, chart: string, members: Members | null }} Tile */
/** `columns[column][row]`; `rows`: the rows that filters and search leave, in their order.
 * @typedef {{ id: string, title: string, pageSize: number, since: string, tab: string, matches: Record<string, Match>, titles: string[],
 *   formats: string[], columns: Value[][], assistants: number[] | null, versions: number[] | null, rows?: number[], searchable?: string[] }} Table */
/** A part of the view of one assistant.
 * @typedef {{ id: string, title: string, tab: string, kind: string, titles: string[], formats: string[],
 *   changes: string[] | null, fields: Record<string, string> }} Detail */
/** @typedef {{ ids: string[], names: (string | null)[], deleted: Record<string, string>, chunkOf: number[],
 *   lastSync: string, hasPrompts: boolean, staleSeconds: number, colours: number, dataRows: number, tiles: Tile[], charts: Chart[],
 *   tables: Table[], details: Detail[] }} Data */
/** A value in a chunk: itself, or [the place of a long text], or [that place, 1] for that text as JSON.
 * @typedef {Value | number[]} Packed */
/** @typedef {{ texts: string[], assistants: Record<string, Record<string, Packed[][]>> }} Chunk */

// Base85 (RFC 1924), with other letters for "&", "<" and ">".
const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%,()*+-;.=/?@^_`{|}~";

/** Five letters are four bytes. @param {string} text */
function decoded(text) {
  const digits = new Uint8Array(128);
  for (let place = 0; place < LETTERS.length; place += 1) digits[LETTERS.charCodeAt(place)] = place;
  const groups = Math.ceil(text.length / 5);
  const missing = groups * 5 - text.length;
  const full = text + "~".repeat(missing);
  const view = new DataView(new ArrayBuffer(groups * 4));
  for (let group = 0; group < groups; group += 1) {
    let value = 0;
    for (let place = group * 5; place < group * 5 + 5; place += 1) value = value * 85 + digits[full.charCodeAt(place)];
    view.setUint32(group * 4, value);
  }
  return new Uint8Array(view.buffer, 0, groups * 4 - missing);
}

async function unpack(id) {
  const bytes = decoded($(id).textContent);
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

/** What the page has about one assistant: the rows of a detail, or of its changes. @param {number} place
 * @returns {Promise<(id: string) => any[][]>} */
export async function partsOf(place) {
  const { texts, assistants } = await chunk(data.chunkOf[place]);
  const value = (packed) => {
    if (!Array.isArray(packed)) return packed;
    const text = texts[packed[0]];
    return packed.length > 1 ? JSON.stringify(text) : text;
  };
  return (id) => (assistants[place]?.[id] || []).map((row) => row.map(value));
}

/** Unpack what the whole page needs; the chunks with the assistants' own parts wait until one is opened. */
export async function load() {
  data = await unpack("data");
  charts = new Map(data.charts.map((chart) => [chart.id, chart]));
  tables = new Map(data.tables.map((table) => [table.id, table]));
  placeOf = new Map(data.ids.map((id, place) => [id, place]));
}
