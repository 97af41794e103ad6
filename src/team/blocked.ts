/**
 * Subtasks whose agent is not available (SPEC C6): it was given up in this task, or no live worker takes it. They are
 * `blocked`, with an alert, while the task goes on with the others. A person gives them to another agent; who does
 * nothing finds them ended as `timed_out` after the time the agent itself would have had, so that nobody waits for ever.
 */
import type { EventBody } from "../core/events.ts";
import type { Task } from "../core/model.ts";
import type { FreeSubtask } from "../store/blocked.ts";
import type { Lease, Store } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import type { Alert } from "./intervention-results.ts";
import { OxbowError } from "../core/errors.ts";
import { fleetFor, liveWorkers } from "./fleet.ts";
import { relaySoon } from "./relay.ts";
import { unheldOutcome } from "./unheld.ts";

/** How long one may be blocked, milliseconds. */
function patienceMs({ registry, team }: Engine, agent: string): number {
  const spec = registry.get(agent);
  return spec?.slaMs ?? spec?.timeoutMs ?? team.defaults.timeoutMs;
}

function alertOf(
  engine: Engine,
  about: { readonly task_id: string } & Pick<FreeSubtask, "subtask_id" | "conversation_id" | "agent">,
  { code, message }: OxbowError,
): EventBody {
  const { task_id, subtask_id, conversation_id, agent } = about;
  const until = new Date(engine.now() + patienceMs(engine, agent)).toISOString();
  return { event: "alert", task_id, subtask_id, conversation_id, source: agent, agent, code, message, until };
}

/** Lets go of what was claimed, since its agent is not to be started. False when the lease is no longer ours. */
export function blockFor(engine: Engine, lease: Lease, why: OxbowError): Promise<boolean> {
  const { subtask } = lease;
  return engine.store.blockHeld(lease, patienceMs(engine, subtask.agent), [alertOf(engine, subtask, why)]);
}

export interface ServiceWatch {
  /** `served`: the agents of the task that somebody takes. What nobody takes for longer than a lease is blocked. */
  look(engine: Engine, task: Task, served: readonly string[] | "all"): Promise<void>;
}

export function createServiceWatch(): ServiceWatch {
  /** Since when nobody takes a subtask. */
  let missed = new Map<string, number>();
  return {
    async look(engine, task, served) {
      if (served === "all") return;
      const { store } = engine;
      const now = engine.now();
      const before = missed;
      missed = new Map();
      for (const free of await store.freeSubtasks(task.task_id)) {
        const { subtask_id, agent, blocked_at, disabled } = free;
        if (served.includes(agent)) {
          if (blocked_at !== null && disabled === null) await store.unblock(subtask_id);
          continue;
        }
        const since = before.get(subtask_id) ?? now;
        missed.set(subtask_id, since);
        const why = unavailable(agent, disabled);
        if (blocked_at !== null) {
          if (now < blocked_at + patienceMs(engine, agent)) continue;
          await store.finishBlocked(subtask_id, await unheldOutcome(engine, task, "timed_out", why));
          await relaySoon(engine);
        } else if (now >= since + engine.settings.oxbowLeaseMs)
          await store.blockFree(subtask_id, [alertOf(engine, { ...free, task_id: task.task_id }, why)]);
      }
    },
  };
}

function unavailable(agent: string, disabled: string | null): OxbowError {
  if (disabled !== null) return new OxbowError("agent_disabled", disabled);
  return new OxbowError("agent_unavailable", `No live worker takes the conversations of ${agent}.`);
}

/**
 * What of a task could start, when nobody takes any of it; while no process drives the task, it is blocked here, with an
 * alert. Whoever can work on it may still take it at any time. Empty while anything goes on, or waits for a person.
 */
export async function blockUntaken(engine: Engine, taskId: string): Promise<readonly FreeSubtask[]> {
  const { store } = engine;
  const live = (await store.liveTasks()).find(({ task }) => task.task_id === taskId);
  if (live === undefined) return [];
  const subtasks = await store.subtasks(taskId);
  if (subtasks.some(({ state }) => state === "running" || state === "awaiting_approval")) return [];
  const taken = await takenOf(engine, live.task);
  const free = await store.freeSubtasks(taskId);
  if (free.some(({ agent, disabled }) => disabled === null && taken.includes(agent))) return [];
  const waiting = free.filter(({ blocked_at }) => blocked_at === null);
  // Who drives it may work on it alone, and blocks what nobody takes for longer.
  const isDriven = live.driver !== null && !engine.workerIsDead(live.driver);
  if (isDriven) return waiting.length > 0 ? [] : free;
  for (const each of waiting) {
    const why = unavailable(each.agent, each.disabled);
    await store.blockFree(each.subtask_id, [alertOf(engine, { ...each, task_id: taskId }, why)]);
  }
  return free;
}

/** The agents of a task that live workers take. */
export async function takenOf(engine: Engine, task: Task): Promise<readonly string[]> {
  return fleetFor(task, await liveWorkers(engine)).agents;
}

/** What waits for a person, of one task or all that are live, the oldest task first. */
export async function openAlerts(store: Store, taskId?: string): Promise<readonly Alert[]> {
  const tasks = (await store.liveTasks()).map(({ task }) => task.task_id);
  const alerts: Alert[] = [];
  for (const task_id of tasks.filter((id) => taskId === undefined || id === taskId)) {
    const blocked = (await store.freeSubtasks(task_id)).filter(({ blocked_at }) => blocked_at !== null);
    if (blocked.length === 0) continue;
    const told = await store.events(task_id, null, ALERTS, ["alert"]);
    for (const { subtask_id, agent } of blocked) {
      const last = told.findLast((each) => each.subtask_id === subtask_id);
      if (last?.event !== "alert") continue;
      const { code, message, until, ts: since } = last;
      alerts.push({ kind: "alert", task_id, subtask_id, agent, code, message, since, until });
    }
  }
  return alerts;
}

/** Of one task, at most. */
const ALERTS = 10_000;
