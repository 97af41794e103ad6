/**
 * Fires `schedule:`. Every worker looks at the rows of its team: whoever advances one sends its signal and submits its task, and
 * what that one leaves undone the next look of any worker finishes.
 */
import { hasCode, toErrorValue } from "../core/errors.ts";
import type { ScheduleEntry } from "../core/schedule.ts";
import type { TeamFile } from "../core/team-file.ts";
import type { PendingTask, Schedule } from "../store/schedules.ts";
import { type Engine, runOptions } from "./engine.ts";
import { cleanError } from "./outcome.ts";
import { relaySoon } from "./relay.ts";
import { type FiredEvent, firing, type MissedEvent, notSubmitted } from "./schedule-firing.ts";
import { type Due, firstDue, judge } from "./schedule-times.ts";
import { planTask, submitTask } from "./submit.ts";
import type { WorkerEvent } from "./worker-events.ts";

/** The longest time between two looks, milliseconds: a clock may jump, and others may leave work undone. */
const LOOK_MS = 30_000;

export interface Scheduler {
  /** Fires what is due, and returns how long nothing more will be, milliseconds (at most 30,000). */
  look(engine: Engine): Promise<number>;
}

export function createScheduler(
  tell: (event: WorkerEvent) => void,
  problem: (error: unknown) => void,
): Scheduler {
  let registered: TeamFile | null = null;
  /** By agent: what stands in the way of its task, which is told once. */
  const told = new Map<string, string>();

  const report = (events: readonly (FiredEvent | MissedEvent)[]) => {
    for (const { task_id: _, ...event } of events) tell(event);
  };

  /** True when the task needs nobody any more. */
  async function submitted(engine: Engine, entry: ScheduleEntry, pending: PendingTask, now: number) {
    const { store, team, settings } = engine;
    try {
      await submitPending(engine, entry.agent, pending);
      return await store.schedules.settle(team.team, entry.agent, pending.task_id);
    } catch (error) {
      const shown = cleanError(toErrorValue(error), engine.redact);
      if (now - pending.fired_at > settings.oxbowScheduleGraceMs) {
        const event = notSubmitted(entry.agent, pending, shown);
        const missed = { at: pending.due, events: [event] };
        if (!(await store.schedules.settle(team.team, entry.agent, pending.task_id, missed))) return false;
        report([event]);
        return true;
      }
      const obstacle = `${pending.task_id} ${shown.code}`;
      if (told.get(entry.agent) !== obstacle) problem(error);
      told.set(entry.agent, obstacle);
      return false;
    }
  }

  /** True when it changed anything. */
  async function lookAt(engine: Engine, entry: ScheduleEntry, row: Schedule, now: number): Promise<boolean> {
    if (row.pending !== null && (await submitted(engine, entry, row.pending, now))) return true;
    if (dueOf(engine, entry, row, now) === null) return false;
    const decide = (current: Schedule, at: { now: number; running: boolean }) => {
      const due = dueOf(engine, entry, current, at.now);
      return due && firing(engine, entry, due, at);
    };
    const change = await engine.store.schedules.advance(engine.team.team, entry.agent, decide);
    if (change === null) return false;
    report(change.told);
    if (change.fired) await relaySoon(engine);
    return true;
  }

  return {
    async look(engine) {
      const { store, team } = engine;
      if (registered !== team) await register(engine);
      registered = team;
      if (team.schedule.length === 0) return LOOK_MS;
      for (;;) {
        const { now, schedules } = await store.schedules.read(team.team);
        const rows = new Map(schedules.map((row) => [row.agent, row]));
        let changed = false;
        let wait = LOOK_MS;
        for (const entry of team.schedule) {
          const row = rows.get(entry.agent);
          if (row === undefined) continue;
          changed = (await lookAt(engine, entry, row, now)) || changed;
          if (row.next_at !== null && row.next_at > now) wait = Math.min(wait, row.next_at - now);
        }
        if (!changed) return wait;
      }
    },
  };
}

/** What is in the file holds from now on. */
export async function register({ store, team }: Pick<Engine, "store" | "team">): Promise<void> {
  const entries = team.schedule.map((entry) => ({ ...entry, timing: JSON.stringify(entry.timing) }));
  const { schedules } = await store.schedules.read(team.team);
  const known = new Map(schedules.map((row) => [row.agent, row.timing]));
  const same = entries.every(({ agent, timing }) => known.get(agent) === timing);
  if (same && known.size === entries.length) return;
  const timings = new Map(team.schedule.map(({ timing }) => [JSON.stringify(timing), timing]));
  await store.schedules.register(team.team, entries, (text, now) => {
    const timing = timings.get(text);
    return timing === undefined ? null : firstDue(timing, now);
  });
}

/** Null also while another worker's file says another time: that one fires then. */
function dueOf({ settings }: Engine, entry: ScheduleEntry, row: Schedule, now: number): Due | null {
  if (row.timing !== JSON.stringify(entry.timing)) return null;
  return judge(entry.timing, row, now, settings.oxbowScheduleGraceMs);
}

/** The lead gets it as it gets a run's; another agent gets it as its own part. Nothing when it is there already. */
export async function submitPending(engine: Engine, agent: string, pending: PendingTask): Promise<void> {
  const { store, team, registry } = engine;
  const { task_id: taskId, title } = pending;
  if (await store.task(taskId)) return;
  const lead = team.lead ?? registry.list()[0]?.name;
  const split = agent === lead ? undefined : { task: title, children: [{ task: title, agent }] };
  try {
    await submitTask(
      engine,
      await planTask(engine, { title, taskId, options: runOptions({ options: {} }), split }),
    );
  } catch (error) {
    // Another worker was quicker, and has read another file.
    if (!hasCode(error, "task_conflict")) throw error;
  }
}

export interface ScheduleKeeper {
  /** The team as its file says it now. */
  follow(engine: Engine): void;
  readonly ended: Promise<void>;
}

/** Looks when something becomes due, and when the team file has changed, until `signal` aborts. */
export function keepSchedule(
  first: Engine,
  scheduler: Scheduler,
  problem: (error: unknown) => void,
  signal: AbortSignal,
): ScheduleKeeper {
  let engine = first;
  let wake: () => void = () => undefined;
  const nap = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (signal.aborted) wake();
    });
  const keep = async () => {
    let failing = false;
    while (!signal.aborted) {
      const team = engine.team;
      let wait = LOOK_MS;
      try {
        wait = await scheduler.look(engine);
        failing = false;
      } catch (error) {
        if (!failing) problem(error);
        failing = true;
      }
      if (engine.team === team) await nap(wait);
    }
  };
  const stop = () => wake();
  signal.addEventListener("abort", stop, { once: true });
  return {
    follow(now) {
      const changed = now.team !== engine.team;
      engine = now;
      if (changed) wake();
    },
    ended: keep().finally(() => signal.removeEventListener("abort", stop)),
  };
}
