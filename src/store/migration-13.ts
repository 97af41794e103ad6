/** Schema version 13: what a task and its children may use, and what they have used. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addBudgets(db: Transaction<Schema>): Promise<void> {
  await db.schema.alterTable("subtasks").addColumn("budget", "text").execute();
  await db.schema
    .createTable("budgets")
    .addColumn("task_id", "text", (column) => column.notNull())
    .addColumn("subtask_id", "text", (column) => column.notNull())
    .addColumn("ask", "text", (column) => column.notNull())
    .addColumn("started_at", "bigint")
    .addColumn("spent_tokens", "bigint", (column) => column.notNull())
    .addColumn("spent_nanousd", "bigint", (column) => column.notNull())
    .addColumn("unpriced", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("budgets_pk", ["task_id", "subtask_id"])
    .execute();
}
