/**
 * Characters that lie about a name: what a person reads is not what a program compares. Names made of them are refused
 * by the branch, path and command rules alike.
 */

export type HiddenKind = "control" | "bidirectional" | "zero-width" | "blank" | "surrogate";

export interface HiddenCharacter {
  readonly kind: HiddenKind;
  /** `U+202E`. */
  readonly code: string;
}

const BIDIRECTIONAL = /^[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]$/u;
const CONTROL = /^\p{Cc}$/u;
const ZERO_WIDTH = /^[\p{Cf}\p{Default_Ignorable_Code_Point}]$/u;
/** Blank to the eye although Unicode calls some of them letters or symbols; the ASCII space is an honest blank. */
const BLANK = /^[\p{White_Space}\u2800\u3164\u115F\u1160\uFFA0]$/u;
const SUSPECT = /[^\u0020-\u007E]/u;

/** The first control, bidirectional, zero-width, non-ASCII blank character or lone surrogate of a text, or null. */
export function hiddenCharacter(text: string): HiddenCharacter | null {
  if (!SUSPECT.test(text)) return null;
  for (const char of text) {
    const kind = hiddenKind(char);
    if (kind !== null) return { kind, code: codePoint(char) };
  }
  return null;
}

function hiddenKind(char: string): HiddenKind | null {
  if (char === " ") return null;
  if (!char.isWellFormed()) return "surrogate";
  if (CONTROL.test(char)) return "control";
  if (BIDIRECTIONAL.test(char)) return "bidirectional";
  if (BLANK.test(char)) return "blank";
  return ZERO_WIDTH.test(char) ? "zero-width" : null;
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** "a zero-width character (U+200B)". */
export function describeHidden(hidden: HiddenCharacter): string {
  if (hidden.kind === "surrogate") return `a lone surrogate (${hidden.code})`;
  if (hidden.kind === "blank") return `a blank that is not a plain space (${hidden.code})`;
  return `a ${hidden.kind} character (${hidden.code})`;
}

/** A text between quotes for a message: cut at `limit` characters, hidden characters shown as `\\u{200b}`. */
export function quoted(text: string, limit = 80): string {
  let shown = "";
  for (const char of text.slice(0, limit)) {
    const escaped = char === '"' || char === "\\" ? `\\${char}` : char;
    shown += hiddenKind(char) === null ? escaped : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
  }
  return text.length > limit ? `"${shown}…"` : `"${shown}"`;
}

export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Names of `candidates` close enough to `word` to be what was meant, best first; at most `limit`. */
export function didYouMean(word: string, candidates: Iterable<string>, limit = 1): readonly string[] {
  const wanted = word.toLowerCase();
  if (wanted.length > 100) return [];
  const scored: { name: string; distance: number }[] = [];
  for (const name of candidates) {
    const other = name.toLowerCase();
    const allowed = Math.min(3, Math.max(1, Math.floor(Math.min(wanted.length, other.length) / 3)));
    const isCut =
      wanted.length >= 4 && other.length >= 4 && (other.startsWith(wanted) || wanted.startsWith(other));
    const distance = isCut ? 1 : editDistance(wanted, other);
    if (distance <= allowed) scored.push({ name, distance });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return scored.slice(0, limit).map((entry) => entry.name);
}

/** ` Did you mean x?`, or nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const [best] = didYouMean(word, candidates);
  return best === undefined ? "" : ` Did you mean ${best}?`;
}

/** Levenshtein distance; a swap of two neighbours counts as one. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(
        (previous[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (previous[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** A line without the `\r` it may end with. */
export function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
