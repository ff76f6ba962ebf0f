// What sticks to the top: how much of the window it covers, and whether the head of a table may stick below it.

import { $, find } from "./elements.js";

function measure() {
  const root = document.documentElement;
  const bar = $("filters");
  const top = find(".top").offsetHeight;
  const isBarSticky = !bar.hidden && getComputedStyle(bar).position === "sticky";
  root.style.setProperty("--top", `${top}px`);
  root.style.setProperty("--covered", `${top + (isBarSticky ? bar.offsetHeight : 0)}px`);
  // A box that scrolls sideways keeps the head inside; where the table fits, it sticks to the window.
  for (const box of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("main .table-scroll"))) {
    box.classList.toggle("fits", box.scrollWidth <= box.clientWidth);
  }
}

export function startSticking() {
  const observer = new ResizeObserver(measure);
  for (const node of [find(".top"), $("filters"), ...document.querySelectorAll("main .grid")]) observer.observe(node);
  measure();
}
