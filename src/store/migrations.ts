/** The schema's versions, in order. A published version is never edited: a change is a new entry at the end. */
import { sql, type Transaction } from "kysely";
import { OxbowError } from "../core/errors.ts";
import type { Engine } from "./engine.ts";
import type { Schema } from "./schema.ts";

interface Migration {
  readonly version: number;
  readonly name: string;
  /** Imported when it is needed, which is once in a store's life. */
  load(): Promise<(db: Transaction<Schema>, engine: Engine) => Promise<void>>;
}

const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: "first tables", load: async () => (await import("./migration-1.ts")).createTables },
  { version: 2, name: "workers and drives", load: async () => (await import("./migration-2.ts")).addWorkers },
  { version: 3, name: "todo lists and chat", load: async () => (await import("./migration-3.ts")).addTalk },
  { version: 4, name: "the store's own id", load: async () => (await import("./migration-4.ts")).addStoreId },
  { version: 5, name: "supervision", load: async () => (await import("./migration-5.ts")).addSupervision },
  { version: 6, name: "schedules", load: async () => (await import("./migration-6.ts")).addSchedules },
  {
    version: 7,
    name: "branches by index",
    load: async () => (await import("./migration-7.ts")).addBranchIndex,
  },
  { version: 8, name: "merge queue", load: async () => (await import("./migration-8.ts")).addMerges },
  {
    version: 9,
    name: "gates and priorities",
    load: async () => (await import("./migration-9.ts")).addGates,
  },
  { version: 10, name: "tokens", load: async () => (await import("./migration-10.ts")).addTokens },
  { version: 11, name: "webhooks", load: async () => (await import("./migration-11.ts")).addWebhooks },
  {
    version: 12,
    name: "conversations with people",
    load: async () => (await import("./migration-12.ts")).addDialogues,
  },
  {
    version: 13,
    name: "budgets",
    load: async () => (await import("./migration-13.ts")).addBudgets,
  },
  { version: 14, name: "marks", load: async () => (await import("./migration-14.ts")).addMarks },
];

/**
 * Brings the schema up to date in one transaction: a process that opens the same fresh file meanwhile waits and then
 * finds it done. Throws store_failed when a newer Oxbow made the file.
 */
export async function migrate(engine: Engine, now: () => number): Promise<void> {
  const newest = MIGRATIONS.at(-1)?.version ?? 0;
  if ((await engine.schemaVersion()) === newest) return;
  await engine.transact("state", async (tx) => {
    const db = await engine.beforeMigrating(tx);
    await db.schema
      .createTable("migrations")
      .ifNotExists()
      .addColumn("version", "integer", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("applied_at", "bigint", (column) => column.notNull())
      .execute();
    const { at } = await db
      .selectFrom("migrations")
      .select(sql<number>`coalesce(max(version), 0)`.as("at"))
      .executeTakeFirstOrThrow();
    if (at > newest) {
      throw new OxbowError(
        "store_failed",
        `The store was made by a newer Oxbow (schema ${at}; this one knows ${newest}).`,
        {
          hint: "Update Oxbow, or point OXBOW_STORE_URL at another store.",
        },
      );
    }
    for (const { version, name, load } of MIGRATIONS) {
      if (version <= at) continue;
      const up = await load();
      await up(db, engine);
      await db.insertInto("migrations").values({ version, name, applied_at: now() }).execute();
    }
  });
}
