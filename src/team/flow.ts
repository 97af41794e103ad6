/**
 * One task from start to end:
 *   plan → submit (children durable, announced) → work, here or in workers (lease, branch, run, outcome, done signal)
 *   → fan-in → merge onto integration/<ticket> → report
 */
import type { Report } from "../core/events.ts";
import type { Task } from "../core/model.ts";
import type { Drive } from "./driving.ts";
import type { Engine } from "./engine.ts";
import { isLive } from "../core/model.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { STOP } from "../core/stop.ts";
import { carry, type CarryOptions } from "./carry.ts";
import { clearUp } from "./clear-up.ts";
import { conclude, endCancelled } from "./conclude.ts";
import { newDriver, takeDrive } from "./driving.ts";
import { beginTask } from "./execute.ts";
import { noteCrashes } from "./crashes.ts";
import { makeReport } from "./report.ts";
import { planTask, submitTask, type TaskRequest } from "./submit.ts";

export interface Watcher extends CarryOptions {
  /** Told when the task is durable, with the last event that was there before (null: none). */
  submitted(task: Task, after: string | null): void;
}

/** Plans, submits and carries a task through. Throws task_active when another process carries it already. */
export async function runTask(
  engine: Engine,
  request: TaskRequest,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Report> {
  const plan = await planTask(engine, request);
  const driver = newDriver(engine, watcher.workers !== "none");
  const { task } = await submitTask(engine, plan, driver);
  watcher.submitted(task, null);
  if (!isLive(task)) return makeReport(engine, task);
  await using drive = await takeDrive(engine, task.task_id, driver);
  await clearUp(engine);
  return await carryOn(engine, task, drive, watcher, signal);
}

/** Goes on with a task whose process died or was closed. Everything needed is in the rows and the refs. Throws as runTask. */
export async function resumeTask(
  engine: Engine,
  taskOrTicket: string,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<Report> {
  const { store } = engine;
  const task = (await store.task(taskOrTicket)) ?? (await store.tasksByTicket(taskOrTicket))[0];
  if (!task) throw new OxbowError("task_unknown", `There is no task ${taskOrTicket} in this repository.`);
  const taskId = task.task_id;
  if (!isLive(task)) return makeReport(engine, task);
  await using drive = await takeDrive(engine, taskId, newDriver(engine, watcher.workers !== "none"));
  // To go on is to take a cancellation back that was not carried out to its end.
  await store.setCancelled(taskId, false, []);
  await store.pardon(taskId);
  await noteCrashes(engine, []);
  if (task.state === "planned") await beginTask(engine, task, { mode: "auto" });
  const [resumed] = await store.append([{ event: "task_resumed", task_id: taskId }]);
  watcher.submitted(task, resumed?.id ?? null);
  await clearUp(engine);
  await store.relay();
  return await carryOn(engine, task, drive, watcher, signal);
}

async function carryOn(
  engine: Engine,
  task: Task,
  drive: Drive,
  how: CarryOptions,
  signal: AbortSignal,
): Promise<Report> {
  const stop = new AbortController();
  // What this process still works on is handed back: whoever carries the task now goes on with it.
  const handBack = () => stop.abort(STOP.handBack);
  drive.lost.addEventListener("abort", handBack, { once: true });
  try {
    for (;;) {
      const end = await carry(engine, task, how, AbortSignal.any([signal, stop.signal]));
      if (!drive.lost.aborted) {
        if (end === "handed_back") return await makeReport(engine, task);
        if (end === "cancelled") await endCancelled(engine, task, drive.lost);
      }
      const stopped = AbortSignal.any([signal, drive.lost]);
      const report = await conclude(engine, task, drive, end === "cancelled", stopped);
      if (report) return report;
    }
  } catch (error) {
    // Somebody else has carried it to its end meanwhile: that is the end of it.
    const now = hasCode(error, "task_active") ? await engine.store.task(task.task_id) : null;
    if (now && !isLive(now)) return makeReport(engine, now);
    throw error;
  } finally {
    drive.lost.removeEventListener("abort", handBack);
  }
}
