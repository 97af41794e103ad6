/**
 * Which branches people have checked out, from the few small files Git keeps about it: no process, no write. They are read
 * at once, without the thread pool: this is asked before every commit, and takes microseconds.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { orMissing } from "./missing.ts";
import { shortName } from "./ref-transactions.ts";
import type { Setup } from "./setup.ts";

/**
 * Where a full ref is checked out, or null. A branch that is being rebased or bisected counts, as it does for Git. The
 * HEAD of a bare repository does not.
 */
export function checkedOutAt(setup: Setup, ref: string): string | null {
  if (!setup.bare && holds(setup.commonDir, ref)) return mainWorkTree(setup);
  const linked = path.join(setup.commonDir, "worktrees");
  for (const name of orMissing(() => readdirSync(linked), []).sort()) {
    const dir = path.join(linked, name);
    if (holds(dir, ref)) return shown(pathOf(dir) ?? dir);
  }
  return null;
}

/** Throws branch_checked_out. */
export function refuseCheckedOut(setup: Setup, ref: string): void {
  const at = checkedOutAt(setup, ref);
  if (at === null) return;
  throw new OxbowError("branch_checked_out", `${shortName(ref)} is checked out in ${at}.`, {
    details: { branch: shortName(ref), at },
  });
}

function mainWorkTree(setup: Setup): string {
  if (setup.gitDir === setup.commonDir) return setup.root;
  return path.basename(setup.commonDir) === ".git" ? path.dirname(setup.commonDir) : setup.commonDir;
}

function holds(dir: string, ref: string): boolean {
  return (
    line(path.join(dir, "HEAD")) === `ref: ${ref}` ||
    line(path.join(dir, "rebase-merge", "head-name")) === ref ||
    line(path.join(dir, "rebase-apply", "head-name")) === ref ||
    line(path.join(dir, "BISECT_START")) === shortName(ref)
  );
}

/** Git itself goes on guarding the branch of a work tree whose directory somebody removed. */
function shown(at: string): string {
  return existsSync(at) ? at : `${at} (which is gone: \`git worktree prune\` forgets it)`;
}

function pathOf(dir: string): string | null {
  const file = line(path.join(dir, "gitdir"));
  return file === null ? null : path.dirname(file);
}

function line(file: string): string | null {
  return orMissing(() => readFileSync(file, "utf8").trim(), null);
}
