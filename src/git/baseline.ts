/** What the files of a workspace looked like when the agent got them, so that only changed ones are read again. */
import { type BigIntStats, lstatSync } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import type { RawPath } from "./bytes.ts";
import { createSlices } from "./slices.ts";
import type { TreeFile } from "./trees.ts";

export interface Baseline {
  /** True when the file is surely as it was; false when its bytes must be compared. */
  unchanged(path: RawPath, now: BigIntStats): boolean;
  /** From here on the file's bytes are compared. */
  forget(path: RawPath): void;
}

/** What a file cannot change its bytes, its mode or its names without. */
export interface Mark {
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly size: bigint;
  readonly inode: bigint;
  readonly mode: bigint;
}

export type Marks = ReadonlyMap<RawPath, Mark>;

const SUBMODULE = "160000";

/** An absolute path made of a directory and a raw path below it, as bytes: names need not be UTF-8. */
export function below(dir: string, path: RawPath): Buffer {
  return path === ""
    ? Buffer.from(dir)
    : Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(path, "latin1")]);
}

/**
 * Git's rule for its index: a file that was written in the same tick of the clock as the record (or later) may change
 * again without its time changing, so it gets no mark. `stamp` is a file that is written to read that clock.
 */
export async function takeMarks(
  dir: string,
  stamp: string,
  paths: Iterable<RawPath>,
): Promise<Map<RawPath, Mark>> {
  const slice = createSlices();
  const marks = new Map<RawPath, Mark>();
  for (const path of paths) {
    marks.set(path, markOf(lstatSync(below(dir, path), { bigint: true })));
    await slice();
  }
  await writeFile(stamp, "");
  const recorded = (await stat(stamp, { bigint: true })).mtimeNs;
  for (const [path, mark] of marks) if (mark.mtime >= recorded || mark.ctime >= recorded) marks.delete(path);
  return marks;
}

export function baselineFrom(marks: Marks): Baseline {
  const forgotten = new Set<RawPath>();
  return {
    forget: (path) => void forgotten.add(path),
    unchanged(path, now) {
      const mark = forgotten.has(path) ? undefined : marks.get(path);
      return mark !== undefined && isSame(mark, now);
    },
  };
}

/** The paths of a tree that are files or links on the disk. */
export function onDisk(files: readonly TreeFile[]): readonly RawPath[] {
  return files.filter((file) => file.mode !== SUBMODULE).map((file) => file.path);
}

export function isSame(mark: Mark, now: BigIntStats): boolean {
  return (
    mark.mtime === now.mtimeNs &&
    mark.ctime === now.ctimeNs &&
    mark.size === now.size &&
    mark.inode === now.ino &&
    mark.mode === now.mode
  );
}

function markOf(stats: BigIntStats): Mark {
  return { mtime: stats.mtimeNs, ctime: stats.ctimeNs, size: stats.size, inode: stats.ino, mode: stats.mode };
}
