// Elements of the page. Text becomes text nodes only (trusted types are required, so innerHTML would throw).

/** The element of that id, which the page has. @type {(id: string) => HTMLElement} */
export const $ = (id) => document.getElementById(id);

/** The first element that a selector finds, or null. @type {(selector: string, within?: ParentNode) => HTMLElement | null} */
export const find = (selector, within = document) => within.querySelector(selector);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
/** An element; null, undefined and false among the children are left out. @type {(tag: string, attributes?: object, ...children: any[]) => HTMLElement} */
export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const drawing = (attributes, ...children) =>
  svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false", ...attributes }, ...children);
export const slug = (text) => (text || "").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "-");
export const badge = (text) => (text ? el("span", { class: `mark mark-${slug(text)}` }, text) : null);
export const nothing = (text) => el("p", { class: "empty" }, text);
