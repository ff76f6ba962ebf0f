// A link to exactly this view: what was chosen, and the card at the top of the window.

import { tables } from "./data.js";
import { state, writeFragment } from "./state.js";

const cards = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main .card[id], main section[id]")]);

/** Pixels that the bars at the top of the window may cover. */
const COVERED = 160;

/** The address of this view. */
export function linkHere() {
  if (!state.open) {
    const top = (card) => Math.round(card.getBoundingClientRect().top);
    const above = cards().filter((card) => top(card) <= COVERED);
    const card = above.reduce((best, one) => (best && top(best) > top(one) ? best : one), above[0]);
    state.at = card && scrollY > 0 ? `${card.id},${-top(card)}` : "";
  }
  writeFragment(false);
  return location.href;
}

/** Scrolls to where a link leads: its position, or else the first card that it says something about. */
export function goToLinked() {
  const [id, offset] = state.at.split(",");
  const first = [...state.labels.keys(), ...state.series.keys()][0];
  const table = [state.since, state.rows, state.queries, state.sorts, state.pages].flatMap((one) => Object.keys(one)).find((one) => tables.has(one));
  const place = document.getElementById(id || (table ? `table-${table}` : first ? `chart-${first}` : state.text ? "text-search" : ""));
  if (!place || state.open) return;
  scrollTo({ top: place.getBoundingClientRect().top + scrollY + Number(offset ?? -COVERED), behavior: "instant" });
}
