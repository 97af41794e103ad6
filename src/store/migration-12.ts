/** Schema version 12: conversations of a person with one agent. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addDialogues(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable("dialogues")
    .addColumn("conversation_id", "text", (column) =>
      column.primaryKey().references("conversations.conversation_id"),
    )
    .addColumn("team", "text", (column) => column.notNull())
    .addColumn("agent", "text", (column) => column.notNull())
    .addColumn("topology", "text", (column) => column.notNull())
    .addColumn("messages", "integer", (column) => column.notNull())
    .addColumn("unanswered", "integer", (column) => column.notNull())
    .addColumn("answered_seq", "bigint", (column) => column.notNull())
    .addColumn("worker_id", "text")
    .addColumn("token", "bigint", (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("expires_at", "bigint", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("updated_at", "bigint", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("dialogues_waiting").on("dialogues").columns(["team", "unanswered"]).execute();
}
