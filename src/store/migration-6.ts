/** Schema version 6: what became of the schedule of each team. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addSchedules(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable("schedules")
    .addColumn("team", "text", (column) => column.notNull())
    .addColumn("agent", "text", (column) => column.notNull())
    .addColumn("timing", "text", (column) => column.notNull())
    .addColumn("registered_at", "bigint", (column) => column.notNull())
    .addColumn("next_at", "bigint")
    .addColumn("last_due", "bigint")
    .addColumn("last_fired_at", "bigint")
    .addColumn("last_task", "text")
    .addColumn("missed", "bigint", (column) => column.notNull())
    .addColumn("missed_at", "bigint")
    .addColumn("pending", "text")
    .addPrimaryKeyConstraint("schedules_pk", ["team", "agent"])
    .execute();
}
