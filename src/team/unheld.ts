/** Subtasks that are ended while nobody works on them. */
import type { EventBody } from "../core/events.ts";
import type { Json, Outcome, Subtask, Task } from "../core/model.ts";
import type { OxbowError } from "../core/errors.ts";
import type { Engine } from "./engine.ts";
import { donePayload, makeOutcome, NOTHING_RAN } from "./outcome.ts";
import { committedOn } from "./scope-check.ts";

type UnheldEnd = { outcome: Outcome; signalPayload: Json; event: EventBody };

/** What becomes of those of the task: what was committed for one until then is named. */
export async function unheldOutcome(
  engine: Engine,
  task: Pick<Task, "task_id" | "base_commit">,
  kind: "cancelled" | "timed_out",
  error: OxbowError,
): Promise<(subtask: Subtask) => UnheldEnd> {
  const commits = await committedFor(engine, task);
  return (subtask) => unheldEnd(subtask, kind, error, commits.get(subtask.subtask_id) ?? null, engine.redact);
}

export function unheldEnd(
  subtask: Subtask,
  kind: "cancelled" | "timed_out",
  { code, message, hint }: OxbowError,
  commit: string | null,
  redact: (text: string) => string,
): UnheldEnd {
  const { task_id, subtask_id, conversation_id, branch } = subtask;
  const found = { ...NOTHING_RAN, outcome: kind, summary: "", branch, commit };
  const outcome = makeOutcome(subtask, 0, { ...found, error: { code, message, hint } }, redact);
  const event: EventBody = {
    event: "child_finished",
    task_id,
    subtask_id,
    conversation_id,
    source: subtask.agent,
    outcome: kind,
    result: outcome,
  };
  return { outcome, signalPayload: donePayload(outcome), event };
}

async function committedFor(
  engine: Engine,
  task: Pick<Task, "task_id" | "base_commit">,
): Promise<ReadonlyMap<string, string>> {
  const { store } = engine;
  const ended = new Set((await store.outcomes(task.task_id)).map(({ subtask_id }) => subtask_id));
  const commits = new Map<string, string>();
  for (const subtask of await store.subtasks(task.task_id)) {
    const commit = ended.has(subtask.subtask_id) ? null : await committedOn(engine, subtask, task);
    if (commit !== null) commits.set(subtask.subtask_id, commit);
  }
  return commits;
}
