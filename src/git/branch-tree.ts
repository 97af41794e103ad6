/** One agent's branch, edited without a checkout: an overlay over the tip, committed by compare-and-swap. */
import { failPoint } from "../host/fail-point.ts";
import { span } from "../host/telemetry.ts";
import { OxbowError } from "../core/errors.ts";
import { attemptRef } from "./attempts.ts";
import { lossyText, shownPath } from "./bytes.ts";
import { refuseCheckedOut } from "./checkouts.ts";
import type { BranchOptions, BranchTree, Oid, TreeChange } from "./contract.ts";
import type { Engine } from "./engine.ts";
import { createFileEdits } from "./file-edits.ts";
import { matcherFor } from "./matcher.ts";
import { agentIdentity, messageWithTrailers, nowSeconds } from "./message.ts";
import { createOverlay, fileFrom } from "./overlay.ts";
import { diffTrees, searchTree } from "./search.ts";
import { byPath, type TreeDifference } from "./trees.ts";

/** `attemptOid`: what the attempt's ref says already, of work that is saved after its process died. Throws rev_not_found, branch_checked_out. */
export async function openBranchTree(
  engine: Engine,
  options: BranchOptions,
  attemptOid: Oid | null = null,
): Promise<BranchTree> {
  const ref = `refs/heads/${options.branch}`;
  const saved = attemptRef(options.subtaskId, options.attempt);
  // Were it not so, the first commit would be refused: it expects this value.
  const tip = options.fresh === true ? options.base : await engine.readRef(ref);
  if (tip === null) throw new OxbowError("rev_not_found", `There is no branch ${options.branch}.`);
  refuseCheckedOut(engine.setup, ref);
  const { tree } = await engine.objects.commit(tip);
  return createBranchTree(engine, options, { ref, tip, tree, attemptRef: saved, attemptOid });
}

interface Start {
  readonly ref: string;
  readonly tip: Oid;
  readonly tree: Oid;
  readonly attemptRef: string;
  readonly attemptOid: Oid | null;
}

function createBranchTree(engine: Engine, options: BranchOptions, start: Start): BranchTree {
  const { setup, objects, trees } = engine;
  const overlay = createOverlay(trees, start.tree);
  const edits = createFileEdits(overlay, engine, options);
  const inTurn = createTurns();
  let tip = start.tip;
  let attemptOid = start.attemptOid;
  let step = 0;
  /** The overlay's version that the attempt's ref holds, and the one that `saveWork` has told of. */
  let savedVersion: number | null = null;
  let toldVersion: number | null = null;

  const writeCommit = (message: string): Promise<Oid> =>
    engine.commits.write({
      parents: [tip],
      author: agentIdentity(options.agent),
      committer: setup.identity,
      time: nowSeconds(),
      message,
      content: { edits: overlay.edits() },
    });

  const trailers = (number: number): (readonly [string, string])[] => [
    ["Oxbow-Task", options.taskId],
    ["Oxbow-Subtask", options.subtaskId],
    ["Oxbow-Agent", options.agent],
    ["Oxbow-Conversation", options.conversationId],
    ["Oxbow-Attempt", String(options.attempt)],
    ["Oxbow-Step", String(number)],
  ];

  /** Puts the edits as a commit on the attempt's ref. */
  const save = async (): Promise<Oid> => {
    if (attemptOid !== null && savedVersion === overlay.version) return attemptOid;
    const { version } = overlay;
    const message = messageWithTrailers(`Work in progress of ${options.agent}`, trailers(step));
    const saved = overlay.size === 0 ? tip : await writeCommit(message);
    if (saved !== attemptOid) {
      await engine.refs.apply([{ ref: start.attemptRef, old: attemptOid, new: saved }]);
      failPoint("work.saved");
    }
    attemptOid = saved;
    savedVersion = version;
    return saved;
  };

  /** The branch with its edits as a commit, for git's own tools. On no ref, a `git gc --prune=now` might take it. */
  const snapshot = async (): Promise<Oid> => (overlay.size === 0 ? tip : save());

  /** The base with those changes of a commit that may be read: the others are not shown, nor taken for renames. */
  const onlyReadable = async (commit: Oid): Promise<Oid> => {
    if (!options.reads) return commit;
    const [before, after] = await Promise.all([objects.commit(options.base), objects.commit(commit)]);
    const changed = await trees.diff(before.tree, after.tree);
    const shown = changed.filter(({ path }) => edits.readable(lossyText(path)));
    if (shown.length === changed.length) return commit;
    return engine.commits.write({
      parents: [options.base],
      author: agentIdentity(options.agent),
      committer: setup.identity,
      time: nowSeconds(),
      message: "What may be read of it",
      content: {
        edits: shown.map(({ path, after: file }) =>
          file === null ? { path, mode: null } : { path, ...file, content: null },
        ),
      },
    });
  };

  const saveWork = async (): Promise<{ commit: Oid; files: number } | null> => {
    const nothing = overlay.size === 0 && savedVersion === null;
    if (nothing || toldVersion === overlay.version) return null;
    const { version, size } = overlay;
    const saved = await save();
    toldVersion = version;
    return { commit: saved, files: size };
  };

  const commit = async (given: string): Promise<{ commit: Oid; branch: string; files: number } | null> => {
    const cleaned = options.cleanMessage === undefined ? given : options.cleanMessage(given);
    const message = messageWithTrailers(cleaned, trailers(step + 1));
    if (overlay.size === 0) return null;
    refuseCheckedOut(setup, start.ref);
    const files = overlay.size;
    failPoint("commit.before");
    const made = await writeCommit(message);
    failPoint("commit.written");
    await engine.refs.apply([
      // The fence first: whoever was taken over is to hear of that.
      { ref: start.attemptRef, old: attemptOid, new: made },
      { ref: start.ref, old: tip, new: made },
    ]);
    failPoint("commit.moved");
    step++;
    tip = attemptOid = made;
    overlay.reset((await objects.commit(made)).tree);
    savedVersion = toldVersion = null;
    return { commit: made, branch: options.branch, files };
  };

  const told = (message: string) =>
    span("oxbow.git.commit", { "oxbow.branch": options.branch }, async (note) => {
      const made = await commit(message);
      note({ "oxbow.commit": made?.commit, "oxbow.files": made?.files });
      return made;
    });

  const restoreWork = async (saved: Oid): Promise<{ files: number }> => {
    if (await engine.isAncestor(saved, tip)) return { files: 0 };
    const { tree, parents } = await objects.commit(saved);
    const parent = parents[0] === undefined ? start.tree : (await objects.commit(parents[0])).tree;
    const changed = await trees.diff(parent, tree);
    for (const { path, after } of changed) {
      if (after === null) await overlay.remove(path);
      else await overlay.put(path, { ...after, content: null });
    }
    return { files: changed.length };
  };

  return {
    branch: options.branch,
    base: options.base,
    get tip() {
      return tip;
    },
    get edited() {
      return overlay.size > 0;
    },
    ...edits.inTurn(inTurn),
    list: (glob) =>
      inTurn(async () => {
        const matches = matcherFor(glob);
        const all = await overlay.files();
        const { reads } = options;
        const files = reads ? all.filter((file) => edits.readable(lossyText(file.path))) : all;
        const entries = files.map((file) => ({ path: shownPath(file.path), mode: file.mode }));
        return matches === null ? entries : entries.filter((entry) => matches(entry.path));
      }),
    async search(pattern, { glob, limit }, signal) {
      const matches = matcherFor(glob);
      const wanted = (path: string): boolean => (matches === null || matches(path)) && edits.readable(path);
      const commit = await inTurn(snapshot);
      return searchTree(setup.objectSite, commit, { pattern, limit, wanted }, signal);
    },
    async diff(signal) {
      const commit = await inTurn(async () => onlyReadable(await snapshot()));
      return diffTrees(setup.objectSite, options.base, commit, signal);
    },
    commit: (message, signal) => inTurn(() => (overlay.size === 0 ? commit(message) : told(message)), signal),
    pending: () => inTurn(async () => changesFrom(await overlay.differences())),
    async stage(path, mode, content) {
      const raw = edits.checked(path);
      const file = content === null ? null : fileFrom(mode, content, setup.zero);
      await inTurn(() => (file === null ? overlay.remove(raw) : overlay.put(raw, file)));
    },
    snapshot: () => inTurn(snapshot),
    saveWork: (signal) => inTurn(saveWork, signal),
    restoreWork: (saved) => inTurn(() => restoreWork(saved)),
    published: () => Promise.resolve(),
    changes: () =>
      inTurn(async () => {
        const base = await objects.commit(options.base);
        const committed = await trees.diff(base.tree, overlay.base);
        return changesFrom(withEdits(committed, await overlay.differences()));
      }),
  };
}

/** Base → tip, then tip → edits, as one difference. */
function withEdits(
  committed: readonly TreeDifference[],
  edited: readonly TreeDifference[],
): readonly TreeDifference[] {
  const all = new Map(committed.map((one) => [one.path, one]));
  for (const one of edited) {
    const earlier = all.get(one.path);
    all.set(one.path, earlier === undefined ? one : { ...one, before: earlier.before });
  }
  return [...all.values()].sort(byPath);
}

/** As the contract shows changes. What is the same on both sides is no change. */
export function changesFrom(differences: readonly TreeDifference[]): readonly TreeChange[] {
  return differences.flatMap(({ path, before, after }): TreeChange[] => {
    const shown = shownPath(path);
    if (before === null) return after === null ? [] : [{ path: shown, status: "added" }];
    if (after === null) return [{ path: shown, status: "deleted" }];
    if (before.oid !== after.oid) return [{ path: shown, status: "modified" }];
    return before.mode === after.mode ? [] : [{ path: shown, status: "mode" }];
  });
}

/** Runs one thing after another, in the order of the calls. One that fails does not stop the next. */
function createTurns(): <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work, signal) => {
    const mine = last.then(() => {
      if (signal?.aborted === true) throw new OxbowError("cancelled", "The run was cancelled.");
      return work();
    });
    last = mine.catch(() => undefined);
    return mine;
  };
}
