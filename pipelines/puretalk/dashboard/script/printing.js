// On paper nothing can be opened and no page can be turned: what an open tab folds away is opened before printing and
// closed after it, and a table says which rows are printed.

import { find } from "./elements.js";

/** @type {HTMLDetailsElement[]} */
let unfolded = [];

function unfold() {
  for (const details of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("#detail details:not([open])"))) {
    unfolded.push(details);
    details.open = true;
    details.dispatchEvent(new Event("toggle")); // draws the diff now; the browser's own event would come too late
  }
}

function sayWhatIsPrinted() {
  for (const nav of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-pages]"))) {
    const count = find(`[data-count="${nav.dataset.pages}"]`);
    if (nav.hidden) delete count.dataset.printed;
    else count.dataset.printed = find("span", nav).textContent;
  }
}

function fold() {
  for (const details of unfolded) details.open = false;
  unfolded = [];
}

export function startPrinting() {
  addEventListener("beforeprint", unfold);
  addEventListener("beforeprint", sayWhatIsPrinted);
  addEventListener("afterprint", fold);
}
