/**
 * What settles a conflict between a branch and its target: a look at both sides, choices of a person path by path that are
 * kept on a ref of their own, and in the end a merge commit that the checker has passed. No branch is moved here.
 */
import { OxbowError } from "../core/errors.ts";
import type { ConflictKind, ConflictSide } from "../core/model.ts";
import type { ResolutionCheck, ResolutionSide, Waiver } from "../core/resolution.ts";
import type { MergeSource, Oid } from "./contract.ts";
import type { ConflictHunk } from "./conflict-hunks.ts";
import type { ConflictValue } from "./conflicts.ts";
import type { Engine } from "./engine.ts";
import type { Merger } from "./merge.ts";
import { conflictHunks } from "./conflict-hunks.ts";
import { toRaw } from "./bytes.ts";
import { checkTree, isBinary, type MergePair } from "./resolution-check.ts";
import { type Choice, choose } from "./conflict-choice.ts";
import { forgetSettled, keepSettled, readSettled, writeResolution, writeSettled } from "./conflict-record.ts";

export type { ConflictHunk } from "./conflict-hunks.ts";
export type { MergePair } from "./resolution-check.ts";
export type { Choice } from "./conflict-choice.ts";

export interface ConflictDetail extends ConflictValue {
  /** The places where text meets; none where a side is taken whole. */
  readonly hunks: readonly ConflictHunk[];
}

/** A path that a person has settled. */
export interface SettledPath {
  readonly path: string;
  readonly kind: ConflictKind;
  /** `both`: one side's version was given another name, the other's has the path. */
  readonly how: ResolutionSide | "both" | "file";
  /** The conflict that was settled: another one at the same path is not. */
  readonly base: ConflictSide | null;
  readonly ours: ConflictSide | null;
  readonly theirs: ConflictSide | null;
  /** What the tree gets; `oid: null` removes the path. */
  readonly edits: readonly { readonly path: string; readonly mode: string; readonly oid: Oid | null }[];
  readonly waived: readonly Waiver[];
  readonly by: string;
}

export type Settling =
  | { readonly kind: "settled"; readonly settled: SettledPath }
  /** It drops changes of a side that were not waived, or holds markers. */
  | { readonly kind: "refused"; readonly check: ResolutionCheck };

export type Resolving =
  /** A merge commit on no branch, with the target's and the branch's commit as parents. */
  | { readonly kind: "resolved"; readonly commit: Oid }
  | { readonly kind: "open"; readonly conflicts: readonly ConflictValue[] }
  | { readonly kind: "refused"; readonly check: ResolutionCheck }
  /** There is nothing to settle (any more). */
  | { readonly kind: "clean" };

export interface ConflictDesk {
  /** The conflicts of merging `commit` onto `onto`; [] when there are none (any more). */
  look(pair: MergePair): Promise<readonly ConflictDetail[]>;
  /** Is a commit the merge of both, with every change of either side that is not waived? */
  check(
    pair: MergePair & {
      readonly resolved: Oid;
      readonly waived?: readonly Waiver[];
      /** Only the conflicts at these paths, and nothing besides. */
      readonly paths?: readonly string[];
    },
  ): Promise<ResolutionCheck>;
  /** What was settled so far for a subtask's branch, as far as the conflicts are still the same. */
  settled(subtaskId: string, pair: MergePair): Promise<readonly SettledPath[]>;
  /**
   * Settles a path and keeps it. Throws conflict_unknown, path_rejected (the new name), usage, branch_moved (somebody
   * else settles the same branch).
   */
  settle(subtaskId: string, pair: MergePair, choice: Choice, by: string): Promise<Settling>;
  /** The whole resolution, once every path is settled; kept until `forget`. Throws branch_moved. */
  resolve(pair: MergePair, into: string, source: MergeSource): Promise<Resolving>;
  /** Lets go of what was settled. */
  forget(subtaskId: string): Promise<void>;
}

export function createConflictDesk(engine: Engine, merger: () => Promise<Merger>): ConflictDesk {
  const { objects } = engine;
  const treeOf = async (commit: Oid): Promise<Oid> => (await objects.commit(commit)).tree;
  const weigh = async ({ onto, commit }: MergePair) => {
    const weighed = await (await merger()).weigh(onto, commit);
    return weighed.kind === "conflict" ? weighed : { conflicts: [], tree: await treeOf(onto) };
  };
  const check: Check = async (pair, request) => checkTree(engine, await merger(), pair, request);
  /** What was settled of these conflicts; the ref may know of others, from when the target was elsewhere. */
  const settledOf = async (subtaskId: string, conflicts: readonly ConflictValue[]) => {
    const found = await readSettled(engine, subtaskId);
    const still = (one: SettledPath) => conflicts.some((conflict) => sameConflict(conflict, one));
    return { at: found?.at ?? null, paths: (found?.paths ?? []).filter(still) };
  };
  return {
    async look(pair) {
      const { conflicts, tree } = await weigh(pair);
      return Promise.all(
        conflicts.map(async (one) => ({ ...one, hunks: await hunksOf(engine, one, tree, pair) })),
      );
    },
    check: async ({ onto, commit, resolved, waived = [], paths }) =>
      check(
        { onto, commit },
        { resolved: await treeOf(resolved), waived, ...(paths ? { paths: new Set(paths) } : {}) },
      ),
    settled: async (subtaskId, pair) => (await settledOf(subtaskId, (await weigh(pair)).conflicts)).paths,
    async settle(subtaskId, pair, choice, by) {
      const { conflicts, tree } = await weigh(pair);
      const conflict = conflicts.find(({ path }) => path === choice.path) ?? unknown(choice.path, conflicts);
      const before = await settledOf(subtaskId, conflicts);
      const [ours, theirs] = await Promise.all([treeOf(pair.onto), treeOf(pair.commit)]);
      const chosen = await choose(engine, { merged: tree, ours, theirs }, conflict, choice);
      const settled: SettledPath = { ...chosen.settled, by };
      const paths = [...before.paths.filter(({ path }) => path !== settled.path), settled];
      const made = await writeSettled(engine, pair, tree, paths, chosen.content);
      const verdict = await check(pair, {
        resolved: await treeOf(made),
        waived: settled.waived,
        paths: new Set([settled.path]),
      });
      if (!verdict.ok) return { kind: "refused", check: verdict };
      await keepSettled(engine, subtaskId, before.at, made);
      return { kind: "settled", settled };
    },
    async resolve(pair, into, source) {
      const { conflicts, tree } = await weigh(pair);
      if (conflicts.length === 0) return { kind: "clean" };
      const { at, paths } = await settledOf(source.subtaskId, conflicts);
      const open = conflicts.filter((one) => hasChoice(one) && !paths.some(({ path }) => path === one.path));
      if (open.length > 0) return { kind: "open", conflicts: open };
      const merged = await treeOf(await writeSettled(engine, pair, tree, paths, new Map()));
      const waived = paths.flatMap((each) => each.waived);
      const verdict = await check(pair, { resolved: merged, waived });
      if (!verdict.ok) return { kind: "refused", check: verdict };
      const commit = await writeResolution(engine, pair, merged, paths, { into, source });
      const kept = await writeSettled(engine, pair, tree, paths, new Map(), [commit]);
      await keepSettled(engine, source.subtaskId, at, kept);
      return { kind: "resolved", commit };
    },
    forget: (subtaskId) => forgetSettled(engine, subtaskId),
  };
}

type Check = (pair: MergePair, request: Parameters<typeof checkTree>[3]) => Promise<ResolutionCheck>;

function unknown(path: string, conflicts: readonly ConflictValue[]): never {
  const paths = conflicts.map((one) => one.path);
  const there = paths.length === 0 ? "nothing conflicts" : `these do: ${paths.slice(0, 10).join(", ")}`;
  throw new OxbowError("conflict_unknown", `There is no conflict at ${path}; ${there}.`, {
    details: { paths },
  });
}

function sameConflict(a: ConflictValue, b: SettledPath): boolean {
  const same = (one: ConflictSide | null, other: ConflictSide | null) =>
    one?.oid === other?.oid && one?.mode === other?.mode && one?.path === other?.path;
  return (
    a.path === b.path &&
    a.kind === b.kind &&
    same(a.base, b.base) &&
    same(a.ours, b.ours) &&
    same(a.theirs, b.theirs)
  );
}

/** A path that neither side has any more (both gave the file another name) is gone; there is nothing to choose. */
export function hasChoice({ ours, theirs }: Pick<ConflictValue, "ours" | "theirs">): boolean {
  return ours !== null || theirs !== null;
}

async function hunksOf(
  { trees, objects }: Engine,
  { path, kind, ours, theirs }: ConflictValue,
  merged: Oid,
  { onto, commit }: MergePair,
): Promise<readonly ConflictHunk[]> {
  if (ours === null || theirs === null || kind === "binary" || kind === "submodule") return [];
  const entry = await trees.find(merged, toRaw(path));
  if (entry === null || !entry.mode.startsWith("100")) return [];
  const bytes = await objects.blob(entry.oid);
  return isBinary(bytes) ? [] : conflictHunks(bytes.toString("utf8"), onto, commit);
}
