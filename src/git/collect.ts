/** Brings the changes of a workspace back, raw: never `git add`, no symlink followed, every `.git` left alone. */
import { type BigIntStats, constants } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { hasCode, OxbowError } from "../core/errors.ts";
import { normalisePath } from "../core/paths.ts";
import type { Baseline } from "./baseline.ts";
import { objectId, quotePath, type RawPath, shownPath, textOf, toRaw } from "./bytes.ts";
import { caseTwin, createNames, TWINS } from "./case-twins.ts";
import { cancelled } from "./command.ts";
import type { BranchTree, Collection } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { leadsOutside } from "./file-edits.ts";
import { openFolder } from "./inside.ts";
import { createIgnoreRules, type IgnoreRules } from "./ignore-rules.ts";
import { isLfsPointer, lfsPatterns, POINTER } from "./lfs.ts";
import { isMissing } from "./missing.ts";
import type { TreeFile } from "./trees.ts";

export interface Collected {
  /** The workspace's own directory; `dir` below it holds the files. */
  readonly home: string;
  readonly dir: string;
  /** What was put there. */
  readonly files: readonly TreeFile[];
  readonly baseline: Baseline;
  /** What is not the program's: made by the set-up, or the user's own. A folder stands for all that is in it. */
  readonly apart?: ReadonlySet<RawPath> | undefined;
}

interface Change {
  readonly path: string;
  readonly mode: string;
  readonly content: Uint8Array | null;
}

const SUBMODULE = "160000";
const SYMLINK = "120000";
const MAX_FILE_BYTES = 256n * 1024n * 1024n;

/** Stages what a branch can hold and names the rest. Throws cancelled. */
export async function collectChanges(
  engine: Engine,
  from: Collected,
  tree: Pick<BranchTree, "stage">,
  signal?: AbortSignal,
): Promise<Collection> {
  await using ignored = createIgnoreRules(engine, from.home, from.files);
  const refused: { path: string; reason: string }[] = [];
  const refuse = (path: string, reason: string) => void refused.push({ path, reason });
  const changes = await findChanges(engine, from, ignored, refuse, signal);
  let files = 0;
  for (const { path, mode, content } of changes) {
    try {
      await tree.stage(path, mode, content);
      files += 1;
    } catch (error) {
      if (!hasCode(error, "path_rejected") && !hasCode(error, "out_of_scope")) throw error;
      refuse(path, error.message);
    }
  }
  return { files, refused: refused.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

async function findChanges(
  engine: Engine,
  { dir, files, baseline, apart }: Collected,
  ignored: IgnoreRules,
  refuse: (path: string, reason: string) => void,
  signal?: AbortSignal,
): Promise<readonly Change[]> {
  const before = new Map(files.map((file) => [file.path, file]));
  const directories = directoriesOf(files);
  const missing = new Set(files.filter((file) => file.mode !== SUBMODULE).map((file) => file.path));
  const changed: Change[] = [];

  const visitFile = async (path: RawPath, file: Buffer, stats: BigIntStats): Promise<void> => {
    const known = before.get(path);
    if (known === undefined) {
      if (await ignored.matches(path, false)) return;
    } else {
      missing.delete(path);
      if (baseline.unchanged(path, stats)) return;
    }
    const now = await readEntry(file, path, stats);
    const same = known !== undefined && plainMode(known.mode) === now.mode;
    if (same && objectId("blob", now.content, engine.setup.zero) === known.oid) return;
    if (now.mode === SYMLINK && leadsOutside(path, Buffer.from(now.content).toString("latin1"))) {
      throw rejected(path, "is a symbolic link that leads out of the repository");
    }
    changed.push({ path: checkedName(path), ...now });
  };

  /** A path that cannot be taken stays as it is on the branch. */
  const refusing = async <T>(path: RawPath, work: () => Promise<T>): Promise<T | null> => {
    if (signal?.aborted === true) throw cancelled();
    try {
      return await work();
    } catch (error) {
      const reason = reasonToRefuse(error);
      if (reason === null) throw error;
      for (const file of missing) if (file === path || file.startsWith(`${path}/`)) missing.delete(file);
      refuse(textOf(path) ?? quotePath(path), reason);
      return null;
    }
  };

  /** Takes a file; true for a directory to go into. */
  const look = async (path: RawPath, file: Buffer): Promise<boolean> => {
    const known = before.get(path);
    if (known?.mode === SUBMODULE || apart?.has(path) === true) return false;
    const stats = await lstat(file, { bigint: true }).catch(gone);
    if (stats === null) return false;
    if (stats.isDirectory()) return directories.has(path) || !(await ignored.matches(path, true));
    if (stats.isFile() || stats.isSymbolicLink()) await visitFile(path, file, stats);
    else if (known !== undefined) throw rejected(path, "is neither a file nor a symbolic link any more");
    return false;
  };

  /** Looks at all names of a directory, and returns the directories in it. It is closed before they are opened. */
  const list = async (directory: RawPath): Promise<readonly RawPath[]> => {
    using folder = openFolder(dir, directory);
    const names = await readdir(folder.self, { encoding: "buffer" });
    const children = names.map((name) => name.toString("latin1")).filter((name) => name !== ".git");
    const prefix = directory === "" ? "" : `${directory}/`;
    const inside: RawPath[] = [];
    const one = async (name: RawPath): Promise<void> => {
      const path = prefix + name;
      if (await refusing(path, () => look(path, folder.at(name)))) inside.push(path);
    };
    for (let at = 0; at < children.length; at += AT_ONCE)
      await Promise.all(children.slice(at, at + AT_ONCE).map(one));
    return inside;
  };

  for (let level: readonly RawPath[] = [""]; level.length > 0; ) {
    const next: RawPath[] = [];
    const one = async (directory: RawPath): Promise<void> => {
      next.push(...((await refusing(directory, () => list(directory))) ?? []));
    };
    for (let at = 0; at < level.length; at += WALKERS)
      await Promise.all(level.slice(at, at + WALKERS).map(one));
    level = next;
  }
  const news = { changed, before, missing };
  const dropped = new Map([...(await caseTwins(news)), ...(await editedPointers(engine, news))]);
  for (const [{ path }, why] of dropped) refuse(path, `${path} ${why}.`);
  const deleted = [...missing].flatMap((path): Change[] => {
    const name = nameOrNull(path);
    if (name !== null) return [{ path: name, mode: "100644", content: null }];
    refuse(textOf(path) ?? quotePath(path), "has a name that no tool can address, so it cannot be deleted");
    return [];
  });
  const taken = changed.filter((one) => !dropped.has(one));
  return [...deleted, ...taken.sort((a, b) => (a.path < b.path ? -1 : 1))];
}

interface News {
  readonly changed: readonly Change[];
  readonly before: ReadonlyMap<RawPath, TreeFile>;
  readonly missing: ReadonlySet<RawPath>;
}

/** New names that differ from others only in case, and why each stays out. */
async function caseTwins({ changed, before, missing }: News): Promise<Map<Change, string>> {
  const found = new Map<Change, string>();
  const added = changed.filter((one) => !before.has(toRaw(one.path)));
  if (added.length === 0) return found;
  const names = createNames([...before.keys()].filter((path) => !missing.has(path)));
  for (const one of added.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const twin = await caseTwin(toRaw(one.path), names);
    if (twin === null) names.add(toRaw(one.path));
    else found.set(one, `differs only in case from ${shownPath(twin)}: ${TWINS}`);
  }
  return found;
}

/** Pointers of Git LFS that were edited like a text, and why they stay as they were. */
async function editedPointers(engine: Engine, { changed, before }: News): Promise<Map<Change, string>> {
  const found = new Map<Change, string>();
  if ((await lfsPatterns(engine, [...before.values()])).length === 0) return found;
  for (const one of changed) {
    const known = before.get(toRaw(one.path));
    if (known === undefined || one.content === null || !known.mode.startsWith("100")) continue;
    if (!isLfsPointer(one.content) && isLfsPointer(await engine.objects.blob(known.oid)))
      found.set(one, POINTER);
  }
  return found;
}

const AT_ONCE = 64;
/** Directories that are open at once. */
const WALKERS = 8;

export function directoriesOf(files: readonly TreeFile[]): ReadonlySet<RawPath> {
  const directories = new Set<RawPath>();
  for (const { path } of files) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const directory = path.slice(0, at);
      if (directories.has(directory)) break;
      directories.add(directory);
    }
  }
  return directories;
}

/** 100664, which old versions of Git wrote, means 100644. */
function plainMode(mode: string): string {
  if (!mode.startsWith("100")) return mode;
  return (Number.parseInt(mode, 8) & 0o100) === 0 ? "100644" : "100755";
}

async function readEntry(
  file: Buffer,
  path: RawPath,
  stats: BigIntStats,
): Promise<{ mode: string; content: Uint8Array }> {
  if (stats.isSymbolicLink()) return { mode: SYMLINK, content: await readlink(file, { encoding: "buffer" }) };
  if (stats.size > MAX_FILE_BYTES) throw rejected(path, `has more than ${MAX_FILE_BYTES} bytes`);
  // Whatever still runs may swap the file for a link or a pipe: neither is followed nor waited for.
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const now = await handle.stat({ bigint: true });
  if (!now.isFile() || now.size > MAX_FILE_BYTES) throw rejected(path, "has changed while it was looked at");
  const content = await handle.readFile();
  return { mode: (now.mode & 0o100n) === 0n ? "100644" : "100755", content };
}

/** A path that is rejected, or that the program took our right to read away from. */
function reasonToRefuse(error: unknown): string | null {
  if (hasCode(error, "path_rejected")) return error.message;
  const code = error instanceof Error && "code" in error ? error.code : null;
  return UNREADABLE.has(code) ? `cannot be read (${String(code)})` : null;
}

/** No right, no room, or something else by the time it was opened. */
const UNREADABLE: ReadonlySet<unknown> = new Set([
  "EACCES",
  "EPERM",
  "ENAMETOOLONG",
  "ELOOP",
  "ENOTDIR",
  "ENOENT",
  "EINVAL",
  "ENXIO",
]);

function checkedName(path: RawPath): string {
  const text = textOf(path);
  if (text === null) throw rejected(path, "has a name that is not valid UTF-8");
  return normalisePath(text);
}

function nameOrNull(path: RawPath): string | null {
  try {
    return checkedName(path);
  } catch (error) {
    if (!hasCode(error, "path_rejected")) throw error;
    return null;
  }
}

function rejected(path: RawPath, why: string): OxbowError {
  const shown = textOf(path) ?? quotePath(path);
  return new OxbowError("path_rejected", `${shown} ${why}.`, { details: { path: shown } });
}

function gone(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}
