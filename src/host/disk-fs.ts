import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { PathFs } from "../core/walk-path.ts";

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
