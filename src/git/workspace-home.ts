/** Where a workspace lives, whose it is, and what runs in it: written so that another process can tell. */
import { mkdirSync, writeFileSync } from "node:fs";
import { chmod, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { environment } from "../host/env.ts";
import { newId } from "../host/ids.ts";
import { killGroup, processBirth, run } from "../host/process.ts";
import type { Oid, WorkOwner } from "./contract.ts";
import { isMissing } from "./missing.ts";
import type { Setup } from "./setup.ts";

/** Of another host's processes nothing is known; its workspaces are left alone this long. */
const FOREIGN_AGE_MS = 7 * 24 * 60 * 60 * 1000;
/** The files, below a workspace's own directory. */
export const TREE = "tree";
const OWNER = "owner.json";

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

/** Ends what still runs in a dead process's workspace. */
export async function endPrograms(home: string): Promise<void> {
  for (const program of await names(path.join(home, PROGRAMS))) endProgram(program);
}

export type NotedOwner = WorkOwner & { readonly from: Oid };

export async function noteOwner(home: string, owner: NotedOwner): Promise<void> {
  // At once: whoever clears up after us relies on it.
  const written = path.join(home, `${OWNER}.new`);
  await writeFile(written, JSON.stringify(owner));
  await rename(written, path.join(home, OWNER));
}

export async function notedOwner(home: string): Promise<NotedOwner | null> {
  try {
    return JSON.parse(await readFile(path.join(home, OWNER), "utf8"));
  } catch (error) {
    // Missing, or half-written by a process that died just then: before any program ran.
    if (isMissing(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Moves the files out of a workspace to where nothing removes them, with a note beside them of whose they are. */
export async function keepFiles(setup: Setup, home: string, name = path.basename(home)): Promise<string> {
  const kept = path.join(setup.stateDir, "kept", name);
  await mkdir(path.dirname(kept), { recursive: true });
  const owner = await notedOwner(home);
  const note = { ...owner, repository: setup.commonDir };
  if (owner !== null) await writeFile(`${kept}.json`, JSON.stringify(note));
  await rename(path.join(home, TREE), kept);
  return kept;
}

export async function isOwned(name: string, dir: string): Promise<boolean> {
  const [pid = "", birth = "", host = ""] = name.split(".");
  if (!/^\d+$/.test(pid)) return true;
  if (host !== hostLabel()) return (await age(dir)) < FOREIGN_AGE_MS;
  return processBirth(Number(pid)) === birth;
}

export async function names(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

export async function age(file: string): Promise<number> {
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
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENAMETOOLONG") return removeDeep(dir);
    if (code !== "EACCES" && code !== "EPERM") throw error;
    await removeLocked(dir);
  }
}

async function removeLocked(dir: string): Promise<void> {
  try {
    await makeWritable(dir);
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENAMETOOLONG")) throw error;
    await removeDeep(dir);
  }
}

/** A program can nest directories deeper than any path reaches; `rm` goes down step by step. */
async function removeDeep(dir: string): Promise<void> {
  const site = { cwd: path.dirname(dir), env: { PATH: environment()["PATH"] ?? "/usr/bin:/bin" } };
  // What it says of links that lead nowhere is of no interest.
  await run("chmod", ["-R", "u+rwX", "--", dir], site);
  const { exitCode, stderr } = await run("rm", ["-rf", "--", dir], site);
  if (exitCode !== 0)
    throw new OxbowError("git_failed", `${dir} cannot be removed: ${stderr.toString("utf8").trim()}`);
}

/** A removal that failed may still be at work elsewhere in the tree: what it has taken away meanwhile is no matter. */
async function makeWritable(dir: string): Promise<void> {
  try {
    await chmod(dir, 0o700);
    for (const entry of await readdir(dir, { withFileTypes: true })) {
      if (entry.isDirectory()) await makeWritable(path.join(dir, entry.name));
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
