/** What a due time of a schedule brings about: the signal, the task, the events. Pure. */
import type { EventBody } from "../core/events.ts";
import type { ErrorValue } from "../core/errors.ts";
import type { ScheduleEntry } from "../core/schedule.ts";
import type { Advance, PendingTask } from "../store/schedules.ts";
import type { Engine } from "./engine.ts";
import { type Due, fireTime } from "./schedule-times.ts";

export type FiredEvent = Extract<EventBody, { event: "schedule_fired" }>;
export type MissedEvent = Extract<EventBody, { event: "schedule_missed" }>;

export interface Firing extends Advance {
  readonly told: readonly (FiredEvent | MissedEvent)[];
}

/** What a due time brings about. One task of a schedule at a time. */
export function firing(
  engine: Pick<Engine, "redact">,
  { agent, task }: ScheduleEntry,
  { due, missed, next_at }: Due,
  at: { readonly now: number; readonly running: boolean },
): Firing {
  const events: (FiredEvent | MissedEvent)[] = [];
  if (missed) events.push(tooLate(agent, missed, due));
  if (due === null) return { next_at, fired: null, missed: counted(missed), events, told: events };
  const submits = task !== null && !at.running;
  const name = `cron-${agent}-${fireTime(due)}`;
  const pending = submits ? { task_id: name, title: engine.redact(task), due, fired_at: at.now } : null;
  const held = task !== null && at.running;
  if (held) events.push(stillRunning(agent, due));
  const about = { agent, due_at: iso(due), late_ms: Math.max(0, at.now - due) };
  const topic = `cron.${agent}`;
  events.push({ event: "schedule_fired", task_id: topic, ...about, topic, task: pending?.task_id ?? null });
  const skipped = missed?.count ?? 0;
  const payload = { ...about, fired_at: iso(at.now), missed: skipped, task_id: pending?.task_id ?? null };
  const signal = { event_id: `cron:${agent}:${fireTime(due)}`, topic, payload };
  const all = held ? { count: skipped + 1, at: due } : counted(missed);
  return { next_at, fired: { due, task: pending, signal }, missed: all, events, told: events };
}

function counted(missed: Due["missed"]): Advance["missed"] {
  return missed && { count: missed.count, at: missed.last };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function tooLate(agent: string, missed: NonNullable<Due["missed"]>, due: number | null): MissedEvent {
  const times = missed.count === 1 ? "one due time" : `${missed.count} due times`;
  const then = due === null ? "" : `; the one of ${iso(due)} is fired late`;
  return {
    event: "schedule_missed",
    task_id: `cron.${agent}`,
    agent,
    reason: "late",
    count: missed.count,
    due_at: iso(missed.last),
    message: `nobody was there to fire ${times}, the last ${iso(missed.last)}${then}`,
  };
}

function stillRunning(agent: string, due: number): MissedEvent {
  return {
    event: "schedule_missed",
    task_id: `cron.${agent}`,
    agent,
    reason: "still_running",
    count: 1,
    due_at: iso(due),
    message: `the task of the firing before is still running, so that of ${iso(due)} is left out`,
  };
}

export function notSubmitted(agent: string, pending: PendingTask, error: ErrorValue): MissedEvent {
  return {
    event: "schedule_missed",
    task_id: `cron.${agent}`,
    agent,
    reason: "not_submitted",
    count: 1,
    due_at: iso(pending.due),
    message: `the task ${pending.task_id} could not be submitted: ${error.message}`,
  };
}
