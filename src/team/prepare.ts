/** The branch an attempt works on: found again, or made; with what an earlier attempt left. */

import { failPoint } from "../host/fail-point.ts";
import { baseRef, branchName } from "../core/branch-name.ts";
import { OxbowError } from "../core/errors.ts";
import type { BranchTree, MergeSource } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { bringForAttempt } from "./remote.ts";
import { openScope, type SubtaskScope } from "./scope.ts";
import { baseOf } from "./scope-check.ts";

export interface Prepared {
  readonly tree: BranchTree;
  readonly created: boolean;
  readonly scope: SubtaskScope;
}

export async function prepareBranch(engine: Engine, lease: Lease): Promise<Prepared> {
  const { repo } = engine;
  const { subtask } = lease;
  // Before anything of theirs is looked at: what an earlier attempt does from now on moves no ref.
  if (lease.attempt > 1) await repo.sealAttempts(subtask.subtask_id, lease.attempt, lease.task.base_commit);
  await bringForAttempt(engine, lease);
  const made = await existingBranch(engine, lease);
  const created = made === null;
  const { branch, base, fresh } = created
    ? await makeBranch(engine, lease)
    : await takeBranchOver(engine, lease, made);
  const scope = await openScope(engine, subtask);
  failPoint("branch.named");
  const tree = await repo.openBranch({
    branch,
    base,
    agent: subtask.agent,
    taskId: lease.task.task_id,
    subtaskId: subtask.subtask_id,
    conversationId: subtask.conversation_id,
    attempt: lease.attempt,
    fresh,
    mayWrite: scope.check,
    reads: scope.reads,
    cleanMessage: (message) => engine.redact(message),
  });
  return { tree, created, scope };
}

type Held = { readonly branch: string; readonly base: string; readonly fresh: boolean };

/** Its name is written before it is made: an attempt that died in between left a name without a branch. */
async function existingBranch({ repo }: Engine, { subtask, attempt }: Lease): Promise<string | null> {
  const { branch, subtask_id } = subtask;
  if (branch === null || (await repo.readRef(`refs/heads/${branch}`)) !== null) return branch;
  // One that held work was deleted by somebody, and is missed.
  return (await repo.lastAttempt(subtask_id, attempt)) === null ? null : branch;
}

/**
 * A new branch. A base that is not the task's own is written along: every attempt and the merge gate agree on where the
 * branch started. A new try at a subtask begins with what the one before it committed.
 */
async function makeBranch(engine: Engine, lease: Lease): Promise<Held> {
  const { repo, store } = engine;
  const { subtask, task } = lease;
  const bases = baseRef(subtask.subtask_id);
  const first = branchName({ ticket: task.ticket, agentName: subtask.agent });
  const [known, names] = await Promise.all([repo.readRef(bases), store.branches(task.task_id, first)]);
  const base = known ?? (await startingCommit(engine, lease));
  const given = lease.message.metadata["start"];
  const start = typeof given === "string" && subtask.depends_on.length === 0 ? given : base;
  const noted = known !== null || base === task.base_commit;
  failPoint("branch.before");
  const { name } = await repo.createFreeBranch({
    agentName: subtask.agent,
    ticket: task.ticket,
    commit: start,
    taken: new Set(names.filter((name) => name !== subtask.branch)),
    async reserve(name) {
      if (await store.setBranch(lease, name)) return true;
      await store.confirm(lease);
      return false;
    },
    along: noted ? [] : [{ ref: bases, old: null, new: base }],
  });
  failPoint("branch.made");
  return { branch: name, base, fresh: start === base };
}

async function takeBranchOver(engine: Engine, { subtask, task }: Lease, branch: string): Promise<Held> {
  return { branch, base: await baseOf(engine, subtask, task), fresh: false };
}

/** Where the branch starts: the task's base, with dependencies their merged work. */
async function startingCommit(engine: Engine, { subtask, task, message }: Lease): Promise<string> {
  const given = message.metadata["base"];
  const start = typeof given === "string" ? given : task.base_commit;
  if (subtask.depends_on.length === 0) return start;
  const outcomes = await engine.store.outcomes(task.task_id);
  const sources = subtask.depends_on.flatMap((id): MergeSource[] => {
    const outcome = outcomes.find((each) => each.subtask_id === id);
    if (!outcome?.commit || !outcome.branch) return [];
    const { branch, commit, agent } = outcome;
    return [{ branch, commit, agent, subtaskId: id, taskId: task.task_id }];
  });
  if (sources.length === 0) return start;
  const joined = await engine.repo.join(sources);
  if (joined.kind !== "conflict") return joined.commit;
  const paths = joined.conflicts.map((conflict) => conflict.path).join(", ");
  throw new OxbowError("dependency_failed", `The parts it depends on conflict with each other in ${paths}.`);
}
