/** The workers that are there for a task, and the ones that are gone: what they held is free at once. */
import type { WorkerPresence } from "../store/contract.ts";
import type { Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";

/** How a run's process and workers share the work. `auto`: here only what no live worker takes; `none`: all here; `only`: nothing here. */
export type WorkersMode = "auto" | "none" | "only";

export type FleetEngine = Pick<Engine, "store" | "workerIsDead">;

/** A row of a process that died without a goodbye is removed. */
export async function liveWorkers({ store, workerIsDead }: FleetEngine): Promise<readonly WorkerPresence[]> {
  const live: WorkerPresence[] = [];
  for (const worker of await store.workers()) {
    if (workerIsDead(worker.worker_id)) await store.removeWorker(worker.worker_id);
    else live.push(worker);
  }
  return live;
}

/** Ends the leases of processes known to be dead. True when there were any. */
export async function freeDeadLeases({ store, workerIsDead }: FleetEngine): Promise<boolean> {
  const holders = new Set((await store.holders()).map(({ worker_id }) => worker_id));
  const dead = [...holders].filter(workerIsDead);
  for (const worker of dead) await store.expireLeases(worker);
  return dead.length > 0;
}

/** Those that can work on the task, and the agents that one of them at least takes. */
export function fleetFor(task: Task, workers: readonly WorkerPresence[]) {
  const able = workers
    .filter((worker) => worker.team === task.team)
    .map((worker) => {
      const declined = worker.declined[task.task_id] ?? [];
      return worker.agents.filter((agent) => !declined.includes(agent));
    })
    .filter((agents) => agents.length > 0);
  return { live: able.length, agents: [...new Set(able.flat())].sort() };
}
