/** Schema version 10: the tokens of the network doors. */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addTokens(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable("tokens")
    .addColumn("token_id", "text", (column) => column.primaryKey())
    .addColumn("name", "text", (column) => column.notNull().unique())
    .addColumn("hash", "text", (column) => column.notNull())
    .addColumn("scopes", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint")
    .addColumn("last_used_at", "bigint")
    .execute();
}
