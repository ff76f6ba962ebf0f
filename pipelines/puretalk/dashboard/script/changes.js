// One changed field: where, what was and what is; a difference where they are long.

import { data } from "./data.js";
import { drawDiff } from "./diff_view.js";
import { el } from "./elements.js";
import { crumbs } from "./paths.js";
import { stateLines } from "./states.js";
import { readable } from "./texts.js";

const isShort = (text) => text === null || (text.length <= 90 && !text.includes("\n"));

/** `steps` say where it is, in place of the path.
 * @param {{ path: string, steps?: string[], area?: string, change_kind: string, old_value: string | null, new_value: string | null }} change
 * @param {Map<string, string>} names of states @param {boolean} isOpen whether a difference is shown at once */
export function drawChange({ path, steps, area, change_kind: kind, old_value: before, new_value: after }, names, isOpen) {
  const known = new Map(names);
  const [old, now] = [before, after].map((value) => stateLines(path, value, known) ?? readable(value));
  const head = el("p", { class: "change-head" }, el("code", { title: path }, (steps ?? crumbs(path, known)).join(" › ")),
    area && area !== path ? el("span", { class: "mark" }, area) : null, kind === "changed" ? null : el("span", { class: "mark" }, kind));
  if (old === null && now === null) return el("div", { class: "change" }, head, el("p", { class: "muted" }, data.hasPrompts ? "No value." : "This page was made without this text."));
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
    details.append(...drawDiff(old, now));
  };
  details.addEventListener("toggle", () => details.open && draw());
  if (isOpen) {
    draw();
    details.open = true;
  }
  return el("div", { class: "change" }, head, details);
}
