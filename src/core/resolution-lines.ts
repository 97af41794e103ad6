/** The line rules of {@link file://./resolution.ts}: how often each line must, and how often it may, stand in a resolution. */
import { lostOrder, movedLines } from "./line-moves.ts";
import type { DroppedChange, FileVersion, ResolutionSide, ResolvedFile } from "./resolution.ts";

interface DroppedLine {
  readonly change: Exclude<DroppedChange, "file" | "mode">;
  readonly line: number;
  readonly text: string;
}

export interface LineRules {
  /** What the resolution lacks of a side's changes. Only for a side and a resolution with lines. */
  dropped(side: ResolutionSide): readonly DroppedLine[];
  markers(): readonly { readonly line: number; readonly text: string }[];
}

interface Lines {
  /** Without the newline that ends them; a carriage return stays. */
  readonly list: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  /** A newline ends the last line. */
  readonly ended: boolean;
}

const NONE: Lines = { list: [], counts: new Map(), ended: false };

export function createLineRules(file: ResolvedFile): LineRules {
  const base = linesOf(file.base) ?? NONE;
  const resolved = linesOf(file.resolved) ?? NONE;
  // A side without lines changes none: as a whole it is looked at elsewhere.
  const ours = linesOf(file.ours) ?? base;
  const theirs = linesOf(file.theirs) ?? base;
  const plain = compare({ base, ours, theirs, resolved });
  let chosen: Compared | null = null;
  const choose = (): Compared => {
    if (plain.ours.length + plain.theirs.length === 0) return plain;
    // One side gave all lines another end: then lines of the other side may have the old end or the new one.
    const converted = convert({ base, ours, theirs, resolved });
    if (converted === null) return plain;
    const other = compare(converted);
    return other.ours.length + other.theirs.length < plain.ours.length + plain.theirs.length ? other : plain;
  };
  return {
    dropped: (side) => (chosen ??= choose())[side],
    markers: () => leftMarkers(resolved, [base, ours, theirs]),
  };
}

interface Compared {
  readonly ours: readonly DroppedLine[];
  readonly theirs: readonly DroppedLine[];
}

/** `from`: what the side's lines are compared with, where that is not the base as it is. */
interface Versions {
  readonly base: Lines;
  readonly ours: Lines & { readonly from?: Lines };
  readonly theirs: Lines & { readonly from?: Lines };
  readonly resolved: Lines;
}

function compare({ base, ours, theirs, resolved }: Versions): Compared {
  const one = (side: Versions["ours"], other: Versions["ours"]) =>
    droppedLines({ base, side, from: side.from ?? base, other, otherFrom: other.from ?? base, resolved });
  return { ours: one(ours, theirs), theirs: one(theirs, ours) };
}

interface Comparison {
  readonly base: Lines;
  readonly side: Lines;
  readonly from: Lines;
  readonly other: Lines;
  readonly otherFrom: Lines;
  readonly resolved: Lines;
}

function droppedLines(given: Comparison): readonly DroppedLine[] {
  const { base, side, from, other, otherFrom, resolved } = given;
  // A resolution that is one of the versions as it was is looked at more strictly.
  const taken = [base, other].some((each) => sameList(each.list, resolved.list));
  const slack = taken ? () => 0 : slackOf(given);
  const standsIn = { side: placesOf(side), from: placesOf(from) };
  let changes = 0;
  const found: DroppedLine[] = [];
  for (const text of new Set([...from.counts.keys(), ...side.counts.keys()])) {
    const change = count(side, text) - count(from, text);
    if (change === 0) continue;
    changes++;
    const others = count(other, text) - count(otherFrom, text);
    const [before, now] = [count(base, text), count(resolved, text)];
    // What the other side does to the same line is its right: it may take one away, or add one.
    const expected = before + change + (change > 0 ? Math.min(0, others) : Math.max(0, others));
    const lacking = change > 0 ? expected - now : now - expected;
    if (lacking <= 0) continue;
    const missing = Math.min(lacking, Math.abs(change)) - slack(text);
    const stands = change > 0 ? standsIn.side : standsIn.from;
    const places = missing > 0 ? (stands().get(text)?.slice(-missing) ?? []) : [];
    for (const line of places) found.push({ change: change > 0 ? "added" : "removed", line, text });
  }
  if (endDropped(base, side, resolved))
    found.push({ change: side.ended ? "added" : "removed", line: side.list.length, text: "\n" });
  const moved = taken && changes === 0 ? lostWhole(given) : lostOrder(from.list, side.list, resolved.list);
  if (moved !== null) found.push({ change: "moved", line: moved + 1, text: side.list[moved] ?? "" });
  return found.sort((a, b) => a.line - b.line);
}

/** The side changed the order only, and the resolution is a version that is not the side's: has that one moved lines at all? */
function lostWhole({ from, side, resolved }: Comparison): number | null {
  const first = side.list.findIndex((line, i) => line !== from.list[i]);
  if (first < 0 || movedLines(from.list, resolved.list) > 0) return null;
  return first;
}

/**
 * Where the other side moved lines and this side added one where that side put it, both have it after a clean merge, once.
 * So, of lines that the other side has kept, as many may be missing as it moved.
 */
function slackOf({ base, other }: Comparison): (text: string) => number {
  let moved: number | null = null;
  return (text) => {
    const kept = Math.min(count(base, text), count(other, text));
    if (kept === 0) return 0;
    moved ??= movedLines(base.list, other.list);
    return Math.min(kept, moved);
  };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}

/** The newline at the end of the file is a change of its own: no line shows it. */
function endDropped(base: Lines, side: Lines, resolved: Lines): boolean {
  if (side.list.length === 0 || resolved.list.length === 0) return false;
  return side.ended !== base.ended && resolved.ended !== side.ended;
}

function linesOf(version: FileVersion | null): Lines | null {
  if (version === null || version.text === null || !version.mode.startsWith("100")) return null;
  const list = version.text.split("\n");
  const ended = list.at(-1) === "";
  if (ended) list.pop();
  const last = list.at(-1);
  // Where the lines before it end with CR LF, so does the last one once it has an end.
  if (!ended && last !== undefined && list.length > 1 && endOf(list.slice(0, -1)) === "\r")
    list.splice(-1, 1, `${last}\r`);
  return counted(list, ended);
}

function counted(list: readonly string[], ended: boolean): Lines {
  const counts = new Map<string, number>();
  for (const line of list) counts.set(line, (counts.get(line) ?? 0) + 1);
  return { list, counts, ended };
}

/** What all lines end with before their newline; null when they differ, or there are none. */
function endOf(list: readonly string[]): "" | "\r" | null {
  if (list.length === 0) return null;
  const returns = list.filter((line) => line.endsWith("\r")).length;
  if (returns === 0) return "";
  return returns === list.length ? "\r" : null;
}

/** The side that kept the base's line ends, with those of the side that changed them all; null when there is no such pair. */
function convert({ base, ours, theirs, resolved }: Versions): Versions | null {
  const [before, left, right] = [endOf(base.list), endOf(ours.list), endOf(theirs.list)];
  if (before === null || left === null || right === null || left === right) return null;
  const to = left === before ? right : left;
  const mapped = ({ list, ended }: Lines): Lines =>
    counted(
      list.map((line) => (to === "" ? line.replace(/\r$/, "") : `${line}\r`)),
      ended,
    );
  const changed = (side: Lines) => ({ ...mapped(side), from: mapped(base) });
  return left === before
    ? { base, ours: changed(ours), theirs, resolved }
    : { base, ours, theirs: changed(theirs), resolved };
}

function count(lines: Lines, text: string): number {
  return lines.counts.get(text) ?? 0;
}

/** Where each line stands, from 1; looked up when it is first asked for. */
function placesOf({ list }: Lines): () => ReadonlyMap<string, readonly number[]> {
  let found: Map<string, number[]> | null = null;
  return () => {
    if (found) return found;
    found = new Map();
    for (const [i, line] of list.entries()) {
      const known = found.get(line);
      if (known) known.push(i + 1);
      else found.set(line, [i + 1]);
    }
    return found;
  };
}

/** As Git writes them; `=======` alone is also a heading's underline. */
const MARKER = /^(?:<{7}|>{7}|\|{7})(?: .*)?\r?$/;

function leftMarkers(resolved: Lines, versions: readonly Lines[]) {
  return resolved.list.flatMap((text, i) =>
    MARKER.test(text) && versions.every((lines) => count(lines, text) === 0) ? [{ line: i + 1, text }] : [],
  );
}
