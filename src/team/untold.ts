/**
 * What became so on a subtask's branch by the hand of a process that died before its events were written: that the
 * branch was made, and the commits on it. Told now, as those who saw it would have.
 */
import type { EventBody } from "../core/events.ts";
import type { Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { aboutLease } from "./about.ts";
import { baseOf } from "./scope-check.ts";

export type BranchEvent = Extract<EventBody, { event: "branch_allocated" | "commit" }>;

/** In the order in which they came about; [] when all was told. */
export async function untoldOf(engine: Engine, task: Task, subtask: Subtask): Promise<BranchEvent[]> {
  const { repo } = engine;
  const { branch, conversation_id } = subtask;
  const tip = branch === null ? null : await repo.readRef(`refs/heads/${branch}`);
  if (branch === null || tip === null) return [];
  const about = aboutLease({ subtask });
  const base = await baseOf(engine, subtask, task);
  const told = await toldOf(engine, subtask);
  const untold: BranchEvent[] = told.has(branch)
    ? []
    : [{ event: "branch_allocated", ...about, branch, base, created: true }];
  let before = base;
  for (const { commit, subject, conversation } of await repo.commitsSince(base, tip)) {
    if (conversation === conversation_id && !told.has(commit)) {
      const files = (await repo.changedPaths(before, commit)).length;
      untold.push({ event: "commit", ...about, branch, commit, message: subject, files });
    }
    before = commit;
  }
  return untold;
}

/** Of subtasks that were ended while nobody was at work on them, so that no attempt has told it. */
export async function tellUntold(engine: Engine, task: Task): Promise<void> {
  const { store } = engine;
  const outcomes = await store.outcomes(task.task_id);
  const ended = new Set(outcomes.filter(({ attempt }) => attempt === 0).map(({ subtask_id }) => subtask_id));
  if (ended.size === 0) return;
  for (const subtask of await store.subtasks(task.task_id)) {
    const untold = ended.has(subtask.subtask_id) ? await untoldOf(engine, task, subtask) : [];
    if (untold.length > 0) await store.append(untold);
  }
}

const PAGE = 1_000;

/** The branches and commits that events of the subtask name. */
async function toldOf({ store }: Engine, { task_id, subtask_id }: Subtask): Promise<ReadonlySet<string>> {
  const told = new Set<string>();
  for (let after: string | null = null; ; ) {
    const page = await store.events(task_id, after, PAGE, ["branch_allocated", "commit"]);
    for (const each of page) {
      if (each.subtask_id !== subtask_id) continue;
      if (each.event === "branch_allocated") told.add(each.branch);
      else if (each.event === "commit") told.add(each.commit);
    }
    if (page.length < PAGE) return told;
    after = page.at(-1)?.id ?? null;
  }
}
