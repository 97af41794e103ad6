/** Whether some live process of this machine may hold a lock file. Git closes it long before it removes it. */
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { processBirth } from "../host/process.ts";
import { orMissing } from "./missing.ts";

/** Verbs that read only: helpers that stay open for long. */
const READERS: ReadonlySet<string> = new Set([
  "cat-file",
  "merge-tree",
  "check-ignore",
  "for-each-ref",
  "rev-list",
  "ls-tree",
  "grep",
  "log",
  "show",
  "diff",
]);

/** This machine, and on it the processes that can see each other. */
export function placeLabel(): string {
  const space = process.platform === "linux" ? orMissing(() => readlinkSync("/proc/self/ns/pid"), "") : "";
  return `${hostname()}.${space}`.replace(/[^A-Za-z0-9.-]/g, "-");
}

/** `notes`: where our own git processes note what they lock. True also when it cannot be told. */
export function heldBySomebody(file: string, notes: string): boolean {
  const lock = statSync(file, { throwIfNoEntry: false });
  if (lock === undefined) return true;
  return processes().some((pid) => {
    if (pid === process.pid) return false;
    const open = hasOpen(pid, file);
    if (open === true) return true;
    if (!isGit(pid)) return false;
    // Somebody else's git: nothing is known of it.
    return open === null || mayLock(pid, file, { notes, empty: lock.size === 0 });
  });
}

function processes(): number[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** Null: the process belongs to somebody else. */
function hasOpen(pid: number, file: string): boolean | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === file);
  } catch (error) {
    return ended(error) ? false : null;
  }
}

function linkOf(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch (error) {
    if (ended(error)) return null;
    throw error;
  }
}

function isGit(pid: number): boolean {
  return /^git/.test(read(`/proc/${pid}/comm`));
}

/** What is in a lock tells whose it is; an empty one may be that of any git which writes. */
function mayLock(pid: number, file: string, about: { notes: string; empty: boolean }): boolean {
  const words = read(`/proc/${pid}/cmdline`).split("\0");
  if (words.some((word) => READERS.has(word))) return false;
  if (worksElsewhere(pid, file)) return false;
  const birth = processBirth(pid);
  if (birth === null) return false;
  const note = orMissing(
    () => readFileSync(path.join(about.notes, `${pid}.${birth}.${placeLabel()}`), "utf8"),
    null,
  );
  // Ours: between transactions, in one that is about others, or in this one.
  return note === null ? about.empty : note.includes(JSON.stringify(refIn(file)));
}

/** A git that was told its git dir, and it is another: every git of ours, also of other repositories. */
function worksElsewhere(pid: number, file: string): boolean {
  const gitDir = /(?:^|\0)GIT_DIR=(\/[^\0]*)/.exec(read(`/proc/${pid}/environ`))?.[1];
  if (gitDir === undefined) return false;
  const real = orMissing(() => realpathSync(gitDir), gitDir);
  // That of a linked work tree shares the refs of a repository somewhere above it.
  return !real.includes("/worktrees/") && !file.startsWith(`${real}/`);
}

/** A lock's ref, or the name of a file of the git dir. */
function refIn(file: string): string {
  const name = file.replace(/\.lock$/, "");
  const at = name.indexOf("/refs/");
  return at < 0 ? path.basename(name) : name.slice(at + 1);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (ended(error)) return "";
    throw error;
  }
}

function ended(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH");
}
