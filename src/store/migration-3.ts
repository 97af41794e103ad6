/** Schema version 3: the todo lists of tasks, and who can still be written to. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addTalk(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable("todo_lists")
    .addColumn("task_id", "text", (column) => column.primaryKey().references("tasks.task_id"))
    .addColumn("last_number", "integer", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("todos")
    .addColumn("task_id", "text", (column) => column.notNull().references("todo_lists.task_id"))
    .addColumn("number", "integer", (column) => column.notNull())
    .addColumn("title", "text", (column) => column.notNull())
    .addColumn("details", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("created_by", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("updated_at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("todos_pk", ["task_id", "number"])
    .execute();
  await db.schema.alterTable("leases").addColumn("deaf_token", "bigint").execute();
}
