/** Tasks that no process carries any more (or that a library call only enqueued): a worker brings them to their end. */
import type { LiveTask } from "../store/contract.ts";
import type { ReportState } from "../core/events.ts";
import { isLive } from "../core/model.ts";
import { hasCode } from "../core/errors.ts";
import { conclude, endCancelled } from "./conclude.ts";
import { newDriver, takeDrive } from "./driving.ts";
import type { Engine } from "./engine.ts";

export interface Orphans {
  /** Begins to end those whose work is all done, unless that is under way. */
  end(engine: Engine, tasks: readonly LiveTask[]): void;
  settled(): Promise<void>;
}

export function createOrphans(
  ended: (taskId: string, state: ReportState) => void,
  problem: (error: unknown) => void,
  /** What is not at its end when it aborts is left to others: `verify` takes its time. */
  signal: AbortSignal,
): Orphans {
  /** What could not be ended is told once and left to a person: `oxbow run --resume`. */
  const left = new Set<string>();
  let running: Promise<void> | null = null;
  const endAll = async (engine: Engine, tasks: readonly LiveTask[]) => {
    for (const orphan of tasks) {
      const { task_id } = orphan.task;
      if (left.has(task_id)) continue;
      try {
        const state = await endOne(engine, orphan, signal);
        if (state !== null) ended(task_id, state);
      } catch (error) {
        if (hasCode(error, "task_active") || signal.aborted) continue;
        left.add(task_id);
        problem(error);
      }
    }
  };
  return {
    end(engine, tasks) {
      if (tasks.length === 0) return;
      running ??= endAll(engine, tasks).finally(() => {
        running = null;
      });
    },
    settled: async () => running ?? undefined,
  };
}

async function endOne(
  engine: Engine,
  { task, cancelled }: LiveTask,
  signal: AbortSignal,
): Promise<ReportState | null> {
  const { store } = engine;
  if (!cancelled && (await store.openSubtasks(task.task_id)) > 0) return null;
  await using drive = await takeDrive(engine, task.task_id, newDriver(engine, true));
  const now = await store.task(task.task_id);
  if (!now || !isLive(now)) return null;
  if (cancelled) await endCancelled(engine, task, drive.lost);
  const stopped = AbortSignal.any([signal, drive.lost]);
  const report = await conclude(engine, task, drive, cancelled, stopped);
  const after = await store.task(task.task_id);
  return after && isLive(after) ? null : (report?.state ?? null);
}
