// An assistant at one of its versions, and the difference of two: worked out from its texts of today and its changes.

/** @import { Change } from "./history.js" */

/** The changes in the order in which they happened. @param {Map<number, Change[]>} byVersion */
const inOrder = (byVersion) => [...byVersion.values()].flat().sort((one, other) => one.version_number - other.version_number);

/** Path → value as JSON at a version: of every text, and of all that ever changed; null where there was none.
 * @param {Map<string, string>} texts of today, as JSON, by path @param {Map<number, Change[]>} byVersion
 * @param {number} version @returns {Map<string, string | null>} */
export function valuesAt(texts, byVersion, version) {
  /** @type {Map<string, string | null>} */
  const values = new Map(texts);
  const ordered = inOrder(byVersion);
  for (const change of ordered) if (change.version_number <= version) values.set(change.path, change.new_value);
  // The first change after the version says what the value was.
  for (const change of ordered.reverse()) if (change.version_number > version) values.set(change.path, change.old_value);
  return values;
}

/** Whether a path is another one, or inside of it. @param {string} path @param {string} other */
export const isBeneath = (path, other) => path === other || path.startsWith(`${other}.`) || path.startsWith(`${other}[`);

/** The changes after a version. @param {Map<number, Change[]>} byVersion @param {number} version */
export const laterThan = (byVersion, version) => inOrder(byVersion).filter((change) => change.version_number > version);

/** What differs between two versions, an older and a newer one: by path, what was and what is. Settings first, then texts.
 * @param {Map<number, Change[]>} byVersion @param {number} from @param {number} to */
export function changesBetween(byVersion, from, to) {
  /** @type {Map<string, Change>} */
  const found = new Map();
  for (const change of inOrder(byVersion)) {
    if (change.version_number <= from || change.version_number > to) continue;
    const first = found.get(change.path) ?? change;
    const kind = first.old_value === null ? "added" : change.new_value === null ? "removed" : "changed";
    found.set(change.path, { ...change, old_value: first.old_value, change_kind: kind });
  }
  return settingsFirst([...found.values()].filter((change) => change.old_value !== change.new_value));
}

const size = (change) => Math.max(change.old_value?.length ?? 0, change.new_value?.length ?? 0);

/** @template {{ path: string, old_value: string | null, new_value: string | null }} T @param {T[]} changes */
export function settingsFirst(changes) {
  const isText = (change) => Number(size(change) > 120 || /prompt|^llm_states/.test(change.path));
  return changes.sort((one, other) => isText(one) - isText(other) || one.path.localeCompare(other.path));
}
