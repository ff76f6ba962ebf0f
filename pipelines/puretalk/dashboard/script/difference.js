// Differences: Myers' greedy algorithm over lines, and over the words of lines that replace each other. It is bounded,
// because it is slow for two texts with nothing in common.

/** A piece of a line. @typedef {{ text: string, isChanged: boolean }} Part */
/** A line of the old text, of the new one or of both, with its number there (from 1; 0 for none). `mate`: of a changed
 * line, the number of the line on the other side that it is shown beside.
 * @typedef {{ kind: "same" | "old" | "new", old: number, now: number, mate: number, parts: Part[] }} Line */

const MOST_DIFFERENCES = 1200;
const MOST_TOKENS = 60_000;

function shortestEdit(one, other) {
  const [n, m] = [one.length, other.length];
  const most = Math.min(n + m, MOST_DIFFERENCES);
  const offset = most + 1;
  const reach = new Int32Array(2 * most + 3);
  const trace = [];
  for (let d = 0; d <= most; d += 1) {
    trace.push(reach.slice(offset - d - 1, offset + d + 2));
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && reach[offset + k - 1] < reach[offset + k + 1]) ? reach[offset + k + 1] : reach[offset + k - 1] + 1;
      while (x < n && x - k < m && one[x] === other[x - k]) x += 1;
      reach[offset + k] = x;
      if (x >= n && x - k >= m) return walkBack(trace, n, m);
    }
  }
  return null;
}

/** The tokens that both sides share: pairs of places, in order. */
function walkBack(trace, n, m) {
  const kept = [];
  let [x, y] = [n, m];
  for (let d = trace.length - 1; d >= 0 && (x > 0 || y > 0); d -= 1) {
    const at = (k) => trace[d][k + d + 1];
    const k = x - y;
    const before = k === -d || (k !== d && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
    const startX = d === 0 ? 0 : at(before);
    const startY = d === 0 ? 0 : startX - before;
    while (x > startX && y > startY) {
      x -= 1;
      y -= 1;
      kept.push([x, y]);
    }
    [x, y] = [startX, startY];
  }
  return kept.reverse();
}

/** The places that both lists share. Where they differ too much, those at their ends only.
 * @param {string[]} one @param {string[]} other @returns {number[][]} */
function shared(one, other) {
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
  const [middle, otherMiddle] = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  const isBounded = middle.length + otherMiddle.length <= MOST_TOKENS;
  const kept = (isBounded ? shortestEdit(middle, otherMiddle) : null) ?? [];
  return [
    ...Array.from({ length: start }, (_, place) => [place, place]),
    ...kept.map(([x, y]) => [x + start, y + start]),
    ...Array.from({ length: end }, (_, place) => [one.length - end + place, other.length - end + place]),
  ];
}

const wordsOf = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
const whole = (text) => [{ text, isChanged: false }];

/** The parts of two lines, of which one replaces the other; null if they have little in common. A short unchanged part
 * between two changed words (a blank, a comma, "so") becomes part of the change.
 * @returns {[Part[], Part[]] | null} */
function wordParts(old, now) {
  const [one, other] = [wordsOf(old), wordsOf(now)];
  const pairs = shared(one, other);
  const common = pairs.reduce((sum, [x]) => sum + one[x].trim().length, 0);
  if (common * 2 < (old.length + now.length) * 0.3) return null;
  /** @type {[Part[], Part[]]} */
  const sides = [[], []];
  const push = (side, text, isChanged) => {
    if (!text) return;
    const last = sides[side].at(-1);
    if (last?.isChanged === isChanged) last.text += text;
    else sides[side].push({ text, isChanged });
  };
  let [x, y, gap] = [0, 0, ""];
  let wasChanged = false;
  for (const [nextX, nextY] of [...pairs, [one.length, other.length]]) {
    const [removed, added] = [one.slice(x, nextX).join(""), other.slice(y, nextY).join("")];
    if (removed || added) {
      const joins = wasChanged && gap.length <= 4 && removed && added;
      for (const side of [0, 1]) push(side, gap, Boolean(joins));
      push(0, removed, true);
      push(1, added, true);
      [gap, wasChanged] = ["", true];
    }
    gap += one[nextX] ?? "";
    [x, y] = [nextX + 1, nextY + 1];
  }
  for (const side of [0, 1]) push(side, gap, false);
  return sides;
}

/** The lines of two texts, changed ones in pairs: first what was, then what is. null: there was, or is, no text.
 * @param {string | null} old @param {string | null} now @returns {Line[]} */
export function difference(old, now) {
  const [one, other] = [old, now].map((text) => (text === null ? [] : text.split("\n")));
  /** @type {Line[]} */
  const lines = [];
  let [x, y] = [0, 0];
  for (const [nextX, nextY] of [...shared(one, other), [one.length, other.length]]) {
    const removed = one.slice(x, nextX).map((text, place) => ({ text, place }));
    const both = removed.map(({ text, place }) => (y + place < nextY ? wordParts(text, other[y + place]) : null));
    for (const { text, place } of removed)
      lines.push({ kind: "old", old: x + place + 1, now: 0, mate: y + place < nextY ? y + place + 1 : 0, parts: both[place]?.[0] ?? whole(text) });
    for (let place = 0; y + place < nextY; place += 1)
      lines.push({ kind: "new", old: 0, now: y + place + 1, mate: x + place < nextX ? x + place + 1 : 0, parts: both[place]?.[1] ?? whole(other[y + place]) });
    if (nextX < one.length) lines.push({ kind: "same", old: nextX + 1, now: nextY + 1, mate: 0, parts: whole(one[nextX]) });
    [x, y] = [nextX + 1, nextY + 1];
  }
  return lines;
}
