/**
 * What became of `schedule:`: a row for each agent of a team that has one. Whoever looks at a row when it is due advances it,
 * with what this brings about in the same transaction, so that each due time is fired by one process.
 */
import type { Selectable } from "kysely";
import type { EventBody } from "../core/events.ts";
import type { Json, TaskState } from "../core/model.ts";
import type { Database, Tx } from "./engine.ts";
import { isLive } from "../core/model.ts";
import { appendEvents } from "./events.ts";
import { announcement, putInOutbox } from "./outbox.ts";
import { toJson } from "./rows.ts";
import type { ScheduleRow } from "./schema.ts";

/** Signals and events of one schedule that are kept: those of the last firings. */
export const KEPT = 1_000;

/** A task that a firing wants, and that nobody has submitted yet. */
export interface PendingTask {
  readonly task_id: string;
  readonly title: string;
  /** When it was due, and when it was fired, Unix milliseconds. */
  readonly due: number;
  readonly fired_at: number;
}

/** Times in Unix milliseconds. */
export interface Schedule {
  readonly agent: string;
  /** When it comes, as the caller wrote it; the store does not read it. */
  readonly timing: string;
  /** Since when it has this timing. */
  readonly registered_at: number;
  /** Null: it comes no more. */
  readonly next_at: number | null;
  readonly last_due: number | null;
  readonly last_fired_at: number | null;
  /** The task of the last firing that had one. */
  readonly last_task: string | null;
  /** Due times that were skipped, and the last of them. */
  readonly missed: number;
  readonly missed_at: number | null;
  readonly pending: PendingTask | null;
}

export interface Advance {
  readonly next_at: number | null;
  readonly fired: {
    readonly due: number;
    readonly task: PendingTask | null;
    readonly signal: { readonly event_id: string; readonly topic: string; readonly payload: Json };
  } | null;
  readonly missed: { readonly count: number; readonly at: number } | null;
  readonly events: readonly EventBody[];
}

export interface ScheduleStore {
  /** The team's rows by agent, and the clock they are judged by. */
  read(team: string): Promise<{ readonly now: number; readonly schedules: readonly Schedule[] }>;
  /**
   * Makes the team's rows those of its file. One whose timing is the same stays as it is; another begins anew, with what
   * `first` says of it; one that is not among the entries goes.
   */
  register(
    team: string,
    entries: readonly { readonly agent: string; readonly timing: string }[],
    first: (timing: string, now: number) => number | null,
  ): Promise<void>;
  /**
   * Writes what `decide` makes of the row as it is now: the row, the signal in the outbox, the events (named by the signal's
   * topic); of both the last 1,000 are kept. Null: there is no row,
   * or nothing is to be done. `running`: its last task is live, or still to be submitted. `decide` may run more than once.
   */
  advance<T extends Advance>(
    team: string,
    agent: string,
    decide: (schedule: Schedule, at: { readonly now: number; readonly running: boolean }) => T | null,
  ): Promise<T | null>;
  /** The pending task was submitted, or (`missed`) is given up. False when another process was first. */
  settle(
    team: string,
    agent: string,
    taskId: string,
    missed?: { readonly at: number; readonly events: readonly EventBody[] },
  ): Promise<boolean>;
}

export function createScheduleStore({ db, now, write }: Database): ScheduleStore {
  return {
    async read(team) {
      const rows = await db
        .selectFrom("schedules")
        .selectAll()
        .where("team", "=", team)
        .orderBy("agent")
        .execute();
      return { now: now(), schedules: rows.map(toSchedule) };
    },

    register: (team, entries, first) =>
      write(async (tx) => {
        const known = await tx.db.selectFrom("schedules").selectAll().where("team", "=", team).execute();
        const timings = new Map(known.map((row) => [row.agent, row.timing]));
        const wanted = new Set(entries.map(({ agent }) => agent));
        for (const agent of timings.keys())
          if (!wanted.has(agent))
            await tx.db.deleteFrom("schedules").where("team", "=", team).where("agent", "=", agent).execute();
        for (const { agent, timing } of entries) {
          if (timings.get(agent) === timing) continue;
          const begun = { timing, registered_at: tx.now, next_at: first(timing, tx.now) };
          await tx.db
            .insertInto("schedules")
            .values({ ...NOTHING_YET, team, agent, ...begun })
            .onConflict((conflict) => conflict.columns(["team", "agent"]).doUpdateSet(begun))
            .execute();
        }
      }),

    advance: (team, agent, decide) =>
      write(async (tx) => {
        const schedule = await one(tx, team, agent);
        if (!schedule) return null;
        const change = decide(schedule, { now: tx.now, running: await isRunning(tx, schedule) });
        if (change === null) return null;
        const { next_at, fired, missed, events } = change;
        const firing = fired && { last_due: fired.due, last_fired_at: tx.now };
        const task = fired?.task && { last_task: fired.task.task_id, pending: toJson(fired.task) };
        await tx.db
          .updateTable("schedules")
          .set({ next_at, ...firing, ...task, ...missedMore(schedule, missed) })
          .where("team", "=", team)
          .where("agent", "=", agent)
          .execute();
        if (fired) {
          const { event_id, topic, payload } = fired.signal;
          await putInOutbox(tx, [announcement(event_id, topic, payload)]);
          await keepNewest(tx, topic);
        }
        await appendEvents(tx, events);
        return change;
      }),

    settle: (team, agent, taskId, missed) =>
      write(async (tx) => {
        const schedule = await one(tx, team, agent);
        if (schedule?.pending?.task_id !== taskId) return false;
        await tx.db
          .updateTable("schedules")
          .set({ pending: null, ...missedMore(schedule, missed ? { count: 1, at: missed.at } : null) })
          .where("team", "=", team)
          .where("agent", "=", agent)
          .execute();
        await appendEvents(tx, missed?.events ?? []);
        return true;
      }),
  };
}

const NOTHING_YET = {
  last_due: null,
  last_fired_at: null,
  last_task: null,
  missed: 0,
  missed_at: null,
  pending: null,
} as const;

function missedMore(schedule: Schedule, missed: { readonly count: number; readonly at: number } | null) {
  return missed === null ? {} : { missed: schedule.missed + missed.count, missed_at: missed.at };
}

/** A schedule goes on for years, and no task takes its signals and events along when it is let go. */
async function keepNewest({ db }: Tx, stream: string): Promise<void> {
  await db
    .deleteFrom("topic_entries")
    .where("topic", "=", stream)
    .where("seq", "<=", (sub) =>
      sub
        .selectFrom("topic_entries as newer")
        .select("newer.seq")
        .where("newer.topic", "=", stream)
        .orderBy("newer.seq", "desc")
        .offset(KEPT - 1)
        .limit(1),
    )
    .execute();
  await db
    .deleteFrom("events")
    .where("task_id", "=", stream)
    .where("seq", "<=", (sub) =>
      sub
        .selectFrom("events as newer")
        .select("newer.seq")
        .where("newer.task_id", "=", stream)
        .orderBy("newer.seq", "desc")
        .offset(KEPT - 1)
        .limit(1),
    )
    .execute();
}

async function one(tx: Tx, team: string, agent: string): Promise<Schedule | null> {
  const row = await tx.db
    .selectFrom("schedules")
    .selectAll()
    .where("team", "=", team)
    .where("agent", "=", agent)
    .executeTakeFirst();
  return row ? toSchedule(row) : null;
}

async function isRunning(tx: Tx, { pending, last_task }: Schedule): Promise<boolean> {
  if (pending !== null) return true;
  if (last_task === null) return false;
  const row = await tx.db
    .selectFrom("tasks")
    .select("state")
    .where("task_id", "=", last_task)
    .executeTakeFirst();
  return row !== undefined && isLive({ state: row.state as TaskState });
}

function toSchedule({ team: _, pending, ...row }: Selectable<ScheduleRow>): Schedule {
  return { ...row, pending: pending === null ? null : (JSON.parse(pending) as PendingTask) };
}
