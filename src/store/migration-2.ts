/** Schema version 2: processes that work on tasks of others, and which process carries which task. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addWorkers(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable("workers")
    .addColumn("worker_id", "text", (column) => column.primaryKey())
    .addColumn("team", "text", (column) => column.notNull())
    .addColumn("agents", "text", (column) => column.notNull())
    .addColumn("places", "integer", (column) => column.notNull())
    .addColumn("declined", "text", (column) => column.notNull())
    .addColumn("started_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("drives")
    .addColumn("task_id", "text", (column) => column.primaryKey().references("tasks.task_id"))
    .addColumn("holder", "text")
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .addColumn("shared", "integer", (column) => column.notNull())
    .addColumn("cancelled_at", "bigint")
    .execute();
  await db.schema
    .alterTable("leases")
    .addColumn("parked", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
}
