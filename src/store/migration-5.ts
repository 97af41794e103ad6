/** Schema version 5: crashes and what follows from them, parts that are tried again, and what models have said. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addSupervision(db: Transaction<Schema>): Promise<void> {
  const leases = () => db.schema.alterTable("leases");
  await leases()
    .addColumn("crashes", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await leases()
    .addColumn("not_before", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await leases().addColumn("cancelled_at", "bigint").execute();
  await leases().addColumn("recall_token", "bigint").execute();
  await db.schema.alterTable("drives").addColumn("cancel_code", "text").execute();
  await db.schema.alterTable("attempts").addColumn("failure", "text").execute();
  await db.schema.alterTable("subtasks").addColumn("supersedes", "text").execute();
  await db.schema
    .createTable("disabled_agents")
    .addColumn("task_id", "text", (column) => column.notNull().references("tasks.task_id"))
    .addColumn("agent", "text", (column) => column.notNull())
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("disabled_agents_pk", ["task_id", "agent"])
    .execute();
  await db.schema
    .createTable("transcripts")
    .addColumn("conversation_id", "text", (column) => column.notNull())
    .addColumn("position", "integer", (column) => column.notNull())
    .addColumn("attempt", "integer", (column) => column.notNull())
    .addColumn("entry", "text", (column) => column.notNull())
    .addColumn("at", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("transcripts_pk", ["conversation_id", "position"])
    .execute();
}
