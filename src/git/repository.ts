/**
 * Opens a repository: one value with everything the other rooms may do to it. What a look-up does not need (editing,
 * merging, workspaces) is imported when it is first asked for.
 */
import { commitsSince } from "./commits-since.ts";
import { allocateBranch, createFreeBranch, readHead, resolveRevision } from "./branches.ts";
import { shownPath, toRaw } from "./bytes.ts";
import { checkedOutAt } from "./checkouts.ts";
import { gitFailed, runGit } from "./command.ts";
import type { Oid, OpenRepository, Repository } from "./contract.ts";
import { createEngine, type Engine } from "./engine.ts";
import type { Handover } from "./handover.ts";
import type { Merger } from "./merge.ts";
import { setUp } from "./setup.ts";
import type { WorkspacePool } from "./workspace-pool.ts";

/** Throws not_a_repository, git_too_old. Nothing of the user's is written; processes start when they are needed. */
export async function openRepository(options: OpenRepository): Promise<Repository> {
  const setup = await setUp(options);
  const engine = createEngine(setup);
  let merging: Promise<Merger> | null = null;
  const merger = () => (merging ??= import("./merge.ts").then(({ createMerger }) => createMerger(engine)));
  let handing: Promise<Handover> | null = null;
  const attempts = async () => (await import("./attempts.ts")).createAttempts(engine);
  let pooling: Promise<WorkspacePool> | null = null;
  const workspaces = () =>
    (pooling ??= import("./workspace-pool.ts").then(({ createWorkspacePool }) =>
      createWorkspacePool(engine),
    ));
  const close = async (): Promise<void> => {
    await (await pooling)?.close();
    await (await merging)?.close();
    await engine.close();
  };
  let closing: Promise<void> | null = null;
  const here: Repository = {
    handover: () =>
      (handing ??= import("./handover.ts").then(({ createHandover }) => createHandover(engine, merger))),
    remote: null,
    root: setup.root,
    gitDir: setup.gitDir,
    commonDir: setup.commonDir,
    stateDir: setup.stateDir,
    bare: setup.bare,
    gitVersion: async () => (await setup.version()).shown.replace(/^git version /, ""),
    identity: setup.identity,
    checkReady: async (commit, needs) => (await import("./condition.ts")).checkReady(engine, commit, needs),
    notes: async () => (await import("./condition.ts")).repositoryNotes(engine),
    resolve: (rev) => resolveRevision(engine, rev),
    head: () => readHead(engine),
    isDirty: async () => (await import("./dirty.ts")).isDirty(setup, { filters: false }),
    checkedOutAt: async (ref) => checkedOutAt(setup, ref),
    readRef: (ref) => engine.readRef(ref),
    refs: (prefix) => engine.refsBelow(prefix),
    updateRefs: (changes) => engine.refs.apply(changes),
    allocateBranch: (request) => allocateBranch(engine, request),
    createFreeBranch: (request) => createFreeBranch(engine, request),
    sealAttempts: async (subtaskId, attempt, base) => (await attempts()).seal(subtaskId, attempt, base),
    openBranch: async (request) => (await import("./branch-tree.ts")).openBranchTree(engine, request),
    lastAttempt: async (subtaskId, attempt) => (await attempts()).last(subtaskId, attempt),
    listFiles: (commit) => listFiles(engine, commit),
    readBlob: (commit, path) => readBlob(engine, commit, path),
    async changedPaths(from, to) {
      const { changesFrom } = await import("./branch-tree.ts");
      const [before, after] = await Promise.all([engine.objects.commit(from), engine.objects.commit(to)]);
      return changesFrom(await engine.trees.diff(before.tree, after.tree));
    },
    isAncestor: (ancestor, descendant) => engine.isAncestor(ancestor, descendant),
    commitsSince: (since, tip) => commitsSince(engine.setup.objectSite, since, tip),
    async mergeBase(one, other) {
      const answer = await runGit(setup.objectSite, ["merge-base", one, other]);
      // 1: none.
      if (answer.exitCode === 1) return null;
      if (answer.exitCode !== 0) throw gitFailed(["merge-base"], answer.stderr.toString("utf8"));
      return answer.stdout.toString("utf8").trim();
    },
    merge: async (request, signal) => (await merger()).merge(request, signal),
    async mergeAll(request) {
      const { mergeAll } = await import("./merge-stack.ts");
      return mergeAll(engine, request, await merger());
    },
    mergeDesk: async () => (await import("./merge-desk.ts")).createMergeDesk(engine, merger),
    conflictDesk: async () => (await import("./conflict-desk.ts")).createConflictDesk(engine, merger),
    join: async (commits) => (await merger()).join(commits),
    workspace: async ({ pool, ...request }, signal) =>
      pool === undefined
        ? (await import("./workspace.ts")).openWorkspace(engine, request, signal)
        : (await workspaces()).open(request, pool, signal),
    sweep: async () => (await import("./sweep.ts")).sweep(engine),
    locks: () => engine.locks.list(),
    workspaces: async () => (await import("./ledger-kept.ts")).listWorkspaces(setup),
    removeWorkspace: async (path) => (await import("./ledger-kept.ts")).removeWorkspace(setup, path),
    kept: {
      list: async () => (await import("./ledger-kept.ts")).listKept(setup),
      commit: async (name) => (await import("./ledger-kept.ts")).commitKept(engine, name),
      restored: async (name, commit) => (await import("./ledger-kept.ts")).noteRestored(setup, name, commit),
      remove: async (name) => (await import("./ledger-kept.ts")).removeKept(setup, name),
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
  if (options.remote === undefined) return here;
  const { withRemote } = await import("./remote-repository.ts");
  return withRemote(here, engine, options.remote);
}

async function listFiles(engine: Engine, commit: Oid): Promise<{ path: string; mode: string; oid: Oid }[]> {
  const { tree } = await engine.objects.commit(commit);
  const files = await engine.trees.files(tree);
  return files.map(({ path, mode, oid }) => ({ path: shownPath(path), mode, oid }));
}

async function readBlob(engine: Engine, commit: Oid, path: string): Promise<Uint8Array | null> {
  const { tree } = await engine.objects.commit(commit);
  const entry = await engine.trees.find(tree, toRaw(path));
  if (entry === null || !/^1[02]0/.test(entry.mode)) return null;
  return engine.objects.blob(entry.oid);
}
