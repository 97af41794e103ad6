/** The end of a task, by the one process that carries it: what never ran is cancelled, what finished is merged, its state is written. */
import { failPoint } from "../host/fail-point.ts";
import { taskSpan } from "../host/telemetry.ts";
import type { ErrorCode, OxbowError } from "../core/errors.ts";
import type { Report, ReportState } from "../core/events.ts";
import type { Task, TaskState } from "../core/model.ts";
import type { Drive } from "./driving.ts";
import type { Engine } from "./engine.ts";
import { hasCode, toErrorValue } from "../core/errors.ts";
import { goesOnElsewhere, STOP } from "../core/stop.ts";
import { createBell } from "./bell.ts";
import { cancelMerges, mergeFinished } from "./fan-in.ts";
import { freeDeadLeases } from "./fleet.ts";
import { currentOf } from "./lines.ts";
import { stopReason } from "./leases.ts";
import { watchOpenWork } from "./open-work.ts";
import { relaySoon } from "./relay.ts";
import { repeatedly } from "./repeatedly.ts";
import { makeReport } from "./report.ts";
import { unheldOutcome } from "./unheld.ts";
import { tellUntold } from "./untold.ts";

/** How often to look for leases that ran out, milliseconds: no event tells of it. */
export const LOOK_MS = 1_000;

/**
 * Every subtask has its outcome. What `signal` hands back while it is merged is left as it is. Null when a part was added
 * meanwhile (a branch that does not land is reworked, a person had one tried again): then the task goes on.
 */
export async function conclude(
  engine: Engine,
  task: Task,
  drive: Drive,
  cancelled: boolean,
  signal: AbortSignal = drive.lost,
): Promise<Report | null> {
  return taskSpan(engine.telemetry, task.task_id, "orchestrator.aggregate", {}, async (note) => {
    const report = await aggregate(engine, task, drive, cancelled, signal);
    if (report) note({ "oxbow.state": report.state, "oxbow.parts": report.children.length });
    return report;
  });
}

async function aggregate(
  engine: Engine,
  task: Task,
  drive: Drive,
  cancelled: boolean,
  signal: AbortSignal,
): Promise<Report | null> {
  await drive.confirm();
  await tellUntold(engine, task);
  if (!cancelled && (await mergeAll(engine, task, drive, signal)) === "handed_back")
    return makeReport(engine, task);
  failPoint("merge.after");
  const report = await makeReport(engine, task);
  await drive.confirm();
  const outcomes = await engine.store.outcomes(task.task_id);
  const gaveUp = currentOf(await engine.store.subtasks(task.task_id)).some(({ subtask_id }) => {
    const outcome = outcomes.find((each) => each.subtask_id === subtask_id);
    const merge = report.merges.find((each) => each.subtask_id === subtask_id);
    if (merge?.state === "escalated" && report.state !== "cancelled") return true;
    return outcome?.error !== null && outcome !== undefined && FOR_REVIEW.has(outcome.error.code);
  });
  const state = gaveUp ? "needs_review" : TASK_STATE[report.state];
  failPoint("end.before");
  const ended = await engine.store.endTask(task.task_id, state, [
    { event: "task_finished", task_id: task.task_id, state: report.state },
  ]);
  failPoint("end.after");
  if (ended) tellTrace(engine, task, report);
  return ended ? report : null;
}

/** The span under which all others of the task stand. */
function tellTrace({ telemetry }: Engine, task: Task, report: Report): void {
  const { usage, cost, state } = report;
  telemetry.ended(
    task.task_id,
    {
      "oxbow.ticket": task.ticket,
      "oxbow.state": state,
      "gen_ai.usage.input_tokens": usage.input_tokens,
      "gen_ai.usage.output_tokens": usage.output_tokens,
      "oxbow.cost_usd": cost,
      ...(state === "completed" ? {} : { "error.type": state }),
    },
    task.created_at,
  );
}

/** Merging is short, but `verify` is not: whoever cancels the task, or stops this process, does not wait for it. */
async function mergeAll(
  engine: Engine,
  task: Task,
  drive: Drive,
  signal: AbortSignal,
): Promise<"merged" | "handed_back"> {
  const stop = new AbortController();
  const look = async () => {
    const now = (await engine.store.liveTasks()).find((each) => each.task.task_id === task.task_id);
    if (now?.cancelled) stop.abort(stopReason(now));
  };
  const failed = (error: unknown) => engine.log.error({ error: toErrorValue(error) }, "merge_not_watched");
  const looking = repeatedly(LOOK_MS, look, failed);
  const stopped = AbortSignal.any([signal, stop.signal]);
  try {
    await mergeFinished(engine, task, stopped);
  } catch (error) {
    if (!stopped.aborted && !hasCode(error, "fenced")) throw error;
    // Whoever merges there now, or carries the task, goes on with it.
    await drive.confirm();
    if (!stopped.aborted) return mergeAll(engine, task, drive, signal);
    if (goesOnElsewhere(stopped)) return "handed_back";
    await requestCancel(engine, task);
    await cancelMerges(engine, task, drive.lost);
  } finally {
    looking.stop();
  }
  return "merged";
}

/** Ends that a person has to look at: what crashed would crash again. */
const FOR_REVIEW: ReadonlySet<string> = new Set<ErrorCode>([
  "attempts_exhausted",
  "agent_disabled",
  "agent_unavailable",
  "agent_critical",
]);

const TASK_STATE: Readonly<Record<ReportState, TaskState>> = {
  completed: "completed",
  partial: "failed",
  failed: "failed",
  conflict: "needs_review",
  cancelled: "cancelled",
  // A part is open: then nothing ends.
  waiting: "running",
};

/** Cancels the task wherever it is worked on. Nothing of it is leased from here on. */
export async function requestCancel({ store }: Engine, { task_id }: Task): Promise<void> {
  const reason = STOP.cancelled.message;
  await store.setCancelled(task_id, true, [{ event: "cancel_requested", task_id, reason }]);
}

/** Waits until all of a cancelled task has ended. A worker that is gone or stands still is waited for until its lease runs out. */
export async function endCancelled(engine: Engine, task: Task, signal: AbortSignal): Promise<void> {
  const live = (await engine.store.liveTasks()).find((each) => each.task.task_id === task.task_id);
  const reason = live ? stopReason(live) : STOP.cancelled;
  const bell = createBell();
  const open = await watchOpenWork(engine, task.task_id, bell, signal);
  const timer = setInterval(bell.ring, LOOK_MS);
  const stop = () => bell.ring();
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!signal.aborted) {
      const change = bell.next();
      await freeDeadLeases(engine);
      await cancelRest(engine, task, reason);
      if (open.count() === 0 || (await engine.store.openSubtasks(task.task_id)) === 0) return;
      await change;
    }
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", stop);
    open.close();
  }
}

/** Children that never started hear of the cancellation too: each gets its outcome and its signal. */
async function cancelRest(engine: Engine, task: Task, reason: OxbowError): Promise<void> {
  await engine.store.finishUnstarted(task.task_id, await unheldOutcome(engine, task, "cancelled", reason));
  await relaySoon(engine);
}
