// What makes the page easier to read: nothing hidden under the bars, no jumps, whole texts, whole diffs on paper.

import { startPrinting } from "./printing.js";
import { startSteadiness } from "./steadiness.js";
import { startSticking } from "./sticking.js";
import { startWholeTexts } from "./whole_texts.js";

export function startComfort() {
  startSticking();
  startSteadiness();
  startWholeTexts();
  startPrinting();
}
