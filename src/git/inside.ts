/**
 * Files below a directory in which a program may change names at any moment. Each directory on the way is opened in the
 * one before it without following links, and what happens to a file happens in the directory that was opened: a directory
 * that becomes a link out changes nothing any more. (Linux; elsewhere each step is looked at just before it is taken.)
 */
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { readdir, rmdir, unlink } from "node:fs/promises";
import { OxbowError } from "../core/errors.ts";
import { below } from "./baseline.ts";
import { type RawPath, shownPath } from "./bytes.ts";
import { isMissing } from "./missing.ts";

export interface Folder extends Disposable {
  /** To list it by. */
  readonly self: Buffer;
  /** The path of a name in it, for calls that do not follow a link at the end. */
  at(name: RawPath): Buffer;
}

const HANDLES = "/proc/self/fd";
const BY_HANDLE = existsSync(HANDLES);
const DIRECTORY = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);
/** Somebody who puts a link there as often as we take it away is not waited for. */
const MAX_TRIES = 200;

/**
 * The directory at `folder` below `dir` ("" for `dir` itself). Throws ENOENT, ENOTDIR or ELOOP, as the system does, where
 * there is none. With `make` it is made, and whatever stands in its way is removed; throws path_rejected when that is
 * put back all the time.
 */
export function openFolder(dir: string, folder: RawPath, { make = false } = {}): Folder {
  const names = folder === "" ? [] : folder.split("/");
  return BY_HANDLE ? byHandle(dir, names, make) : byPath(dir, names, make);
}

/** For a moment: closed when `use` has ended. */
export async function inFolder<T>(
  dir: string,
  folder: RawPath,
  options: { make?: boolean },
  use: (folder: Folder) => Promise<T>,
): Promise<T> {
  using opened = openFolder(dir, folder, options);
  return await use(opened);
}

function byHandle(dir: string, names: readonly RawPath[], make: boolean): Folder {
  let handle = openSync(dir, DIRECTORY);
  try {
    for (const name of names) {
      const next = step(inHandle(handle, name), name, make);
      closeSync(handle);
      handle = next;
    }
  } catch (error) {
    closeSync(handle);
    throw error;
  }
  return {
    self: Buffer.from(`${HANDLES}/${handle}`),
    at: (name) => inHandle(handle, name),
    [Symbol.dispose]: () => closeSync(handle),
  };
}

function inHandle(handle: number, name: RawPath): Buffer {
  return Buffer.concat([Buffer.from(`${HANDLES}/${handle}/`), Buffer.from(name, "latin1")]);
}

function step(place: Buffer, name: RawPath, make: boolean): number {
  for (let tries = 0; ; tries++) {
    try {
      return openSync(place, DIRECTORY);
    } catch (error) {
      if (!make) throw error;
      if (tries >= MAX_TRIES) throw unsteady(name);
      clearWay(place, error);
    }
  }
}

/** Takes away what is no directory, makes what is missing; somebody else may have done so by then. */
function clearWay(place: Buffer, reason: unknown): void {
  try {
    if (hasCode(reason, "ENOENT")) mkdirSync(place);
    else if (hasCode(reason, "ENOTDIR", "ELOOP")) unlinkSync(place);
    else throw reason;
  } catch (error) {
    if (!hasCode(error, "EEXIST", "ENOENT", "EISDIR", "EPERM")) throw error;
  }
}

function byPath(dir: string, names: readonly RawPath[], make: boolean): Folder {
  let path: RawPath = "";
  for (const name of names) {
    path = path === "" ? name : `${path}/${name}`;
    const place = below(dir, path);
    const there = lstatSync(place, { throwIfNoEntry: false });
    if (there?.isDirectory() === true) continue;
    if (!make) throw Object.assign(new Error(`${shownPath(path)} is no directory`), { code: "ENOTDIR" });
    if (there !== undefined) unlinkSync(place);
    mkdirSync(place);
  }
  const own = path;
  return {
    self: below(dir, own),
    at: (name) => below(dir, own === "" ? name : `${own}/${name}`),
    [Symbol.dispose]: () => undefined,
  };
}

/** What the system says when a name has become another thing between two steps. */
const CHANGED = ["ENOENT", "ENOTDIR", "ELOOP", "EISDIR", "EEXIST", "ENOTEMPTY", "EINVAL", "ENXIO"] as const;

/** Does it again as long as somebody else changes the names meanwhile. Throws path_rejected when that does not end. */
export async function steadily<T>(path: RawPath, work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, ...CHANGED)) throw error;
      if (tries >= MAX_TRIES) throw unsteady(path);
    }
  }
}

/** Removes a name and, where it is a directory, all that is in it; a link is removed itself. */
export async function removeAll(folder: Folder, name: RawPath): Promise<void> {
  try {
    await unlink(folder.at(name));
    return;
  } catch (error) {
    if (isMissing(error)) return;
    if (!hasCode(error, "EISDIR", "EPERM")) throw error;
  }
  // Its own handle, opened in this folder: what it becomes meanwhile is nothing to us.
  using inner = BY_HANDLE ? nested(folder, name) : openFolder(folder.at(name).toString("utf8"), "");
  const names = await readdir(inner.self, { encoding: "buffer" });
  for (const each of names) await removeAll(inner, each.toString("latin1"));
  await rmdir(folder.at(name));
}

function nested(folder: Folder, name: RawPath): Folder {
  const handle = openSync(folder.at(name), DIRECTORY);
  return {
    self: Buffer.from(`${HANDLES}/${handle}`),
    at: (inner) => inHandle(handle, inner),
    [Symbol.dispose]: () => closeSync(handle),
  };
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}

function unsteady(name: RawPath): OxbowError {
  const shown = shownPath(name);
  return new OxbowError("path_rejected", `${shown} is changed all the time, so nothing is written there.`, {
    hint: "End what still runs in the workspace.",
    details: { path: shown },
  });
}

/** A path's directory ("" for the top) and its name there. */
export function splitPath(path: RawPath): readonly [folder: RawPath, name: RawPath] {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? ["", path] : [path.slice(0, slash), path.slice(slash + 1)];
}
