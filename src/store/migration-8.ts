/** Schema version 8: finished branches in the queues of their targets, and who merges into a target. */
import type { Transaction } from "kysely";
import type { Engine } from "./engine.ts";
import type { Schema } from "./schema.ts";

export async function addMerges(db: Transaction<Schema>, engine: Engine): Promise<void> {
  await engine
    .sequence(db.schema.createTable("merges"))
    .addColumn("subtask_id", "text", (column) => column.notNull().unique())
    .addColumn("task_id", "text", (column) => column.notNull())
    .addColumn("agent", "text", (column) => column.notNull())
    .addColumn("target", "text", (column) => column.notNull())
    .addColumn("branch", "text", (column) => column.notNull())
    .addColumn("commit_id", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("landed_commit", "text")
    .addColumn("round", "integer", (column) => column.notNull())
    .addColumn("detail", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("updated_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("merges_by_task").on("merges").column("task_id").execute();
  await db.schema
    .createTable("merge_targets")
    .addColumn("target", "text", (column) => column.primaryKey())
    .addColumn("holder", "text", (column) => column.notNull())
    .addColumn("token", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .execute();
}
