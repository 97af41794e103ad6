/**
 * One task from start to end:
 *   plan → submit (children durable, announced) → work (lease, branch, run, outcome, done signal)
 *   → fan-in → merge onto integration/<ticket> → report
 */
import type { EventBody, Report, ReportState } from "../core/events.ts";
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

/** Told when the task is durable, with the last event that was there before (null: none). */
type Submitted = (task: Task, after: string | null) => void;

/** Plans, submits and carries a task through. `submitted` hears of it as soon as it is durable. */
export async function runTask(
  engine: Engine,
  request: TaskRequest,
  submitted: Submitted,
  signal: AbortSignal,
): Promise<Report> {
  const plan = await planTask(engine, request);
  const { task } = await submitTask(engine, plan);
  submitted(task, null);
  await clearUp(engine);
  return carryOn(engine, task, signal);
}

/** Goes on with a task whose process died or was closed. Everything needed is in the rows and the refs. */
export async function resumeTask(
  engine: Engine,
  taskOrTicket: string,
  submitted: Submitted,
  signal: AbortSignal,
): Promise<Report> {
  const task = (await engine.store.task(taskOrTicket)) ?? (await engine.store.tasksByTicket(taskOrTicket))[0];
  if (!task) throw new OxbowError("task_unknown", `There is no task ${taskOrTicket} in this repository.`);
  const taskId = task.task_id;
  if (task.state !== "running" && task.state !== "planned") return makeReport(engine, task);
  for (const worker of await engine.store.liveWorkers(taskId)) {
    if (!engine.workerIsDead(worker))
      throw new OxbowError(
        "task_active",
        `The task ${taskId} is being worked on by another process (${worker}).`,
      );
    await engine.store.expireLeases(worker);
  }
  const [resumed] = await engine.store.append([{ event: "task_resumed", task_id: taskId }]);
  submitted(task, resumed?.id ?? null);
  await clearUp(engine);
  await engine.store.relay();
  return carryOn(engine, task, signal);
}

/** What dead processes left is saved and said, whichever task it belongs to. */
async function clearUp(engine: Engine): Promise<void> {
  const { saved } = await engine.repo.sweep();
  const events = saved.map(
    (work): EventBody => ({
      event: "work_saved",
      task_id: work.taskId,
      subtask_id: work.subtaskId,
      conversation_id: work.conversationId,
      source: work.agent,
      commit: work.commit,
      files: work.files,
    }),
  );
  if (events.length > 0) await engine.store.append(events);
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
