/**
 * A subtask has one outcome for good. What a person has tried again is therefore a new subtask, which names the one whose
 * place it takes (`supersedes`) and has a conversation, a branch, a done topic and an outcome of its own.
 */
import type { AgentSpec } from "../core/team-file.ts";
import type { Outcome, Subtask, Task } from "../core/model.ts";
import type { EventBody } from "../core/events.ts";
import type { NewChild } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { ownScope } from "../core/split.ts";
import { announcements, type Birth, makeChildren } from "./children.ts";
import { agentNamed } from "./engine.ts";
import { currentOf } from "./lines.ts";
import { bringWork } from "./remote.ts";
import { scopeOf } from "./scope.ts";
import { baseOf, changesOutside } from "./scope-check.ts";

/** The one that has taken its place, however often. */
function newestOf(subtasks: readonly Subtask[], id: string): string {
  const next = subtasks.find((each) => each.supersedes === id);
  return next ? newestOf(subtasks, next.subtask_id) : id;
}

export interface Retry {
  readonly task: Task;
  readonly parts: readonly { readonly subtask_id: string; readonly supersedes: string }[];
}

/**
 * Has `wanted` (null: all that did not complete) tried again, with what they depend on and did not complete either;
 * `agent` does it instead of the one that did. The task is live then. Throws subtask_unknown, subtask_active,
 * nothing_to_retry, agent_unknown, task_conflict, ticket_in_use.
 */
export async function tryAgain(
  engine: Engine,
  task: Task,
  wanted: string | null,
  agent: string | null = null,
): Promise<Retry> {
  const { store } = engine;
  const all = await store.subtasks(task.task_id);
  const outcomes = new Map((await store.outcomes(task.task_id)).map((each) => [each.subtask_id, each]));
  const chosen = choose(all, outcomes, wanted);
  const passed = await passedGates(engine, task, chosen);
  await bringWork(engine, chosen);
  const made: NewChild[] = [];
  const birth: Birth = { taskId: task.task_id, parent: null, root: false, base: null, siblings: all };
  for (const old of chosen) {
    const siblings = [...all, ...made.map(({ subtask }) => subtask)];
    const spec = agentNamed(engine, old.subtask_id === wanted && agent !== null ? agent : old.agent);
    const part = {
      agent: spec.name,
      brief: old.brief,
      responsibilities: old.responsibilities,
      allowedPaths: scopeFor(engine, old, spec),
      dependsOn: [],
      approval: old.gate !== null && !passed.has(old.subtask_id) ? old.gate.reason : null,
      budget: old.budget,
    };
    for (const child of makeChildren(engine, [part], { ...birth, siblings }))
      made.push(await replacing(engine, task, child, old, outcomes.get(old.subtask_id), siblings));
  }
  const parts = made.map(({ subtask }) => ({
    subtask_id: subtask.subtask_id,
    supersedes: subtask.supersedes ?? "",
  }));
  const events: EventBody[] = [
    { event: "task_reopened", task_id: task.task_id, parts },
    ...announcements(made, { ...birth, root: true }),
  ];
  await store.reopen(task.task_id, made, events);
  await store.relay();
  return { task: (await store.task(task.task_id)) ?? task, parts };
}

/** Those that a person let begin: they need not be asked about again. */
async function passedGates(
  { store }: Engine,
  { task_id: taskId }: Task,
  subtasks: readonly Subtask[],
): Promise<ReadonlySet<string>> {
  if (subtasks.every(({ gate }) => gate === null)) return new Set();
  const granted = await store.approvals.list({ taskId, state: "granted" });
  return new Set(granted.filter(({ kind }) => kind === "gate").map(({ subtask_id }) => subtask_id));
}

/** In the order of the task, so that what is depended on comes first. */
function choose(
  all: readonly Subtask[],
  outcomes: ReadonlyMap<string, Outcome>,
  wanted: string | null,
): readonly Subtask[] {
  const current = currentOf(all);
  const failed = current.filter(({ subtask_id }) => {
    const outcome = outcomes.get(subtask_id);
    return outcome !== undefined && outcome.outcome !== "completed";
  });
  if (wanted === null) {
    if (failed.length > 0) return failed;
    throw new OxbowError("nothing_to_retry", "No part of the task has failed, was cancelled or timed out.");
  }
  const one = all.find(({ subtask_id }) => subtask_id === wanted);
  if (!one) throw new OxbowError("subtask_unknown", `There is no subtask ${wanted}.`);
  const newest = newestOf(all, wanted);
  if (newest !== wanted)
    throw new OxbowError("nothing_to_retry", `${newest} has taken the place of ${wanted} already.`);
  const outcome = outcomes.get(wanted);
  if (!outcome && one.state === "awaiting_approval")
    throw new OxbowError("subtask_active", `${wanted} waits for a person before it starts.`, {
      hint: "Answer it with `oxbow approvals grant ID`; `oxbow approvals list` shows the ids.",
    });
  if (!outcome) throw new OxbowError("subtask_active", `${wanted} has no outcome yet.`);
  if (outcome.outcome === "completed") throw new OxbowError("nothing_to_retry", `${wanted} has completed.`);
  const needed = new Set<string>();
  const need = (subtask: Subtask) => {
    if (needed.has(subtask.subtask_id)) return;
    needed.add(subtask.subtask_id);
    for (const id of subtask.depends_on) {
      const on = failed.find((each) => each.subtask_id === newestOf(all, id));
      if (on) need(on);
    }
  };
  need(one);
  return failed.filter(({ subtask_id }) => needed.has(subtask_id));
}

/** What a split gave stays; whoever had all of its own paths is replaced by another with all of its own. */
export function scopeFor(
  engine: Engine,
  { agent, allowed_paths }: Subtask,
  to: AgentSpec,
): readonly string[] {
  const from = engine.registry.get(agent);
  const whole = from !== null && JSON.stringify(ownScope(from)) === JSON.stringify(allowed_paths);
  return whole ? ownScope(to) : allowed_paths;
}

/** What another agent may not write it cannot hand in either. */
async function within(engine: Engine, subtask: Subtask, base: string, commit: string): Promise<boolean> {
  return (await changesOutside(engine, scopeOf(engine, subtask), base, commit)).outside.length === 0;
}

/** Whether all that was committed for the subtask lies in its scope as it is now. */
export async function fits(engine: Engine, task: Task, subtask: Subtask, commit: string): Promise<boolean> {
  return within(engine, subtask, await baseOf(engine, subtask, task), commit);
}

/** The new child in the place of the old: its parent, its order, its dependencies, and its commits to begin with. */
async function replacing(
  engine: Engine,
  task: Task,
  { subtask, conversation, message }: NewChild,
  old: Subtask,
  outcome: Outcome | undefined,
  siblings: readonly Subtask[],
): Promise<NewChild> {
  const first = (await engine.store.messages(old.conversation_id)).find(({ type }) => type === "task");
  const orchestrate = message.metadata["orchestrate"] ?? {};
  const commit = outcome?.commit ?? null;
  const base = await baseOf(engine, old, task);
  await engine.repo.remote?.offer([base]);
  const start = commit !== null && (await within(engine, subtask, base, commit)) ? { start: commit } : {};
  return {
    subtask: {
      ...subtask,
      root: old.root,
      parent_conversation_id: old.parent_conversation_id,
      depth: old.depth,
      position: old.position,
      depends_on: old.depends_on.map((id) => newestOf(siblings, id)),
      supersedes: old.subtask_id,
    },
    conversation: { ...conversation, parent_id: old.parent_conversation_id },
    message: {
      ...message,
      sender: first?.sender ?? message.sender,
      metadata: { orchestrate, base, ...start },
    },
  };
}
