/** A run's process while its task is worked on: it works on what no live worker takes, watches, and hears of a cancellation. */
import type { WorkerPresence } from "../store/contract.ts";
import type { Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { waitsForPerson } from "../core/gates.ts";
import { STOP } from "../core/stop.ts";
import { createBell } from "./bell.ts";
import { createServiceWatch } from "./blocked.ts";
import { LOOK_MS, requestCancel } from "./conclude.ts";
import { createEventSink, runOptions } from "./engine.ts";
import { noteCrashes } from "./crashes.ts";
import { fleetFor, liveWorkers, type WorkersMode } from "./fleet.ts";
import { keepLeases, stopReason } from "./leases.ts";
import { watchOpenWork } from "./open-work.ts";
import { watchOverlaps } from "./overlap.ts";
import { relaySoon } from "./relay.ts";
import { repeatedly } from "./repeatedly.ts";
import { workFrom } from "./pool.ts";

/** `done`: no subtask is open. Otherwise this process has stopped, and all its work has ended. */
export type CarryEnd = "done" | "cancelled" | "handed_back";

export interface CarryOptions {
  readonly workers: WorkersMode;
  /** False: handed back as soon as nothing goes on before a person answers. */
  readonly wait: boolean;
}

/** Ends when no subtask is open, `signal` aborts, or the task is cancelled by whichever process. */
export async function carry(
  engine: Engine,
  task: Task,
  { workers: mode, wait }: CarryOptions,
  signal: AbortSignal,
): Promise<CarryEnd> {
  const { store } = engine;
  const taskId = task.task_id;
  let broken: { readonly error: unknown } | null = null;
  const stop = new AbortController();
  const failed = (error: unknown) => {
    broken ??= { error };
    stop.abort(STOP.handBack);
  };
  const stopped = AbortSignal.any([signal, stop.signal]);
  const bell = createBell();
  const helped = createHelp(engine, task, mode);
  const service = createServiceWatch();
  await helped.look();
  const open = await watchOpenWork(engine, taskId, bell, stopped);
  const overlaps = await watchOverlaps(engine, task, stopped);
  const leases = keepLeases(engine, failed);
  const sink = createEventSink(store, failed);
  const looking = async () => {
    await noteCrashes(engine, leases.kept());
    await leases.look();
    // Signals of a process that died between its outcome and their sending.
    await relaySoon(engine);
    await helped.look();
    await service.look(engine, task, helped.served());
    const now = (await store.liveTasks()).find((each) => each.task.task_id === taskId);
    if (now?.cancelled) stop.abort(stopReason(now));
    else if (!wait && leases.kept().length === 0 && waitsForPerson(await store.subtasks(taskId)))
      stop.abort(STOP.handBack);
    bell.ring();
  };
  const look = repeatedly(LOOK_MS, looking, failed);
  const cancelled = onCancel(signal, () => requestCancel(engine, task).catch(failed));
  const limit = runOptions(task).maxParallel;
  const drainMs = () => (broken ? 0 : engine.settings.oxbowDrainMs);
  try {
    await workFrom(
      {
        more: () => open.count() > 0,
        async claim() {
          const exceptAgents = helped.elsewhere();
          if (exceptAgents === "all") return null;
          const lease = await store.claim({
            workerId: engine.workerId,
            taskId,
            exceptAgents,
            onlyReady: true,
            ...(limit === null ? {} : { limits: { [taskId]: limit } }),
            leaseMs: engine.settings.oxbowLeaseMs,
          });
          return lease && { lease, engine };
        },
      },
      { places: limit ?? engine.team.limits.maxParallel, leases, sink, bell, failed, drainMs },
      stopped,
    );
  } finally {
    look.stop();
    leases.close();
    open.close();
    await overlaps.close();
    await cancelled.settled();
  }
  throwIf(broken);
  if (!stopped.aborted) return "done";
  return stopped.reason === STOP.handBack ? "handed_back" : "cancelled";
}

function throwIf(broken: { readonly error: unknown } | null): void {
  if (broken) throw broken.error;
}

interface Help {
  /** The agents whose conversations live workers take; "all" where this process never works. */
  elsewhere(): readonly string[] | "all";
  /** The agents that somebody takes, here or elsewhere. */
  served(): readonly string[] | "all";
  /** Looks who is there, and says it when that changes who works. */
  look(): Promise<void>;
}

function createHelp(engine: Engine, task: Task, mode: WorkersMode): Help {
  const team = engine.registry.list().map((agent) => agent.name);
  let taken: readonly string[] = [];
  // A run without workers is the usual case, and nothing to speak of.
  let said = mode === "only" ? "" : sentence([], team, 0, mode);
  const tell = async (workers: readonly WorkerPresence[]) => {
    const { live, agents } = fleetFor(task, workers);
    taken = agents;
    const message = sentence(agents, team, live, mode);
    const kind = message.replace(/\d+/, "");
    if (kind === said.replace(/\d+/, "")) return;
    said = message;
    const here = mode !== "only" && !covers(agents, team);
    await engine.store.append([{ event: "workers", task_id: task.task_id, live, here, message }]);
  };
  return {
    elsewhere: () => (mode === "only" ? "all" : taken),
    served: () => (mode === "only" ? taken : "all"),
    look: async () => (mode === "none" ? undefined : tell(await liveWorkers(engine))),
  };
}

function covers(agents: readonly string[], team: readonly string[]): boolean {
  return team.every((agent) => agents.includes(agent));
}

function sentence(
  agents: readonly string[],
  team: readonly string[],
  live: number,
  mode: WorkersMode,
): string {
  const are = live === 1 ? "1 worker is live and takes" : `${live} workers are live and take`;
  const missing = team.filter((agent) => !agents.includes(agent));
  if (live > 0 && missing.length === 0) return `${are} the task on; this process only watches.`;
  if (mode === "only") {
    const what = live === 0 ? "No worker is live" : `No live worker takes ${missing.join(", ")}`;
    return `${what}: start one with \`oxbow worker\`. Waiting.`;
  }
  if (live === 0) return "No worker is live any more; this process works on the task itself.";
  return `${are} ${agents.join(", ")}; this process works on the rest.`;
}

/** The store hears of a cancellation at once, while what runs here is still ending. */
function onCancel(signal: AbortSignal, request: () => Promise<void>) {
  let asked: Promise<void> = Promise.resolve();
  const told = () => {
    if (signal.reason !== STOP.handBack) asked = request();
  };
  if (signal.aborted) told();
  else signal.addEventListener("abort", told, { once: true });
  return {
    settled() {
      signal.removeEventListener("abort", told);
      return asked;
    },
  };
}
