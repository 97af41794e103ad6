/**
 * One task from start to end:
 *   plan → submit (children durable, announced) → work (lease, branch, run, outcome, done signal)
 *   → fan-in → merge onto integration/<ticket> → report
 */
import type { Report, ReportState } from "../core/events.ts";
import type { Task, TaskState } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { STOP } from "../core/stop.ts";
import { runOptions } from "./engine.ts";
import { mergeFinished } from "./fan-in.ts";
import { createPool } from "./pool.ts";
import { donePayload, makeOutcome, NOTHING_RAN } from "./outcome.ts";
import { makeReport } from "./report.ts";
import { planTask, submitTask, type TaskRequest } from "./submit.ts";

/** Plans, submits and carries a task through. `submitted` hears of it as soon as it is durable. */
export async function runTask(
  engine: Engine,
  request: TaskRequest,
  submitted: (task: Task) => void,
  signal: AbortSignal,
): Promise<Report> {
  const plan = await planTask(engine, request);
  const { task } = await submitTask(engine, plan);
  await engine.repo.sweep();
  submitted(task);
  return carryOn(engine, task, signal);
}

/** Goes on with a task whose process died or was closed. Everything needed is in the rows and the refs. */
export async function resumeTask(
  engine: Engine,
  taskId: string,
  submitted: (task: Task) => void,
  signal: AbortSignal,
): Promise<Report> {
  const task = await engine.store.task(taskId);
  if (!task) throw new OxbowError("task_unknown", `There is no task ${taskId} in this repository.`);
  if (task.state !== "running" && task.state !== "planned") return makeReport(engine, task);
  for (const worker of await engine.store.liveWorkers(taskId)) {
    if (!engine.workerIsDead(worker))
      throw new OxbowError(
        "task_active",
        `The task ${taskId} is being worked on by another process (${worker}).`,
      );
    await engine.store.expireLeases(worker);
  }
  await engine.repo.sweep();
  await engine.store.relay();
  await engine.store.append([{ event: "task_resumed", task_id: taskId }]);
  submitted(task);
  return carryOn(engine, task, signal);
}

async function carryOn(engine: Engine, task: Task, signal: AbortSignal): Promise<Report> {
  let broken: unknown = null;
  const stopped = new AbortController();
  const pool = createPool(engine, runOptions(task).maxParallel ?? engine.team.limits.maxParallel, (error) => {
    broken ??= error;
    stopped.abort(STOP.handBack);
  });
  await pool.work(task.task_id, AbortSignal.any([signal, stopped.signal]));
  if (broken) throw broken;
  if (signal.reason === STOP.handBack) return makeReport(engine, task);
  if (signal.aborted) await cancelRest(engine, task);
  else await mergeFinished(engine, task);
  const report = await makeReport(engine, task);
  await engine.store.setTaskState(task.task_id, TASK_STATE[report.state], [
    { event: "task_finished", task_id: task.task_id, state: report.state },
  ]);
  return report;
}

const TASK_STATE: Readonly<Record<ReportState, TaskState>> = {
  completed: "completed",
  partial: "failed",
  failed: "failed",
  conflict: "needs_review",
  cancelled: "cancelled",
};

/** Children that never started hear of the cancellation too: each gets its outcome and its signal. */
async function cancelRest(engine: Engine, task: Task): Promise<void> {
  const { code, message, hint } = STOP.cancelled;
  await engine.store.finishUnstarted(task.task_id, (subtask) => {
    const found = {
      ...NOTHING_RAN,
      outcome: "cancelled" as const,
      summary: "",
      error: { code, message, hint },
    };
    const outcome = makeOutcome(subtask, 0, { ...found, branch: subtask.branch }, engine.redact);
    const { task_id, subtask_id, conversation_id } = subtask;
    return {
      outcome,
      signalPayload: donePayload(outcome),
      event: {
        event: "child_finished",
        task_id,
        subtask_id,
        conversation_id,
        source: subtask.agent,
        outcome: "cancelled",
        result: outcome,
      },
    };
  });
  await engine.store.relay();
}
