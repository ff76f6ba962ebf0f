// Rendering and events.

import { renderFilters } from "./active_filters.js";
import { THEMES, applyTheme, renderAge, stored } from "./appearance.js";
import { expanded, renderChart } from "./charts.js";
import { charts, data, load, tables } from "./data.js";
import { dialog, openAssistant, renderDetail, showTab, startDrawer } from "./drawer.js";
import { $, find } from "./elements.js";
import { download } from "./export.js";
import { focused } from "./focus.js";
import { readMasks } from "./selection.js";
import { changed, readFragment, state, toggle, writeFragment, whenChanged } from "./state.js";
import { renderTable } from "./tables.js";
import { renderTile } from "./tiles.js";
import { isNumber } from "./values.js";

let wasFiltered = false;

export function render() {
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
    const table = from || target.closest("[data-table]")?.dataset.table;
    openAssistant(Number(open), table, [table, open]);
  } else if (tab !== undefined) {
    showTab(tab);
  } else {
    event.preventDefault();
    const section = find(target.getAttribute("href"));
    section.scrollIntoView();
    const heading = find("h2", section);
    heading.setAttribute("tabindex", "-1");
    heading.focus({ preventScroll: true });
  }
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
  $("print").addEventListener("click", () => print());
  renderAge();
  setInterval(renderAge, 60_000);
  await follow();
  document.documentElement.dataset.ready = "yes";
}


start();
