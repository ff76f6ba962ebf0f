// States: where each one is in a configuration, and what it says.

/** @import { Detail } from "./data.js" */

import { crumbs } from "./paths.js";

/** The path of a state, as the history writes it. */
const STATE = /^llm_states(?:\["(?:[^"\\]|\\.)*"\]|\[\d+\])(?:\.children(?:\["(?:[^"\\]|\\.)*"\]|\[\d+\]))*$/;

/** The steps to states that are beside each other: by id or name, if these differ, otherwise by position. The same rule
 * is in sql/intermediate/int_value_changes.sql. @param {(string | null | undefined)[]} names */
function stepsOf(names) {
  const isNamed = names.every((name) => typeof name === "string") && new Set(names).size === names.length;
  return names.map((name, place) => `[${isNamed ? JSON.stringify(name) : place}]`);
}

/** The texts of the states of today, as JSON, by path. @param {Detail[]} details @param {(id: string) => any[][]} rows
 * @returns {Map<string, string>} */
export function stateTexts(details, rows) {
  const found = new Map();
  const tree = details.find(({ kind }) => kind === "tree");
  const column = (row, title) => row[tree.titles.indexOf(title)] ?? null;
  const levels = new Map();
  for (const row of tree ? rows(tree.id) : []) {
    const parent = column(row, "parent_node");
    levels.set(parent, [...(levels.get(parent) ?? []), row]);
  }
  const walk = (parent, path) => {
    const level = levels.get(parent) ?? [];
    const steps = stepsOf(level.map((row) => column(row, "state_id") ?? column(row, "name")));
    level.forEach((row, place) => {
      for (const field of ["description", "prompt"]) {
        const text = column(row, field);
        if (text) found.set(`${path}${steps[place]}.${field}`, JSON.stringify(text));
      }
      walk(column(row, "node"), `${path}${steps[place]}.children`);
    });
  };
  walk(null, "llm_states");
  return found;
}

/** The state that a value is, if it is one that came or went as a whole. @param {string} path @param {string | null} json */
function stateOf(path, json) {
  if (json === null || !STATE.test(path)) return null;
  try {
    const value = JSON.parse(json);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null; // the page cuts very long values
  }
}

/** What a whole state and those below it say, by path, as JSON: nothing for any other value.
 * @param {string} path @param {string | null} json @param {Map<string, string>} names to which theirs are added
 * @returns {[string, string][]} */
export function partsOfState(path, json, names) {
  const state = stateOf(path, json);
  if (!state) return [];
  const id = state.state_id ?? state.name;
  if (typeof id === "string" && typeof state.name === "string") names.set(id, state.name);
  const own = Object.entries(state).filter(([key, value]) => key !== "children" && key !== "position" && (typeof value === "number" || typeof value === "boolean" || Object.keys(value ?? "").length));
  const children = Array.isArray(state.children) ? state.children : [];
  const steps = stepsOf(children.map((child) => child?.state_id ?? child?.functionId ?? child?.name));
  return [
    ...own.map(([key, value]) => /** @type {[string, string]} */ ([`${path}.${key}`, JSON.stringify(value)])),
    ...children.flatMap((child, place) => partsOfState(`${path}.children${steps[place]}`, JSON.stringify(child), names)),
  ];
}

/** A whole state as lines to read; null for any other value. @param {string} path @param {string | null} json
 * @param {Map<string, string>} names of states, to which theirs are added */
export function stateLines(path, json, names) {
  const parts = partsOfState(path, json, names);
  if (!parts.length) return null;
  return parts.map(([place, value]) => {
    const text = JSON.parse(value);
    const shown = typeof text === "string" ? text : value;
    return `${crumbs(place, names).slice(1).join(" › ")}:${shown.includes("\n") ? "\n" : " "}${shown}`;
  }).join("\n");
}
