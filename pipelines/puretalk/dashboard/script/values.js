// Values as text; page.py writes them the same way.

export const NONE = "(none)";

function rounded(value, digits) {
  const factor = 10 ** digits;
  const text = (Math.round((Math.abs(value) + Number.EPSILON) * factor) / factor).toLocaleString("en-US", {
    maximumFractionDigits: digits,
  });
  return value < 0 && text !== "0" ? `-${text}` : text;
}

export function shown(value, format = "text") {
  if (value === null || value === undefined || value === "") return "–";
  if (format === "bool") return value ? "yes" : "no";
  if (format === "time") return String(value).slice(0, 16).replace("T", " ");
  if (typeof value !== "number") return String(value);
  if (format === "percent") return `${rounded(value * 100, 1)}%`;
  if (format === "seconds") return `${rounded(value, 1)} s`;
  return rounded(value, format === "integer" ? 0 : 3);
}

export const isNumber = (format) => format === "integer" || format === "number";
export const cellClass = (format) => (isNumber(format) ? "number" : format === "time" || format === "date" ? "moment" : null);

export const sum = (values) => values.reduce((total, value) => total + (value || 0), 0);
