// Keys: j and k through the rows of a table or the assistants, ? for the list of keys; and links that skip to a place.

import { dialog } from "./drawer.js";
import { $, find } from "./elements.js";

/** The table that has the focus, else the first one of which a row is in the window. */
function tableInUse() {
  const focused = document.activeElement.closest("[data-table]");
  const tables = [...document.querySelectorAll("[data-table]")].filter((table) => table.querySelector(".open"));
  const isInWindow = (table) => {
    const { top, bottom } = table.tBodies[0].getBoundingClientRect();
    return top < innerHeight && bottom > find(".top").offsetHeight;
  };
  return tables.find((table) => table === focused) || tables.find(isInWindow) || tables.at(-1);
}

/** Gives the next row's link the focus, on the next page if it has to be. @param {1 | -1} by */
function stepRow(by) {
  const table = tableInUse();
  if (!table) return;
  const links = () => /** @type {HTMLElement[]} */ ([...table.querySelectorAll(".open")]);
  const row = document.activeElement.closest("tr");
  const here = links().findIndex((link) => link.closest("tr") === row);
  let next = links()[here < 0 ? 0 : here + by];
  if (!next && here >= 0) {
    const turn = find(`[aria-label="${by > 0 ? "Next" : "Previous"} page"]:not(:disabled)`, table.closest(".card"));
    if (!turn) return;
    turn.click();
    next = links().at(by > 0 ? 0 : -1);
  }
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

function onRowKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
  if (document.querySelector(":popover-open")) return;
  if (event.key === "?" && !dialog.open) {
    $("help").showPopover();
  } else if (event.key === "j" || event.key === "k") {
    const by = event.key === "j" ? 1 : -1;
    if (dialog.open) $(by > 0 ? "detail-next" : "detail-previous").click();
    else stepRow(by);
  }
}

/** A link to a place on the page must not replace the fragment, which holds the filters. */
function skip(event) {
  const link = event.target.closest?.(".skip");
  if (!link) return;
  event.preventDefault();
  const place = find(link.getAttribute("href"));
  place.scrollIntoView();
  place.focus({ preventScroll: true });
}

export function startKeys() {
  document.addEventListener("keydown", onRowKey);
  document.addEventListener("click", skip);
}
