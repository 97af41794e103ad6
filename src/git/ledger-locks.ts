/**
 * Lock files of git processes that were killed. Before each transaction our git's process id and the locks it will take are
 * noted; a lock is cleared when its note says that it is ours, its process is gone, it holds what was noted, and no process
 * of this machine may hold it. Anything else is somebody's: the error names the file. Only on Linux processes tell that.
 */
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { lstat, readdir, readFile, rm, unlink } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { processBirth } from "../host/process.ts";
import type { Oid, RefChange, RefLock } from "./contract.ts";
import { heldBySomebody, placeLabel } from "./ledger-holders.ts";
import { isMissing } from "./missing.ts";
import type { Setup } from "./setup.ts";

export interface LockNote {
  /** Written before git hears of the changes. */
  begin(changes: readonly RefChange[]): void;
  /** Git has answered: its locks are gone. */
  end(): void;
  /** The process has ended; `killed`: perhaps in the middle of it, so the note stays. */
  close(killed: boolean): void;
}

export interface Locks {
  open(pid: number | undefined): LockNote;
  /** Removes the locks of dead processes of ours; which. Of several callers, also in other processes, one does. */
  clear(): Promise<readonly string[]>;
  /** Every lock there is. */
  list(): Promise<readonly RefLock[]>;
}

interface Noted {
  /** Unix milliseconds. */
  readonly at: number;
  readonly repository: string;
  /** Below the git dir, without `.lock`; what is written into the lock, or null: nothing. */
  readonly locks: readonly (readonly [name: string, content: Oid | null])[];
}

interface DeadLock {
  readonly file: string;
  readonly note: string;
}

/** File systems keep times in ticks, a little behind the clock. */
const TICK_MS = 50;
/** Notes of other machines that share the directory say nothing here. */
const FOREIGN_MS = 30 * 24 * 60 * 60 * 1000;

export function createLocks(setup: Setup): Locks {
  const dir = path.join(setup.objectSite.cwd, "sessions");
  const place = placeLabel();
  const { commonDir } = setup;

  /** Locks that are surely dead, and notes that say nothing any more. */
  const look = async (): Promise<{ dead: readonly DeadLock[]; idle: readonly string[] }> => {
    const dead: DeadLock[] = [];
    const idle: string[] = [];
    for (const name of await readdir(dir).catch(none)) {
      const note = path.join(dir, name);
      const [pid = "", birth = "", ...where] = name.split(".");
      if (where.join(".") !== place) {
        const stats = await lstat(note).catch(gone);
        if (stats !== null && Date.now() - stats.mtimeMs > FOREIGN_MS) idle.push(note);
        continue;
      }
      if (processBirth(Number(pid)) === birth) continue;
      const noted = await readNote(note);
      if (noted !== null && noted.repository !== commonDir) continue;
      const left = noted === null ? [] : await leftBy(commonDir, noted);
      if (left.length === 0) idle.push(note);
      for (const file of left) if (!heldBySomebody(file, dir)) dead.push({ file, note });
    }
    return { dead, idle };
  };

  return {
    open: (pid) => openNote(dir, place, commonDir, pid),
    async clear() {
      if (process.platform !== "linux" || (await readdir(dir).catch(none)).length === 0) return [];
      return (
        (await alone(commonDir, async () => {
          const { dead, idle } = await look();
          for (const { file } of dead) await removeLock(file);
          for (const note of idle) await rm(note, { force: true });
          return dead.map(({ file }) => file);
        })) ?? []
      );
    },
    async list() {
      const dead = process.platform === "linux" ? (await look()).dead : [];
      const files = await lockFiles(commonDir);
      return Promise.all(
        files.map(async (file) => ({
          file,
          at: Math.round((await lstat(file).catch(gone))?.mtimeMs ?? Date.now()),
          dead: dead.some((each) => each.file === file),
        })),
      );
    },
  };
}

function openNote(dir: string, place: string, repository: string, pid: number | undefined): LockNote {
  const birth = pid === undefined ? null : processBirth(pid);
  if (pid === undefined || birth === null) return { begin() {}, end() {}, close() {} };
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, `${pid}.${birth}.${place}`);
  let handle: number | null = openSync(file, "w");
  const write = (text: string): void => {
    if (handle === null) return;
    ftruncateSync(handle, 0);
    if (text !== "") writeSync(handle, text, 0);
  };
  return {
    begin: (changes) => write(JSON.stringify({ at: Date.now(), repository, locks: locksOf(changes) })),
    end: () => write(""),
    close(killed) {
      if (handle === null) return;
      closeSync(handle);
      handle = null;
      if (!killed) rmSync(file, { force: true });
    },
  };
}

/** What `git update-ref` locks for these changes. */
function locksOf(changes: readonly RefChange[]): Noted["locks"] {
  const own = changes.map(({ ref, new: next }): [string, Oid | null] => [ref, next ?? null]);
  return [
    ...own,
    ["HEAD", null],
    ...(changes.some((each) => each.new === null) ? [["packed-refs", null] as const] : []),
  ];
}

async function readNote(file: string): Promise<Noted | null> {
  const text = await readFile(file, "utf8").catch(gone);
  if (text === null || text === "") return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    // It died while it wrote this, before git heard of anything.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Those of the noted locks that are there, younger than the note, and as git would have left them. */
async function leftBy(commonDir: string, noted: Noted): Promise<readonly string[]> {
  const left: string[] = [];
  for (const [name, content] of noted.locks) {
    const file = path.join(commonDir, `${name}.lock`);
    const stats = await lstat(file).catch(gone);
    if (stats?.isFile() !== true || stats.ctimeMs < noted.at - TICK_MS) continue;
    const text = await readFile(file, "latin1").catch(gone);
    if (text === "" || (content !== null && text?.trimEnd() === content)) left.push(file);
  }
  return left;
}

async function removeLock(file: string): Promise<void> {
  // Written beside it while it is held; git would stumble over it.
  if (path.basename(file) === "packed-refs.lock") await rm(file.replace(/\.lock$/, ".new"), { force: true });
  await unlink(file).catch(gone);
}

/**
 * One at a time over all processes of this machine: what two find dead, one may have removed and a third made anew. The
 * system frees the name when its holder dies. Null when somebody else is at it.
 */
async function alone<T>(commonDir: string, work: () => Promise<T>): Promise<T | null> {
  const name = createHash("sha256").update(commonDir).digest("hex").slice(0, 32);
  const server = createServer();
  const mine = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error),
    );
    server.listen({ path: `\0oxbow-locks-${name}` }, () => resolve(true));
  });
  if (!mine) return null;
  try {
    return await work();
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const TOP = ["packed-refs.lock", "HEAD.lock", "index.lock", "config.lock", "shallow.lock"];

async function lockFiles(commonDir: string): Promise<readonly string[]> {
  const top = (await readdir(commonDir)).filter((name) => TOP.includes(name));
  const below = await readdir(path.join(commonDir, "refs"), { recursive: true }).catch(none);
  const refs = below.filter((name) => name.endsWith(".lock")).map((name) => path.join("refs", name));
  return [...top, ...refs].sort().map((name) => path.join(commonDir, name));
}

function none(error: unknown): string[] {
  gone(error);
  return [];
}

function gone(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}
