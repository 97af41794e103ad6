/** The events of all tasks as one sequence, read in pages: for those who follow everything, or go on where they were. */
import type { OxbowEvent } from "../core/events.ts";
import type { Database } from "./engine.ts";
import { toEvent } from "./rows.ts";
import { newestOf } from "./webhook-rows.ts";

export interface WantedEvents {
  /** Null: of all tasks. */
  readonly taskId: string | null;
  /** Null: of every kind. */
  readonly names: readonly string[] | null;
}

/** Positions are the numbers of events; 0 is before the first. */
export interface EventLog {
  newest(): Promise<number>;
  /** Whether the event is there (not forgotten with its task, not of another store). */
  has(position: number): Promise<boolean>;
  /** Events after `after` that are wanted, the oldest first; fewer than `limit`: all up to `until`. */
  page(
    wanted: WantedEvents,
    after: number,
    limit: number,
  ): Promise<{ readonly events: readonly OxbowEvent[]; readonly until: number }>;
  /** Waits for news in the stream of events; a hint. */
  news(): Promise<News>;
}

export interface News extends Disposable {
  /** Rejects with `cancelled` on abort. */
  next(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

export function createEventLog(database: Database): EventLog {
  const { db } = database;
  return {
    newest: () => newestOf(db),
    async has(position) {
      const row = await db.selectFrom("events").select("seq").where("seq", "=", position).executeTakeFirst();
      return row !== undefined;
    },
    async page({ taskId, names }, after, limit) {
      const until = await newestOf(db);
      let query = db.selectFrom("events").selectAll().where("seq", ">", after).where("seq", "<=", until);
      if (taskId !== null) query = query.where("task_id", "=", taskId);
      if (names !== null) query = query.where("event", "in", names);
      return { events: (await query.orderBy("seq").limit(limit).execute()).map(toEvent), until };
    },
    async news() {
      const registration = database.hub.waitForAnyTask();
      await registration.ready;
      return {
        next: async (timeoutMs, signal) => void (await registration.woken(timeoutMs, signal)),
        [Symbol.dispose]: () => registration[Symbol.dispose](),
      };
    },
  };
}
