/**
 * Many merges onto one commit. A merge in which no path was changed on both sides is plain: its tree is the target's with
 * the branch's changes, so a run of them is written together, as one pack. Whatever is not plain (a path both sides touched,
 * a possible rename) takes the ordinary way, one by one, through `git merge-tree`.
 */
import { failPoint } from "../host/fail-point.ts";
import { mayCollide } from "./case-conflicts.ts";
import { createNames } from "./case-twins.ts";
import { runGitOrThrow } from "./command.ts";
import type { MergeSource, Oid } from "./contract.ts";
import type { NewCommit } from "./commit-writer.ts";
import type { TreeEdit } from "./edit-tree.ts";
import type { Engine } from "./engine.ts";
import { clash, createSide, type Side } from "./plain-merge.ts";
import type { TreeDifference } from "./trees.ts";

/** The commits of the longest plain run at the front, each onto the one before it; on no ref. */
export async function stackPlain<T extends MergeSource>(
  engine: Engine,
  onto: Oid,
  sources: readonly T[],
  make: (source: T, content: NewCommit["content"], before: Oid | null) => Promise<NewCommit>,
): Promise<readonly Oid[]> {
  const planned = await planPlain(engine, onto, sources);
  if (planned.length === 0) return [];
  const merges: NewCommit[] = [];
  for (const [i, { source, changes }] of planned.entries()) {
    const edits = changes.map(
      ({ path, after }): TreeEdit =>
        after === null ? { path, mode: null } : { path, ...after, content: null },
    );
    merges.push(await make(source, { edits }, i === 0 ? onto : null));
  }
  failPoint("merge.before");
  const commits = await engine.commits.writeChain(merges);
  failPoint("merge.written");
  return commits;
}

const READ_AHEAD = 32;

interface Planned<T> {
  readonly source: T;
  /** What the branch changed since it left the target's history. */
  readonly changes: readonly TreeDifference[];
}

async function planPlain<T extends MergeSource>(
  engine: Engine,
  onto: Oid,
  sources: readonly T[],
): Promise<Planned<T>[]> {
  const { objects, trees } = engine;
  const own = (await commitsSince(engine, onto, sources)) ?? (await commitsNotIn(engine, onto, sources));
  const merged = new Set<Oid>();
  const planned: Planned<T>[] = [];
  const applied = createSide();
  const news = createNames([]);
  const ontoTree = (await objects.commit(onto)).tree;
  const since = new Map<Oid, Side>();
  const difference = async (from: Oid, to: Oid): Promise<readonly TreeDifference[]> => {
    const [before, after] = await Promise.all([objects.commit(from), objects.commit(to)]);
    return trees.diff(before.tree, after.tree);
  };
  /** What the target changed since `fork`, or more: what was merged here counts also where the fork has it already. */
  const targetSince = async (fork: Oid): Promise<Side> => {
    const known = since.get(fork);
    if (known) return known;
    const side = createSide();
    side.add(await difference(fork, onto));
    since.set(fork, side);
    return side;
  };
  const branches = sources.map((source) => {
    const line = forkOf(source.commit, own);
    return { source, line };
  });
  let ahead: (readonly TreeDifference[])[] = [];
  for (const [i, { source, line }] of branches.entries()) {
    // Some at once: the trees come through one process, and waiting for each in turn costs more than reading them.
    if (i % READ_AHEAD === 0) {
      const next = branches.slice(i, i + READ_AHEAD);
      ahead = await Promise.all(
        next.map((each) => (each.line ? difference(each.line.fork, each.source.commit) : [])),
      );
    }
    const changes = ahead[i % READ_AHEAD] ?? [];
    // A branch on a branch of this batch leaves the target's history at that one's tip, once it is merged.
    const standsOnMerged = line?.commits.some((commit) => merged.has(commit)) ?? false;
    if (!line || changes.length === 0 || standsOnMerged) break;
    if (clash(changes, await targetSince(line.fork)) || clash(changes, applied)) break;
    const added = changes.filter(({ before }) => before === null).map(({ path }) => path);
    if (await mayCollide(trees, ontoTree, added, news)) break;
    for (const path of added) news.add(path);
    applied.add(changes);
    for (const commit of line.commits) merged.add(commit);
    planned.push({ source, changes });
  }
  return planned;
}

const SHORT_LINE = 100;

/**
 * As {@link commitsNotIn} without a process, where every source is a short line of commits on top of `target`: what comes
 * after a commit is not in its history. Null where one is not.
 */
async function commitsSince(
  { objects }: Engine,
  target: Oid,
  sources: readonly MergeSource[],
): Promise<ReadonlyMap<Oid, readonly Oid[]> | null> {
  const found = new Map<Oid, readonly Oid[]>();
  await Promise.all(sources.map(({ commit }) => objects.commit(commit)));
  for (const { commit } of sources) {
    let at = commit;
    for (let length = 0; at !== target && !found.has(at); length++) {
      const { parents } = await objects.commit(at);
      const [parent, ...others] = parents;
      if (parent === undefined || others.length > 0 || length === SHORT_LINE) return null;
      found.set(at, parents);
      at = parent;
    }
  }
  return found;
}

/** Every commit that a source has and the target has not, with its parents. */
async function commitsNotIn(
  engine: Engine,
  target: Oid,
  sources: readonly MergeSource[],
): Promise<ReadonlyMap<Oid, readonly Oid[]>> {
  const input = `${sources.map((source) => source.commit).join("\n")}\n^${target}\n`;
  const answer = await runGitOrThrow(engine.setup.objectSite, ["rev-list", "--parents", "--stdin"], {
    input,
    maxOutputBytes: Number.POSITIVE_INFINITY,
  });
  const found = new Map<Oid, readonly Oid[]>();
  for (const line of answer.toString("latin1").split("\n")) {
    const [commit, ...parents] = line.split(" ");
    if (commit) found.set(commit, parents);
  }
  return found;
}

/**
 * Where a branch left the target's history: the only merge base there can be when its own commits are one line. Null
 * when they are not, or when there are none.
 */
function forkOf(
  tip: Oid,
  own: ReadonlyMap<Oid, readonly Oid[]>,
): { readonly fork: Oid; readonly commits: readonly Oid[] } | null {
  const commits: Oid[] = [];
  let at = tip;
  for (let parents = own.get(at); parents; parents = own.get(at)) {
    const [parent, ...others] = parents;
    if (parent === undefined || others.length > 0) return null;
    commits.push(at);
    at = parent;
  }
  return commits.length > 0 ? { fork: at, commits } : null;
}
