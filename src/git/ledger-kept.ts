/** `<state>/kept/`: what programs left that no branch could hold, as files, with a note beside each folder of whose it is. */
import { lstat, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { OxbowError } from "../core/errors.ts";
import { normalisePath } from "../core/paths.ts";
import { newId } from "../host/ids.ts";
import { toRaw } from "./bytes.ts";
import { collectChanges } from "./collect.ts";
import type { KeptFolder, KeptWork, Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { agentIdentity, messageWithTrailers, nowSeconds } from "./message.ts";
import { isMissing } from "./missing.ts";
import { createOverlay, fileFrom } from "./overlay.ts";
import type { Setup } from "./setup.ts";
import { idleSince, isHeld, listSlots, retireIdle } from "./slots.ts";
import { isOwned, names, type NotedOwner, removeTree, workspacesDir } from "./workspace-home.ts";

type Note = NotedOwner & { readonly repository: string; readonly restored?: Oid };

/** Files that are counted in a folder; what is beyond is only known to be more. */
const MOST_COUNTED = 10_000;

/** Those of this repository; several may share a state directory. */
export async function listKept(setup: Setup): Promise<readonly KeptFolder[]> {
  const dir = path.join(setup.stateDir, "kept");
  const folders: KeptFolder[] = [];
  for (const name of [...(await names(dir))].sort()) {
    const folder = path.join(dir, name);
    const stats = await lstat(folder).catch(gone);
    if (stats?.isDirectory() !== true) continue;
    const note = await readNote(folder);
    if (note !== null && note.repository !== setup.commonDir) continue;
    folders.push({
      name,
      path: folder,
      at: Math.round(stats.mtimeMs),
      files: await countFiles(folder),
      owner: note,
      restored: note?.restored ?? null,
    });
  }
  return folders;
}

/** Of every process, here and elsewhere. */
export async function listWorkspaces(
  setup: Setup,
): Promise<readonly { path: string; at: number; inUse: boolean; idle: boolean }[]> {
  const dir = workspacesDir(setup);
  const found: { path: string; at: number; inUse: boolean; idle: boolean }[] = [];
  for (const slot of await listSlots(setup)) {
    const at = slot.idle ? await idleSince(slot) : ((await lstat(slot.home).catch(gone))?.mtimeMs ?? null);
    if (at === null) continue;
    found.push({ path: slot.home, at: Math.round(at), inUse: await isHeld(slot), idle: slot.idle });
  }
  for (const name of [...(await names(dir))].sort()) {
    const stats = /^\d+\./.test(name) ? await lstat(path.join(dir, name)).catch(gone) : null;
    if (stats === null) continue;
    const inUse = await isOwned(name, path.join(dir, name));
    found.push({ path: path.join(dir, name), at: Math.round(stats.mtimeMs), inUse, idle: false });
  }
  return found;
}

/** A clone of the pool that nobody has. */
export async function removeWorkspace(setup: Setup, home: string): Promise<boolean> {
  const slot = (await listSlots(setup)).find((each) => each.home === home);
  return slot !== undefined && retireIdle(setup, slot);
}

function gone(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}

function noteOf(folder: string): string {
  return `${folder}.json`;
}

async function readNote(folder: string): Promise<Note | null> {
  try {
    return JSON.parse(await readFile(noteOf(folder), "utf8"));
  } catch (error) {
    // Half-written by a process that died over it.
    if (isMissing(error) || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function countFiles(folder: string): Promise<number> {
  let count = 0;
  const front = [folder];
  for (let dir = front.pop(); dir !== undefined && count < MOST_COUNTED; dir = front.pop()) {
    const entries = await readdir(dir, { withFileTypes: true }).catch(unreadable);
    for (const entry of entries) {
      if (dir === folder && entry.name === ".git") continue;
      if (entry.isDirectory()) front.push(path.join(dir, entry.name));
      else count++;
    }
  }
  return count;
}

/** The program took the right to read it away, or nested it deeper than any path reaches. */
function unreadable(error: unknown): [] {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/^(?:EACCES|EPERM|ENOENT|ENAMETOOLONG)$/.test(code)) return [];
  throw error;
}

/**
 * A commit of the folder's changes, on no ref; the folder stays. What a branch cannot hold is named. Throws file_not_found,
 * rev_not_found.
 */
export async function commitKept(engine: Engine, name: string): Promise<KeptWork> {
  const { setup } = engine;
  const folder = path.join(setup.stateDir, "kept", path.basename(name));
  const note = await readNote(folder);
  if (note === null)
    throw new OxbowError("file_not_found", `Nothing says whose ${folder} is or what it started from.`, {
      hint: "Take the files from there by hand.",
    });
  const start = await engine.objects.commitOrNull(note.from);
  if (start === null) throw new OxbowError("rev_not_found", `There is no commit ${note.from} any more.`);
  const overlay = createOverlay(engine.trees, start.tree);
  const home = path.join(setup.stateDir, "tmp", newId("kept"));
  try {
    const { files, refused } = await collectChanges(
      engine,
      {
        home,
        dir: folder,
        files: await engine.trees.files(start.tree),
        baseline: { unchanged: () => false, forget: () => undefined },
      },
      {
        async stage(given, mode, content) {
          const raw = toRaw(normalisePath(given));
          if (content === null) await overlay.remove(raw);
          else await overlay.put(raw, fileFrom(mode, content, setup.zero));
        },
      },
    );
    if (overlay.size === 0) return { commit: null, base: note.from, files: 0, refused };
    const commit = await engine.commits.write({
      parents: [note.from],
      author: agentIdentity(note.agent),
      committer: setup.identity,
      time: nowSeconds(),
      message: messageWithTrailers(`Files kept of ${note.agent}`, [
        ["Oxbow-Task", note.taskId],
        ["Oxbow-Subtask", note.subtaskId],
        ["Oxbow-Agent", note.agent],
        ["Oxbow-Conversation", note.conversationId],
      ]),
      content: { edits: overlay.edits() },
    });
    return { commit, base: note.from, files, refused };
  } finally {
    await removeTree(home);
  }
}

/** All of a folder is on a branch now: the note says so, for `gc`. */
export async function noteRestored(setup: Setup, name: string, commit: Oid): Promise<void> {
  const folder = path.join(setup.stateDir, "kept", path.basename(name));
  const note = await readNote(folder);
  if (note === null) return;
  const draft = `${noteOf(folder)}.new`;
  await writeFile(draft, JSON.stringify({ ...note, restored: commit }));
  await rename(draft, noteOf(folder));
}

/** The folder and its note. */
export async function removeKept(setup: Setup, name: string): Promise<void> {
  const folder = path.join(setup.stateDir, "kept", path.basename(name));
  await removeTree(folder);
  await removeTree(noteOf(folder));
}
