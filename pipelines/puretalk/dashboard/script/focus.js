// The focus, kept where what had it is drawn again.

import { find } from "./elements.js";


export function focused() {
  const node = /** @type {HTMLButtonElement | null} */ (document.activeElement);
  const box = node?.closest?.("[data-body], .tile, #filters, [data-pages], table");
  if (!box || !node.dataset) return () => {};
  const names = ["chart", "label", "series", "more", "page", "sort", "column"].filter((name) => node.dataset[name] !== undefined);
  const wanted = names.map((name) => `[data-${name}="${node.dataset[name]}"]`).join("") + (node.dataset.page ? `[aria-label="${node.getAttribute("aria-label")}"]` : "");
  return () => {
    if (node.isConnected || !wanted) return;
    const again = box.isConnected ? /** @type {HTMLButtonElement | null} */ (find(wanted, box)) : null;
    if (again && !again.disabled) again.focus({ preventScroll: true });
    else if (box.matches("[data-pages]")) find("button:not(:disabled)", box)?.focus({ preventScroll: true });
  };
}
