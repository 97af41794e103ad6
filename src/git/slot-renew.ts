/**
 * Makes a clone of the pool hold one commit and nothing else. Only what differs is written: a file stays when the branch
 * has the same bytes for it and it was not touched since we wrote it. Its `.git` is always made anew, from an index that
 * is kept where programs do not reach. When anything is doubtful, all of it is.
 */
import { copyFile, lstat, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { hasCode } from "../core/errors.ts";
import { newId } from "../host/ids.ts";
import { onDisk, takeMarks } from "./baseline.ts";
import type { RawPath } from "./bytes.ts";
import { directoriesOf } from "./collect.ts";
import { runGitOrThrow } from "./command.ts";
import type { Oid, Preparation } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { inFolder, splitPath } from "./inside.ts";
import { clean, findMade } from "./slot-clean.ts";
import {
  APART,
  dropState,
  loadState,
  type Prepared,
  savePrepared,
  type SlotState,
  UNPREPARED,
} from "./slot-state.ts";
import type { TreeFile } from "./trees.ts";
import { names, noteProgram, removeTree, TREE } from "./workspace-home.ts";
import { layOut, objectFolders } from "./workspace-layout.ts";

export interface Wanted {
  readonly commit: Oid;
  readonly branch: string;
  readonly prepare: Preparation | null;
  /** Under which name the clone is held. */
  readonly holder: string;
}

const INDEX = "index";
const TRASH = "trash.";
const STAMP = "stamp";
const RIGHTS = 0o7777;

/** Throws path_rejected, objects_missing, cancelled, and what the set-up throws. `known`: what is remembered of it. */
export async function renew(
  engine: Engine,
  home: string,
  known: SlotState | null,
  wanted: Wanted,
  signal?: AbortSignal,
): Promise<SlotState> {
  await removeScratch(home);
  const key = wanted.prepare?.key ?? "";
  const before = known ?? (await loadState(home));
  if (before !== null && before.prepared.key === key) {
    try {
      const again = await renewFrom(engine, home, before, wanted, signal);
      if (again !== null) return again;
    } catch (error) {
      // Of the system, or of git, over something that was left there: all of it goes.
      if (hasCode(error) && !hasCode(error, "git_failed")) throw error;
    }
  }
  return startOver(engine, home, wanted, signal);
}

/** Null when the set-up must be made again. */
async function renewFrom(
  engine: Engine,
  home: string,
  before: SlotState,
  wanted: Wanted,
  signal: AbortSignal | undefined,
): Promise<SlotState | null> {
  const dir = path.join(home, TREE);
  const { objects, trees } = engine;
  const { tree } = await objects.commit(wanted.commit);
  const [old, files] = await Promise.all([trees.files(before.tree), trees.files(tree)]);
  const { prepared } = before;
  const marks = sameMarks(before, old, files);
  const aside = path.join(home, TRASH + newId("x"));
  const folders = directoriesOf(files);
  const known = { marks, folders, folderMode: before.folderMode, prepared };
  const { kept, spoilt } = await clean(dir, aside, known);
  if (spoilt) return null;
  await checkOut(engine, home, wanted, signal);
  const rest = onDisk(files).filter((file) => !kept.has(file));
  for (const [file, mark] of await takeMarks(dir, path.join(home, STAMP), rest)) kept.set(file, mark);
  await removeTree(aside);
  return { tree, folderMode: before.folderMode, marks: kept, prepared };
}

/** Removes what programs left in a clone that nobody uses. False when it is good for nothing any more. */
export async function tidy(engine: Engine, home: string, state: SlotState): Promise<boolean> {
  const folders = directoriesOf(await engine.trees.files(state.tree));
  const aside = path.join(home, TRASH + newId("x"));
  try {
    const { spoilt } = await clean(path.join(home, TREE), aside, { ...state, folders });
    await removeTree(aside);
    return !spoilt;
  } catch (error) {
    if (hasCode(error)) throw error;
    return false;
  }
}

/** Marks that hold for the new tree too: of the same bytes and mode, and of what the set-up made. */
function sameMarks(before: SlotState, old: readonly TreeFile[], files: readonly TreeFile[]) {
  const entries = new Map(old.map((file) => [file.path, file]));
  const tracked = new Set<RawPath>();
  const marks = new Map(before.marks);
  for (const { path: file, oid, mode } of files) {
    tracked.add(file);
    const was = entries.get(file);
    if (was?.oid !== oid || was.mode !== mode) marks.delete(file);
  }
  for (const file of before.marks.keys())
    if (!tracked.has(file) && !before.prepared.files.has(file)) marks.delete(file);
  return marks;
}

async function startOver(
  engine: Engine,
  home: string,
  wanted: Wanted,
  signal: AbortSignal | undefined,
): Promise<SlotState> {
  const dir = path.join(home, TREE);
  const { objects, trees } = engine;
  await dropState(home);
  await removeTree(dir);
  await rm(path.join(home, INDEX), { force: true });
  await mkdir(dir);
  const folderMode = (await lstat(dir)).mode & RIGHTS;
  const fill = async (commit: Oid, prepared: Prepared): Promise<SlotState> => {
    const { tree } = await objects.commit(commit);
    await checkOut(engine, home, { ...wanted, commit }, signal);
    const files = [...onDisk(await trees.files(tree)), ...prepared.files];
    const marks = await takeMarks(dir, path.join(home, STAMP), files);
    return { tree, folderMode, marks, prepared };
  };
  if (wanted.prepare === null) return fill(wanted.commit, UNPREPARED);
  const { key, commit, run } = wanted.prepare;
  const base = await fill(commit, UNPREPARED);
  const sources = await objectFolders(path.join(engine.setup.commonDir, "objects"));
  await run({ dir, sources, name: wanted.holder, runs: (pid) => noteProgram(home, pid) }, signal);
  const files = await trees.files(base.tree);
  const tracked = new Set(files.map((file) => file.path));
  const made = await findMade(dir, { files: tracked, folders: directoriesOf(files) });
  const prepared = { key, ...made };
  await savePrepared(home, prepared);
  const marks = new Map([...base.marks, ...(await takeSettled(home, made.files))]);
  // What it changed of the branch's own files is put back.
  const again = await renewFrom(engine, home, { ...base, marks, prepared }, wanted, signal);
  return again ?? fill(wanted.commit, prepared);
}

const MOST_TRIES = 5;

/** All of them: what was written this very moment is looked at again when the clock has moved on. */
async function takeSettled(home: string, files: ReadonlySet<RawPath>) {
  const dir = path.join(home, TREE);
  const marks = await takeMarks(dir, path.join(home, STAMP), files);
  for (let tries = 0; marks.size < files.size && tries < MOST_TRIES; tries++) {
    const rest = [...files].filter((file) => !marks.has(file));
    for (const [file, mark] of await takeMarks(dir, path.join(home, STAMP), rest)) marks.set(file, mark);
  }
  return marks;
}

/** A new `.git`, and what is missing of the commit's files; those that are there are as the index has them. */
async function checkOut(
  engine: Engine,
  home: string,
  { commit, branch }: Pick<Wanted, "commit" | "branch">,
  signal: AbortSignal | undefined,
): Promise<void> {
  const dir = path.join(home, TREE);
  const index = path.join(home, INDEX);
  await rm(`${index}.lock`, { force: true });
  await removeTree(path.join(dir, ".git"));
  const site = await layOut(engine.setup, dir, { commit, branch });
  await runGitOrThrow({ ...site, indexFile: index }, ["read-tree", "--reset", "-u", commit], {}, signal);
  await copyFile(index, path.join(dir, ".git", INDEX));
}

/** What a process left that died over it, and what programs had beside the work tree. */
export async function removeScratch(home: string): Promise<void> {
  for (const name of await names(home))
    if (name.startsWith(TRASH) || SCRATCH.has(name)) await removeTree(path.join(home, name));
}

const SCRATCH: ReadonlySet<string> = new Set([
  "programs",
  "ignore",
  APART,
  "owner.json",
  "owner.json.new",
  "file.new",
  "index.new",
  "ref.new",
  `${TREE}.home`,
]);

/** A place for what is not of the branch: the folders above it, and itself as an empty folder or file. */
export async function makePlace(dir: string, at: RawPath, kind: "folder" | "file"): Promise<void> {
  const [above, name] = splitPath(at);
  await inFolder(dir, above, { make: true }, async (folder) => {
    if (kind === "folder") await mkdir(folder.at(name), { recursive: true });
    else await writeFile(folder.at(name), "", { flag: "a" });
  });
}
