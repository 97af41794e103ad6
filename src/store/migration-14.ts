/** Schema version 14: the marks by which a server tells what became of a transaction (see `postgres-marks.ts`). */
import type { Transaction } from "kysely";
import type { Schema } from "./schema.ts";

export async function addMarks(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable("transaction_marks")
    .addColumn("session", "text", (column) => column.primaryKey())
    .addColumn("n", "bigint", (column) => column.notNull())
    .addColumn("at", "bigint", (column) => column.notNull())
    .execute();
}
