/** The schema's own part of migrating on Postgres. */
import {
  type ColumnDefinitionNode,
  DataTypeNode,
  type Kysely,
  type KyselyPlugin,
  OperationNodeTransformer,
  RawNode,
  sql,
  type Transaction,
} from "kysely";
import { isUnmade } from "./postgres-error.ts";
import type { PostgresPlace } from "./postgres-url.ts";
import type { Schema } from "./schema.ts";

/** Unix milliseconds, as SQL. */
export const SERVER_TIME = "(extract(epoch from clock_timestamp()) * 1000)::bigint";

/** With the server's time; null where there are no tables yet. Throws store_failed. */
export async function schemaVersion(
  db: Kysely<Schema>,
): Promise<{ readonly version: number; readonly now: number } | null> {
  try {
    const row = await db
      .selectFrom("migrations")
      .select(({ fn }) => [fn.max("version").as("version"), sql<number>`${sql.raw(SERVER_TIME)}`.as("now")])
      .executeTakeFirst();
    return row ?? null;
  } catch (error) {
    if (isUnmade(error)) return null;
    throw error;
  }
}

/** Texts are compared by their bytes, as SQLite does, whatever language the database was made for. */
class BinaryOrder extends OperationNodeTransformer {
  protected override transformColumnDefinition(node: ColumnDefinitionNode): ColumnDefinitionNode {
    const type = node.dataType;
    if (!DataTypeNode.is(type) || type.dataType !== "text") return node;
    return { ...node, dataType: RawNode.createWithSql('text collate "C"') };
  }
}

const binaryOrder: KyselyPlugin = {
  transformQuery: ({ node }) => new BinaryOrder().transformNode(node),
  transformResult: ({ result }) => Promise.resolve(result),
};

/** Makes the schema where it is not there; a user who may not do that needs it made beforehand. */
export async function beforeMigrating(
  db: Transaction<Schema>,
  { schema }: PostgresPlace,
): Promise<Transaction<Schema>> {
  const { rows } = await sql<{ there: boolean }>`
    select to_regnamespace(${schema}) is not null as there`.execute(db);
  if (!rows[0]?.there) await sql`create schema ${sql.id(schema)}`.execute(db);
  return db.withPlugin(binaryOrder);
}
