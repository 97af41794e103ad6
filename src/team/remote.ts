/** What a task's work fetches from the remote that machines share, and what it has put there before anything names it. */
import type { Subtask } from "../core/model.ts";
import type { BranchTree } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Attempt } from "./attempt.ts";
import type { Engine } from "./engine.ts";
import type { Finding } from "./outcome.ts";
import { hasCode, toErrorValue } from "../core/errors.ts";

/** Where the attempt starts, and what it goes on with. After the earlier attempts were sealed. */
export async function bringForAttempt({ repo, store }: Engine, lease: Lease): Promise<void> {
  if (repo.remote === null) return;
  const { subtask, task, message, attempt } = lease;
  const { base } = message.metadata;
  const related = [...subtask.depends_on, subtask.supersedes];
  const all = related.some((id) => id !== null) ? await store.subtasks(task.task_id) : [];
  const again = attempt > 1 ? [subtask.subtask_id] : [];
  await repo.remote.bring({
    commits: [task.base_commit, ...(typeof base === "string" ? [base] : [])],
    branches: [subtask, ...all.filter(({ subtask_id }) => related.includes(subtask_id))].flatMap(branchOf),
    bases: again,
    attempts: again,
  });
}

/** What was done of a task, on whichever machine. */
export async function bringWork({ repo }: Engine, subtasks: readonly Subtask[]): Promise<void> {
  await repo.remote?.bring({
    branches: subtasks.flatMap(branchOf),
    bases: subtasks.map(({ subtask_id }) => subtask_id),
  });
}

function branchOf({ branch }: Subtask): string[] {
  return branch === null ? [] : [branch];
}

/** The finding, once others can fetch the commit it names. What cannot be handed in is not complete. */
export async function handIn({ signal }: Attempt, tree: BranchTree, found: Finding): Promise<Finding> {
  try {
    await tree.published(signal);
    return found;
  } catch (error) {
    if (found.outcome !== "completed" && !hasCode(error, "fenced")) return found;
    const outcome = hasCode(error, "cancelled") ? "cancelled" : "failed";
    return { ...found, outcome, error: toErrorValue(error) };
  }
}
