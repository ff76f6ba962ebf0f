// Differences: Myers' greedy algorithm over words, or over lines where the words differ too much. It is bounded, because
// it is slow for two texts with nothing in common.


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

function runs(one, other) {
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < one.length - start && end < other.length - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
  const middle = [one.slice(start, one.length - end), other.slice(start, other.length - end)];
  const kept = shortestEdit(...middle);
  if (!kept) return null;
  const found = [];
  const push = (kind, text) => {
    if (!text) return;
    if (found.at(-1)?.kind === kind) found.at(-1).text += text;
    else found.push({ kind, text });
  };
  push("same", one.slice(0, start).join(""));
  let [x, y] = [0, 0];
  for (const [keptX, keptY] of [...kept, [middle[0].length, middle[1].length]]) {
    push("old", middle[0].slice(x, keptX).join(""));
    push("new", middle[1].slice(y, keptY).join(""));
    if (keptX < middle[0].length) push("same", middle[0][keptX]);
    [x, y] = [keptX + 1, keptY + 1];
  }
  push("same", end ? one.slice(one.length - end).join("") : "");
  return joined(found);
}

/** A short unchanged part between two changed words (a blank, a comma, "so") becomes part of the change. */
function joined(found) {
  const result = [];
  let change = null;
  const flush = () => {
    if (change?.old) result.push({ kind: "old", text: change.old });
    if (change?.new) result.push({ kind: "new", text: change.new });
    change = null;
  };
  const isSlight = (text) => !text.includes("\n") && (text.length <= 4 || !/[\p{L}\p{N}]/u.test(text));
  found.forEach(({ kind, text }, place) => {
    if (kind !== "same") {
      change ??= { old: "", new: "" };
      change[kind] += text;
    } else if (change?.old && change.new && isSlight(text) && place + 1 < found.length) {
      change.old += text;
      change.new += text;
    } else {
      flush();
      result.push({ kind, text });
    }
  });
  flush();
  return result;
}

export function difference(old, now) {
  const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
  const lines = (text) => text.match(/[^\n]*\n|[^\n]+/g) || [];
  for (const tokens of [words, lines]) {
    const [one, other] = [tokens(old), tokens(now)];
    const found = one.length + other.length <= MOST_TOKENS ? runs(one, other) : null;
    if (found) return found;
  }
  return [{ kind: "old", text: old }, { kind: "new", text: now }];
}
