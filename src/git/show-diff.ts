/** The difference between two commits, as `git diff` shows it: the files it is about, and the text. */
import { type GitSite, runGitOrThrow, runGit, gitFailed } from "./command.ts";
import type { Oid } from "./contract.ts";

export interface FileDifference {
  readonly path: string;
  readonly status: "added" | "modified" | "deleted" | "renamed" | "mode";
  /** Of a renamed file: its name before. */
  readonly from: string | null;
  /** Lines; null for a binary file. */
  readonly additions: number | null;
  readonly deletions: number | null;
  readonly binary: boolean;
}

export interface Difference {
  readonly files: readonly FileDifference[];
  /** A unified diff; binary files are only named. */
  readonly text: string;
  /** The text was too long: its end is missing. */
  readonly truncated: boolean;
}

const FLAGS = ["-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short"];
const MOST_BYTES = 32 * 1024 * 1024;

export async function readDifference(site: GitSite, from: Oid, to: Oid): Promise<Difference> {
  const patch = ["diff-tree", ...FLAGS, "--patch", "--src-prefix=a/", "--dst-prefix=b/", from, to];
  const [listed, shown] = await Promise.all([
    runGitOrThrow(site, ["diff-tree", ...FLAGS, "--raw", "--numstat", "-z", from, to]),
    runGit(site, patch, { maxOutputBytes: MOST_BYTES }),
  ]);
  if (shown.exitCode !== 0) throw gitFailed(patch, shown.stderr.toString("utf8"), site);
  return {
    files: parseFiles(listed.toString("utf8")),
    text: shown.stdout.toString("utf8"),
    truncated: shown.truncated,
  };
}

/**
 * With -z: `:mode mode oid oid STATUS NUL path NUL [path NUL]` for each file, then `added TAB deleted TAB path NUL`, where a
 * rename has an empty path and both names after it.
 */
function parseFiles(text: string): FileDifference[] {
  const words = text.split("\0");
  const kinds = new Map<string, Pick<FileDifference, "status" | "from">>();
  const files: FileDifference[] = [];
  for (let i = 0; i < words.length; ) {
    const word = words[i++] ?? "";
    if (word.startsWith(":")) {
      const letter = word.split(" ").at(-1) ?? "M";
      const first = words[i++] ?? "";
      const second = /^[RC]/.test(letter) ? (words[i++] ?? "") : null;
      kinds.set(second ?? first, { status: statusOf(word, letter), from: second === null ? null : first });
    } else if (word !== "") {
      const [added = "", deleted = "", ...rest] = word.split("\t");
      let path = rest.join("\t");
      if (path === "") {
        path = words[i + 1] ?? "";
        i += 2;
      }
      const binary = added === "-";
      const counts = binary
        ? { additions: null, deletions: null }
        : { additions: Number(added), deletions: Number(deleted) };
      files.push({ path, ...(kinds.get(path) ?? { status: "modified", from: null }), ...counts, binary });
    }
  }
  return files;
}

function statusOf(raw: string, letter: string): FileDifference["status"] {
  if (letter === "A") return "added";
  if (letter === "D") return "deleted";
  if (letter.startsWith("R")) return "renamed";
  const [, , before, after] = raw.split(" ");
  return before === after ? "mode" : "modified";
}
