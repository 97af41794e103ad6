/** Which branches people have checked out. Reads the few files Git keeps about it: no process, no write. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { shortName } from "./ref-transactions.ts";
import type { Setup } from "./setup.ts";

/**
 * Where a full ref is checked out, or null. A branch that is being rebased or bisected counts, as it does for Git. The
 * HEAD of a bare repository does not.
 */
export async function checkedOutAt(setup: Setup, ref: string): Promise<string | null> {
  if (!setup.bare && (await holds(setup.commonDir, ref))) return mainWorkTree(setup);
  const linked = path.join(setup.commonDir, "worktrees");
  const names = (await readdir(linked).catch(missingAs([]))).sort();
  for (const name of names) {
    const dir = path.join(linked, name);
    if (await holds(dir, ref)) return (await pathOf(dir)) ?? dir;
  }
  return null;
}

/** Throws branch_checked_out. */
export async function refuseCheckedOut(setup: Setup, ref: string): Promise<void> {
  const at = await checkedOutAt(setup, ref);
  if (at === null) return;
  throw new OxbowError("branch_checked_out", `${shortName(ref)} is checked out in ${at}.`, {
    details: { branch: shortName(ref), at },
  });
}

function mainWorkTree(setup: Setup): string {
  if (setup.gitDir === setup.commonDir) return setup.root;
  return path.basename(setup.commonDir) === ".git" ? path.dirname(setup.commonDir) : setup.commonDir;
}

async function holds(dir: string, ref: string): Promise<boolean> {
  const [head, merge, apply, bisect] = await Promise.all([
    line(path.join(dir, "HEAD")),
    line(path.join(dir, "rebase-merge", "head-name")),
    line(path.join(dir, "rebase-apply", "head-name")),
    line(path.join(dir, "BISECT_START")),
  ]);
  return head === `ref: ${ref}` || merge === ref || apply === ref || bisect === shortName(ref);
}

async function pathOf(dir: string): Promise<string | null> {
  const file = await line(path.join(dir, "gitdir"));
  return file === null ? null : path.dirname(file);
}

async function line(file: string): Promise<string | null> {
  const text = await readFile(file, "utf8").catch(missingAs(null));
  return text === null ? null : text.trim();
}

function missingAs<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return value;
    throw error;
  };
}
