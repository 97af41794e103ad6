/** What the poller asks the database. */
import { type Kysely, sql } from "kysely";
import { type Marks, startPolling, type WatchOthers } from "./poller.ts";
import type { Schema } from "./schema.ts";

/** `version` is a number that changes when another connection has committed. */
export function pollOthers(db: Kysely<Schema>, version: () => number): WatchOthers {
  const last = (table: "topic_entries" | "events") =>
    db.selectFrom(table).select(sql<number>`coalesce(max(seq), 0)`.as("seq")).executeTakeFirstOrThrow();
  const foreign = {
    version,
    marks: async () => ({ topics: (await last("topic_entries")).seq, events: (await last("events")).seq }),
    async since(marks: Marks) {
      // In the order of `seq`, so that only the new rows are looked at.
      const entries = await db
        .selectFrom("topic_entries")
        .select(["topic", "seq"])
        .where("seq", ">", marks.topics)
        .orderBy("seq")
        .execute();
      const events = await db
        .selectFrom("events")
        .select(["task_id", "seq"])
        .where("seq", ">", marks.events)
        .orderBy("seq")
        .execute();
      return {
        topics: [...new Set(entries.map(({ topic }) => topic))],
        tasks: [...new Set(events.map(({ task_id }) => task_id))],
        marks: { topics: entries.at(-1)?.seq ?? marks.topics, events: events.at(-1)?.seq ?? marks.events },
      };
    },
  };
  return (seen, missed) => startPolling(foreign, seen, missed);
}
