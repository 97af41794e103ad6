/** Schema version 4: a name of the store's own, under which it can use a server that others use too. */
import type { Transaction } from "kysely";
import { newId } from "../host/ids.ts";
import type { Schema } from "./schema.ts";

export async function addStoreId(db: Transaction<Schema>): Promise<void> {
  await db.schema
    .createTable("store_facts")
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("value", "text", (column) => column.notNull())
    .execute();
  await db
    .insertInto("store_facts")
    .values({ name: "store_id", value: newId("store") })
    .execute();
}
