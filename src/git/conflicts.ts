/** What `merge-tree` reports, as conflict values: one for each path, with the three sides. */
import type { Conflict, ConflictKind, ConflictSide } from "../core/model.ts";
import { type RawPath, shownPath } from "./bytes.ts";
import type { MergeMessage, TreeMerge } from "./merge-tree.ts";

export type ConflictValue = Omit<Conflict, "agents" | "owners">;

/** Git's words for a conflict, most telling first: the first that fits a path names its kind. */
const KINDS: readonly (readonly [RegExp, ConflictKind])[] = [
  [/submodule/i, "submodule"],
  [/file\/directory|directory\/file/, "directory_file"],
  [/rename\/delete/, "rename_delete"],
  [/rename\/rename|rename involved|rename\/add/, "rename_rename"],
  [/modify\/delete/, "modify_delete"],
  [/distinct (modes|types)/, "mode"],
  [/binary/i, "binary"],
  [/add\/add/, "add_add"],
  [/CONFLICT \(content/, "content"],
];

export function conflictsFrom(merge: TreeMerge): readonly ConflictValue[] {
  const original = movedAside(merge.messages);
  const sides = new Map<RawPath, (ConflictSide | null)[]>();
  for (const { path, mode, oid, stage } of merge.stages) {
    const at = original.get(path) ?? path;
    const found = sides.get(at) ?? [null, null, null];
    found[stage - 1] = { oid, mode };
    sides.set(at, found);
  }
  // Some conflicts (a directory renamed two ways) leave no stages: the message alone names the path.
  for (const message of merge.messages) {
    const first = message.paths[0];
    if (first === undefined || !isConflict(message)) continue;
    if (!message.paths.some((path) => sides.has(original.get(path) ?? path)))
      sides.set(first, [null, null, null]);
  }
  return [...sides]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, [base = null, ours = null, theirs = null]]) => ({
      path: shownPath(path),
      kind: kindOf(messagesAbout(path, merge.messages, original), { base, ours, theirs }),
      base,
      ours,
      theirs,
    }));
}

function isConflict(message: MergeMessage): boolean {
  return message.type.startsWith("CONFLICT");
}

/** A file in the way of a directory is moved to `name~side` in the merged tree; people know it by its own name. */
function movedAside(messages: readonly MergeMessage[]): Map<RawPath, RawPath> {
  const original = new Map<RawPath, RawPath>();
  for (const { type, paths } of messages) {
    if (!/file\/directory|distinct/.test(type)) continue;
    for (const moved of paths) {
      const name = paths.find((one) => moved.startsWith(`${one}~`));
      if (name !== undefined) original.set(moved, name);
    }
  }
  return original;
}

function messagesAbout(
  path: RawPath,
  messages: readonly MergeMessage[],
  original: ReadonlyMap<RawPath, RawPath>,
): string {
  return (
    messages
      .filter((message) => message.paths.some((one) => (original.get(one) ?? one) === path))
      .filter(isConflict)
      // Up to the colon the text names the kind of conflict; what follows quotes paths.
      .map((message) => `${message.type} ${message.text.split(":", 1)[0] ?? ""}`)
      .join("\n")
  );
}

function kindOf(
  words: string,
  sides: { base: ConflictSide | null; ours: ConflictSide | null; theirs: ConflictSide | null },
): ConflictKind {
  const { ours, theirs } = sides;
  if (ours !== null && ours.oid === theirs?.oid && ours.mode !== theirs.mode) return "mode";
  for (const [pattern, kind] of KINDS) {
    if (!pattern.test(words)) continue;
    if (kind === "content" && sides.base === null && ours !== null && theirs !== null) return "add_add";
    return kind;
  }
  return "other";
}
