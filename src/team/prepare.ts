/** The branch an attempt works on: found again, or made; with what an earlier attempt left. */
import type { BranchTree, MergeSource } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { branchName, refComponent } from "../core/branch-name.ts";
import { readScopeOf, scopeOf } from "./scope.ts";

export interface Prepared {
  readonly tree: BranchTree;
  readonly created: boolean;
}

export async function prepareBranch(engine: Engine, lease: Lease): Promise<Prepared> {
  const { repo } = engine;
  const { subtask, task } = lease;
  const fence = await repo.takeFence(subtask.subtask_id, lease.token);
  const baseRef = `refs/oxbow/bases/${refComponent(subtask.subtask_id)}`;
  const known = await repo.readRef(baseRef);
  const base = known ?? (await startingCommit(engine, lease));
  // Written with the branch: every attempt and the merge gate agree on where it started.
  const along = known === null ? [{ ref: baseRef, old: null, new: base }] : [];
  let branch = subtask.branch;
  const created = branch === null;
  if (branch === null) {
    const first = branchName({ ticket: task.ticket, agentName: subtask.agent });
    const taken = new Set(await engine.store.branches(task.task_id, first));
    const made = await repo.createFreeBranch({
      agentName: subtask.agent,
      ticket: task.ticket,
      commit: base,
      taken,
      along,
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
