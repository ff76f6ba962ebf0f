// Rendering and events.

/** @import { Table } from "./data.js" */

import { renderFilters } from "./active_filters.js";
import { THEMES, applyTheme, renderAge, stored } from "./appearance.js";
import { expanded, renderChart } from "./charts.js";
import { startComfort } from "./comfort.js";
import { charts, data, load, tables } from "./data.js";
import { dialog, openAssistant, renderDetail, showTab, startDrawer } from "./drawer.js";
import { $, find } from "./elements.js";
import { copyText } from "./clipboard.js";
import { copyTable, download } from "./export.js";
import { focused } from "./focus.js";
import { goToLinked, linkHere } from "./position.js";
import { toggleRow } from "./row_changes.js";
import { isFiltered, readFilters } from "./selection.js";
import { choose } from "./since.js";
import { changed, readFragment, state, toggle, writeFragment, whenChanged } from "./state.js";
import { renderTable } from "./tables.js";
import { renderTextSearch } from "./text_search.js";
import { renderTile } from "./tiles.js";
import { isNumber } from "./values.js";

let wasFiltered = false;

export function render() {
  const refocus = focused();
  readFilters();
  renderFilters();
  if (isFiltered() || wasFiltered) {
    for (const chart of charts.values()) renderChart(chart);
    for (const tile of data.tiles) renderTile(tile);
  }
  wasFiltered = isFiltered();
  for (const table of tables.values()) renderTable(table);
  renderTextSearch();
  refocus();
  return renderDetail();
}

/** Scrolls to a section or a card, and gives its heading the focus. @param {HTMLElement} place */
function goTo(place) {
  place.scrollIntoView();
  const heading = find("h2, h3", place);
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
}

function onClick(event) {
  const target = event.target.closest?.("[data-chart], [data-more], [data-sort], [data-page], [data-opens], [data-csv], [data-copy], [data-opener], [data-open], [data-tab], .sections a");
  if (!target || (target.tagName === "A" && (event.ctrlKey || event.metaKey || event.shiftKey))) return;
  const { chart, label, series, more, sort, column, page, opens, cut, csv: exported, copy, opener, open, from, tab } = target.dataset;
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
  } else if (opens !== undefined && tables.has(opens)) {
    event.preventDefault();
    choose(opens, cut);
    goTo($(`table-${opens}`));
  } else if (copy !== undefined) {
    copyTable(tables.get(copy), target);
  } else if (opener !== undefined) {
    toggleRow(tables.get(opener), Number(target.dataset.row));
    const refocus = focused();
    renderTable(tables.get(opener));
    refocus();
  } else if (open !== undefined) {
    event.preventDefault();
    const table = from || target.closest("[data-table]")?.dataset.table;
    openAssistant(Number(open), { from: table, back: [table, open], tab: target.dataset.at || tables.get(table)?.tab });
  } else if (tab !== undefined) {
    showTab(tab);
  } else {
    event.preventDefault();
    goTo(find(target.getAttribute("href")));
  }
}

/** Opens the first assistant that a search left. @param {Table | undefined} table */
function openFirst(table) {
  if (!table?.assistants || !table.rows?.length) return;
  const place = table.assistants[table.rows[0]];
  if (place !== null) openAssistant(place, { from: table.id, back: [table.id, String(place)], tab: table.tab });
}

function onKey(event) {
  const tab = event.target.closest?.('[role="tab"]');
  const turn = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (tab && turn) {
    const all = /** @type {HTMLElement[]} */ ([...$("detail-tabs").children]);
    const here = all.indexOf(tab);
    const next = Math.abs(turn) === 1 ? (here + turn + all.length) % all.length : turn < 0 ? 0 : all.length - 1;
    event.preventDefault();
    showTab(all[next].dataset.tab);
  } else if (event.key === "/" && !dialog.open && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
    const search = find('[data-search="assistants"]') || find("[data-search]");
    event.preventDefault();
    search?.focus();
    search?.scrollIntoView({ block: "center" });
  } else if (event.key === "Enter" && !event.isComposing && event.target.dataset?.search) {
    openFirst(tables.get(event.target.dataset.search));
  }
}

function onSearch(event) {
  if (event.target.id === "text-query") {
    state.text = event.target.value;
    writeFragment(false);
    renderTextSearch();
  }
  const id = event.target.dataset.search;
  if (id === undefined) return;
  state.queries[id] = event.target.value;
  delete state.pages[id];
  writeFragment(false);
  renderTable(tables.get(id));
}

function follow() {
  readFragment();
  return render();
}

export async function start() {
  document.documentElement.classList.add("js");
  const theme = stored();
  applyTheme(THEMES.includes(theme) ? theme : "auto");
  await load();
  whenChanged(render);
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("input", onSearch);
  addEventListener("popstate", follow);
  startDrawer();
  $("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf($("theme").dataset.now) + 1) % THEMES.length];
    stored(next);
    applyTheme(next);
  });
  for (const id of ["link", "detail-link"]) $(id).addEventListener("click", () => copyText(linkHere(), $(id)));
  $("print").addEventListener("click", () => print());
  renderAge();
  setInterval(renderAge, 60_000);
  await follow();
  startComfort();
  goToLinked();
  document.documentElement.dataset.ready = "yes";
}


start();
