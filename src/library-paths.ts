/** The safety rules that look at files, with the disk as their default view. */
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { type CommandOptions, type CommandVerdict, checkCommand as judge } from "./core/check-command.ts";
import {
  checkPath as check,
  type PathFs,
  type PathOp,
  type PathOptions,
  type PathVerdict,
} from "./core/check-path.ts";

/** The files of the disk. A directory with a Git directory of its own below it counts as `other`, as a submodule does. */
export const diskFs: PathFs = {
  lstat(path) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    const { nlink, size } = stats;
    if (stats.isSymbolicLink()) return { kind: "symlink", nlink, size };
    if (stats.isFile()) return { kind: "file", nlink, size };
    if (!stats.isDirectory() || existsSync(join(path, ".git"))) return { kind: "other", nlink, size };
    return { kind: "directory", nlink, size };
  },
  readlink: (path) => readlinkSync(path),
};

/** May a tool use this path below `root`? Every symlink on the way is followed; without `fs` the disk is looked at. */
export function checkPath(op: PathOp, path: string, options: PathOptions): PathVerdict {
  if (options.fs !== undefined) return check(op, path, options);
  return check(op, path, { ...options, root: resolve(options.root), fs: diskFs });
}

/** May this command line run? It is only judged. Without `fs` the disk is looked at below `root`. */
export function checkCommand(line: string, options: CommandOptions): CommandVerdict {
  if (options.fs !== undefined) return judge(line, options);
  return judge(line, { ...options, root: resolve(options.root), fs: diskFs });
}
