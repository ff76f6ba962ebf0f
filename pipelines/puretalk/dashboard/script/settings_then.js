// The settings of an assistant at one of its versions.

/** @import { Change } from "./history.js" */

import { data } from "./data.js";
import { el } from "./elements.js";
import { readable } from "./texts.js";
import { shown } from "./values.js";
import { isBeneath } from "./versions.js";

/** @param {string} title @param {string[][]} lines names and texts */
export const drawGroup = (title, lines) => el("section", {}, el("h5", {}, title), el("dl", { class: "settings" }, lines.map(([name, text]) =>
  el("div", { class: text === "–" ? "unset" : null }, el("dt", {}, name), el("dd", {}, text)))));

/** The settings at a version, in the groups and words of today's: what no later version changed is as it is today. Of a
 * list of which a later version changed an item, only that item is known (it is among what else changed).
 * @param {(id: string) => any[][]} rows @param {Map<string, string | null>} values @param {Change[]} later */
export function settingsAt(rows, values, later) {
  const groups = [];
  for (const detail of data.details.filter(({ kind }) => kind === "settings")) {
    const [row] = rows(detail.id);
    const paths = [];
    const lines = detail.titles.flatMap((title, at) => {
      const path = detail.fields[title];
      if (!row || !path || later.some((change) => change.path !== path && isBeneath(change.path, path))) return [];
      const isSame = !later.some((change) => change.path === path);
      if (!isSame && paths.includes(path)) return [];
      paths.push(path);
      return [[title, isSame ? shown(row[at], detail.formats[at]) : fromJson(values.get(path), detail.formats[at])]];
    });
    if (lines.length) groups.push({ title: detail.title, lines, paths });
  }
  return groups;
}

function fromJson(json, format) {
  if (json === "true" || json === "false") return shown(json === "true", "bool");
  return /^-?\d/.test(json ?? "") ? shown(Number(json), format) : shown(json === "null" ? null : readable(json));
}
