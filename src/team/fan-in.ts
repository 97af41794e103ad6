/**
 * Finished branches meet on `integration/<ticket>`: in dependency order, one writer, without a checkout.
 * A branch that conflicts is left whole and reported; the others go on. Merging takes no notice of a cancellation: it is
 * short, and each merge is safe to repeat.
 */
import type { Conflict, Outcome, Subtask, Task } from "../core/model.ts";
import type { EventBody } from "../core/events.ts";
import type { MergeResult, MergeSource } from "../git/contract.ts";
import type { Engine } from "./engine.ts";
import { integrationBranch } from "../core/branch-name.ts";
import { currentOf } from "./generations.ts";
import { bringWork } from "./remote.ts";
import { openScope, outOfScope } from "./scope.ts";
import { baseOf, changesOutside } from "./scope-check.ts";
import { aboutLease } from "./about.ts";

export async function mergeFinished(engine: Engine, task: Task): Promise<void> {
  const subtasks = currentOf(await engine.store.subtasks(task.task_id));
  await bringWork(engine, subtasks);
  const outcomes = new Map(
    (await engine.store.outcomes(task.task_id)).map((each) => [each.subtask_id, each]),
  );
  const ready: { subtask: Subtask; source: MergeSource }[] = [];
  for (const subtask of mergeOrder(subtasks)) {
    const outcome = outcomes.get(subtask.subtask_id);
    if (!outcome) continue;
    const admitted = await admit(engine, task, subtask, outcome);
    if ("branch" in admitted) ready.push({ subtask, source: admitted });
    else await engine.store.append([admitted.refusal]);
  }
  if (ready.length === 0) return;
  const target = integrationBranch(task.ticket);
  const sources = ready.map(({ source }) => source);
  const results = await engine.repo.mergeAll({ target, start: task.base_commit, sources });
  for (const [i, { subtask, source }] of ready.entries()) {
    const result = results[i];
    if (!result) continue;
    const { branch, commit } = source;
    const about = { ...aboutLease({ subtask }), branch, commit };
    if (result.kind === "conflict") {
      const conflicts = await nameConflicts(engine, task, subtask, result.conflicts, outcomes);
      await engine.store.append([{ event: "merge_conflict", ...about, conflicts }]);
    } else
      await engine.store.append([{ event: "merged", ...about, into: target, merge_commit: result.commit }]);
  }
}

/** Dependencies first, then the order of the split. */
export function mergeOrder(subtasks: readonly Subtask[]): Subtask[] {
  const byId = new Map(subtasks.map((subtask) => [subtask.subtask_id, subtask]));
  const ordered = new Set<Subtask>();
  const place = (subtask: Subtask) => {
    if (ordered.has(subtask)) return;
    for (const id of subtask.depends_on) {
      const needed = byId.get(id);
      if (needed && !ordered.has(needed)) place(needed);
    }
    ordered.add(subtask);
  };
  for (const subtask of [...subtasks].sort((a, b) => a.position - b.position)) place(subtask);
  return [...ordered];
}

/** What may be merged, or the event that says why it is not. */
async function admit(
  engine: Engine,
  task: Task,
  subtask: Subtask,
  outcome: Outcome,
): Promise<MergeSource | { readonly refusal: EventBody }> {
  const about = aboutLease({ subtask });
  const { branch, commit } = outcome;
  if (outcome.outcome !== "completed")
    return { refusal: { event: "merge_skipped", ...about, branch, reason: outcome.outcome } };
  if (branch === null || commit === null)
    return { refusal: { event: "merge_skipped", ...about, branch, reason: "nothing committed" } };
  const outside = await leftScope(engine, subtask, task, commit);
  if (outside.length > 0) {
    const { code, message } = outOfScope(engine, subtask, outside);
    return { refusal: { event: "refused", ...about, code, message } };
  }
  return { branch, commit, agent: subtask.agent, subtaskId: subtask.subtask_id, taskId: task.task_id };
}

/** The gate: what a branch changed since it started must lie in its scope, whoever wrote it. */
async function leftScope(engine: Engine, subtask: Subtask, task: Task, commit: string): Promise<string[]> {
  const scope = await openScope(engine, subtask);
  const { outside } = await changesOutside(engine, scope, await baseOf(engine, subtask, task), commit);
  return outside.map(({ path }) => path);
}

type BareConflict = Extract<MergeResult, { kind: "conflict" }>["conflicts"][number];

/** Adds who can settle it: the agents that changed the path, and its owner. */
async function nameConflicts(
  engine: Engine,
  task: Task,
  subtask: Subtask,
  bare: readonly BareConflict[],
  outcomes: ReadonlyMap<string, Outcome>,
): Promise<Conflict[]> {
  const touched = new Map<string, Set<string>>();
  for (const outcome of outcomes.values()) {
    if (outcome.outcome !== "completed" || !outcome.commit) continue;
    for (const { path } of await engine.repo.changedPaths(task.base_commit, outcome.commit)) {
      const agents = touched.get(path) ?? new Set();
      touched.set(path, agents.add(outcome.agent));
    }
  }
  return bare.map((conflict) => {
    const agents = touched.get(conflict.path) ?? new Set<string>();
    agents.add(subtask.agent);
    const owner = engine.registry.ownerIfAny(conflict.path);
    return { ...conflict, agents: [...agents].sort(), owners: owner ? [owner.agent] : [] };
  });
}
