/** What `verify:` says of branches that are put together: all pass, or halving finds the one with which they begin to fail. */
import type { MergeEntry, Verification } from "../core/merging.ts";
import type { MergeResult } from "../git/contract.ts";
import type { Stacked } from "../git/merge-stack.ts";
import type { Setting } from "./merge-settle.ts";
import { verify } from "./verify.ts";

export interface Judging extends Setting {
  readonly signal: AbortSignal;
  /** What this process has seen pass or fail, by tree. */
  readonly verified: Map<string, Verification>;
}

/** A branch that merges, and the commit with which it is in, on top of those before it. */
export type Fits = {
  readonly entry: MergeEntry;
  readonly result: Exclude<MergeResult, { kind: "conflict" }>;
};

export type Judgement =
  | { readonly kind: "passed" }
  | {
      readonly kind: "guilty";
      /** Those before it, which pass. */
      readonly good: readonly Fits[];
      readonly guilty: MergeEntry;
      readonly failure: Verification;
    }
  /** It fails without any of them too. */
  | { readonly kind: "target"; readonly bare: Verification };

export async function judge(
  judging: Judging,
  news: readonly Fits[],
  { tip, tree }: Pick<Stacked, "tip" | "tree">,
  { target, onto }: { readonly target: string; readonly onto: string },
): Promise<Judgement> {
  if (judging.engine.team.verify.length === 0) return { kind: "passed" };
  let failure = await verifyOne(judging, { commit: tip, tree }, news, target);
  if (failure.ok) return { kind: "passed" };
  let [passes, fails] = [0, news.length];
  while (fails - passes > 1) {
    const middle = Math.floor((passes + fails) / 2);
    const found = await verifyFirst(judging, news, middle, target);
    if (found.ok) passes = middle;
    else [fails, failure] = [middle, found];
  }
  const guilty = news[passes]?.entry;
  const bare = passes === 0 || !guilty ? await verifyAt(judging, onto, [], target) : null;
  if (!guilty || (bare && !bare.ok)) return { kind: "target", bare: bare ?? failure };
  return { kind: "guilty", good: news.slice(0, passes), guilty, failure };
}

async function verifyFirst(judging: Judging, news: readonly Fits[], count: number, target: string) {
  const some = news.slice(0, count);
  return verifyAt(judging, some.at(-1)?.result.commit ?? "", some, target);
}

async function verifyAt(judging: Judging, commit: string, news: readonly Fits[], target: string) {
  const { desk } = judging.writer;
  const { tree } = await desk.stack({ onto: commit, into: target, sources: [], squash: false });
  return verifyOne(judging, { commit, tree }, news, target);
}

/** A tree that was looked at is not looked at again. */
async function verifyOne(
  judging: Judging,
  at: { readonly commit: string; readonly tree: string },
  news: readonly Fits[],
  target: string,
): Promise<Verification> {
  const { engine, task, verified, signal } = judging;
  const known = verified.get(at.tree);
  const branches = news.map(({ entry }) => entry.branch);
  if (known?.commit === at.commit) return known;
  const about = { ...at, target, branches };
  const found = known ? { ...known, ...about } : await verify(engine, task, about, signal);
  // Evidence is told of each commit that may land: its note is made of it.
  if (known)
    await engine.store.append([{ event: "verify_finished", task_id: task.task_id, verification: found }]);
  verified.set(at.tree, found);
  return found;
}
