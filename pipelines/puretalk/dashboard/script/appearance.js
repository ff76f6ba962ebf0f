// Theme and freshness.

import { data } from "./data.js";
import { $ } from "./elements.js";
import { shown } from "./values.js";

export const THEMES = ["auto", "light", "dark"];

export function stored(theme) {
  try {
    if (theme) localStorage.setItem("puretalk-theme", theme);
    return localStorage.getItem("puretalk-theme");
  } catch {
    return null; // a page opened from a file may have no storage
  }
}

export function applyTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = $("theme");
  button.replaceChildren(`Theme: ${theme}`);
  button.dataset.now = theme;
}

export function renderAge() {
  const synced = document.body.dataset.syncedAt;
  if (!synced) return;
  const seconds = (Date.now() - Date.parse(synced)) / 1000;
  $("stale").hidden = !(seconds > data.staleSeconds) && $("stale").hidden;
  if (seconds < 0) return;
  const [amount, unit] = seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129_600 ? [seconds / 3600, "hour"] : [seconds / 86_400, "day"];
  const whole = Math.round(amount);
  $("age").replaceChildren(whole ? ` (${shown(whole, "integer")} ${unit}${whole === 1 ? "" : "s"} ago)` : " (just now)");
}
