/** Merging branches without a checkout: a conflict is a value, a target moves only by compare-and-swap. */
import { hasCode, OxbowError } from "../core/errors.ts";
import { createCache, type RawPath, shownPath } from "./bytes.ts";
import { caseConflicts } from "./case-conflicts.ts";
import { refuseCheckedOut } from "./checkouts.ts";
import { cancelled, gitTextOrThrow } from "./command.ts";
import { type ConflictValue, conflictsFrom } from "./conflicts.ts";
import type { NewCommit } from "./commit-writer.ts";
import type { MergeResult, MergeSource, Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { withMergeAttribute } from "./merge-attributes.ts";
import { createTreeMerger, type TreeMerge } from "./merge-tree.ts";
import { coAuthor, messageWithTrailers, nowSeconds } from "./message.ts";

export interface MergeRequest {
  readonly target: string;
  readonly start: Oid;
  readonly source: MergeSource;
}

/** What a merge of two commits comes to, before anything is made of it. */
export type Weighed =
  | { readonly kind: "contained" }
  | { readonly kind: "clean"; readonly tree: Oid }
  /** `tree`: what Git makes of it, with its markers. */
  | { readonly kind: "conflict"; readonly conflicts: readonly ConflictValue[]; readonly tree: Oid };

export interface Merger {
  weigh(ours: Oid, theirs: Oid, signal?: AbortSignal): Promise<Weighed>;
  merge(options: MergeRequest, signal?: AbortSignal): Promise<MergeResult>;
  join(commits: readonly MergeSource[]): Promise<MergeResult>;
  close(): Promise<void>;
}

/** Somebody else moved the target in between: merged again onto where it is now, this often. */
const MAX_TRIES = 20;

type Combined =
  | { readonly kind: "contained" }
  | { readonly kind: "merged"; readonly commit: Oid }
  | { readonly kind: "conflict"; readonly conflicts: readonly ConflictValue[] };

export function createMerger(engine: Engine): Merger {
  const { objects, setup } = engine;
  const merger = createTreeMerger(setup);

  const weigh = async (ours: Oid, theirs: Oid, signal?: AbortSignal): Promise<Weighed> => {
    const [merge, oursCommit] = await Promise.all([merger.merge(ours, theirs, signal), objects.commit(ours)]);
    // What is contained changes nothing, so only then the history is looked at.
    if (merge.tree === oursCommit.tree && (await engine.isAncestor(theirs, ours))) {
      return { kind: "contained" };
    }
    const known = await allConflicts(engine, merge, ours, theirs);
    const conflicts =
      known.length > 0 ? known : await caseConflicts(engine.trees, oursCommit.tree, merge.tree);
    const { tree } = merge;
    return conflicts.length > 0 ? { kind: "conflict", conflicts, tree } : { kind: "clean", tree };
  };

  const combine = async (
    ours: Oid,
    source: MergeSource,
    into: string,
    signal?: AbortSignal,
  ): Promise<Combined> => {
    const weighed = await weigh(ours, source.commit, signal);
    if (weighed.kind === "conflict") return { kind: "conflict", conflicts: weighed.conflicts };
    if (weighed.kind === "contained") return weighed;
    const commit = await engine.commits.write(
      mergeCommit(engine, { tree: weighed.tree }, [ours, source.commit], source, into),
    );
    return { kind: "merged", commit };
  };

  /** Where we left each target. Only a guess: a move checks it, and any other answer is found again from the ref itself. */
  const lastTips = createCache<Oid | undefined>(1000);

  const mergeOnce = async (options: MergeRequest, guess: Oid | undefined, signal?: AbortSignal) => {
    const ref = `refs/heads/${options.target}`;
    refuseCheckedOut(setup, ref);
    const tip = guess ?? (await engine.readRef(ref));
    const onto = tip ?? options.start;
    const combined = await combine(onto, options.source, options.target, signal);
    if (combined.kind !== "merged" && guess !== undefined) return null;
    if (combined.kind === "conflict") return combined;
    const commit = combined.kind === "merged" ? combined.commit : onto;
    if (signal?.aborted === true) throw cancelled();
    if (commit !== tip) await engine.refs.apply([{ ref, old: tip, new: commit }]);
    lastTips.set(ref, commit, 1);
    return { kind: combined.kind === "merged" ? "merged" : "unchanged", commit } as const;
  };

  return {
    weigh,
    async merge(options, signal) {
      let guess = lastTips.get(`refs/heads/${options.target}`);
      for (let tries = 1; ; tries++) {
        try {
          const result = await mergeOnce(options, guess, signal);
          if (result !== null) return result;
          guess = undefined;
        } catch (error) {
          guess = undefined;
          if (!hasCode(error, "branch_moved") || tries === MAX_TRIES) throw error;
        }
      }
    },
    async join(commits) {
      const [first, ...others] = commits;
      if (first === undefined) throw new OxbowError("internal", "There is nothing to join.");
      let at = first.commit;
      let merged = false;
      for (const source of others) {
        if (await engine.seemsAncestor(at, source.commit)) {
          at = source.commit;
          continue;
        }
        const combined = await combine(at, source, first.branch);
        if (combined.kind === "conflict") return combined;
        if (combined.kind === "contained") continue;
        at = combined.commit;
        merged = true;
      }
      return { kind: merged ? "merged" : "unchanged", commit: at };
    },
    async close() {
      await merger.close();
    },
  };
}

/** Git's own conflicts, and the paths it merged although an attribute asks for more than that. */
async function allConflicts(
  engine: Engine,
  merge: TreeMerge,
  ours: Oid,
  theirs: Oid,
): Promise<readonly ConflictValue[]> {
  const found = merge.clean ? [] : conflictsFrom(merge);
  const both = new Set<RawPath>();
  for (const message of merge.messages) {
    if (message.type === "Auto-merging") for (const one of message.paths) both.add(one);
  }
  if (both.size === 0) return found;
  const [a, b] = await Promise.all([engine.objects.commit(ours), engine.objects.commit(theirs)]);
  const special = await withMergeAttribute(engine, [a.tree, b.tree], [...both]);
  if (special.size === 0) return found;
  const bases = await gitTextOrThrow(engine.setup.objectSite, ["merge-base", ours, theirs]);
  const base = await engine.objects.commit(bases.trim());
  const known = new Set(found.map((one) => one.path));
  const extra: ConflictValue[] = [];
  for (const one of special) {
    if (known.has(shownPath(one))) continue;
    const [before, left, right] = await Promise.all(
      [base.tree, a.tree, b.tree].map((tree) => engine.trees.find(tree, one)),
    );
    extra.push({
      path: shownPath(one),
      kind: "merge_attribute",
      base: before ?? null,
      ours: left ?? null,
      theirs: right ?? null,
    });
  }
  return [...found, ...extra].sort((x, y) => (x.path < y.path ? -1 : 1));
}

/** A merge of `source` into a branch: the committer is the user, the agent a co-author. */
export function mergeCommit(
  engine: Engine,
  content: NewCommit["content"],
  parents: NewCommit["parents"],
  source: MergeSource,
  into: string,
): NewCommit {
  const { identity } = engine.setup;
  const message = messageWithTrailers(`Merge ${source.branch} into ${into}`, [
    ["Oxbow-Task", source.taskId],
    ["Oxbow-Subtask", source.subtaskId],
    ["Oxbow-Agent", source.agent],
    ["Co-authored-by", coAuthor(source.agent)],
  ]);
  return { parents, author: identity, committer: identity, time: nowSeconds(), message, content };
}
