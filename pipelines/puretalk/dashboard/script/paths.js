// Where in a configuration something is, as names that people gave: `llm_states["s1"].prompt` is States › Greeting ›
// prompt.

/** @import { Detail } from "./data.js" */

const STEPS = /\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g;

/** @param {string} path @param {Map<string, string>} names of states, by id @returns {string[]} */
export function crumbs(path, names) {
  const steps = [];
  for (const [, key, place, field] of path.matchAll(STEPS)) {
    if (field !== undefined) {
      if (field === "llm_states") steps.push("States");
      else if (field !== "children") steps.push(field);
    } else if (place !== undefined) steps.push(`no. ${Number(place) + 1}`);
    else {
      const name = unquoted(key);
      steps.push(path.startsWith("llm_states") ? names.get(name) || name : name);
    }
  }
  return steps;
}

function unquoted(text) {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return text;
  }
}

/** The names of an assistant's states, by their id. @param {Detail[]} details @param {(id: string) => any[][]} rows */
export function stateNames(details, rows) {
  const tree = details.find((detail) => detail.kind === "tree");
  const [id, name] = ["state_id", "name"].map((title) => tree?.titles.indexOf(title) ?? -1);
  return new Map(id < 0 || name < 0 ? [] : rows(tree.id).map((row) => [row[id], row[name]]));
}
