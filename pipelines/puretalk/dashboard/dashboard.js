"use strict";
// The page works without this script, which adds filters, sorting, search, export and the view of one assistant.
// Text from the warehouse becomes text nodes only (trusted types are required, so innerHTML would throw). The script
// fetches nothing: the data is in this page, as gzip in base64.
(() => {
  const $ = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const NONE = "(none)";

  // Elements

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : String(value));
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }
  const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  const drawing = (attributes, ...children) =>
    svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false", ...attributes }, ...children);
  const slug = (text) => (text || "").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "-");
  const badge = (text) => (text ? el("span", { class: `mark mark-${slug(text)}` }, text) : null);

  // Values as text; page.py writes them the same way

  function rounded(value, digits) {
    const factor = 10 ** digits;
    const text = (Math.round((Math.abs(value) + Number.EPSILON) * factor) / factor).toLocaleString("en-US", {
      maximumFractionDigits: digits,
    });
    return value < 0 && text !== "0" ? `-${text}` : text;
  }

  function shown(value, format = "text") {
    if (value === null || value === undefined || value === "") return "–";
    if (format === "bool") return value ? "yes" : "no";
    if (format === "time") return String(value).slice(0, 16).replace("T", " ");
    if (typeof value !== "number") return String(value);
    if (format === "percent") return `${rounded(value * 100, 1)}%`;
    if (format === "seconds") return `${rounded(value, 1)} s`;
    return rounded(value, format === "integer" ? 0 : 3);
  }

  const isNumber = (format) => format === "integer" || format === "number";
  const cellClass = (format) => (isNumber(format) ? "number" : format === "time" || format === "date" ? "moment" : null);

  // Data

  async function unpack(id) {
    const binary = atob($(id).textContent);
    const bytes = new Uint8Array(binary.length);
    for (let place = 0; place < bytes.length; place += 1) bytes[place] = binary.charCodeAt(place);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  let data;
  let charts;
  let tables;
  let placeOf;
  const chunks = new Map();

  function chunk(number) {
    if (!chunks.has(number)) {
      if (chunks.size > 8) chunks.delete(chunks.keys().next().value);
      chunks.set(number, unpack(`chunk-${number}`));
    }
    return chunks.get(number);
  }

  // State, kept in the fragment of the address

  const state = { labels: new Map(), series: new Map(), queries: {}, sorts: {}, pages: {}, open: null, tab: "" };

  function readFragment() {
    const read = new URLSearchParams(location.hash.startsWith("#section-") ? "" : location.hash.slice(1));
    state.labels = new Map();
    state.series = new Map();
    Object.assign(state, { queries: {}, sorts: {}, pages: {}, open: read.get("a"), tab: read.get("tab") || "" });
    for (const [key, value] of read) {
      const [kind, id] = [key.slice(0, 2), key.slice(2)];
      const filters = { "f.": state.labels, "s.": state.series }[kind];
      if (filters && charts.has(id)) filters.set(id, (filters.get(id) || new Set()).add(value));
      else if (kind === "q." && tables.has(id)) state.queries[id] = value;
      else if (kind === "o." && tables.has(id)) state.sorts[id] = Number(value) || 0;
      else if (kind === "p." && tables.has(id)) state.pages[id] = Math.max(1, Math.floor(Number(value)) || 1);
    }
  }

  function writeFragment(isNew) {
    const written = new URLSearchParams();
    for (const [id, wanted] of state.labels) for (const label of wanted) written.append(`f.${id}`, label);
    for (const [id, wanted] of state.series) for (const label of wanted) written.append(`s.${id}`, label);
    for (const [id, query] of Object.entries(state.queries)) if (query) written.set(`q.${id}`, query);
    for (const [id, sort] of Object.entries(state.sorts)) if (sort) written.set(`o.${id}`, sort);
    for (const [id, page] of Object.entries(state.pages)) if (page > 1) written.set(`p.${id}`, page);
    if (state.open) written.set("a", state.open);
    if (state.open && state.tab) written.set("tab", state.tab);
    const address = `#${written}`;
    if (address === (location.hash || "#")) return;
    try {
      if (isNew) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    } catch {
      location.hash = address;
    }
  }

  function toggle(filters, id, label) {
    const wanted = filters.get(id) || new Set();
    if (!wanted.delete(label)) wanted.add(label);
    if (wanted.size) filters.set(id, wanted);
    else filters.delete(id);
    state.pages = {};
    changed();
  }

  function changed() {
    writeFragment(true);
    render();
  }

  // Filters: for each chart with a selection, the assistants that have a row in it

  let masks = new Map();

  function readMasks() {
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
  function selection(except) {
    const all = [...masks].filter(([id]) => id !== except).map(([, mask]) => mask);
    if (!all.length) return null;
    return all[0].map((one, place) => (all.every((mask) => mask[place]) ? 1 : 0));
  }

  function aggregated(aggregate, count, total, distinct) {
    if (aggregate === "count") return count;
    if (aggregate === "assistants") return distinct.size;
    if (aggregate === "sum") return total;
    return count ? total / count : null;
  }

  /** values[label][series] of a chart, over the rows of the selected assistants. */
  function chartValues(chart, selected) {
    const { members, labels, series, aggregate } = chart;
    const empty = () => ({ rows: 0, count: 0, total: 0, distinct: new Set() });
    const cells = labels.map(() => series.map(empty));
    members.assistants.forEach((assistant, row) => {
      if (selected && !selected[assistant]) return;
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

  const sum = (values) => values.reduce((total, value) => total + (value || 0), 0);
  const isPressed = (filters, id, label) => Boolean(filters.get(id)?.has(label));

  function selector(chart, attributes, label, ...children) {
    const pressed = isPressed(state.labels, chart.id, chart.labels[label]);
    const given = { type: "button", "data-chart": chart.id, "data-label": label, "aria-pressed": String(pressed) };
    return el("button", { ...given, ...attributes }, ...children);
  }

  // Charts

  const expanded = new Set();

  function drawBars(chart, values) {
    const totals = values.map(sum);
    const pressed = (label) => isPressed(state.labels, chart.id, chart.labels[label]);
    let order = totals.map((_, label) => label).filter((label) => totals[label] > 0 || pressed(label) || !masks.size);
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

  function renderChart(chart) {
    if (!chart.members || !chart.labels.length) return;
    const values = chartValues(chart, selection(chart.id));
    chart.values = chartValues(chart, selection());
    document.querySelector(`[data-body="${chart.id}"]`).replaceChildren(...[DRAW[chart.kind](chart, values)].flat(2).filter(Boolean));
    const body = document.querySelector(`[data-chart-data="${chart.id}"] tbody`);
    body?.replaceChildren(...values.slice(0, data.dataRows).map((line, label) =>
      el("tr", {}, el("td", {}, chart.labels[label]), line.map((value) => el("td", { class: "number" }, shown(value, chart.format))))));
  }

  // Tiles

  const notes = new Map();

  function tileValue(tile, selected) {
    const distinct = new Set();
    let [count, total] = [0, 0];
    tile.members.assistants.forEach((assistant, row) => {
      if (selected && !selected[assistant]) return;
      const value = tile.members.values ? tile.members.values[row] : 1;
      distinct.add(assistant);
      if (value === null && tile.aggregate !== "count") return;
      count += 1;
      total += Number(value);
    });
    return aggregated(tile.aggregate, count, total, distinct);
  }

  function renderTile(tile) {
    const card = $(`tile-${tile.id}`);
    const note = card.querySelector("[data-note]");
    if (!notes.has(tile.id)) notes.set(tile.id, [...note.childNodes]);
    const selected = selection();
    const spark = card.querySelector(".spark");
    if (spark) spark.classList.toggle("faded", Boolean(selected));
    if (tile.members) {
      const all = tileValue(tile, null);
      card.querySelector("[data-value]").replaceChildren(shown(tileValue(tile, selected), tile.format));
      note.replaceChildren(...(selected ? [`${shown(all, tile.format)} in the whole account`] : notes.get(tile.id)));
    }
    const chart = charts.get(tile.chart);
    if (!chart?.values) return;
    card.querySelector("[data-parts]").replaceChildren(...chart.labels.map((label, place) =>
      el("li", {}, selector(chart, { class: "part" }, place, badge(chart.marks[place] || label),
        el("span", { class: "part-value" }, shown(sum(chart.values[place]), chart.format))))));
  }

  // Tables

  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function compare(one, other) {
    if (one === null || other === null) return (one === null) - (other === null);
    if (typeof one === "string" && typeof other === "string") return collator.compare(one, other);
    return Number(one) - Number(other);
  }

  // Severities have an order of their own: as words, "medium" would be above "low" and "high".
  const SEVERITIES = ["low", "medium", "high"];

  function sortKeys(table, place) {
    const column = table.columns[place];
    return table.titles[place] === "Severity" ? column.map((value) => (value === null ? null : SEVERITIES.indexOf(value))) : column;
  }

  function searchable(table) {
    table.searchable ??= table.columns[0]?.map((_, row) => {
      const id = table.assistants ? data.ids[table.assistants[row]] : "";
      return [id, ...table.columns.map((column) => column[row]).filter((value) => typeof value === "string")].join("\n").toLowerCase();
    }) || [];
    return table.searchable;
  }

  function tableRows(table) {
    const selected = table.assistants ? selection() : null;
    const matches = Object.entries(table.match)
      .filter(([id]) => state.labels.has(id))
      .map(([id, title]) => [state.labels.get(id), table.columns[table.titles.indexOf(title)]]);
    const words = (state.queries[table.id] || "").toLowerCase().split(/\s+/).filter(Boolean);
    const texts = words.length ? searchable(table) : [];
    const rows = [];
    const count = table.columns[0]?.length || 0;
    for (let row = 0; row < count; row += 1) {
      if (selected && !selected[table.assistants[row]]) continue;
      if (!matches.every(([wanted, column]) => wanted.has(column[row] ?? NONE))) continue;
      if (words.every((word) => texts[row].includes(word))) rows.push(row);
    }
    const sort = state.sorts[table.id] || 0;
    if (table.columns[Math.abs(sort) - 1]) {
      const column = sortKeys(table, Math.abs(sort) - 1);
      const direction = Math.sign(sort);
      rows.sort((one, other) => {
        const [a, b] = [column[one], column[other]];
        if (a === null || b === null) return compare(a, b) || one - other;
        return direction * compare(a, b) || one - other;
      });
    }
    return rows;
  }

  function cell(table, column, row) {
    const value = table.columns[column][row];
    const format = table.formats[column];
    const assistant = column === 0 && table.assistants ? table.assistants[row] : null;
    const text = shown(value, format);
    let content = el("span", { class: text.length <= 16 ? "cell short" : "cell" }, text);
    const address = `#${new URLSearchParams({ a: data.ids[assistant] })}`;
    if (assistant !== null) content = el("a", { class: "open", href: address, "data-open": assistant, "data-from": table.id }, text);
    else if (table.titles[column] === "Severity") content = badge(value);
    return el("td", { class: cellClass(format) }, content);
  }

  function renderTable(table) {
    const rows = tableRows(table);
    table.rows = rows;
    const pages = Math.max(1, Math.ceil(rows.length / table.pageSize));
    const page = Math.min(state.pages[table.id] || 1, pages);
    const grid = document.querySelector(`[data-table="${table.id}"]`);
    const visible = rows.slice((page - 1) * table.pageSize, page * table.pageSize);
    grid.tBodies[0].replaceChildren(...visible.map((row) => el("tr", {}, table.titles.map((_, column) => cell(table, column, row)))));
    const sort = state.sorts[table.id] || 0;
    [...grid.tHead.rows[0].cells].forEach((head, column) => {
      if (Math.abs(sort) - 1 === column) head.setAttribute("aria-sort", sort > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    const all = table.columns[0]?.length || 0;
    const counted = rows.length === all ? shown(all, "integer") : `${shown(rows.length, "integer")} of ${shown(all, "integer")}`;
    document.querySelector(`[data-count="${table.id}"]`).replaceChildren(counted);
    const empty = document.querySelector(`[data-empty="${table.id}"]`);
    empty.hidden = rows.length > 0;
    empty.replaceChildren(all ? "Nothing matches the filters and the search." : "Nothing here.");
    const search = document.querySelector(`[data-search="${table.id}"]`);
    if (document.activeElement !== search) search.value = state.queries[table.id] || "";
    const nav = document.querySelector(`[data-pages="${table.id}"]`);
    nav.hidden = pages === 1;
    const step = (label, name, target) =>
      el("button", { type: "button", class: "quiet", "aria-label": name, "data-page": table.id, "data-target": target, disabled: target < 1 || target > pages }, label);
    const first = (page - 1) * table.pageSize + 1;
    const last = Math.min(page * table.pageSize, rows.length);
    nav.replaceChildren(
      step("«", "First page", page === 1 ? 0 : 1), step("‹", "Previous page", page - 1),
      el("span", {}, `${shown(first, "integer")}–${shown(last, "integer")} of ${shown(rows.length, "integer")}`),
      step("›", "Next page", page + 1), step("»", "Last page", page === pages ? pages + 1 : pages));
  }

  // A cell that a spreadsheet would run as a formula gets an apostrophe in front.
  function csvCell(value, format) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    let text = format === "bool" ? shown(value, format) : String(value);
    if (/^[=+\-@\t\r\n]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function csv(table) {
    const head = [...(table.assistants ? ["assistant_id"] : []), ...table.titles].map((title) => csvCell(title));
    const lines = table.rows.map((row) => [
      ...(table.assistants ? [csvCell(data.ids[table.assistants[row]] ?? null)] : []),
      ...table.columns.map((column, place) => csvCell(column[row], table.formats[place])),
    ]);
    return [head, ...lines].map((line) => line.join(",")).join("\r\n") + "\r\n";
  }

  function download(table) {
    const address = URL.createObjectURL(new Blob(["\ufeff", csv(table)], { type: "text/csv;charset=utf-8" }));
    const link = el("a", { href: address, download: `puretalk-${table.id}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  // The bar of active filters

  function renderFilters() {
    const bar = $("filters");
    const chips = [];
    for (const [filters, kind] of [[state.labels, "label"], [state.series, "series"]]) {
      for (const [id, wanted] of filters) {
        for (const label of wanted) {
          const chart = charts.get(id);
          const remove = () => toggle(filters, id, label);
          chips.push(el("button", { type: "button", class: "chip on", "data-remove": `${kind}.${id}`, "aria-label": `Remove the filter ${chart.title}: ${label}`, onclick: remove },
            el("span", { class: "chip-kind" }, chart.kind === "chips" ? "" : `${chart.title}: `), el("span", { class: "name" }, label), " ×"));
        }
      }
    }
    bar.hidden = !chips.length;
    const selected = selection();
    const places = data.ids.map((_, place) => place).filter((place) => !selected || selected[place]);
    const gone = places.filter((place) => data.deleted[place]).length;
    const live = data.ids.length - Object.keys(data.deleted).length;
    const text = `${shown(places.length - gone, "integer")} of ${shown(live, "integer")} assistants${gone ? ` and ${shown(gone, "integer")} deleted` : ""}`;
    const clear = el("button", { type: "button", class: "quiet", id: "clear", onclick: clearFilters }, "Clear all");
    bar.replaceChildren(el("span", { class: "filters-count" }, text), ...chips, clear);
    $("announce").replaceChildren(chips.length ? `Filtered: ${text}` : "");
    for (const mark of document.querySelectorAll("[data-whole]")) mark.hidden = !chips.length;
  }

  function clearFilters() {
    state.labels.clear();
    state.series.clear();
    state.pages = {};
    changed();
    $("main").focus({ preventScroll: true });
  }

  // The view of one assistant

  const dialog = $("detail");
  let opened = null;
  let openedFrom = "assistants";
  let returnTo = null;

  async function renderDetail() {
    const place = state.open ? placeOf.get(state.open) : undefined;
    if (place === undefined) {
      opened = null;
      if (dialog.open) dialog.close();
      return;
    }
    const number = data.chunkOf[place];
    const { texts, assistants } = await chunk(number);
    if (placeOf.get(state.open) !== place) return;
    const value = (packed) => {
      if (!Array.isArray(packed)) return packed;
      const text = texts[packed[0]];
      return packed.length > 1 ? JSON.stringify(text) : text;
    };
    const rows = (id) => (assistants[place]?.[id] || []).map((row) => row.map(value));
    const isNew = opened !== place;
    opened = place;
    $("detail-name").replaceChildren(data.names[place] || "An assistant without a name");
    const deleted = data.deleted[place];
    $("detail-facts").replaceChildren(...[el("code", {}, data.ids[place]), deleted ? badge("deleted") : null,
      deleted ? ` found deleted ${shown(deleted, "time")} UTC` : null].filter(Boolean));
    const tabs = [...new Set(data.details.map((detail) => detail.tab))];
    const tab = tabs.includes(state.tab) ? state.tab : tabs[0];
    $("detail-tabs").replaceChildren(...tabs.map((name) => {
      const parts = data.details.filter((detail) => detail.tab === name);
      const count = parts.every((detail) => ["settings", "texts"].includes(detail.kind)) ? null : sum(parts.map((detail) => rows(detail.id).length));
      const chosen = name === tab;
      return el("button", { type: "button", role: "tab", id: `tab-${slug(name)}`, "data-tab": name, "aria-selected": String(chosen), "aria-controls": "detail-body", tabindex: chosen ? 0 : -1 },
        name, count === null ? null : el("span", { class: "count" }, shown(count, "integer")));
    }));
    const body = $("detail-body");
    body.setAttribute("aria-labelledby", `tab-${slug(tab)}`);
    body.replaceChildren(...data.details.filter((detail) => detail.tab === tab).map((detail) => drawDetail(detail, rows)));
    body.scrollTop = 0;
    const order = neighbours();
    const here = order.indexOf(place);
    $("detail-previous").disabled = here <= 0;
    $("detail-next").disabled = here < 0 || here === order.length - 1;
    if (!dialog.open) {
      dialog.showModal();
      document.documentElement.classList.add("has-detail");
    }
    if (isNew) $("detail-name").focus({ preventScroll: true });
  }

  function neighbours() {
    const table = tables.get(openedFrom) || tables.get("assistants");
    return table?.assistants ? [...new Set((table.rows || []).map((row) => table.assistants[row]))] : [];
  }

  function openAssistant(place, from) {
    openedFrom = from || openedFrom;
    state.open = data.ids[place];
    writeFragment(true);
    return renderDetail();
  }

  function stepDetail(by) {
    const order = neighbours();
    const next = order[order.indexOf(opened) + by];
    if (next !== undefined) openAssistant(next);
  }

  function showTab(name) {
    state.tab = name;
    writeFragment(false);
    renderDetail().then(() => document.querySelector('#detail-tabs [aria-selected="true"]')?.focus());
  }

  function drawDetail(detail, rows) {
    const drawn = { settings: drawSettings, texts: drawTexts, tree: drawTree, table: drawDetailTable, timeline: drawTimeline }[detail.kind](detail, rows);
    return el("section", { class: `part-${detail.kind}`, "data-detail": detail.id }, el("h3", {}, detail.title), drawn);
  }

  const nothing = (text) => el("p", { class: "empty" }, text);

  function drawSettings(detail, rows) {
    const [row] = rows(detail.id);
    if (!row) return nothing("Not known.");
    return el("dl", { class: "settings" }, detail.titles.map((title, column) =>
      el("div", { class: row[column] === null ? "unset" : null }, el("dt", {}, title), el("dd", {}, shown(row[column], detail.formats[column])))));
  }

  /** Text with its {{variables}} highlighted. */
  function withVariables(text) {
    return text.split(/(\{\{[^{}\n]{1,100}\}\})/).map((part, place) => (place % 2 ? el("span", { class: "variable" }, part) : part));
  }

  const LONG = 1500;

  function prose(text, name) {
    const box = el("pre", { class: "prose" }, withVariables(text.length > LONG * 1.2 ? `${text.slice(0, LONG)}…` : text));
    if (text.length <= LONG * 1.2) return box;
    const more = el("button", { type: "button", class: "quiet", "aria-label": `Show all of ${name}`, onclick: () => {
      box.replaceChildren(...withVariables(text));
      more.remove();
    } }, `Show all ${shown(text.length, "integer")} characters`);
    return [box, more];
  }

  /** JSON in a string, indented; any other text as it is. */
  function laidOut(text) {
    if (!/^\s*[[{]/.test(text)) return text;
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
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

  // History

  function drawTimeline(detail, rows) {
    const column = (titles, row, title) => row[titles.indexOf(title)];
    const versions = rows(detail.id);
    if (!versions.length) return nothing("No sync has observed a version.");
    const changes = new Map();
    for (const row of detail.changes ? rows(`${detail.id}.changes`) : []) {
      const number = column(detail.changes, row, "version_number");
      changes.set(number, [...(changes.get(number) || []), row]);
    }
    const items = versions.map((row, place) => {
      const [number, observed, updated, silent, first, returned] = ["version_number", "observed_at", "updated_at", "is_silent", "is_first", "is_return"].map((title) => column(detail.titles, row, title));
      const mine = changes.get(number) || [];
      const kinds = [first && "first observed", returned && "came back", silent && "silent"].filter(Boolean);
      const drawn = mine.map((change, order) => drawChange(
        Object.fromEntries(detail.changes.map((title, at) => [title, change[at]])), place === 0 && order < 3));
      return el("li", { class: first ? "first" : null },
        el("h4", {}, `Version ${number}`, kinds.map((kind) => el("span", { class: "mark" }, kind))),
        el("p", { class: "muted" }, `Observed ${shown(observed, "time")} UTC`, updated ? `; the API says ${shown(updated, "time")}` : null),
        drawn.length ? el("div", { class: "changes" }, drawn) : first ? null : el("p", { class: "muted" }, "Only updated_at changed."));
    });
    const oldest = column(detail.titles, versions.at(-1), "version_number");
    return [el("ol", { class: "timeline" }, items), oldest > 1 ? el("p", { class: "muted" }, `${oldest - 1} older versions are in the warehouse.`) : null];
  }

  function readable(json) {
    if (json === null || json === undefined) return null;
    try {
      const value = JSON.parse(json);
      if (typeof value === "string") return laidOut(value);
      return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : String(value);
    } catch {
      return String(json);
    }
  }

  function drawChange({ path, area, change_kind: kind, old_value: before, new_value: after }, isOpen) {
    const [old, now] = [readable(before), readable(after)];
    const head = el("p", { class: "change-head" }, el("code", {}, path), el("span", { class: "mark" }, area), kind === "changed" ? null : el("span", { class: "mark" }, kind));
    if (old === null && now === null) return el("div", { class: "change" }, head, el("p", { class: "muted" }, data.hasPrompts ? "No value." : "This page was made without this text."));
    const isShort = (text) => text === null || (text.length <= 90 && !text.includes("\n"));
    if (isShort(old) && isShort(now)) {
      return el("div", { class: "change" }, head, el("p", { class: "old-new" },
        old === null ? null : el("del", {}, old === "" ? "(empty)" : old), old === null || now === null ? null : el("span", { class: "arrow-right" }, " → "),
        now === null ? null : el("ins", {}, now === "" ? "(empty)" : now)));
    }
    const details = el("details", { class: "diff-box" }, el("summary", {}, old === null ? "What was added" : now === null ? "What was removed" : "What changed"));
    let isDrawn = false;
    const draw = () => {
      if (isDrawn) return;
      isDrawn = true;
      details.append(drawDiff(old ?? "", now ?? ""));
    };
    details.addEventListener("toggle", () => details.open && draw());
    if (isOpen) {
      draw();
      details.open = true;
    }
    return el("div", { class: "change" }, head, details);
  }

  // Differences: Myers' greedy algorithm over words, or over lines where the words differ too much. It is bounded, because
  // it is slow for two texts with nothing in common.

  const MOST_DIFFERENCES = 1200;
  const MOST_TOKENS = 60_000;

  function shortestEdit(one, other) {
    const [n, m] = [one.length, other.length];
    const most = Math.min(n + m, MOST_DIFFERENCES);
    const offset = most + 1;
    const reach = new Int32Array(2 * most + 3);
    const trace = [];
    for (let d = 0; d <= most; d += 1) {
      trace.push(reach.slice(offset - d - 1, offset + d + 2));
      for (let k = -d; k <= d; k += 2) {
        let x = k === -d || (k !== d && reach[offset + k - 1] < reach[offset + k + 1]) ? reach[offset + k + 1] : reach[offset + k - 1] + 1;
        while (x < n && x - k < m && one[x] === other[x - k]) x += 1;
        reach[offset + k] = x;
        if (x >= n && x - k >= m) return walkBack(trace, n, m);
      }
    }
    return null;
  }

  /** The tokens that both sides share: pairs of places, in order. */
  function walkBack(trace, n, m) {
    const kept = [];
    let [x, y] = [n, m];
    for (let d = trace.length - 1; d >= 0 && (x > 0 || y > 0); d -= 1) {
      const at = (k) => trace[d][k + d + 1];
      const k = x - y;
      const before = k === -d || (k !== d && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
      const startX = d === 0 ? 0 : at(before);
      const startY = d === 0 ? 0 : startX - before;
      while (x > startX && y > startY) {
        x -= 1;
        y -= 1;
        kept.push([x, y]);
      }
      [x, y] = [startX, startY];
    }
    return kept.reverse();
  }

  function runs(one, other) {
    let start = 0;
    while (start < one.length && start < other.length && one[start] === other[start]) start += 1;
    let end = 0;
    while (end < one.length - start && end < other.length - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
    const middle = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
    const kept = shortestEdit(...middle);
    if (!kept) return null;
    const found = [];
    const push = (kind, text) => {
      if (!text) return;
      if (found.at(-1)?.kind === kind) found.at(-1).text += text;
      else found.push({ kind, text });
    };
    push("same", one.slice(0, start).join(""));
    let [x, y] = [0, 0];
    for (const [keptX, keptY] of [...kept, [middle[0].length, middle[1].length]]) {
      push("old", middle[0].slice(x, keptX).join(""));
      push("new", middle[1].slice(y, keptY).join(""));
      if (keptX < middle[0].length) push("same", middle[0][keptX]);
      [x, y] = [keptX + 1, keptY + 1];
    }
    push("same", end ? one.slice(one.length - end).join("") : "");
    return joined(found);
  }

  /** A short unchanged part between two changed words (a blank, a comma, "so") becomes part of the change. */
  function joined(found) {
    const result = [];
    let change = null;
    const flush = () => {
      if (change?.old) result.push({ kind: "old", text: change.old });
      if (change?.new) result.push({ kind: "new", text: change.new });
      change = null;
    };
    const isSlight = (text) => !text.includes("\n") && (text.length <= 4 || !/[\p{L}\p{N}]/u.test(text));
    found.forEach(({ kind, text }, place) => {
      if (kind !== "same") {
        change ??= { old: "", new: "" };
        change[kind] += text;
      } else if (change?.old && change.new && isSlight(text) && place + 1 < found.length) {
        change.old += text;
        change.new += text;
      } else {
        flush();
        result.push({ kind, text });
      }
    });
    flush();
    return result;
  }

  function difference(old, now) {
    const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
    const lines = (text) => text.match(/[^\n]*\n|[^\n]+/g) || [];
    for (const tokens of [words, lines]) {
      const [one, other] = [tokens(old), tokens(now)];
      const found = one.length + other.length <= MOST_TOKENS ? runs(one, other) : null;
      if (found) return found;
    }
    return [{ kind: "old", text: old }, { kind: "new", text: now }];
  }

  const AROUND = 160;

  function drawDiff(old, now) {
    const found = difference(old, now);
    const parts = found.map(({ kind, text }, place) => {
      if (kind !== "same") return el(kind === "old" ? "del" : "ins", {}, text);
      const head = place === 0 ? 0 : AROUND;
      const tail = place === found.length - 1 ? 0 : AROUND;
      if (text.length <= head + tail + 120) return text;
      // Fold at the nearest end of a line, or else of a word.
      const from = head && (text.slice(0, head * 2).search(/\n[^\n]*$/) + 1 || text.slice(0, head).lastIndexOf(" ") + 1 || head);
      const until = text.length - tail * 2;
      const to = tail ? until + (text.slice(until).match(/[\n ]/)?.index ?? 0) + 1 : text.length;
      const hidden = text.slice(from, to);
      const more = el("button", { type: "button", class: "fold", onclick: () => more.replaceWith(hidden) }, `… ${shown(hidden.length, "integer")} characters unchanged …`);
      return [text.slice(0, from), more, text.slice(to)];
    });
    return el("div", { class: "diff" }, parts);
  }

  // Theme and freshness

  const THEMES = ["auto", "light", "dark"];

  function stored(theme) {
    try {
      if (theme) localStorage.setItem("puretalk-theme", theme);
      return localStorage.getItem("puretalk-theme");
    } catch {
      return null; // a page opened from a file may have no storage
    }
  }

  function applyTheme(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const button = $("theme");
    button.replaceChildren(`Theme: ${theme}`);
    button.dataset.now = theme;
  }

  function renderAge() {
    const synced = document.body.dataset.syncedAt;
    if (!synced) return;
    const seconds = (Date.now() - Date.parse(synced)) / 1000;
    $("stale").hidden = !(seconds > data.staleSeconds) && $("stale").hidden;
    if (seconds < 0) return;
    const [amount, unit] = seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129_600 ? [seconds / 3600, "hour"] : [seconds / 86_400, "day"];
    const whole = Math.round(amount);
    $("age").replaceChildren(whole ? ` (${shown(whole, "integer")} ${unit}${whole === 1 ? "" : "s"} ago)` : " (just now)");
  }

  // Rendering and events

  function focused() {
    const node = document.activeElement;
    const box = node?.closest?.("[data-body], .tile, #filters, [data-pages], table");
    if (!box || !node.dataset) return () => {};
    const names = ["chart", "label", "series", "more", "page", "sort", "column"].filter((name) => node.dataset[name] !== undefined);
    const wanted = names.map((name) => `[data-${name}="${node.dataset[name]}"]`).join("") + (node.dataset.page ? `[aria-label="${node.getAttribute("aria-label")}"]` : "");
    return () => {
      if (node.isConnected || !wanted) return;
      const again = box.isConnected ? box.querySelector(wanted) : null;
      if (again && !again.disabled) again.focus({ preventScroll: true });
      else if (box.matches("[data-pages]")) box.querySelector("button:not(:disabled)")?.focus({ preventScroll: true });
    };
  }

  let wasFiltered = false;

  function render() {
    const refocus = focused();
    readMasks();
    renderFilters();
    const isFiltered = state.labels.size + state.series.size > 0;
    if (isFiltered || wasFiltered) {
      for (const chart of charts.values()) renderChart(chart);
      for (const tile of data.tiles) renderTile(tile);
    }
    wasFiltered = isFiltered;
    for (const table of tables.values()) renderTable(table);
    refocus();
    return renderDetail();
  }

  function onClick(event) {
    const target = event.target.closest?.("[data-chart], [data-more], [data-sort], [data-page], [data-csv], [data-open], [data-tab], .sections a");
    if (!target || (target.tagName === "A" && (event.ctrlKey || event.metaKey || event.shiftKey))) return;
    const { chart, label, series, more, sort, column, page, csv: exported, open, from, tab } = target.dataset;
    if (chart !== undefined) {
      const { labels, series: names } = charts.get(chart);
      if (label !== undefined) toggle(state.labels, chart, labels[label]);
      else toggle(state.series, chart, names[series]);
    } else if (more !== undefined) {
      if (!expanded.delete(more)) expanded.add(more);
      const refocus = focused();
      renderChart(charts.get(more));
      refocus();
    } else if (sort !== undefined) {
      const place = Number(column) + 1;
      const format = tables.get(sort).formats[column];
      const mostFirst = isNumber(format) || format === "time" || format === "date" || tables.get(sort).titles[column] === "Severity";
      const first = mostFirst ? -place : place;
      const now = state.sorts[sort] || 0;
      state.sorts[sort] = now === first ? -first : now === -first ? 0 : first;
      delete state.pages[sort];
      changed();
    } else if (page !== undefined) {
      state.pages[page] = Number(target.dataset.target);
      changed();
    } else if (exported !== undefined) {
      download(tables.get(exported));
    } else if (open !== undefined) {
      event.preventDefault();
      returnTo = [from || target.closest("[data-table]")?.dataset.table, open];
      openAssistant(Number(open), returnTo[0]);
    } else if (tab !== undefined) {
      showTab(tab);
    } else {
      event.preventDefault();
      const section = document.querySelector(target.getAttribute("href"));
      section.scrollIntoView();
      section.querySelector("h2").setAttribute("tabindex", "-1");
      section.querySelector("h2").focus({ preventScroll: true });
    }
  }

  function onKey(event) {
    const tab = event.target.closest?.('[role="tab"]');
    const turn = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (tab && turn) {
      const all = [...$("detail-tabs").children];
      const here = all.indexOf(tab);
      const next = Math.abs(turn) === 1 ? (here + turn + all.length) % all.length : turn < 0 ? 0 : all.length - 1;
      event.preventDefault();
      showTab(all[next].dataset.tab);
    } else if (event.key === "/" && !dialog.open && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
      const search = document.querySelector('[data-search="assistants"]') || document.querySelector("[data-search]");
      event.preventDefault();
      search?.focus();
      search?.scrollIntoView({ block: "center" });
    }
  }

  function onSearch(event) {
    const id = event.target.dataset.search;
    if (id === undefined) return;
    state.queries[id] = event.target.value;
    delete state.pages[id];
    writeFragment(false);
    renderTable(tables.get(id));
  }

  function onClose() {
    document.documentElement.classList.remove("has-detail");
    opened = null;
    if (state.open) {
      state.open = null;
      state.tab = "";
      writeFragment(true);
    }
    if (returnTo) document.querySelector(`[data-table="${returnTo[0]}"] [data-open="${returnTo[1]}"]`)?.focus({ preventScroll: true });
    returnTo = null;
  }

  function follow() {
    readFragment();
    return render();
  }

  async function start() {
    document.documentElement.classList.add("js");
    const theme = stored();
    applyTheme(THEMES.includes(theme) ? theme : "auto");
    data = await unpack("data");
    charts = new Map(data.charts.map((chart) => [chart.id, chart]));
    tables = new Map(data.tables.map((table) => [table.id, table]));
    placeOf = new Map(data.ids.map((id, place) => [id, place]));
    document.addEventListener("click", onClick);
    document.addEventListener("keydown", onKey);
    document.addEventListener("input", onSearch);
    addEventListener("popstate", follow);
    dialog.addEventListener("close", onClose);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    $("detail-close").addEventListener("click", () => dialog.close());
    $("detail-previous").addEventListener("click", () => stepDetail(-1));
    $("detail-next").addEventListener("click", () => stepDetail(1));
    $("theme").addEventListener("click", () => {
      const next = THEMES[(THEMES.indexOf($("theme").dataset.now) + 1) % THEMES.length];
      stored(next);
      applyTheme(next);
    });
    $("print").addEventListener("click", () => print());
    renderAge();
    setInterval(renderAge, 60_000);
    await follow();
    document.documentElement.dataset.ready = "yes";
  }

  start();
})();
