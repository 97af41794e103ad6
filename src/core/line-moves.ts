/** Lines that changed their place: how many, and whether a change of order survived. */

/** Steps of the search for a common order that are taken at most; past them no move is assumed. */
const MOST_STEPS = 20_000_000;

/**
 * How many lines moved from one list to another: those that any shortest difference both removes and adds. 0 where the
 * lists are too long and too different to tell.
 */
export function movedLines(before: readonly string[], after: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const line of before) counts.set(line, (counts.get(line) ?? 0) - 1);
  for (const line of after) counts.set(line, (counts.get(line) ?? 0) + 1);
  let net = 0;
  for (const change of counts.values()) net += Math.abs(change);
  const edits = shortestEdits(before, after);
  return edits === null ? 0 : (edits - net) / 2;
}

/**
 * The index in `side` of a line that it moved, when nothing of how it reordered the lines of `base` is left in `resolved`;
 * else null. Only lines that each of the three has once are looked at.
 */
export function lostOrder(
  base: readonly string[],
  side: readonly string[],
  resolved: readonly string[],
): number | null {
  const [inBase, inSide, inResolved] = [once(base), once(side), once(resolved)];
  const both: { readonly side: number; readonly resolved: number }[] = [];
  for (const line of inBase.keys()) {
    const [a, b] = [inSide.get(line), inResolved.get(line)];
    if (a !== undefined && b !== undefined) both.push({ side: a, resolved: b });
  }
  const first = both.findIndex((each, i) => i > 0 && each.side < (both[i - 1]?.side ?? 0));
  if (first < 0 || sharesInversion(both, side.length)) return null;
  return both[first]?.side ?? null;
}

/** Where the lines stand that are there once, in their order. */
function once(lines: readonly string[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const again = new Set<string>();
  for (const [i, line] of lines.entries()) {
    if (found.has(line)) again.add(line);
    else found.set(line, i);
  }
  for (const line of again) found.delete(line);
  return found;
}

/** Is there a pair, in the base's order, that the side and the resolution both have the other way round? */
function sharesInversion(
  both: readonly { readonly side: number; readonly resolved: number }[],
  length: number,
): boolean {
  // A Fenwick tree over the places in `side`, from the last: the greatest place in `resolved` of what came before.
  const greatest = new Int32Array(length + 2).fill(-1);
  for (const { side, resolved } of both) {
    const at = length - side;
    for (let i = at; i > 0; i -= i & -i) if ((greatest[i] ?? -1) > resolved) return true;
    for (let i = at; i <= length; i += i & -i) greatest[i] = Math.max(greatest[i] ?? -1, resolved);
  }
  return false;
}

/** Myers' greedy search: the number of removals and additions of a shortest difference; null past {@link MOST_STEPS}. */
function shortestEdits(before: readonly string[], after: readonly string[]): number | null {
  let start = 0;
  const least = Math.min(before.length, after.length);
  while (start < least && before[start] === after[start]) start++;
  let end = 0;
  while (end < least - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const a = before.slice(start, before.length - end);
  const b = after.slice(start, after.length - end);
  const most = a.length + b.length;
  const reach = new Int32Array(2 * most + 3);
  const middle = most + 1;
  let steps = 0;
  for (let edits = 0; edits <= most; edits++) {
    steps += edits + 1;
    if (steps > MOST_STEPS) return null;
    for (let k = -edits; k <= edits; k += 2) {
      const down = reach[middle + k + 1] ?? 0;
      const right = (reach[middle + k - 1] ?? 0) + 1;
      let x = k === -edits || (k !== edits && right <= down) ? down : right;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return edits;
    }
  }
  return most;
}
