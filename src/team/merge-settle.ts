/** What becomes of a branch that did not land: a rework, as often as the team file allows, or a person's decision. Never nothing. */
import type { EventBody } from "../core/events.ts";
import type { MergeEntry } from "../core/merging.ts";
import type { Conflict, Subtask, Task } from "../core/model.ts";
import type { MergeResult, MergeSource } from "../git/contract.ts";
import type { NewChild } from "../store/contract.ts";
import type { MergeChange } from "../store/merges.ts";
import type { Engine } from "./engine.ts";
import type { MergeWriter } from "./merge-writer.ts";
import { failPoint } from "../host/fail-point.ts";
import { announcements } from "./children.ts";
import { relaySoon } from "./relay.ts";
import { makeRework, reworkerFor, type Setback } from "./rework.ts";

export interface Setting {
  readonly engine: Engine;
  readonly task: Task;
  /** Of the task, as far as they have entries. */
  readonly subtasks: readonly Subtask[];
  readonly writer: MergeWriter;
}

/** The reason of an entry in the queue whose conflicts a person settled. */
export const SETTLED = "settled";

export function sourceOf({ branch, commit, agent, subtask_id, task_id }: MergeEntry): MergeSource {
  return { branch, commit, agent, subtaskId: subtask_id, taskId: task_id };
}

/** Whose it is, for an event. */
export function aboutEntry({ subtasks }: Pick<Setting, "subtasks">, entry: MergeEntry) {
  const { task_id, subtask_id, agent } = entry;
  const subtask = subtasks.find((each) => each.subtask_id === subtask_id);
  const conversation = subtask ? { conversation_id: subtask.conversation_id } : {};
  return { task_id, subtask_id, ...conversation, source: agent };
}

/** `onto`: where the target is now. */
export async function setBack(
  setting: Setting,
  entry: MergeEntry,
  setback: Setback,
  onto: string,
): Promise<void> {
  const { engine, task, writer } = setting;
  const subtasks = await engine.store.subtasks(task.task_id);
  const { branch, commit, target } = entry;
  const { reason, conflicts, verification } = setback;
  const about = { ...aboutEntry(setting, entry), branch, commit };
  const draft = await writer.desk.draft({ onto, into: target, source: sourceOf(entry) });
  const old = subtasks.find((each) => each.subtask_id === entry.subtask_id);
  const agent = mayRework(setting, entry, setback);
  const events: EventBody[] = conflicts.length > 0 ? [{ event: "merge_conflict", ...about, conflicts }] : [];
  const told = { reason, conflicts, verification, onto, draft: draft.commit };
  if (typeof agent === "string" || !old) {
    const why = typeof agent === "string" ? agent : "";
    const escalated = { ...reason, message: `${reason.message} ${why}`.trim() };
    await settle(
      setting,
      [{ subtask_id: entry.subtask_id, state: "escalated", ...told, reason: escalated }],
      [...events, escalation(setting, entry, escalated)],
    );
    return;
  }
  const child = await makeRework(engine, { task, entry, old, all: subtasks, agent, setback, draft });
  const by = child.subtask.subtask_id;
  const round = entry.round + 1;
  events.push({ event: "merge_rework", ...about, reason, by, agent: agent.name, round });
  events.push(
    ...announcements([child], { taskId: task.task_id, parent: null, root: true, base: null, siblings: [] }),
  );
  await settle(
    setting,
    [{ subtask_id: entry.subtask_id, state: "rework", ...told, reworked_by: by }],
    events,
    [child],
  );
}

/** Who does it again, or the sentence that says why a person has to look. */
function mayRework({ engine, task }: Setting, entry: MergeEntry, setback: Setback) {
  const { conflicts, maxReworks } = engine.team.merge;
  if (conflicts === "escalate") return "";
  if (entry.round >= maxReworks)
    return maxReworks === 0 ? "" : `It was reworked ${entry.round} times already (merge.max_reworks).`;
  return reworkerFor(engine, task, entry, setback);
}

export function escalation(setting: Setting, entry: MergeEntry, reason: Setback["reason"]): EventBody {
  const { engine } = setting;
  const person = engine.registry.windowPerson(engine.team.team) ?? null;
  const { branch, commit } = entry;
  return { event: "merge_escalated", ...aboutEntry(setting, entry), branch, commit, reason, person };
}

export async function settle(
  { engine, writer }: Setting,
  changes: readonly MergeChange[],
  events: readonly EventBody[],
  children: readonly NewChild[] = [],
): Promise<void> {
  await engine.store.merges.settle(writer.lease, changes, { events, children });
  failPoint("settle.after");
  if (children.length > 0) await relaySoon(engine);
}

type BareConflict = Extract<MergeResult, { kind: "conflict" }>["conflicts"][number];

/** Adds who can settle it: the agents that changed the path, and its owner. */
export async function nameConflicts(
  { engine, task }: Setting,
  entry: MergeEntry,
  bare: readonly BareConflict[],
): Promise<Conflict[]> {
  const touched = new Map<string, Set<string>>();
  for (const outcome of await engine.store.outcomes(task.task_id)) {
    if (outcome.outcome !== "completed" || !outcome.commit) continue;
    for (const { path } of await engine.repo.changedPaths(task.base_commit, outcome.commit)) {
      const agents = touched.get(path) ?? new Set();
      touched.set(path, agents.add(outcome.agent));
    }
  }
  return bare.map((conflict) => {
    const agents = touched.get(conflict.path) ?? new Set<string>();
    agents.add(entry.agent);
    const owner = engine.registry.ownerIfAny(conflict.path);
    return { ...conflict, agents: [...agents].sort(), owners: owner ? [owner.agent] : [] };
  });
}
