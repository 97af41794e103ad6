/**
 * The checker of {@link file://../core/resolution.ts} over a whole merge: each path that conflicts, and each that the
 * resolution has otherwise than a clean merge would. What Git itself merged cleanly is as Git has it.
 */
import {
  checkResolution,
  type FileVersion,
  type ResolutionCheck,
  type ResolvedFile,
  type Waiver,
} from "../core/resolution.ts";
import type { ConflictSide } from "../core/model.ts";
import { lossyText, type RawPath, shownPath, toRaw } from "./bytes.ts";
import { runGitOrThrow } from "./command.ts";
import type { ConflictValue } from "./conflicts.ts";
import type { Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import type { Merger } from "./merge.ts";
import { TREE_MODE, type TreeEntry } from "./objects.ts";
import type { TreeDifference } from "./trees.ts";

/** A branch and the commit of its target it is to be merged onto: `theirs` and `ours`. */
export interface MergePair {
  readonly onto: Oid;
  readonly commit: Oid;
}

/** `resolved` is a tree. `paths`: only these conflicts, and nothing besides. */
export async function checkTree(
  engine: Engine,
  merger: Merger,
  { onto, commit }: MergePair,
  request: {
    readonly resolved: Oid;
    readonly waived: readonly Waiver[];
    readonly paths?: ReadonlySet<string>;
  },
): Promise<ResolutionCheck> {
  const { objects, trees } = engine;
  const weighed = await merger.weigh(onto, commit);
  const [ours, theirs] = await Promise.all([objects.commit(onto), objects.commit(commit)]);
  const merged = weighed.kind === "contained" ? ours.tree : weighed.tree;
  const conflicts = weighed.kind === "conflict" ? weighed.conflicts : [];
  const changed = await trees.diff(merged, request.resolved);
  const news = new Map(
    changed.flatMap(({ before, after }) => (before === null && after ? [[after.oid, after]] : [])),
  );
  const files: ResolvedFile[] = [];
  const settled = new Set<RawPath>();
  for (const conflict of conflicts) {
    settled.add(toRaw(conflict.path));
    if (conflict.ours?.path !== undefined) settled.add(toRaw(conflict.ours.path));
    if (request.paths === undefined || request.paths.has(conflict.path))
      files.push(await conflictFile(engine, conflict, request.resolved, news));
  }
  if (request.paths === undefined) {
    const others = changed.filter(
      ({ path }) => !settled.has(path) && !conflicts.some((each) => path.startsWith(`${toRaw(each.path)}~`)),
    );
    if (others.length > 0) {
      const sides = { ours: ours.tree, theirs: theirs.tree };
      files.push(...(await otherFiles(engine, { onto, commit }, sides, others, news)));
    }
  }
  return checkResolution(files, request.waived);
}

type Entry = Pick<TreeEntry, "mode" | "oid"> | null;

/** A side whose version stands whole under a new name has lost nothing: then it is looked at as if it had changed nothing. */
function unlessMoved(side: Entry, base: Entry, resolved: Entry, news: ReadonlyMap<Oid, TreeEntry>): Entry {
  if (side === null || side.oid === resolved?.oid) return side;
  return news.get(side.oid)?.mode === side.mode ? base : side;
}

async function conflictFile(
  engine: Engine,
  conflict: ConflictValue,
  tree: Oid,
  news: ReadonlyMap<Oid, TreeEntry>,
): Promise<ResolvedFile> {
  const { path, kind } = conflict;
  const resolved = await fileAt(engine, tree, toRaw(path));
  // What a side gave another name is new there: without it, that name is lost too.
  const base = resolved === null && kind.startsWith("rename") ? null : conflict.base;
  const ours = await oursOf(engine, conflict, tree);
  return load(engine, {
    path,
    base,
    ours: unlessMoved(ours, base, resolved, news),
    theirs: unlessMoved(conflict.theirs, base, resolved, news),
    resolved,
    opaque: conflict.kind === "binary",
  });
}

/** Of two names that differ in case only, the one that is still there needs no settling. */
async function oursOf(engine: Engine, { ours }: ConflictValue, tree: Oid): Promise<ConflictSide | null> {
  if (ours?.path === undefined) return ours;
  const twin = await engine.trees.find(tree, toRaw(ours.path));
  return twin?.oid === ours.oid || ours.mode === TREE_MODE ? null : ours;
}

/** The file, symlink or submodule at a path; null for none, and for a directory. */
async function fileAt(engine: Engine, tree: Oid, path: RawPath): Promise<Entry> {
  const entry = await engine.trees.find(tree, path);
  return entry === null || entry.mode === TREE_MODE ? null : entry;
}

/** Paths that do not conflict, by what each side made of them, also under another name. */
async function otherFiles(
  engine: Engine,
  { onto, commit }: MergePair,
  sides: { readonly ours: Oid; readonly theirs: Oid },
  changed: readonly TreeDifference[],
  news: ReadonlyMap<Oid, TreeEntry>,
): Promise<readonly ResolvedFile[]> {
  const site = engine.setup.objectSite;
  const bases = await runGitOrThrow(site, ["merge-base", onto, commit]);
  const start = bases.toString("latin1").trim();
  const { tree: base } = await engine.objects.commit(start);
  const [ours, theirs] = await Promise.all([
    renames(engine, base, sides.ours),
    renames(engine, base, sides.theirs),
  ]);
  const files: ResolvedFile[] = [];
  for (const { path, before: merged, after } of changed) {
    const origin = ours.from.get(path) ?? theirs.from.get(path) ?? path;
    const [before, left, right] = await Promise.all([
      fileAt(engine, base, origin),
      fileAt(engine, sides.ours, ours.to.get(origin) ?? origin),
      fileAt(engine, sides.theirs, theirs.to.get(origin) ?? origin),
    ]);
    // Git brings a new file along where the other side renamed its directory: then it is new here.
    const brought = before === null && left === null && right === null ? merged : right;
    const [one, other] = [left, brought].map((side) => unlessMoved(side, before, after, news));
    files.push(
      await load(engine, {
        path: shownPath(path),
        base: before,
        ours: one ?? null,
        theirs: other ?? null,
        resolved: after,
        opaque: false,
      }),
    );
  }
  return files;
}

interface Renames {
  readonly from: ReadonlyMap<RawPath, RawPath>;
  readonly to: ReadonlyMap<RawPath, RawPath>;
}

async function renames({ setup }: Engine, base: Oid, side: Oid): Promise<Renames> {
  const args = [
    "diff-tree",
    "-r",
    "-M",
    "-z",
    "--diff-filter=R",
    "--name-status",
    "--no-ext-diff",
    base,
    side,
  ];
  const fields = (await runGitOrThrow(setup.objectSite, args)).toString("latin1").split("\0");
  const from = new Map<RawPath, RawPath>();
  const to = new Map<RawPath, RawPath>();
  for (let i = 0; i + 2 < fields.length; i += 3) {
    const [, before = "", after = ""] = fields.slice(i, i + 3);
    from.set(after, before);
    to.set(before, after);
  }
  return { from, to };
}

interface Unread {
  readonly path: string;
  readonly base: Entry;
  readonly ours: Entry;
  readonly theirs: Entry;
  readonly resolved: Entry;
  /** Taken whole, whatever its bytes are. */
  readonly opaque: boolean;
}

/** Reads what has lines. Where one version is not UTF-8, all are read byte by byte. */
async function load(
  engine: Engine,
  { path, base, ours, theirs, resolved, opaque }: Unread,
): Promise<ResolvedFile> {
  const read = async (entry: Entry): Promise<Buffer | null> =>
    entry === null || opaque || !entry.mode.startsWith("100") ? null : engine.objects.blob(entry.oid);
  const entries = [base, ours, theirs, resolved];
  const blobs = await Promise.all(entries.map(read));
  const binary = blobs.some((blob) => blob !== null && isBinary(blob));
  const texts = blobs.map((blob) => (blob === null || binary ? null : blob.toString("latin1")));
  const plain = texts.every((text) => text === null || isUtf8(text));
  const [b, o, t, r] = entries.map((entry, i): FileVersion | null => {
    const text = texts[i] ?? null;
    return (
      entry && { mode: entry.mode, id: entry.oid, text: text === null || !plain ? text : lossyText(text) }
    );
  });
  return { path, base: b ?? null, ours: o ?? null, theirs: t ?? null, resolved: r ?? null };
}

const LOOKED_AT = 8000;

/** Git's own rule. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, LOOKED_AT).includes(0);
}

function isUtf8(text: RawPath): boolean {
  return toRaw(lossyText(text)) === text;
}
