// A version in full, and the comparison of two, over the history of an assistant.

/** @import { Change } from "./history.js" */

import { drawChange } from "./changes.js";
import { copyText } from "./clipboard.js";
import { data } from "./data.js";
import { isWholeDay } from "./days.js";
import { el, nothing } from "./elements.js";
import { crumbs } from "./paths.js";
import { drawGroup, settingsAt } from "./settings_then.js";
import { state } from "./state.js";
import { partsOfState, stateTexts } from "./states.js";
import { readable, withVariables } from "./texts.js";
import { shown } from "./values.js";
import { changesBetween, isBeneath, laterThan, valuesAt } from "./versions.js";

/** What chooses a version: a day, or two versions. `versions`: number and moment, the newest first.
 * @param {{ number: number, observed: string }[]} versions @param {(version: string) => void} choose */
export function drawChooser(versions, choose) {
  const [from, to] = state.version.split("..").map(Number);
  const seen = to ? null : versions.find(({ number }) => number === from);
  const day = /** @type {HTMLInputElement} */ (el("input", { type: "date", id: "as-of", value: seen?.observed.slice(0, 10), onchange: () => {
    if (!isWholeDay(day.value)) return;
    const then = versions.find(({ observed }) => observed.slice(0, 10) <= day.value);
    choose(day.value ? String(then?.number ?? 0) : "");
  } }));
  const select = (name, chosen) => el("select", { "aria-label": name }, versions.map(({ number, observed }) =>
    el("option", { value: number, selected: number === chosen }, `${number}, ${shown(observed, "time")}`)));
  const older = /** @type {HTMLSelectElement} */ (select("The older version", from || versions[1]?.number));
  const newer = /** @type {HTMLSelectElement} */ (select("The newer version", to || versions[0].number));
  const compare = () => {
    const [one, other] = [Number(older.value), Number(newer.value)];
    choose(`${Math.min(one, other)}..${Math.max(one, other)}`);
  };
  return el("div", { class: "chooser" },
    el("label", {}, "As of ", day),
    versions.length > 1 ? el("span", {}, "Compare ", older, " with ", newer, " ", el("button", { type: "button", class: "quiet", "data-compare-versions": "", onclick: compare }, "Compare")) : null,
    state.version ? el("button", { type: "button", class: "quiet", "data-all-versions": "", onclick: () => choose("") }, "All versions") : null);
}

/** What the reader chose to see: one version, or the difference of two.
 * @param {{ number: number, observed: string }[]} versions @param {Map<number, Change[]>} changes
 * @param {(id: string) => any[][]} rows @param {Map<string, string>} names of states */
export function drawVersion(versions, changes, rows, names) {
  const [from, to] = state.version.split("..").map(Number).sort((one, other) => one - other);
  const none = () => el("div", { class: "version" }, nothing("No sync had seen this assistant by then, or the page does not have that version."));
  const moment = (number) => shown(versions.find((version) => version.number === number)?.observed ?? null, "time");
  if (to) {
    if (![from, to].every((number) => versions.some((version) => version.number === number))) return none();
    const found = changesBetween(changes, from, to);
    return el("div", { class: "version", "data-shown": state.version },
      el("h4", { tabindex: -1 }, `From version ${from} (${moment(from)}) to version ${to} (${moment(to)})`),
      found.length ? el("div", { class: "changes" }, found.map((change) => drawChange(change, names, true))) : nothing("They do not differ."));
  }
  const known = versions.find((version) => version.number === from);
  if (!known) return none();
  const next = versions[versions.indexOf(known) - 1];
  const later = laterThan(changes, from);
  const states = statesOf(rows, later);
  const namesThen = new Map(names);
  const values = valuesAt(new Map([...textsOf(rows), ...(states ?? [])]), changes, from);
  const entries = [...values].flatMap(([path, value]) => {
    const parts = partsOfState(path, value, namesThen);
    return parts.length ? parts : [[path, value]];
  }).map(([path, value]) => ({ path, text: value === null || value === "null" ? null : readable(value) }));
  const groups = settingsAt(rows, values, later);
  const isText = ({ path, text }) => text !== null && (text.length > 90 || text.includes("\n") || /prompt|message/.test(path));
  const order = (entry) => (entry.path === "prompt" ? 0 : entry.path.endsWith("prompt") ? 1 : 2);
  const texts = entries.filter(isText).sort((one, other) => order(one) - order(other));
  const isShown = (path) => groups.some((group) => group.paths.some((one) => isBeneath(path, one)));
  const settings = entries.filter((entry) => !isText(entry) && !isShown(entry.path));
  return el("div", { class: "version", "data-shown": String(from) },
    el("h4", { tabindex: -1 }, `Version ${from}`),
    el("p", { class: "muted" }, `Seen from ${moment(from)} UTC ${next ? `until ${shown(next.observed, "time")} UTC` : "on"}.`),
    texts.filter(({ path }) => !isShown(path)).map(({ path, text }) => drawText(path, text, namesThen)),
    groups.map(({ title, lines }) => drawGroup(title, lines)),
    settings.length ? drawGroup("What else changed, then or later", settings.map(({ path, text }) => [crumbs(path, namesThen).join(" › "), text === null ? "not set" : text || "(empty)"])) : null,
    el("p", { class: "muted" }, data.hasPrompts ? "" : "This page was made without texts. ",
      `${states ? "Variables" : "States and variables"} that no version changed are in the other tabs. The names of owner and voice are those of today.`));
}

/** The texts of the states of today, as far as the later changes say which of them were there; null where they name a
 * state by its position, which is not the one of today.
 * @param {(id: string) => any[][]} rows @param {Change[]} later */
function statesOf(rows, later) {
  const texts = stateTexts(data.details, rows);
  const changed = later.map(({ path }) => path).filter((path) => path.startsWith("llm_states"));
  if (changed.length && [...changed, ...texts.keys()].some((path) => /\[\d+\]/.test(path))) return null;
  const added = later.filter((change) => change.old_value === null).map(({ path }) => path);
  return new Map([...texts].filter(([path]) => !added.some((one) => path !== one && isBeneath(path, one))));
}

function drawText(path, text, names) {
  const copy = el("button", { type: "button", class: "quiet", "aria-label": `Copy ${path}`, onclick: () => copyText(text, copy) }, "Copy");
  return el("div", { class: "version-text", "data-path": path },
    el("p", { class: "change-head" }, el("code", { title: path }, crumbs(path, names).join(" › ")), el("span", { class: "count" }, `${shown(text.length, "integer")} characters`), copy),
    el("pre", { class: "prose" }, withVariables(text)));
}

/** The texts of today by field, as JSON. @param {(id: string) => any[][]} rows */
function textsOf(rows) {
  const found = new Map();
  for (const detail of data.details.filter(({ kind }) => kind === "texts")) {
    const [row] = rows(detail.id);
    detail.titles.forEach((title, column) => {
      const path = detail.fields[title];
      if (path && row?.[column]) found.set(path, JSON.stringify(row[column]));
    });
  }
  return found;
}
