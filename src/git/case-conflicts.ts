/** Merging must not bring two names together that differ only in case: that is a conflict, which a person settles. */
import { type RawPath, shownPath } from "./bytes.ts";
import { caseTwin, type Names } from "./case-twins.ts";
import type { ConflictValue } from "./conflicts.ts";
import type { Oid } from "./contract.ts";
import { TREE_MODE } from "./objects.ts";
import type { Trees } from "./trees.ts";

/** Names of a whole tree; `alive` is asked of another, which the names may have left. */
export function treeNames(trees: Trees, tree: Oid, now: Oid): Names {
  return {
    async like(directory, name) {
      const entry = await trees.find(tree, directory.slice(0, -1));
      return entry?.mode === TREE_MODE ? trees.like(entry.oid, name) : null;
    },
    alive: async (path) => (await trees.find(now, path)) !== null,
  };
}

/** Paths that a merge added to `ours` beside a name of `ours` that it left there. */
export async function caseConflicts(trees: Trees, ours: Oid, merged: Oid): Promise<readonly ConflictValue[]> {
  const names = treeNames(trees, ours, merged);
  const found: ConflictValue[] = [];
  for (const { path, before, after } of await trees.diff(ours, merged)) {
    if (before !== null || after === null) continue;
    const twin = await caseTwin(path, names);
    if (twin === null) continue;
    const side = await trees.find(ours, twin);
    const there = side === null ? null : { ...side, path: shownPath(twin) };
    found.push({ path: shownPath(path), kind: "case", base: null, ours: there, theirs: after });
  }
  return found;
}

/** Might one of these new paths be such a case? A "yes" too many does no harm. */
export async function mayCollide(
  trees: Trees,
  tree: Oid,
  added: readonly RawPath[],
  earlier: Names,
): Promise<boolean> {
  const names = treeNames(trees, tree, tree);
  for (const path of added)
    if ((await caseTwin(path, names)) !== null || (await caseTwin(path, earlier)) !== null) return true;
  return false;
}
