/** What the files of a workspace looked like when the agent got them, so that only changed ones are read again. */
import type { BigIntStats } from "node:fs";
import { lstat, stat, writeFile } from "node:fs/promises";
import type { RawPath } from "./bytes.ts";
import type { TreeFile } from "./trees.ts";

export interface Baseline {
  /** True when the file is surely as it was; false when its bytes must be compared. */
  unchanged(path: RawPath, now: BigIntStats): boolean;
  /** From here on the file's bytes are compared. */
  forget(path: RawPath): void;
}

interface Mark {
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly size: bigint;
  readonly inode: bigint;
  readonly mode: bigint;
}

const SUBMODULE = "160000";
const AT_ONCE = 64;

/** An absolute path made of a directory and a raw path below it, as bytes: names need not be UTF-8. */
export function below(dir: string, path: RawPath): Buffer {
  return path === ""
    ? Buffer.from(dir)
    : Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(path, "latin1")]);
}

/**
 * Git's rule for its index: a file that was written in the same tick of the clock as the record (or later) may change
 * again without its time changing, so its bytes are compared. `stamp` is a file that is written to read that clock.
 */
export async function createBaseline(
  dir: string,
  stamp: string,
  files: readonly TreeFile[],
): Promise<Baseline> {
  const marks = new Map<RawPath, Mark>();
  const rest = files.filter((file) => file.mode !== SUBMODULE).values();
  const worker = async (): Promise<void> => {
    for (const file of rest)
      marks.set(file.path, markOf(await lstat(below(dir, file.path), { bigint: true })));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await writeFile(stamp, "");
  const recorded = (await stat(stamp, { bigint: true })).mtimeNs;
  return {
    forget: (path) => void marks.delete(path),
    unchanged(path, now) {
      const mark = marks.get(path);
      if (mark === undefined || mark.mtime >= recorded || mark.ctime >= recorded) return false;
      const current = markOf(now);
      return (
        mark.mtime === current.mtime &&
        mark.ctime === current.ctime &&
        mark.size === current.size &&
        mark.inode === current.inode &&
        mark.mode === current.mode
      );
    },
  };
}

function markOf(stats: BigIntStats): Mark {
  return { mtime: stats.mtimeNs, ctime: stats.ctimeNs, size: stats.size, inode: stats.ino, mode: stats.mode };
}
