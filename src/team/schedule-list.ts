/** `schedule:` as a person sees it, and a firing that a person asks for. */
import { type ErrorValue, OxbowError, toErrorValue } from "../core/errors.ts";
import type { ScheduleEntry, Timing } from "../core/schedule.ts";
import type { Engine } from "./engine.ts";
import { liveWorkers } from "./fleet.ts";
import { cleanError } from "./outcome.ts";
import { relaySoon } from "./relay.ts";
import { firing } from "./schedule-firing.ts";
import { firstDue, judge } from "./schedule-times.ts";
import { register, submitPending } from "./scheduler.ts";

/** Times are ISO 8601 in UTC; null where there is none. */
export interface ShownSchedule {
  readonly agent: string;
  readonly timing: Timing;
  readonly task: string | null;
  /** When a worker has read this time; null: none has yet. */
  readonly registered_at: string | null;
  /** The next due time; it may be over, and fired late. */
  readonly next_at: string | null;
  /** A due time that is over and that no worker has fired or skipped yet. */
  readonly overdue: boolean;
  readonly last_due_at: string | null;
  readonly last_fired_at: string | null;
  readonly last_task: string | null;
  /** The task of the last firing is still to be submitted. */
  readonly pending: boolean;
  readonly missed: number;
  readonly last_missed_at: string | null;
  /** Workers of the team that are live: without one nothing fires. */
  readonly workers: number;
}

export async function listSchedules(engine: Engine): Promise<readonly ShownSchedule[]> {
  const { store, team } = engine;
  const [{ now, schedules }, live] = await Promise.all([
    store.schedules.read(team.team),
    liveWorkers(engine),
  ]);
  const workers = live.filter((each) => each.team === team.team).length;
  const rows = new Map(schedules.map((row) => [row.agent, row]));
  return team.schedule.map(({ agent, timing, task }) => {
    const row = rows.get(agent);
    const known = row?.timing === JSON.stringify(timing) ? row : undefined;
    const grace = engine.settings.oxbowScheduleGraceMs;
    const corrected =
      known && known.next_at !== null && known.next_at > now && judge(timing, known, now, grace);
    const next = corrected ? corrected.next_at : known ? known.next_at : firstDue(timing, now);
    return {
      agent,
      timing,
      task,
      registered_at: iso(known?.registered_at),
      next_at: iso(next),
      overdue: next !== null && next <= now,
      last_due_at: iso(row?.last_due),
      last_fired_at: iso(row?.last_fired_at),
      last_task: row?.last_task ?? null,
      pending: (row?.pending ?? null) !== null,
      missed: row?.missed ?? 0,
      last_missed_at: iso(row?.missed_at),
      workers,
    };
  });
}

function iso(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}

export interface FiredNow {
  readonly agent: string;
  readonly topic: string;
  readonly due_at: string;
  /** Null: it has none, or the task of the firing before is still running. */
  readonly task_id: string | null;
  readonly still_running: boolean;
  /** Why the task could not be submitted from here; workers try again. */
  readonly error: ErrorValue | null;
}

/** The times of the schedule stay as they are. Throws usage when the agent has none. */
export async function fireNow(engine: Engine, agent: string): Promise<FiredNow> {
  const { store, team } = engine;
  const entry = entryOf(engine, agent);
  await register(engine);
  const fired = await store.schedules.advance(team.team, agent, (row, at) =>
    firing(engine, entry, { due: at.now, missed: null, next_at: row.next_at }, at),
  );
  if (!fired?.fired)
    throw new OxbowError("internal", `The schedule of ${agent} went away while it was to be fired.`);
  await relaySoon(engine);
  const { due, task, signal } = fired.fired;
  const error = task && (await submitOrSay(engine, agent, task));
  return {
    agent,
    topic: signal.topic,
    due_at: new Date(due).toISOString(),
    task_id: task?.task_id ?? null,
    still_running: fired.told.some((event) => event.event === "schedule_missed"),
    error,
  };
}

async function submitOrSay(
  engine: Engine,
  agent: string,
  task: Parameters<typeof submitPending>[2],
): Promise<ErrorValue | null> {
  try {
    await submitPending(engine, agent, task);
    await engine.store.schedules.settle(engine.team.team, agent, task.task_id);
    return null;
  } catch (error) {
    return cleanError(toErrorValue(error), engine.redact);
  }
}

function entryOf({ team }: Engine, agent: string): ScheduleEntry {
  const found = team.schedule.find((entry) => entry.agent === agent);
  if (found) return found;
  const names = team.schedule.map((entry) => entry.agent).join(", ");
  throw new OxbowError("usage", `${agent} has no entry under schedule: in ${team.file}.`, {
    hint: names === "" ? "Write one; docs/schedule.md shows how." : `There are entries for ${names}.`,
  });
}
