// What a screen reader is told while the reader types a search: how many rows are left.

import { tables } from "./data.js";
import { $, find } from "./elements.js";

let waiting = 0;

function announce(event) {
  const id = event.target.dataset?.search;
  if (id === undefined) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    const count = find(`[data-count="${id}"]`).textContent;
    $("announce").replaceChildren(event.target.value ? `${tables.get(id).title}: ${count} rows` : "");
  }, 300);
}

export function startAnnouncements() {
  document.addEventListener("input", announce);
}
