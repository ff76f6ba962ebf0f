// The clipboard.

import { $ } from "./elements.js";

/** Puts a text into the clipboard, and says so on the button. @param {string} text @param {HTMLElement} button */
export async function copyText(text, button) {
  const label = button.textContent;
  const isCopied = await navigator.clipboard.writeText(text).then(() => true, () => false);
  button.replaceChildren(isCopied ? "Copied" : "The browser refused");
  $("announce").replaceChildren(button.textContent);
  setTimeout(() => button.replaceChildren(label), 2000);
}
