/**
 * What is known of a clone of the pool, beside its files: what they were when it was last renewed (`marks`), and what its
 * set-up made (`prepared.json`). Whatever does not read as it was written counts for nothing: the clone is made anew.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Mark } from "./baseline.ts";
import type { RawPath } from "./bytes.ts";
import type { Oid } from "./contract.ts";
import { isMissing } from "./missing.ts";

/** Made by the set-up (and copied from the user's checkout): it stays, and is never a change. */
export interface Prepared {
  /** What it was made by and of. */
  readonly key: string;
  readonly files: ReadonlySet<RawPath>;
  readonly folders: ReadonlySet<RawPath>;
}

export interface SlotState {
  /** Of which tree the marked files are. */
  readonly tree: Oid;
  /** Of the work tree's own folders. */
  readonly folderMode: number;
  /** Of every file that was surely written by us (or the set-up) and not touched since, when it was written. */
  readonly marks: ReadonlyMap<RawPath, Mark>;
  readonly prepared: Prepared;
}

const MARKS = "marks";
const PREPARED = "prepared.json";
export const APART = "apart.json";
const FORM = "oxbow-marks-1";

export const UNPREPARED: Prepared = { key: "", files: new Set(), folders: new Set() };

export async function saveMarks(home: string, { tree, folderMode, marks }: SlotState): Promise<void> {
  const lines = [`${FORM} ${tree} ${folderMode} ${marks.size}`];
  for (const [file, { mtime, ctime, size, inode, mode }] of marks)
    lines.push(`${mtime} ${ctime} ${size} ${inode} ${mode} ${file}`);
  await writeWhole(path.join(home, MARKS), Buffer.from(lines.join("\0"), "latin1"));
}

export async function savePrepared(home: string, { key, files, folders }: Prepared): Promise<void> {
  const text = JSON.stringify({ key, files: [...files], folders: [...folders] });
  await writeWhole(path.join(home, PREPARED), Buffer.from(text));
}

/** What is never a change while the present holder has it: for whoever finds the clone after its death. */
export async function saveApart(home: string, paths: readonly RawPath[]): Promise<void> {
  await writeWhole(path.join(home, APART), Buffer.from(JSON.stringify(paths)));
}

export async function loadApart(home: string): Promise<ReadonlySet<RawPath>> {
  const [bytes, prepared] = await Promise.all([readOrNull(path.join(home, APART)), loadPrepared(home)]);
  const places: unknown = bytes === null ? [] : JSON.parse(bytes.toString("utf8"));
  return new Set([...(Array.isArray(places) ? places.map(String) : []), ...(prepared?.files ?? [])]);
}

export async function dropState(home: string): Promise<void> {
  for (const name of [MARKS, PREPARED]) await rm(path.join(home, name), { force: true });
}

/** Null when nothing is known for certain. */
export async function loadState(home: string): Promise<SlotState | null> {
  const [bytes, prepared] = await Promise.all([readOrNull(path.join(home, MARKS)), loadPrepared(home)]);
  const [head = "", ...lines] = bytes?.toString("latin1").split("\0") ?? [];
  const [form, tree = "", folderMode = "", count = ""] = head.split(" ");
  if (form !== FORM || lines.length !== Number(count) || prepared === null) return null;
  const marks = new Map<RawPath, Mark>();
  for (const line of lines) {
    const match = /^(\d+) (\d+) (\d+) (\d+) (\d+) ([^]+)$/.exec(line);
    if (match === null) return null;
    const [, mtime = "", ctime = "", size = "", inode = "", mode = "", file = ""] = match;
    marks.set(file, {
      mtime: BigInt(mtime),
      ctime: BigInt(ctime),
      size: BigInt(size),
      inode: BigInt(inode),
      mode: BigInt(mode),
    });
  }
  return { tree, folderMode: Number(folderMode), marks, prepared };
}

/** Null when it cannot be read; a clone that needed no set-up has none, and that is known too. */
export async function loadPrepared(home: string): Promise<Prepared | null> {
  const bytes = await readOrNull(path.join(home, PREPARED));
  if (bytes === null) return UNPREPARED;
  try {
    const read: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof read !== "object" || read === null || !("key" in read)) return null;
    const listed = (name: string): ReadonlySet<RawPath> => {
      const value: unknown = Reflect.get(read, name);
      return new Set(Array.isArray(value) ? value.map(String) : []);
    };
    return { key: String(read.key), files: listed("files"), folders: listed("folders") };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

async function readOrNull(file: string): Promise<Buffer | null> {
  return readFile(file).catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  await writeFile(`${file}.new`, bytes);
  await rename(`${file}.new`, file);
}
