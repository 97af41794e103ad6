/** Applies edits to a tree. Only trees on a changed path are read and made anew. */
import type { RawPath } from "./bytes.ts";
import type { Oid } from "./contract.ts";
import { type NewObject, newObject } from "./object-store.ts";
import { type Tree, TREE_MODE, type TreeEntry } from "./objects.ts";

/** A file to put, by its bytes or (content null) by the id of an object that exists; `mode: null` removes the path. */
export type TreeEdit =
  | { readonly path: RawPath; readonly mode: string; readonly oid: Oid; readonly content: Uint8Array | null }
  | { readonly path: RawPath; readonly mode: null };

export interface NewTrees {
  readonly root: Oid;
  /** The trees that were made, each before those that hold it. */
  readonly made: readonly { readonly object: NewObject; readonly tree: Tree }[];
}

/**
 * The tree of `base` with the edits. A file in the way of a directory gives way to it, and the other way round; a
 * directory without files is none.
 */
export async function editTree(
  base: Oid,
  edits: readonly TreeEdit[],
  read: (oid: Oid) => Promise<Tree>,
  zero: Oid,
): Promise<NewTrees> {
  const made: { object: NewObject; tree: Tree }[] = [];
  const make = (tree: Tree): Oid => {
    const object = newObject("tree", treeBody(tree, zero), zero);
    made.push({ object, tree });
    return object.oid;
  };

  /** The edited tree's id, or null when nothing is left in it. `depth`: characters of the paths that are done with. */
  const edit = async (oid: Oid | null, below: readonly TreeEdit[], depth: number): Promise<Oid | null> => {
    const before = oid === null ? EMPTY : await read(oid);
    const changes = await Promise.all(
      [...byName(below, depth)].map(async ([name, here]): Promise<[RawPath, TreeEntry | null]> => {
        const leaf = here.find((each) => each.path.length === depth + name.length);
        const deeper = here.filter((each) => each !== leaf);
        if (leaf && leaf.mode !== null) return [name, { mode: leaf.mode, oid: leaf.oid }];
        const entry = before.get(name);
        if (deeper.length === 0) return [name, entry?.mode === TREE_MODE ? entry : null];
        const under = entry?.mode === TREE_MODE ? entry.oid : null;
        const made = await edit(under, deeper, depth + name.length + 1);
        if (made !== null) return [name, { mode: TREE_MODE, oid: made }];
        // Removals below something that is no directory leave it alone.
        const stays = under === null && !leaf && deeper.every((each) => each.mode === null);
        return [name, stays ? (entry ?? null) : null];
      }),
    );
    const after = withChanges(before, changes);
    return after.size === 0 ? null : make(after);
  };

  return { root: (await edit(base, edits, 0)) ?? make(EMPTY), made };
}

const EMPTY: Tree = new Map();

function byName(edits: readonly TreeEdit[], depth: number): Map<RawPath, TreeEdit[]> {
  const groups = new Map<RawPath, TreeEdit[]>();
  for (const edit of edits) {
    const end = edit.path.indexOf("/", depth);
    const name = edit.path.slice(depth, end < 0 ? undefined : end);
    const group = groups.get(name);
    if (group) group.push(edit);
    else groups.set(name, [edit]);
  }
  return groups;
}

function withChanges(before: Tree, changes: readonly (readonly [RawPath, TreeEntry | null])[]): Tree {
  const after = new Map(before);
  let unordered = false;
  for (const [name, entry] of changes) {
    const old = before.get(name);
    // Git's order depends on whether an entry is a directory.
    unordered ||= entry !== null && (old === undefined || isTree(old) !== isTree(entry));
    if (entry === null) after.delete(name);
    else after.set(name, entry);
  }
  return unordered ? new Map([...after].sort(inGitOrder)) : after;
}

function isTree(entry: TreeEntry): boolean {
  return entry.mode === TREE_MODE;
}

/** By bytes, a directory as if its name ended in a slash. */
function inGitOrder([a, one]: [RawPath, TreeEntry], [b, other]: [RawPath, TreeEntry]): number {
  const left = isTree(one) ? `${a}/` : a;
  const right = isTree(other) ? `${b}/` : b;
  return left < right ? -1 : 1;
}

function treeBody(tree: Tree, zero: Oid): Buffer {
  const idBytes = zero.length / 2;
  let size = 0;
  for (const [name, { mode }] of tree) size += modeText(mode).length + name.length + 2 + idBytes;
  const body = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [name, { mode, oid }] of tree) {
    at += body.write(`${modeText(mode)} ${name}\0`, at, "latin1");
    at += body.write(oid, at, "hex");
  }
  return body;
}

/** In a tree a mode has no zeros in front. */
function modeText(mode: string): string {
  return mode.replace(/^0+/, "");
}
