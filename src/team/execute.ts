/** A planned task begins: its subtasks can be taken by whoever works, or wait for a person first. */
import type { Execution } from "../core/execution.ts";
import type { Gate, Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";

/** Begins the task, for whoever works. False when it has begun already. Throws as `beginTask`, and task_unknown. */
export async function executeTask(engine: Engine, taskId: string, execution: Execution): Promise<boolean> {
  const task = await engine.store.task(taskId);
  if (!task)
    throw new OxbowError("task_unknown", `There is no task ${taskId}.`, { details: { task_id: taskId } });
  return beginTask(engine, task, execution);
}

/** False when it has begun already. Throws task_unknown, subtask_unknown (a checkpoint), ticket_in_use. */
export async function beginTask(
  engine: Engine,
  { task_id, state }: Task,
  execution: Execution,
): Promise<boolean> {
  const { store, repo, registry, team } = engine;
  if (state !== "planned") return false;
  const subtasks = await store.subtasks(task_id);
  const { mode, checkpoints = [] } = execution;
  const person = registry.windowPerson(team.team);
  const gates = Object.fromEntries(
    stoppedAt(subtasks, execution)
      .filter(({ gate }) => gate === null)
      .map(({ subtask_id }): [string, Gate] => [
        subtask_id,
        { person, reason: checkpoints.length > 0 ? CHECKPOINT : STEP },
      ]),
  );
  const planned = subtasks.flatMap(({ gate, subtask_id }) => (gate === null ? [] : [subtask_id]));
  const { name, email } = repo.identity;
  const by = `${name} <${email}>`;
  const waiting = [...planned, ...Object.keys(gates)];
  return store.gates.begin(
    task_id,
    gates,
    [{ event: "task_started", task_id, mode, gates: waiting, by }],
    by,
  );
}

const CHECKPOINT = "A checkpoint: a person looks before it starts.";
const STEP = "The task is carried out by hand: a person lets each part start.";

function stoppedAt(subtasks: readonly Subtask[], { mode, checkpoints = [] }: Execution): readonly Subtask[] {
  const unknown = checkpoints.find((id) => !subtasks.some(({ subtask_id }) => subtask_id === id));
  if (unknown !== undefined)
    throw new OxbowError("subtask_unknown", `The checkpoint ${unknown} is no subtask of the task.`, {
      hint: "Name the subtasks of the plan by their ids.",
      details: { subtask_id: unknown },
    });
  if (mode === "manual" && checkpoints.length === 0) return subtasks;
  return subtasks.filter(({ subtask_id }) => checkpoints.includes(subtask_id));
}
