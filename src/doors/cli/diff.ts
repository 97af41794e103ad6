/** `oxbow diff`: git's own words, in colour on a terminal. */
import { type BranchDiff, openApp } from "../../app.ts";

interface Flags {
  readonly repo: string;
  readonly agent?: string;
  readonly stat?: boolean;
  readonly json?: boolean;
}

export async function diff(wanted: string, flags: Flags): Promise<number> {
  await using app = openApp({ repo: flags.repo });
  const found = await app.diff(wanted, { agent: flags.agent });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(found)}\n`);
    return 0;
  }
  const terminal = process.stdout.isTTY;
  const colours = terminal && process.stdout.hasColors();
  for (const each of found.diffs) {
    if (found.diffs.length > 1) process.stdout.write(`${each.branch}\n`);
    const text = flags.stat ? statText(each) : each.diff;
    process.stdout.write(terminal ? paint(text, colours && !flags.stat) : text);
    if (each.truncated && !flags.stat)
      process.stderr.write(
        `oxbow: too long; the rest: git diff ${each.base.slice(0, 12)} ${each.commit.slice(0, 12)}\n`,
      );
  }
  return 0;
}

function statText({ stat, files }: BranchDiff): string {
  return files.length === 0 ? "Nothing is changed.\n" : stat;
}

const RESET = "\x1b[m";
const [BOLD, CYAN, RED, GREEN] = ["\x1b[1m", "\x1b[36m", "\x1b[31m", "\x1b[32m"] as const;

/** Files may hold what a terminal would obey: it is shown instead. */
export function paint(text: string, colours: boolean): string {
  let inHunk = false;
  return text.replace(/^.*$/gm, (line) => {
    const shown = line.replace(
      /[^\P{Cc}\t]/gu,
      (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`,
    );
    if (line.startsWith("diff --git ")) inHunk = false;
    else if (line.startsWith("@@ ")) inHunk = true;
    const colour = line.startsWith("@@ ")
      ? CYAN
      : inHunk
        ? ({ "+": GREEN, "-": RED }[line[0] ?? ""] ?? "")
        : BOLD;
    return colours && shown !== "" && colour !== "" ? `${colour}${shown}${RESET}` : shown;
  });
}
