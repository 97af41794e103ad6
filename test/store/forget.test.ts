import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { type TestServer, withServer } from "../support/servers.ts";
import { anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import { emptySchemas, postgresSchema, sqliteFile, sqliteMemory } from "../support/store-engines.ts";
import { describeForget } from "./describe-forget.ts";

describeForget("SQLite in a file", sqliteFile);
describeForget("SQLite in memory", sqliteMemory);
const servers: TestServer[] = [];
await withServer("postgres", (postgres) => {
  servers.push(postgres);
  describeForget("Postgres", emptySchemas(postgres));
});
await withServer("redis", (redis) => {
  describeForget("SQLite with Redis", () => sqliteFile(redis.url));
  for (const postgres of servers) describeForget("Postgres with Redis", postgresSchema(postgres, redis.url));
});

/** A row in each table that is about a task, whatever else it holds: also in those that come to be later. */
function fillEveryTable(file: string, about: Readonly<Record<string, string>>): void {
  using db = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  for (const { name } of db.prepare("select name from sqlite_schema where type = 'table'").all()) {
    const columns = db.prepare(`pragma table_info(${String(name)})`).all();
    if (!columns.some((column) => String(column["name"]) in about)) continue;
    const values = columns.map(
      (column) => about[String(column["name"])] ?? (column["type"] === "text" ? "x" : 999_999),
    );
    const marks = columns.map(() => "?").join(", ");
    db.prepare(`insert or ignore into ${String(name)} values (${marks})`).run(...values);
  }
}

describe("a SQLite file", () => {
  it("holds nothing of a forgotten task in any table, and becomes smaller", async () => {
    await using database = await sqliteFile();
    const store = await database.open();
    await store.submit(aTask("gone"), someChildren("gone", 3), []);
    const long = "x".repeat(10_000);
    for (let i = 0; i < 300; i++) await store.append([notice("gone", long)]);
    for (let lease = await store.claim({ workerId: "w", leaseMs: 1_000 }); lease; ) {
      await store.finish(lease, anOutcome(lease.subtask), {}, []);
      lease = await store.claim({ workerId: "w", leaseMs: 1_000 });
    }
    await store.setTaskState("gone", "failed", []);
    await store.relay();
    await store.compact();
    const file = database.url.slice("sqlite:".length);
    fillEveryTable(file, { task_id: "gone", conversation_id: "c-gone-1", subtask_id: "Api::gone::1" });
    const before = statSync(file).size;
    await store.forget("gone");
    expect(await store.compact()).toBe(true);
    expect(statSync(file).size).toBeLessThan(before / 4);
    using db = new DatabaseSync(file);
    for (const { name } of db.prepare("select name from sqlite_schema where type = 'table'").all())
      expect([name, JSON.stringify(db.prepare(`select * from ${String(name)}`).all())]).toEqual([
        name,
        expect.not.stringContaining("gone"),
      ]);
  });
});
