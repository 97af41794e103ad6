/** What dead processes left behind, and how a workspace names its owner so that a live one's is never touched. */
import { mkdirSync, writeFileSync } from "node:fs";
import { chmod, lstat, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { newId } from "../host/ids.ts";
import { killGroup, processBirth } from "../host/process.ts";
import { isMissing } from "./missing.ts";
import type { Setup } from "./setup.ts";

/** Scratch files are used for moments; what is this old belongs to nobody. */
const SCRATCH_AGE_MS = 60 * 60 * 1000;
/** Of another host's processes nothing is known; its workspaces are left alone this long. */
const FOREIGN_AGE_MS = 7 * 24 * 60 * 60 * 1000;

export function workspacesDir(setup: Setup): string {
  return path.join(setup.stateDir, "workspaces");
}

/** `<pid>.<start time>.<host>.<id>`: the owner is recorded in the instant the directory exists. */
export function newWorkspaceName(): string {
  return [process.pid, processBirth(process.pid) ?? "", hostLabel(), newId("w")].join(".");
}

function hostLabel(): string {
  return hostname().replace(/[^A-Za-z0-9-]/g, "-");
}

/** Workspaces of processes that are gone, and old scratch files of the private git dir. */
export async function sweep(setup: Setup): Promise<{ removed: number }> {
  let removed = 0;
  for (const name of await names(workspacesDir(setup))) {
    const dir = path.join(workspacesDir(setup), name);
    if (await isOwned(name, dir)) continue;
    for (const program of await names(path.join(dir, PROGRAMS))) endProgram(program);
    await removeTree(dir);
    removed++;
  }
  const privateDir = setup.objectSite.cwd;
  const scratch: readonly [string, RegExp][] = [
    [path.join(setup.stateDir, "tmp"), /./],
    [path.join(privateDir, "refs", "oxbow", "tmp"), /./],
    [privateDir, /^fast_import_crash_|\.new_/],
  ];
  for (const [dir, pattern] of scratch) {
    for (const name of await names(dir)) {
      const file = path.join(dir, name);
      if (!pattern.test(name) || (await age(file)) < SCRATCH_AGE_MS) continue;
      await rm(file, { recursive: true, force: true });
      removed++;
    }
  }
  return { removed };
}

const PROGRAMS = "programs";

/** Written at once: the program may outlive this process from its first moment. */
export function noteProgram(home: string, pid: number): void {
  const birth = processBirth(pid);
  if (birth === null) return;
  mkdirSync(path.join(home, PROGRAMS), { recursive: true });
  writeFileSync(path.join(home, PROGRAMS, `${pid}.${birth}`), "");
}

/** A program whose worker died would go on in files that nobody will ever collect. */
function endProgram(noted: string): void {
  const [pid = "", birth = ""] = noted.split(".");
  if (/^\d+$/.test(pid) && processBirth(Number(pid)) === birth) killGroup(Number(pid));
}

async function isOwned(name: string, dir: string): Promise<boolean> {
  const [pid = "", birth = "", host = ""] = name.split(".");
  if (!/^\d+$/.test(pid)) return true;
  if (host !== hostLabel()) return (await age(dir)) < FOREIGN_AGE_MS;
  return processBirth(Number(pid)) === birth;
}

async function names(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

async function age(file: string): Promise<number> {
  const stats = await lstat(file).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  return stats === null ? 0 : Date.now() - stats.mtimeMs;
}

/** Removes a directory, also when the agent took the permission to write away from parts of it. */
export async function removeTree(dir: string): Promise<void> {
  try {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM")))
      throw error;
    await makeWritable(dir);
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeWritable(dir: string): Promise<void> {
  await chmod(dir, 0o700);
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(path.join(dir, entry.name));
  }
}
