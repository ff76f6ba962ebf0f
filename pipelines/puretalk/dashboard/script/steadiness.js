// What was clicked stays under the pointer, though its filter changes the height of what is above it.

let clicked = null;

function remember(event) {
  const node = event.target.closest?.("main [data-chart]");
  const { chart, label, series } = node?.dataset || {};
  const place = label === undefined ? `[data-series="${series}"]` : `[data-label="${label}"]`;
  clicked = node && { selector: `.${node.classList[0]}[data-chart="${chart}"]${place}`, top: node.getBoundingClientRect().top };
}

function restore() {
  const node = clicked && document.querySelector(clicked.selector);
  if (node) scrollBy({ top: node.getBoundingClientRect().top - clicked.top, behavior: "instant" });
  clicked = null;
}

export function startSteadiness() {
  document.addEventListener("click", remember, true);
  addEventListener("click", restore); // behind the listener of the document, which draws
}
