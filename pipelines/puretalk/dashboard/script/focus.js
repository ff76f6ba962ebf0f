// The focus, kept where what had it is drawn again; and its place in the window, where what is above it grows.

import { find } from "./elements.js";


export function focused() {
  const node = /** @type {HTMLButtonElement | null} */ (document.activeElement);
  const box = node?.closest?.("[data-body], .tile, #filters, [data-pages], table");
  if (!box || !node.dataset) return () => {};
  const names = ["chart", "label", "series", "more", "page", "sort", "column", "opener", "row"].filter((name) => node.dataset[name] !== undefined);
  const wanted = names.map((name) => `[data-${name}="${node.dataset[name]}"]`).join("") + (node.dataset.page ? `[aria-label="${node.getAttribute("aria-label")}"]` : "");
  const top = node.getBoundingClientRect().top;
  return () => {
    if (node.isConnected || !wanted) return;
    const stay = (now) => scrollBy({ top: now.getBoundingClientRect().top - top, behavior: "instant" });
    const again = box.isConnected ? /** @type {HTMLButtonElement | null} */ (find(wanted, box)) : null;
    if (again && !again.disabled) {
      again.focus({ preventScroll: true });
      stay(again);
    } else if (box.matches("[data-pages]")) find("button:not(:disabled)", box)?.focus({ preventScroll: true });
  };
}
