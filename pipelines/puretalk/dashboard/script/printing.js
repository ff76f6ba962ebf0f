// On paper nothing can be opened: what an open tab folds away is opened before printing, and closed after it.

/** @type {HTMLDetailsElement[]} */
let unfolded = [];

function unfold() {
  for (const details of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("#detail details:not([open])"))) {
    unfolded.push(details);
    details.open = true;
    details.dispatchEvent(new Event("toggle")); // draws the diff now; the browser's own event would come too late
  }
}

function fold() {
  for (const details of unfolded) details.open = false;
  unfolded = [];
}

export function startPrinting() {
  addEventListener("beforeprint", unfold);
  addEventListener("afterprint", fold);
}
