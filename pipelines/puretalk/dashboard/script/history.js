// The history of one assistant: its versions, and what changed in each.

import { data } from "./data.js";
import { drawDiff } from "./diff_view.js";
import { el, nothing } from "./elements.js";
import { readable } from "./texts.js";
import { shown } from "./values.js";

export function drawTimeline(detail, rows) {
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

/** @param {any} change a row of the changes, by title */
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
  const details = /** @type {HTMLDetailsElement} */ (el("details", { class: "diff-box" }, el("summary", {}, old === null ? "What was added" : now === null ? "What was removed" : "What changed")));
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
