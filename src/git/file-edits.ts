/** Reading, writing, moving and deleting files of an overlay, with the rules about paths and scope in front. */
import { OxbowError } from "../core/errors.ts";
import { normalisePath } from "../core/paths.ts";
import type { BranchFiles, FileChange } from "../core/tool.ts";
import { lossyText, type RawPath, shownPath, toRaw } from "./bytes.ts";
import { TWINS } from "./case-twins.ts";
import type { BranchOptions } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { isLfsPointer, mayBeLfs, POINTER } from "./lfs.ts";
import { fileFrom, type Found, type Overlay, type OverlayFile } from "./overlay.ts";
import type { TreeFile } from "./trees.ts";

type Turns = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

export interface FileEdits {
  /** Throws path_rejected. */
  checked(path: string): RawPath;
  readable(path: string): boolean;
  inTurn(turns: Turns): Pick<BranchFiles, "read" | "write" | "move" | "delete" | "apply">;
}

const SYMLINK = "120000";
const SUBMODULE = "160000";

export function createFileEdits(
  overlay: Overlay,
  { objects, setup, trees }: Pick<Engine, "objects" | "setup" | "trees">,
  rules: Pick<BranchOptions, "reads" | "mayWrite">,
): FileEdits {
  const readable = (path: string): boolean => rules.reads?.allows(path) ?? true;

  /** What may not be read answers like that whether it is there or not; a directory by what it holds. */
  const refuseHidden = async (path: string): Promise<void> => {
    if (readable(path)) return;
    const raw = toRaw(path);
    const found = await overlay.look(raw);
    const below = found.kind === "directory" ? await overlay.filesBelow(raw) : [];
    if (!below.some((file) => readable(lossyText(file.path)))) rules.reads?.check(path);
  };

  /** Files below a directory that is moved or deleted: one that may not be read is not named. */
  const refuseHiddenBelow = (path: string, files: readonly TreeFile[]): void => {
    if (files.every((file) => readable(lossyText(file.path)))) return;
    throw new OxbowError("out_of_scope", `${path} holds files that you may not read.`, { details: { path } });
  };

  const bytesOf = async (file: OverlayFile): Promise<Uint8Array> => file.content ?? objects.blob(file.oid);

  const read = async (path: string): Promise<Uint8Array> => {
    const found = await overlay.look(toRaw(path));
    if (found.kind !== "file") throw notFile(path, found);
    if (found.file.mode === SUBMODULE) throw rejected(path, "is a submodule");
    const bytes = await bytesOf(found.file);
    return Buffer.from(bytes);
  };

  const write = async (path: string, content: Uint8Array): Promise<{ created: boolean }> => {
    const raw = toRaw(path);
    const found = await overlay.look(raw);
    refuseUnlessFile(path, found);
    if (found.kind === "file") {
      if (found.file.mode === SYMLINK) throw rejected(path, "is a symbolic link");
      if (found.file.mode === SUBMODULE) throw rejected(path, "is a submodule");
      await refusePointerEdit(path, found.file, content);
      await overlay.put(raw, fileFrom(found.file.mode, content, setup.zero));
      return { created: false };
    }
    await refuseCaseTwin(path);
    await overlay.put(raw, fileFrom("100644", content, setup.zero));
    return { created: true };
  };

  const refuseCaseTwin = async (path: string): Promise<void> => {
    const twin = await overlay.caseTwin(toRaw(path));
    if (twin === null) return;
    const name = readable(lossyText(twin)) ? shownPath(twin) : "another file";
    const why = `differs only in case from ${name}: ${TWINS}`;
    throw rejected(path, why, "Use the name that is there, or move it to the new one.");
  };

  /** A pointer that is edited like a text points nowhere any more. */
  const refusePointerEdit = async (path: string, file: OverlayFile, content: Uint8Array): Promise<void> => {
    if (isLfsPointer(content) || !(await mayBeLfs({ objects, trees }, overlay.base, toRaw(path)))) return;
    if (isLfsPointer(await bytesOf(file)))
      throw rejected(path, POINTER, "Leave it, delete it, or write another pointer.");
  };

  /** The files that a path names: itself, or all below it. */
  const filesAt = async (path: string, found: Found): Promise<readonly TreeFile[]> => {
    const raw = toRaw(path);
    if (found.kind === "file") return [{ path: raw, mode: found.file.mode, oid: found.file.oid }];
    if (found.kind === "directory") return overlay.filesBelow(raw);
    throw notFile(path, found);
  };

  const remove = async (path: string): Promise<{ deleted: number }> => {
    await refuseHidden(path);
    const files = await filesAt(path, await overlay.look(toRaw(path)));
    refuseHiddenBelow(path, files);
    for (const file of files) {
      rules.mayWrite?.(lossyText(file.path));
      if (file.mode === SUBMODULE) throw rejected(lossyText(file.path), "is a submodule");
    }
    for (const file of files) await overlay.remove(file.path);
    return { deleted: files.length };
  };

  const move = async (from: string, to: string): Promise<{ moved: number }> => {
    if (from === to) throw rejected(to, "is where it is already");
    if (to.startsWith(`${from}/`)) throw rejected(to, `lies inside ${from}`);
    await refuseHidden(from);
    const files = await filesAt(from, await overlay.look(toRaw(from)));
    // Else a move would bring what may not be read to where it may.
    refuseHiddenBelow(from, files);
    const plan: { from: RawPath; to: RawPath; file: OverlayFile }[] = [];
    for (const { path } of files) {
      const goal = toRaw(to) + path.slice(toRaw(from).length);
      const found = await overlay.look(path);
      if (found.kind !== "file") continue;
      rules.mayWrite?.(lossyText(path));
      rules.mayWrite?.(lossyText(goal));
      if (found.file.mode === SUBMODULE) throw rejected(lossyText(path), "is a submodule");
      if (found.file.mode === SYMLINK) await refuseOutwardLink(goal, found.file);
      plan.push({ from: path, to: goal, file: found.file });
    }
    // After the question of scope: it is no business of others what stands there.
    const target = await overlay.look(toRaw(to));
    refuseUnlessFile(to, target);
    if (target.kind === "file") throw rejected(to, "exists already; delete it first");
    for (const one of plan) await overlay.remove(one.from);
    try {
      for (const one of plan) await refuseCaseTwin(shownPath(one.to));
    } catch (error) {
      for (const one of plan) await overlay.put(one.from, one.file);
      throw error;
    }
    for (const one of plan) await overlay.put(one.to, one.file);
    return { moved: plan.length };
  };

  const apply = async (changes: readonly FileChange[]): Promise<void> => {
    const undo = overlay.snapshot();
    try {
      for (const change of changes) await applyOne(change);
    } catch (error) {
      undo();
      throw error;
    }
  };

  const applyOne = async (change: FileChange): Promise<void> => {
    if (change.kind === "write") {
      const path = normalisePath(change.path);
      rules.mayWrite?.(path);
      await write(path, change.content);
    } else if (change.kind === "delete") {
      await removeFile(normalisePath(change.path));
    } else {
      const from = normalisePath(change.from);
      const to = normalisePath(change.to);
      if (from !== to && (await overlay.look(toRaw(to))).kind === "file") {
        await refuseNoFile(from);
        await removeFile(to);
      }
      await refuseNoFile(from);
      await move(from, to);
      if (change.content !== null) await write(to, change.content);
    }
  };

  const refuseNoFile = async (path: string): Promise<void> => {
    await refuseHidden(path);
    const found = await overlay.look(toRaw(path));
    if (found.kind !== "file") throw notFile(path, found);
  };

  const removeFile = async (path: string): Promise<void> => {
    await refuseNoFile(path);
    await remove(path);
  };

  const refuseOutwardLink = async (path: RawPath, file: OverlayFile): Promise<void> => {
    const target = Buffer.from(await bytesOf(file)).toString("latin1");
    if (leadsOutside(path, target))
      throw rejected(lossyText(path), "would be a symbolic link out of the repository");
  };

  return {
    checked: (path) => toRaw(normalisePath(path)),
    readable,
    inTurn: (turns) => ({
      read: (path) =>
        turns(async () => {
          const clean = normalisePath(path);
          rules.reads?.check(clean);
          return read(clean);
        }),
      async write(path, content) {
        const copy = Buffer.from(content);
        return turns(async () => {
          const clean = normalisePath(path);
          rules.mayWrite?.(clean);
          return write(clean, copy);
        });
      },
      move: (from, to) => turns(async () => move(normalisePath(from), normalisePath(to))),
      delete: (path) => turns(async () => remove(normalisePath(path))),
      async apply(changes) {
        const copies = changes.map(copied);
        return turns(() => apply(copies));
      },
    }),
  };
}

/** The caller may go on with its own bytes. */
function copied(change: FileChange): FileChange {
  if (change.kind === "delete" || change.content === null) return change;
  return { ...change, content: Buffer.from(change.content) };
}

/** A symlink's target as the path of the link sees it: absolute, or climbing above the root. */
export function leadsOutside(link: RawPath, target: string): boolean {
  if (target.startsWith("/") || /^[A-Za-z]:/.test(target) || target.includes("\\")) return true;
  let depth = link.split("/").length - 1;
  for (const name of target.split("/")) {
    if (name === "..") depth--;
    else if (name !== "" && name !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

function refuseUnlessFile(path: string, found: Found): void {
  if (found.kind === "directory") throw rejected(path, "is a directory");
  if (found.kind !== "blocked") return;
  const what =
    found.mode === SYMLINK ? "a symbolic link" : found.mode === SUBMODULE ? "a submodule" : "a file";
  throw rejected(path, `lies below ${shownPath(found.at)}, which is ${what}`);
}

function notFile(path: string, found: Found): OxbowError {
  const why = found.kind === "directory" ? "is a directory" : "does not exist on this branch";
  return new OxbowError("file_not_found", `${path} ${why}.`, { details: { path } });
}

function rejected(path: string, why: string, hint?: string): OxbowError {
  return new OxbowError("path_rejected", `${path} ${why}.`, {
    details: { path },
    ...(hint === undefined ? {} : { hint }),
  });
}
