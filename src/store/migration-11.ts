/** Schema version 11: webhooks, how far each has come in the stream of events, their last tries, and their secrets. */
import type { Transaction } from "kysely";
import type { Engine } from "./engine.ts";
import type { Schema } from "./schema.ts";

export async function addWebhooks(db: Transaction<Schema>, engine: Engine): Promise<void> {
  await db.schema
    .createTable("webhooks")
    .addColumn("webhook_id", "text", (column) => column.primaryKey())
    .addColumn("url", "text", (column) => column.notNull())
    .addColumn("events", "text", (column) => column.notNull())
    .addColumn("task_id", "text", (column) => column.unique())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("position", "bigint", (column) => column.notNull())
    .addColumn("delivered", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("failed_tries", "integer", (column) => column.notNull().defaultTo(0))
    .addColumn("failing_since", "bigint")
    .addColumn("next_at", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("last_at", "bigint")
    .addColumn("last_status", "integer")
    .addColumn("last_error", "text")
    .addColumn("holder", "text")
    .addColumn("token", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("expires_at", "bigint", (column) => column.notNull().defaultTo(0))
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .execute();
  await engine
    .sequence(db.schema.createTable("webhook_tries"))
    .addColumn("webhook_id", "text", (column) => column.notNull())
    .addColumn("event_id", "text", (column) => column.notNull())
    .addColumn("event", "text", (column) => column.notNull())
    .addColumn("task_id", "text", (column) => column.notNull())
    .addColumn("at", "bigint", (column) => column.notNull())
    .addColumn("elapsed_ms", "bigint", (column) => column.notNull())
    .addColumn("status", "integer")
    .addColumn("error", "text")
    .execute();
  await db.schema
    .createIndex("webhook_tries_by_webhook")
    .on("webhook_tries")
    .columns(["webhook_id", "seq"])
    .execute();
  await db.schema
    .createTable("webhook_secrets")
    .addColumn("owner", "text", (column) => column.primaryKey())
    .addColumn("secret", "text", (column) => column.notNull())
    .addColumn("previous", "text")
    .addColumn("previous_until", "bigint", (column) => column.notNull())
    .execute();
}
