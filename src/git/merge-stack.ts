/** Merges one after the other onto a commit: objects only, no ref is moved. What lands was looked at as a whole before. */
import { hasCode } from "../core/errors.ts";
import { refuseCheckedOut } from "./checkouts.ts";
import { commitsSince } from "./commits-since.ts";
import type { MergeResult, MergeSource, Oid } from "./contract.ts";
import type { NewCommit } from "./commit-writer.ts";
import type { Engine } from "./engine.ts";
import { SQUASHED } from "./handover.ts";
import { type Merger, mergeCommit } from "./merge.ts";
import { stackPlain } from "./merge-batch.ts";
import { coAuthor, messageWithTrailers, nowSeconds } from "./message.ts";

/** A branch in a stack. */
export interface StackSource extends MergeSource {
  /**
   * Where its own changes begin. Only for a branch that stands on others which were squashed: they are in the target, but
   * not in its history.
   */
  readonly base?: Oid | undefined;
  /** Further agents whose work it is. */
  readonly coAuthors?: readonly string[] | undefined;
}

export interface StackRequest {
  readonly onto: Oid;
  /** The branch it is for, as the messages name it. */
  readonly into: string;
  readonly sources: readonly StackSource[];
  /** One commit with one parent for each branch, in place of a merge. */
  readonly squash: boolean;
}

export interface Stacked {
  /** The last commit; `onto` when there is none. */
  readonly tip: Oid;
  readonly tree: Oid;
  /** One for each source, in order. One that conflicts is left out, and the next goes onto the one before it. */
  readonly results: readonly MergeResult[];
}

export async function stack(engine: Engine, merger: Merger, request: StackRequest): Promise<Stacked> {
  const { into, sources, squash } = request;
  const results: MergeResult[] = [];
  let at = request.onto;
  while (results.length < sources.length) {
    const rest = sources.slice(results.length);
    const commits = await stackPlain(engine, at, rest, (source, content, before) =>
      commitFor(engine, { source, content, before, into, squash, since: at }),
    );
    for (const commit of commits) results.push({ kind: "merged", commit });
    at = commits.at(-1) ?? at;
    const source = sources[results.length];
    if (source === undefined) break;
    const result = await stackOne(engine, merger, at, source, request);
    if (result.kind === "merged") at = result.commit;
    results.push(result);
  }
  return { tip: at, tree: (await engine.objects.commit(at)).tree, results };
}

async function stackOne(
  engine: Engine,
  merger: Merger,
  at: Oid,
  source: StackSource,
  { into, squash }: Pick<StackRequest, "into" | "squash">,
): Promise<MergeResult> {
  const { objects, commits } = engine;
  const { tree } = await objects.commit(at);
  const ours = squash ? await standingOn(engine, at, tree, source.base) : at;
  const weighed = await merger.weigh(ours, source.commit);
  if (weighed.kind === "conflict") return { kind: "conflict", conflicts: weighed.conflicts };
  if (weighed.kind === "contained" || (squash && weighed.tree === tree))
    return { kind: "unchanged", commit: at };
  const content = { tree: weighed.tree };
  const made = await commitFor(engine, { source, content, before: at, into, squash, since: at });
  return { kind: "merged", commit: await commits.write(made) };
}

/** The target as if it stood on `base`, so that Git takes only what came after that for the branch's changes. */
async function standingOn(engine: Engine, at: Oid, tree: Oid, base: Oid | undefined): Promise<Oid> {
  if (base === undefined || (await engine.isAncestor(base, at))) return at;
  const { identity } = engine.setup;
  return engine.commits.write({
    parents: [base],
    author: identity,
    committer: identity,
    time: nowSeconds(),
    message: "A common start\n",
    content: { tree },
  });
}

interface Making {
  readonly source: StackSource;
  readonly content: NewCommit["content"];
  /** Null: the commit before it in the same chain. */
  readonly before: Oid | null;
  /** A commit that has nothing of the branch. */
  readonly since: Oid;
  readonly into: string;
  readonly squash: boolean;
}

async function commitFor(engine: Engine, making: Making): Promise<NewCommit> {
  const { source, content, before, into, squash, since } = making;
  if (!squash) return mergeCommit(engine, content, [before, source.commit], source, into);
  const { identity } = engine.setup;
  const told = await commitsSince(engine.setup.objectSite, since, source.commit);
  const subjects = told.filter(({ subject }) => subject !== "").map(({ subject }) => `* ${subject}`);
  const agents = [...new Set([source.agent, ...(source.coAuthors ?? [])])];
  const message = messageWithTrailers(
    [`Squash ${source.branch} into ${into}`, subjects.slice(0, MOST_SUBJECTS).join("\n")].join("\n\n"),
    [
      ["Oxbow-Task", source.taskId],
      ["Oxbow-Subtask", source.subtaskId],
      ["Oxbow-Agent", source.agent],
      [SQUASHED, source.commit],
      ...agents.map((agent): [string, string] => ["Co-authored-by", coAuthor(agent)]),
    ],
  );
  return { parents: [before], author: identity, committer: identity, time: nowSeconds(), message, content };
}

const MOST_SUBJECTS = 50;

export interface BatchRequest {
  readonly target: string;
  readonly start: Oid;
  readonly sources: readonly MergeSource[];
}

/** Somebody else moved the target in between: merged again onto where it is now, this often. */
const MAX_TRIES = 20;

/** One result for each source, in order, as single merges give. The target moves once, by compare-and-swap. */
export async function mergeAll(
  engine: Engine,
  { target, start, sources }: BatchRequest,
  merger: Merger,
): Promise<readonly MergeResult[]> {
  const ref = `refs/heads/${target}`;
  for (let tries = 1; ; tries++) {
    refuseCheckedOut(engine.setup, ref);
    const tip = await engine.readRef(ref);
    const onto = tip ?? start;
    const made = await stack(engine, merger, { onto, into: target, sources, squash: false });
    const moves = made.tip !== tip && made.results.some(({ kind }) => kind !== "conflict");
    try {
      if (moves) await engine.refs.apply([{ ref, old: tip, new: made.tip }]);
      return made.results;
    } catch (error) {
      if (!hasCode(error, "branch_moved") || tries === MAX_TRIES) throw error;
    }
  }
}
