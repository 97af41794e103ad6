/** The branch an attempt works on: found again, or made; with what an earlier attempt left. */
import type { BranchTree, MergeSource } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { refComponent } from "../core/branch-name.ts";
import { readScopeOf, scopeOf } from "./scope.ts";

export interface Prepared {
  readonly tree: BranchTree;
  readonly created: boolean;
}

export async function prepareBranch(engine: Engine, lease: Lease): Promise<Prepared> {
  const { repo } = engine;
  const { subtask, task } = lease;
  const fence = await repo.takeFence(subtask.subtask_id, lease.token);
  const base = await baseOf(engine, lease);
  let branch = subtask.branch;
  const created = branch === null;
  if (branch === null) {
    const siblings = await engine.store.subtasks(task.task_id);
    const taken = new Set(siblings.flatMap((other) => (other.branch === null ? [] : [other.branch])));
    const made = await repo.createFreeBranch({
      agentName: subtask.agent,
      ticket: task.ticket,
      commit: base,
      taken,
    });
    branch = made.name;
    if (!(await engine.store.setBranch(lease, branch)))
      throw new OxbowError("fenced", "Another worker has taken this conversation over.");
  }
  const tree = await repo.openBranch({
    branch,
    base,
    agent: subtask.agent,
    taskId: task.task_id,
    subtaskId: subtask.subtask_id,
    conversationId: subtask.conversation_id,
    attempt: lease.attempt,
    fence,
    mayWrite: scopeOf(engine, subtask).check,
    mayRead: readScopeOf(engine, subtask),
    cleanMessage: (message) => engine.redact(message),
  });
  return { tree, created };
}

/**
 * Where the branch starts: written to `refs/oxbow/bases/<subtask>` before the branch exists, so that every attempt
 * and the merge gate agree on it. With dependencies it is their merged work.
 */
async function baseOf(engine: Engine, lease: Lease): Promise<string> {
  const ref = `refs/oxbow/bases/${refComponent(lease.subtask.subtask_id)}`;
  const known = (await engine.repo.refs(ref)).get(ref);
  if (known !== undefined) return known;
  const base = await startingCommit(engine, lease);
  try {
    await engine.repo.updateRefs([{ ref, old: null, new: base }]);
    return base;
  } catch (error) {
    if (!hasCode(error, "branch_moved")) throw error;
    return (await engine.repo.refs(ref)).get(ref) ?? base;
  }
}

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
