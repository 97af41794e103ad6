/**
 * One attempt's branch on the remote: each commit goes there with its attempt's ref, in one push from the values that this
 * attempt gave both. Whoever takes over seals the attempt's ref there first, so that a stale worker's push fails as a whole.
 */
import { hasCode, OxbowError } from "../core/errors.ts";
import { attemptRef } from "./attempts.ts";
import type { BranchOptions, BranchTree, Oid } from "./contract.ts";
import type { Engine } from "./engine.ts";
import type { Patience, Remote } from "./remote.ts";

/** What is stopped in order still hands in what it has, if that goes fast. */
const WHEN_STOPPED_MS = 5_000;
/** An answer that got lost makes our own push look like somebody else's. */
const MAX_LOOKS = 5;

interface There {
  readonly attempt: Oid | null;
  readonly branch: Oid | null;
}

/** The tree, whose commits are also pushed, in the background; `published` waits for that. `branchThere`: its tip on the remote. */
export function publishedTree(
  engine: Engine,
  remote: Remote,
  tree: BranchTree,
  options: BranchOptions,
  branchThere: Oid | null,
): BranchTree {
  const refs = {
    attempt: attemptRef(options.subtaskId, options.attempt),
    branch: `refs/heads/${options.branch}`,
  };
  let there: There = { attempt: null, branch: branchThere };
  const sent: There[] = [];
  let fenced: unknown = null;

  /** After a refusal: the remote may hold what an earlier push brought whose answer got lost. */
  const look = async (patience: Patience): Promise<void> => {
    const found = await remote.fetch([refs.attempt, refs.branch], patience);
    const now = { attempt: found.get(refs.attempt) ?? null, branch: found.get(refs.branch) ?? null };
    const ours = [there, ...sent].find((each) => each.attempt === now.attempt && each.branch === now.branch);
    if (ours !== undefined) {
      there = ours;
      return;
    }
    if ([there, ...sent].some((each) => each.attempt === now.attempt))
      throw new OxbowError("branch_moved", `${options.branch} was moved on the remote by somebody else.`);
    throw new OxbowError("fenced", "A newer attempt has taken this work over.", {
      details: { ref: refs.attempt },
    });
  };

  const pushAll = async (patience: Patience): Promise<void> => {
    for (let looks = 0; ; looks++) {
      const { tip } = tree;
      const saved = await engine.readRef(refs.attempt);
      if (saved === null || saved === there.attempt) return;
      if ((await engine.objects.tag(saved)) !== null)
        throw new OxbowError("fenced", "A newer attempt has taken this work over.");
      const next = { attempt: saved, branch: tip };
      const changes = [
        // The fence, which every push moves.
        { ref: refs.attempt, old: there.attempt, new: next.attempt },
        ...(tip === there.branch ? [] : [{ ref: refs.branch, old: there.branch, new: next.branch }]),
      ];
      if (!sent.some((each) => each.attempt === next.attempt && each.branch === next.branch)) sent.push(next);
      if ((await remote.push(changes, patience)).kind === "pushed") {
        there = next;
        sent.length = 0;
      } else if (looks < MAX_LOOKS) await look(patience);
      else throw new OxbowError("branch_moved", `${options.branch} keeps being moved on the remote.`);
    }
  };

  let running: Promise<void> | null = null;
  const inBackground = () => {
    if (fenced !== null) return;
    const work = (running ?? Promise.resolve())
      .then(() => pushAll({ forMs: 0 }))
      // What fails here is tried again by `published`, which says so.
      .catch((error: unknown) => {
        if (hasCode(error, "fenced")) fenced = error;
      });
    running = work;
  };
  const throwIfFenced = () => {
    if (fenced !== null) throw fenced;
  };

  return {
    ...tree,
    get tip() {
      return tree.tip;
    },
    get edited() {
      return tree.edited;
    },
    async commit(message, signal) {
      throwIfFenced();
      const made = await tree.commit(message, signal);
      if (made) inBackground();
      return made;
    },
    async saveWork(signal) {
      throwIfFenced();
      const saved = await tree.saveWork(signal);
      if (saved) inBackground();
      return saved;
    },
    async published(signal) {
      await running;
      throwIfFenced();
      try {
        if (!signal.aborted) return await pushAll({ signal, forMs: Number.POSITIVE_INFINITY });
      } catch (error) {
        if (!hasCode(error, "cancelled")) throw error;
      }
      await pushAll({ forMs: WHEN_STOPPED_MS });
    },
  };
}
