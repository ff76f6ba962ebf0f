// The view of one assistant: opened over the page, one tab at a time.

import { data, partsOf, placeOf, tables } from "./data.js";
import { drawDetail, whenOtherChosen } from "./details.js";
import { $, badge, el, find, slug } from "./elements.js";
import { whenVersionChosen } from "./history.js";
import { state, writeFragment } from "./state.js";
import { shown, sum } from "./values.js";

export const dialog = /** @type {HTMLDialogElement} */ ($("detail"));
let opened = null;
let openedFrom = "assistants";
let returnTo = null;

export async function renderDetail() {
  const place = state.open ? placeOf.get(state.open) : undefined;
  if (place === undefined) {
    opened = null;
    if (dialog.open) dialog.close();
    return;
  }
  const rows = await partsOf(place);
  if (placeOf.get(state.open) !== place) return;
  const isNew = opened !== place;
  opened = place;
  $("detail-name").replaceChildren(data.names[place]);
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
  disable("detail-previous", here <= 0);
  disable("detail-next", here < 0 || here === order.length - 1);
  if (!dialog.open) {
    dialog.showModal();
    document.documentElement.classList.add("has-detail");
  }
  showChosenTab();
  if (isNew) $("detail-name").focus({ preventScroll: true });
}

/** On a phone the tabs scroll sideways: the chosen one is brought into sight. */
function showChosenTab() {
  const strip = $("detail-tabs");
  const frame = strip.getBoundingClientRect();
  const { left, right } = find('[aria-selected="true"]', strip).getBoundingClientRect();
  if (left < frame.left || right > frame.right) strip.scrollLeft += (left + right - frame.left - frame.right) / 2;
}

function disable(id, isDisabled) {
  /** @type {HTMLButtonElement} */ ($(id)).disabled = isDisabled;
}

function neighbours() {
  const table = tables.get(openedFrom) || tables.get("assistants");
  return table?.assistants ? [...new Set((table.rows || []).map((row) => table.assistants[row]))] : [];
}

/** Opens an assistant. Only from the page does it make an entry in the browser's history: Back, once it is closed, must
 * not open it again.
 * @param {number} place @param {{ from?: string, back?: string[], tab?: string, version?: string, other?: string }} how */
export function openAssistant(place, { from, back, tab, version = "", other = "" } = {}) {
  openedFrom = from || openedFrom;
  returnTo = back || returnTo;
  const isNew = !state.open;
  Object.assign(state, { open: data.ids[place], tab: tab ?? state.tab, version, other });
  writeFragment(isNew);
  return renderDetail();
}

function stepDetail(by) {
  const order = neighbours();
  const next = order[order.indexOf(opened) + by];
  if (next !== undefined) openAssistant(next);
}

export function showTab(name) {
  Object.assign(state, { tab: name, version: "" });
  writeFragment(false);
  renderDetail().then(() => find('#detail-tabs [aria-selected="true"]')?.focus());
}

function onClose() {
  document.documentElement.classList.remove("has-detail");
  opened = null;
  if (state.open) {
    Object.assign(state, { open: null, tab: "", version: "", other: "" });
    writeFragment(false);
  }
  if (returnTo) find(`[data-table="${returnTo[0]}"] [data-open="${returnTo[1]}"]`)?.focus({ preventScroll: true });
  returnTo = null;
}

/** Shows another version, or another comparison, of the open assistant, and gives its heading the focus. As in
 * openAssistant, no entry in the browser's history: Back must not open what was closed. */
function show(part, value) {
  Object.assign(state, { [part]: value });
  writeFragment(false);
  renderDetail().then(() => (find(".version h4, .comparison h4", dialog) ?? find(".chooser input", dialog))?.focus({ preventScroll: true }));
}

export function startDrawer() {
  whenVersionChosen((version) => show("version", version));
  whenOtherChosen((other) => show("other", other));
  dialog.addEventListener("close", onClose);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  $("detail-close").addEventListener("click", () => dialog.close());
  $("detail-previous").addEventListener("click", () => stepDetail(-1));
  $("detail-next").addEventListener("click", () => stepDetail(1));
}
