/** Schema version 9: subtasks that wait for a person, and an order of the queue by priority. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addGates(db: Transaction<Schema>): Promise<void> {
  await db.schema.alterTable("subtasks").addColumn("gate", "text").execute();
  await db.schema
    .alterTable("leases")
    .addColumn("queued_at", "bigint", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema.dropIndex("leases_ready").execute();
  await db.schema
    .createIndex("leases_ready")
    .on("leases")
    .columns(["state", "queued_at", "message_seq"])
    .execute();
}
