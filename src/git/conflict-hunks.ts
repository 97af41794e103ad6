/** The places of a merged text where two sides meet, read from between Git's markers. */
import type { Oid } from "./contract.ts";

/** Both sides of one place. Lines keep their ends; "" where a side has none there. */
export interface ConflictHunk {
  /** Where the place begins in each side's version, from 1. */
  readonly ours_line: number;
  readonly theirs_line: number;
  readonly ours: string;
  readonly theirs: string;
}

/**
 * `text` is what `git merge-tree` made of two commits: its markers name them, so that no line of the file is taken for one.
 * A marker that is not followed by its end is text.
 */
export function conflictHunks(text: string, ours: Oid, theirs: Oid): readonly ConflictHunk[] {
  const hunks: ConflictHunk[] = [];
  const place = { ours: 1, theirs: 1 };
  const lines = text.split(/(?<=\n)/);
  const marks = { start: `<<<<<<< ${ours}`, middle: "=======", end: `>>>>>>> ${theirs}` };
  for (let i = 0; i < lines.length; i++) {
    const end = isMark(lines[i], marks.start)
      ? lines.findIndex((line, j) => j > i && isMark(line, marks.end))
      : -1;
    // A side may have such a line itself: the first is taken.
    const middle =
      end < 0 ? -1 : lines.findIndex((line, j) => j > i && j < end && bare(line) === marks.middle);
    if (middle < 0) {
      place.ours++;
      place.theirs++;
      continue;
    }
    const [left, right] = [lines.slice(i + 1, middle), lines.slice(middle + 1, end)];
    hunks.push({
      ours_line: place.ours,
      theirs_line: place.theirs,
      ours: left.join(""),
      theirs: right.join(""),
    });
    place.ours += left.length;
    place.theirs += right.length;
    i = end;
  }
  return hunks;
}

function bare(line: string): string {
  return line.replace(/\r?\n$/, "");
}

/** With the path behind it where the sides have the file under different names. */
function isMark(line: string | undefined, mark: string): boolean {
  if (line === undefined) return false;
  const text = bare(line);
  return text === mark || text.startsWith(`${mark}:`);
}
