/** Where a path leads, each symlink followed as the kernel would and `..` taken after it. */
import type { PathProblem } from "./paths.ts";
import type { PathCode } from "./errors.ts";
import { quoted } from "./text.ts";

/** Disk, or a branch's tree. Paths are the root, a slash and the path below it. */
export interface PathFs {
  /** Null when there is nothing. A submodule is `other`. */
  lstat(path: string): {
    readonly kind: "file" | "directory" | "symlink" | "other";
    readonly nlink?: number;
    readonly size?: number;
  } | null;
  readlink(path: string): string;
}

export interface Walk {
  /** Without a trailing slash. */
  readonly root: string;
  readonly fs: PathFs;
  readonly followLast: boolean;
}

const MAX_LINKS = 40;

/** The path below the root that is meant, or why it must not be used. A missing name counts as a directory. Throws what `fs` throws. */
export function walkPath(path: string, { root, fs, followLast }: Walk): { path: string } | PathProblem {
  const pending = path.split("/").toReversed();
  let done: string[] = [];
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (done.pop() === undefined)
        return walkProblem("symlink_outside", path, "leads outside through a symlink");
      continue;
    }
    const here = [...done, name].join("/");
    const entry = fs.lstat(`${root}/${here}`);
    if (entry?.kind === "other") {
      return walkProblem("special_file", path, `passes ${quoted(here)}, which is no file or directory`);
    }
    if (entry?.kind !== "symlink" || (pending.length === 0 && !followLast)) {
      done.push(name);
      continue;
    }
    if (++links > MAX_LINKS) return walkProblem("symlink_loop", path, "goes through symlinks without end");
    const target = fs.readlink(`${root}/${here}`);
    const absolute = target.startsWith("/");
    const inside = absolute ? belowRoot(target, root) : target;
    if (inside === null || isForeign(target)) {
      return walkProblem("symlink_outside", path, `leads outside through the symlink ${quoted(here)}`);
    }
    if (absolute) done = [];
    pending.push(...inside.split("/").toReversed());
  }
  return { path: done.join("/") };
}

/** Windows' ways to write a path, and texts that are none. */
export function isForeign(target: string): boolean {
  return target === "" || /[\\\0]|^[A-Za-z]:/.test(target);
}

/** The part of an absolute path below the root, or null when it begins elsewhere. */
export function belowRoot(target: string, root: string): string | null {
  if (target === root) return "";
  return target.startsWith(`${root}/`) ? target.slice(root.length + 1) : null;
}

export function walkProblem(code: PathCode, path: string, why: string): PathProblem {
  return { code, reason: `The path ${quoted(path)} ${why}.` };
}
