/**
 * Takes out of a clone's work tree whatever is not, for certain, as we left it. What goes is moved aside in one step each,
 * so that nothing a program built (folders without rights, nested deeper than a path reaches) holds the rest up.
 */
import { type BigIntStats, chmodSync, lstatSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import path from "node:path";
import { below, isSame, type Mark, type Marks } from "./baseline.ts";
import type { RawPath } from "./bytes.ts";
import { createSlices } from "./slices.ts";
import type { Prepared } from "./slot-state.ts";

export interface Known {
  readonly marks: Marks;
  /** Folders that hold files of the tree. */
  readonly folders: ReadonlySet<RawPath>;
  readonly folderMode: number;
  readonly prepared: Prepared;
}

export interface Cleaned {
  /** What stays, all of it as it was. */
  readonly kept: Map<RawPath, Mark>;
  /** Something that the set-up made has changed or is gone. */
  readonly spoilt: boolean;
}

const RIGHTS = 0o7777;

/** `aside` gets what goes, and is made when there is something. Throws what the system says when it cannot be done. */
export async function clean(dir: string, aside: string, known: Known): Promise<Cleaned> {
  const { marks, folders, folderMode, prepared } = known;
  const slice = createSlices();
  const kept = new Map<RawPath, Mark>();
  let moved = 0;

  const remove = (file: Buffer, stats: BigIntStats): void => {
    if (moved === 0) mkdirSync(aside, { recursive: true });
    // A folder is moved only by who may write to it.
    if (stats.isDirectory() && (Number(stats.mode) & 0o700) !== 0o700) chmodSync(file, 0o700);
    renameSync(file, path.join(aside, String(moved++)));
  };

  /** Before it is listed: its rights are what they were, or at least ours. */
  const allow = (folder: RawPath, file: Buffer, stats: BigIntStats): void => {
    const mode = Number(stats.mode) & RIGHTS;
    const wanted = folders.has(folder) || folder === "" ? folderMode : mode | 0o700;
    if (mode !== wanted) chmodSync(file, wanted);
  };

  const look = (at: RawPath, file: Buffer): boolean => {
    const stats = lstatSync(file, { bigint: true });
    const mark = marks.get(at);
    if (at !== ".git" && mark !== undefined && isSame(mark, stats)) {
      kept.set(at, mark);
      return false;
    }
    const stays = stats.isDirectory() && (folders.has(at) || prepared.folders.has(at)) && at !== ".git";
    if (stays) allow(at, file, stats);
    else remove(file, stats);
    return stays;
  };

  allow("", Buffer.from(dir), lstatSync(dir, { bigint: true }));
  const open: RawPath[] = [""];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const prefix = folder === "" ? "" : `${folder}/`;
    for (const bytes of readdirSync(below(dir, folder), { encoding: "buffer" })) {
      const at = prefix + bytes.toString("latin1");
      if (look(at, below(dir, at))) open.push(at);
      await slice();
    }
  }
  return { kept, spoilt: [...prepared.files].some((file) => !kept.has(file)) };
}

/** All files and links, and all folders, that are not in `tree`'s: what a set-up has made. */
export async function findMade(
  dir: string,
  tree: { readonly files: ReadonlySet<RawPath>; readonly folders: ReadonlySet<RawPath> },
): Promise<{ files: Set<RawPath>; folders: Set<RawPath> }> {
  const slice = createSlices();
  const files = new Set<RawPath>();
  const folders = new Set<RawPath>();
  const open: RawPath[] = [""];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const prefix = folder === "" ? "" : `${folder}/`;
    for (const entry of readdirSync(below(dir, folder), { encoding: "buffer", withFileTypes: true })) {
      const at = prefix + entry.name.toString("latin1");
      if (at === ".git") continue;
      if (entry.isDirectory()) {
        if (!tree.folders.has(at)) folders.add(at);
        open.push(at);
      } else if ((entry.isFile() || entry.isSymbolicLink()) && !tree.files.has(at)) files.add(at);
      await slice();
    }
  }
  return { files, folders };
}
