/** Branches made with plain git, as the merge queue gets them. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { MergeSource } from "../../src/git/contract.ts";
import { git } from "./repos.ts";

/** A branch off `from` that writes these files (null: removes). The checkout is put back on `main`. */
export function branchWith(
  dir: string,
  name: string,
  files: Readonly<Record<string, string | null>>,
  from = "main",
): MergeSource {
  git(dir, "checkout", "-q", "-b", name, from);
  for (const [file, text] of Object.entries(files)) {
    const at = path.join(dir, file);
    mkdirSync(path.dirname(at), { recursive: true });
    if (text === null) rmSync(at);
    else writeFileSync(at, text);
  }
  git(dir, "add", "-A");
  git(dir, "commit", "-q", "--allow-empty", "-m", name);
  const commit = git(dir, "rev-parse", "HEAD");
  git(dir, "checkout", "-q", "main");
  return { branch: name, commit, agent: name, subtaskId: `${name}::t::1`, taskId: "t" };
}
