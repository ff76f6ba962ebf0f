// What makes the page easier to read: nothing hidden under the bars, whole texts, whole diffs on paper, keys,
// values where the pointer is.

import { startAnnouncements } from "./announcements.js";
import { startHover } from "./hover.js";
import { startKeys } from "./keys.js";
import { startPrinting } from "./printing.js";
import { startSelecting } from "./selecting.js";
import { startSticking } from "./sticking.js";
import { startWholeTexts } from "./whole_texts.js";

export function startComfort() {
  // Without this script, what only it can do is disabled in the page.
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("main .card :disabled, main .chips :disabled"))) {
    if (!button.closest("[data-pages]")) button.disabled = false;
  }
  startSticking();
  startWholeTexts();
  startPrinting();
  startKeys();
  startAnnouncements();
  startHover();
  startSelecting();
}
