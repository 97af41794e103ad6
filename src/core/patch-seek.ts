/**
 * Where lines of a patch are in a file. Models copy lines almost exactly, so four readings are tried, each over the whole
 * rest of the file before the next: as they are, without trailing blanks, without blanks at both ends, and with
 * typographic punctuation as ASCII.
 */
import { OxbowError } from "./errors.ts";

/** Comparisons of lines that one file may cost; an ordinary patch needs a few for each line of the file. */
const MAX_COMPARISONS = 20_000_000;

const READINGS: readonly ((line: string) => string)[] = [
  (line) => line,
  (line) => line.trimEnd(),
  (line) => line.trim(),
  (line) => plain(line.trim()),
];

function plain(line: string): string {
  return line
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/[\u2018-\u201B]/g, "'")
    .replace(/[\u201C-\u201F]/g, '"')
    .replace(/[\u00A0\u2002-\u200A\u202F\u205F\u3000]/g, " ");
}

export interface Seeker {
  /** The first place at or after `from` where all of `wanted` stands, or null; nothing wanted is at `from`. */
  find(wanted: readonly string[], from: number): number | null;
  /** As `find`, but only at the end of the file. */
  findLast(wanted: readonly string[], from: number): number | null;
  /** The place where most of `wanted` stands, and the first line of it that does not; null when none of it does. */
  nearest(wanted: readonly string[]): { readonly at: number; readonly differs: number } | null;
}

export function createSeeker(lines: readonly string[]): Seeker {
  const read: (readonly string[])[] = [lines];
  let comparisons = 0;

  const reading = (level: number): readonly string[] =>
    (read[level] ??= lines.map(READINGS[level] ?? String));

  const count = (): void => {
    if (++comparisons <= MAX_COMPARISONS) return;
    throw new OxbowError("patch_failed", "It takes too long to find the patch's lines in the file.", {
      hint: "Patch less at once, or write the file anew with write_file.",
    });
  };

  const matches = (from: readonly string[], wanted: readonly string[], at: number): boolean => {
    for (let i = 0; i < wanted.length; i++) {
      count();
      if (from[at + i] !== wanted[i]) return false;
    }
    return true;
  };

  const between = (wanted: readonly string[], first: number, last: number): number | null => {
    for (const [level, as] of READINGS.entries()) {
      const have = reading(level);
      const want = level === 0 ? wanted : wanted.map(as);
      for (let at = first; at <= last; at++) if (matches(have, want, at)) return at;
    }
    return null;
  };

  return {
    find: (wanted, from) =>
      wanted.length === 0 ? from : between(wanted, from, lines.length - wanted.length),
    findLast(wanted, from) {
      const at = lines.length - wanted.length;
      return at < from ? null : between(wanted, at, at);
    },
    nearest(wanted) {
      if (lines.length * wanted.length > MAX_COMPARISONS / 10) return null;
      const have = reading(2);
      const want = wanted.map((line) => line.trim());
      let best = { at: -1, same: 0, differs: 0 };
      for (let at = 0; at < lines.length; at++) {
        let same = 0;
        let differs = -1;
        for (const [i, line] of want.entries()) {
          if (have[at + i] === line) same += line === "" ? 0 : 1;
          else if (differs === -1) differs = i;
        }
        if (same > best.same) best = { at, same, differs };
      }
      return best.at === -1 ? null : { at: best.at, differs: best.differs };
    },
  };
}
