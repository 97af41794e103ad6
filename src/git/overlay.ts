/** Edits on top of a tree, in memory: what a branch would look like if they were committed. Paths are raw and checked. */
import { objectId, type RawPath } from "./bytes.ts";
import { caseTwin, foldedNames } from "./case-twins.ts";
import type { TreeEdit } from "./edit-tree.ts";
import type { Oid } from "./contract.ts";
import { TREE_MODE } from "./objects.ts";
import { byPath, type TreeDifference, type TreeFile, type Trees } from "./trees.ts";

export interface OverlayFile {
  readonly mode: string;
  readonly oid: Oid;
  /** Null when the repository has the object already. */
  readonly content: Uint8Array | null;
}

export type Found =
  | { readonly kind: "file"; readonly file: OverlayFile }
  | { readonly kind: "directory" }
  | { readonly kind: "nothing" }
  /** Something that is not a directory stands at `at`, above the path. */
  | { readonly kind: "blocked"; readonly at: RawPath; readonly mode: string };

export interface Overlay {
  /** Number of paths that differ from the base. */
  readonly size: number;
  /** Grows with every change of content. */
  readonly version: number;
  readonly base: Oid;
  look(path: RawPath): Promise<Found>;
  /** Puts a file; one that equals the base is no edit. */
  put(path: RawPath, file: OverlayFile): Promise<void>;
  remove(path: RawPath): Promise<void>;
  /** What a file system without case would take for the path, or null. */
  caseTwin(path: RawPath): Promise<RawPath | null>;
  /** Every file of the base with the edits, in Git's order. */
  files(): Promise<readonly TreeFile[]>;
  filesBelow(directory: RawPath): Promise<readonly TreeFile[]>;
  differences(): Promise<readonly TreeDifference[]>;
  edits(): readonly TreeEdit[];
  /** Remembers the edits; the answer brings them back, as long as the base is the same. */
  snapshot(): () => void;
  /** A new base, no edits. */
  reset(base: Oid): void;
}

export function createOverlay(trees: Trees, start: Oid): Overlay {
  let base = start;
  let version = 0;
  /** Null: the base's file is gone. Never equal to what the base has. */
  const edits = new Map<RawPath, OverlayFile | null>();
  /** How many files the overlay itself has below a directory. */
  const directories = new Map<RawPath, number>();

  const count = (path: RawPath, by: 1 | -1): void => {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const directory = path.slice(0, at);
      const now = (directories.get(directory) ?? 0) + by;
      if (now === 0) directories.delete(directory);
      else directories.set(directory, now);
    }
  };
  const set = (path: RawPath, edit: OverlayFile | null | undefined): void => {
    version++;
    if (edits.get(path)) count(path, -1);
    if (edit === undefined) edits.delete(path);
    else edits.set(path, edit);
    if (edit) count(path, 1);
  };

  const look = async (path: RawPath): Promise<Found> => {
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
      const above = edits.get(path.slice(0, at));
      if (above) return { kind: "blocked", at: path.slice(0, at), mode: above.mode };
    }
    const edit = edits.get(path);
    if (edit) return { kind: "file", file: edit };
    if (directories.has(path)) return { kind: "directory" };
    const names = path.split("/");
    const steps = await trees.trace(base, path);
    const last = steps.at(-1);
    if (last === undefined || (last.mode === TREE_MODE && steps.length < names.length))
      return { kind: "nothing" };
    if (steps.length < names.length) {
      const at = names.slice(0, steps.length).join("/");
      return edits.has(at) ? { kind: "nothing" } : { kind: "blocked", at, mode: last.mode };
    }
    if (edit === null) return { kind: "nothing" };
    if (last.mode !== TREE_MODE) return { kind: "file", file: { ...last, content: null } };
    const below = await trees.files(last.oid);
    const alive = below.some((file) => edits.get(`${path}/${file.path}`) !== null);
    return { kind: alive ? "directory" : "nothing" };
  };

  const namesLike = async (directory: RawPath, name: RawPath): Promise<readonly RawPath[]> => {
    const entry = await trees.find(base, directory.slice(0, -1));
    const found = foldedNames(entry?.mode === TREE_MODE ? await trees.like(entry.oid, name) : []);
    for (const path of edits.keys()) {
      if (path.startsWith(directory)) found.add(path.slice(directory.length).split("/", 1)[0] ?? "");
    }
    return found.like(name);
  };

  const merged = (under: readonly TreeFile[], prefix: string): TreeFile[] => {
    const kept = edits.size === 0 ? [...under] : under.filter((file) => !edits.has(file.path));
    let added = false;
    for (const [path, edit] of edits) {
      if (edit === null || !path.startsWith(prefix)) continue;
      kept.push({ path, mode: edit.mode, oid: edit.oid });
      added = true;
    }
    return added ? kept.sort(byPath) : kept;
  };

  return {
    get size() {
      return edits.size;
    },
    get version() {
      return version;
    },
    get base() {
      return base;
    },
    look,
    async put(path, file) {
      const before = await trees.find(base, path);
      const same = before !== null && before.mode === file.mode && before.oid === file.oid;
      const now = edits.get(path);
      if (same ? now === undefined : now?.mode === file.mode && now.oid === file.oid) return;
      set(path, same ? undefined : file);
    },
    async remove(path) {
      const before = await trees.find(base, path);
      const inBase = before !== null && before.mode !== TREE_MODE;
      if (edits.has(path) ? edits.get(path) === null : !inBase) return;
      set(path, inBase ? null : undefined);
    },
    caseTwin: (path) =>
      caseTwin(path, { like: namesLike, alive: async (one) => (await look(one)).kind !== "nothing" }),
    files: async () => merged(await trees.files(base), ""),
    async filesBelow(directory) {
      const entry = await trees.find(base, directory);
      const under = entry?.mode === TREE_MODE ? await trees.files(entry.oid) : [];
      const prefix = `${directory}/`;
      return merged(
        under.map((file) => ({ ...file, path: prefix + file.path })),
        prefix,
      );
    },
    async differences() {
      const found = await Promise.all(
        [...edits].map(async ([path, edit]): Promise<TreeDifference> => {
          const before = await trees.find(base, path);
          return {
            path,
            before: before?.mode === TREE_MODE ? null : before,
            after: edit === null ? null : { mode: edit.mode, oid: edit.oid },
          };
        }),
      );
      return found.sort(byPath);
    },
    edits: () =>
      [...edits].map(([path, edit]): TreeEdit => (edit === null ? { path, mode: null } : { path, ...edit })),
    snapshot() {
      const kept = new Map(edits);
      const counted = new Map(directories);
      return () => {
        edits.clear();
        directories.clear();
        for (const [path, edit] of kept) edits.set(path, edit);
        for (const [path, count] of counted) directories.set(path, count);
        version++;
      };
    },
    reset(next) {
      base = next;
      version++;
      edits.clear();
      directories.clear();
    },
  };
}

/** A file of the overlay from bytes, which must not change any more. */
export function fileFrom(mode: string, content: Uint8Array, zero: Oid): OverlayFile {
  return { mode, oid: objectId("blob", content, zero), content };
}
