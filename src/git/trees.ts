/** Walking trees by id: one path, a whole tree, or the difference of two. Only what differs is read. */
import { createCache, type RawPath } from "./bytes.ts";
import { type FoldedNames, foldedNames } from "./case-twins.ts";
import type { Oid } from "./contract.ts";
import { type ObjectReader, TREE_MODE, type TreeEntry } from "./objects.ts";

export interface TreeFile extends TreeEntry {
  readonly path: RawPath;
}

export interface TreeDifference {
  readonly path: RawPath;
  /** Null where the side has no file at this path. */
  readonly before: TreeEntry | null;
  readonly after: TreeEntry | null;
}

export interface Trees {
  /** The entries met on the way to a path, the last one at the path itself; shorter when it leads nowhere. */
  trace(tree: Oid, path: RawPath): Promise<readonly TreeEntry[]>;
  /** The entry at a path, or null. The empty path is the tree itself. */
  find(tree: Oid, path: RawPath): Promise<TreeEntry | null>;
  /** The names in one tree that differ from `name` at most in case. */
  like(tree: Oid, name: RawPath): Promise<readonly RawPath[]>;
  /** Every file (also symlinks and submodules) below a tree, in Git's order. */
  files(tree: Oid): Promise<readonly TreeFile[]>;
  /** Files that differ; a rename is a deletion and an addition. */
  diff(before: Oid, after: Oid): Promise<readonly TreeDifference[]>;
}

const CACHED_FILES = 300_000;
const CACHED_NAMES = 50_000;

export function createTrees(objects: ObjectReader): Trees {
  const folded = createCache<FoldedNames>(CACHED_NAMES);
  const flattened = createCache<readonly TreeFile[]>(CACHED_FILES);

  const trace = async (tree: Oid, path: RawPath): Promise<readonly TreeEntry[]> => {
    const found: TreeEntry[] = [];
    let at = tree;
    for (const name of path.split("/")) {
      const entry = (await objects.tree(at)).get(name);
      if (entry === undefined) return found;
      found.push(entry);
      if (entry.mode !== TREE_MODE) return found;
      at = entry.oid;
    }
    return found;
  };

  const walk = async (tree: Oid, prefix: string): Promise<TreeFile[]> => {
    const entries = await objects.tree(tree);
    const subtrees = [...entries].filter(([, entry]) => entry.mode === TREE_MODE);
    const lists = await Promise.all(subtrees.map(([name, { oid }]) => walk(oid, `${prefix}${name}/`)));
    const below = lists.values();
    const files: TreeFile[] = [];
    for (const [name, { mode, oid }] of entries) {
      if (mode !== TREE_MODE) files.push({ path: prefix + name, mode, oid });
      else for (const file of below.next().value ?? []) files.push(file);
    }
    return files;
  };

  const compare = async (
    before: Oid | null,
    after: Oid | null,
    prefix: string,
  ): Promise<TreeDifference[]> => {
    if (before === after) return [];
    const [left, right] = await Promise.all([
      before === null ? NOTHING : objects.tree(before),
      after === null ? NOTHING : objects.tree(after),
    ]);
    const found: TreeDifference[] = [];
    const deeper: Promise<TreeDifference[]>[] = [];
    for (const name of new Set([...left.keys(), ...right.keys()])) {
      const a = left.get(name) ?? null;
      const b = right.get(name) ?? null;
      if (a !== null && b !== null && a.oid === b.oid && a.mode === b.mode) continue;
      const path = prefix + name;
      const fileA = a?.mode === TREE_MODE ? null : a;
      const fileB = b?.mode === TREE_MODE ? null : b;
      if (fileA !== null || fileB !== null) found.push({ path, before: fileA, after: fileB });
      if (treeOid(a) !== null || treeOid(b) !== null)
        deeper.push(compare(treeOid(a), treeOid(b), `${path}/`));
    }
    return [found, ...(await Promise.all(deeper))].flat();
  };

  return {
    trace,
    async find(tree, path) {
      if (path === "") return { mode: TREE_MODE, oid: tree };
      const depth = path.split("/").length;
      const found = await trace(tree, path);
      return found.length === depth ? (found[depth - 1] ?? null) : null;
    },
    async like(tree, name) {
      const known = folded.get(tree);
      if (known !== undefined) return known.like(name);
      const names = foldedNames((await objects.tree(tree)).keys());
      folded.set(tree, names, (await objects.tree(tree)).size + 1);
      return names.like(name);
    },
    async files(tree) {
      const known = flattened.get(tree);
      if (known !== undefined) return known;
      const files = await walk(tree, "");
      flattened.set(tree, files, files.length + 1);
      return files;
    },
    diff: async (before, after) => (await compare(before, after, "")).sort(byPath),
  };
}

const NOTHING: ReadonlyMap<RawPath, TreeEntry> = new Map();

function treeOid(entry: TreeEntry | null): Oid | null {
  return entry?.mode === TREE_MODE ? entry.oid : null;
}

export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  if (a.path === b.path) return 0;
  return a.path < b.path ? -1 : 1;
}
