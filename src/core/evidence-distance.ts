/**
 * How far two values of one field are apart: 0 (the same) to 1. Every measure is symmetric and 0 for equal values.
 * Definitions and sources: docs/orchestration/evidence.md.
 */
import type { Json } from "./model.ts";
import { canonicalJson } from "./canonical-json.ts";
import { within01 } from "./evidence-statistics.ts";

export type Distance = (a: Json, b: Json) => number;

/** Texts longer than this are compared by their words: comparing letters takes time with the square of the length. */
const MAX_EDIT_LETTERS = 128;

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

/** Short texts by letters, long ones by pairs of neighbouring words. */
export function textDistance(a: string, b: string): number {
  if (a === b) return 0;
  const [x, y] = [Array.from(a.normalize("NFC")), Array.from(b.normalize("NFC"))];
  return Math.max(x.length, y.length) <= MAX_EDIT_LETTERS
    ? editDistance(x, y)
    : bagDistance(wordPairs(a), wordPairs(b));
}

/** Levenshtein's distance (1966), as a part of the longer text. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  let before = b.map((_, j) => j + 1);
  before.unshift(0);
  for (const [i, letter] of a.entries()) {
    const now = [i + 1];
    for (const [j, other] of b.entries()) {
      const changed = (before[j] ?? 0) + (letter === other ? 0 : 1);
      now.push(Math.min(changed, (before[j + 1] ?? 0) + 1, (now[j] ?? 0) + 1));
    }
    before = now;
  }
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 0 : (before[b.length] ?? 0) / longer;
}

/** Every word and sign with the one that follows it, the ends included (Broder's shingles, 1997). */
function wordPairs(text: string): readonly string[] {
  const words = text.normalize("NFC").match(/[\p{L}\p{M}\p{N}_]+|[^\s\p{L}\p{M}\p{N}_]/gu) ?? [];
  return [...words, ""].map((word, index) => `${words[index - 1] ?? ""}\n${word}`);
}

/** Lists without their order: elements are equal when their JSON is. */
export function setDistance(a: readonly Json[], b: readonly Json[]): number {
  return bagDistance(a.map(canonicalJson), b.map(canonicalJson));
}

/** Jaccard's distance 1 − |A ∩ B| / |A ∪ B|, where what occurs n times counts n times; 0 for two empty ones. */
function bagDistance(a: readonly string[], b: readonly string[]): number {
  const left = countsOf(a);
  let shared = 0;
  for (const item of b) {
    const count = left.get(item) ?? 0;
    if (count === 0) continue;
    shared += 1;
    left.set(item, count - 1);
  }
  const union = a.length + b.length - shared;
  return union === 0 ? 0 : (union - shared) / union;
}

export function countsOf(items: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}
