/**
 * How far two values of one field are apart: 0 (the same) to 1. Every measure is symmetric and 0 for equal values.
 * Definitions and sources: docs/orchestration/evidence.md.
 */
import type { Json } from "./model.ts";
import { canonicalJson } from "./canonical-json.ts";
import { within01 } from "./evidence-statistics.ts";

export type Distance = (a: Json, b: Json) => number;

/** Texts longer than this are compared by their words; it is also the bits that JavaScript counts with. */
const MAX_EDIT_LETTERS = 32;

/** With the range of the field known, the part of it that lies between them. */
export function rangeDistance(minimum: number, maximum: number): (a: number, b: number) => number {
  // Halves: the width of a range of finite numbers may be infinite.
  const width = maximum / 2 - minimum / 2;
  return (a, b) => (width > 0 ? within01(Math.abs(a / 2 - b / 2) / width) : a === b ? 0 : 1);
}

/** Without a range: the difference relative to both (Lance and Williams 1966), 1 when the signs differ. */
export function relativeDistance(a: number, b: number): number {
  const largest = Math.max(Math.abs(a), Math.abs(b));
  if (largest === 0) return 0;
  const x = a / largest;
  const y = b / largest;
  return within01(Math.abs(x - y) / (Math.abs(x) + Math.abs(y)));
}

/** Short texts by letters, long ones by pairs of neighbouring words. What it has read once it knows again. */
export function createTextDistance(): (a: string, b: string) => number {
  const letters = remembered((text: string) => lettersOf(text.normalize("NFC")));
  const bags = remembered((text: string) => bagOf(wordPairs(text)));
  return (a, b) => {
    if (a === b) return 0;
    const [x, y] = [letters(a), letters(b)];
    return x === null || y === null ? bagDistance(bags(a), bags(b)) : editDistance(x, y);
  };
}

interface Letters {
  readonly points: readonly number[];
  /** Where each letter occurs, a bit a place. */
  readonly places: ReadonlyMap<number, number>;
}

/** Null for a text that is too long. */
function lettersOf(text: string): Letters | null {
  // A letter is two units at most, so that a long text is not taken apart for nothing.
  if (text.length > 2 * MAX_EDIT_LETTERS) return null;
  const points = Array.from(text, (letter) => letter.codePointAt(0) ?? 0);
  if (points.length > MAX_EDIT_LETTERS) return null;
  const places = new Map<number, number>();
  for (const [at, point] of points.entries()) places.set(point, (places.get(point) ?? 0) | (1 << at));
  return { points, places };
}

/**
 * Levenshtein's distance, as a part of the longer text. A column of his table is two words here, of the rows that are one
 * more and one less than the row above (Myers 1999, as written by Hyyrö 2003).
 */
function editDistance(a: Letters, b: Letters): number {
  const longer = Math.max(a.points.length, b.points.length);
  if (a.points.length === 0 || b.points.length === 0) return longer === 0 ? 0 : 1;
  const last = 1 << (a.points.length - 1);
  let more = -1;
  let less = 0;
  let edits = a.points.length;
  for (const point of b.points) {
    const same = a.places.get(point) ?? 0;
    const diagonal = (((same & more) + more) ^ more) | same | less;
    const up = less | ~(diagonal | more);
    const down = diagonal & more;
    if ((up & last) !== 0) edits += 1;
    if ((down & last) !== 0) edits -= 1;
    const shifted = (up << 1) | 1;
    more = (down << 1) | ~(diagonal | shifted);
    less = shifted & diagonal;
  }
  return edits / longer;
}

/** Every word and sign with the one that follows it, the ends included (Broder's shingles, 1997). */
function wordPairs(text: string): readonly string[] {
  const words = text.normalize("NFC").match(/[\p{L}\p{M}\p{N}_]+|[^\s\p{L}\p{M}\p{N}_]/gu) ?? [];
  return [...words, ""].map((word, index) => `${words[index - 1] ?? ""}\n${word}`);
}

/** Lists without their order: elements are equal when their JSON is. */
export function createSetDistance(): (a: readonly Json[], b: readonly Json[]) => number {
  const bags = remembered((list: readonly Json[]) => bagOf(list.map(canonicalJson)));
  return (a, b) => bagDistance(bags(a), bags(b));
}

/** What occurs n times counts n times. */
interface Bag {
  readonly counts: ReadonlyMap<string, number>;
  readonly size: number;
}

function bagOf(items: readonly string[]): Bag {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return { counts, size: items.length };
}

/** Jaccard's distance 1 − |A ∩ B| / |A ∪ B|; 0 for two empty ones. */
function bagDistance(a: Bag, b: Bag): number {
  const [few, many] = a.counts.size < b.counts.size ? [a.counts, b.counts] : [b.counts, a.counts];
  let shared = 0;
  for (const [item, count] of few) shared += Math.min(count, many.get(item) ?? 0);
  const union = a.size + b.size - shared;
  return union === 0 ? 0 : (union - shared) / union;
}

function remembered<T, R>(read: (value: T) => R): (value: T) => R {
  const known = new Map<T, R>();
  return (value) => {
    const found = known.get(value);
    if (found !== undefined) return found;
    const made = read(value);
    known.set(value, made);
    return made;
  };
}
