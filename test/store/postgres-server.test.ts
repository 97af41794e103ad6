import pg from "pg";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { parsePostgresUrl } from "../../src/store/postgres-url.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import { inSchema, postgresSchema, runSql, type TestDatabase } from "../support/store-engines.ts";
import { withServer } from "../support/servers.ts";
import { startCutProxy } from "../support/cut-proxy.ts";

await withServer("postgres", (server) => {
  const make = postgresSchema(server);

  /** A connection of somebody else in the database's schema. */
  async function connect(database: TestDatabase) {
    const client = new pg.Client(server.url);
    await client.connect();
    await client.query(`set search_path to ${parsePostgresUrl(database.url).schema}`);
    return { client, query: (text: string) => client.query(text), [Symbol.asyncDispose]: () => client.end() };
  }

  describe("the order of streams on Postgres", () => {
    it("gives out no number while an earlier one may still appear", async () => {
      await using database = await make();
      const [writer, reader] = [await database.open(), await database.open()];
      await using slow = await connect(database);
      const { lock } = parsePostgresUrl(database.url);
      await slow.query("begin");
      await slow.query(`select pg_advisory_xact_lock(${lock}, 1), pg_advisory_xact_lock(${lock}, 2)`);
      const body = JSON.stringify(notice("t", "slow"));
      await slow.query(`insert into events (task_id, event, body, at) values ('t', 'notice', '${body}', 0)`);
      await slow.query(
        "insert into topic_entries (topic, event_id, payload, ts) values ('a', 'slow', '1', 0)",
      );
      const later = [writer.append([notice("t", "later")]), writer.topics.publish("a", 2)];
      const waiting = `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted and classid = ${lock >>> 0}::oid`;
      await expect.poll(async () => (await runSql(server, waiting))[0]?.["n"]).toBe(2);
      expect([await reader.events("t", null, 9), await reader.topics.read("a", null, 9)]).toEqual([[], []]);
      await slow.query("commit");
      await Promise.all(later);
      const events = await reader.events("t", null, 9);
      expect(events.map((event) => "message" in event && event.message)).toEqual(["slow", "later"]);
      const entries = await reader.topics.read("a", null, 9);
      expect(entries.map((entry) => entry.payload)).toEqual([1, 2]);
    });

    it("shows each reader every entry and event of many writers once and in order", async () => {
      await using database = await make();
      const stores = await Promise.all(Array.from({ length: 6 }, () => database.open()));
      const total = stores.length * 40;
      const read = async (store: Store) => {
        const entries: string[] = [];
        const events: string[] = [];
        let [position, after]: (string | null)[] = [null, null];
        while (entries.length < total || events.length < total) {
          for (const entry of await store.topics.read("a", position ?? null, 7)) {
            entries.push(JSON.stringify(entry.payload));
            position = entry.message_id;
          }
          for (const event of await store.events("t", after ?? null, 7)) {
            events.push("message" in event ? event.message : "");
            after = event.id;
          }
        }
        return { entries, events };
      };
      const reading = Promise.all([read(stores[0] ?? (await database.open())), read(await database.open())]);
      await Promise.all(
        stores.map(async (store, w) => {
          for (let n = 0; n < 40; n++)
            await Promise.all([
              store.topics.publish("a", w * 1000 + n),
              store.append([notice("t", `${w * 1000 + n}`)]),
            ]);
        }),
      );
      const seen = await reading;
      for (const { entries, events } of seen) {
        expect([new Set(entries).size, new Set(events).size]).toEqual([total, total]);
        for (const list of [entries, events])
          stores.forEach((_, w) => {
            const own = list.map(Number).filter((n) => Math.floor(n / 1000) === w);
            expect(own).toEqual(own.toSorted((a, b) => a - b));
          });
      }
      expect(seen[0]).toEqual(seen[1]);
    });

    it.each([
      ["as it is", ""],
      ["whatever isolation the database prefers", "-c default_transaction_isolation=repeatable\\ read"],
    ])("sets a child free whose two last dependencies end at the same moment, %s", async (_how, options) => {
      await using database = await make();
      const url = new URL(database.url);
      if (options) url.searchParams.set("options", options);
      const [one, two] = [await openStore({ url: url.href }), await openStore({ url: url.href })];
      for (let n = 0; n < 15; n++) {
        const id = `t${n}`;
        const children = [aChild(id, 1), aChild(id, 2), aChild(id, 3, { dependsOn: [1, 2] })];
        await one.submit(aTask(id), children, []);
        const claim = () => one.claim({ workerId: "w", taskId: id, leaseMs: 60_000 });
        const [a, b] = [await claim(), await claim()];
        if (!a || !b) throw new Error("two children are free");
        await Promise.all([
          one.finish(a, anOutcome(a.subtask), {}, []),
          two.finish(b, anOutcome(b.subtask), {}, []),
        ]);
        expect((await one.subtasks(id)).map((subtask) => subtask.state)[2]).toBe("planned");
      }
      for (const store of [one, two]) await store[Symbol.asyncDispose]();
    });
  });

  describe("a connection to Postgres that breaks", () => {
    it.each([
      ["before", "commit\0"],
      ["after", "commit\0"],
      ["before", "begin"],
      ["after", "begin"],
      ["after", "insert into"],
      ["after", "pg_xact_status"],
    ] as const)("does a change once that it breaks %s its %s", async (when, text) => {
      await using database = await make();
      const direct = await database.open();
      const { hostname, port } = new URL(database.url);
      await using proxy = await startCutProxy({ host: hostname, port: Number(port || 5432) });
      const url = new URL(database.url);
      [url.hostname, url.port] = ["127.0.0.1", `${proxy.port}`];
      const store = await openStore({ url: url.href, busyMs: 5000 });
      await store.append([notice("t", "first")]);
      if (text === "pg_xact_status") {
        // The question itself gets no answer either.
        proxy.cut("after", "commit\0");
        const appended = store.append([notice("t", "second")]);
        await expect.poll(() => proxy.cuts, { interval: 1 }).toBe(1);
        proxy.cut(when, text);
        await appended;
      } else {
        proxy.cut(when, text);
        await store.append([notice("t", "second")]);
      }
      const events = await direct.events("t", null, 9);
      expect(events.map((event) => "message" in event && event.message)).toEqual(["first", "second"]);
      expect(proxy.cuts).toBeGreaterThanOrEqual(1);
      proxy.cut("after", "select");
      expect(await store.events("t", null, 9)).toEqual(events);
      await store[Symbol.asyncDispose]();
    });
  });

  describe("a store on Postgres", () => {
    afterEach(() => void vi.useRealTimers());

    it("goes by the server's clock, whatever this machine's says", async () => {
      await using database = await make();
      const hour = 3_600_000;
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hour });
      const store = await openStore({ url: database.url });
      const [event] = await store.append([notice("t", "x")]);
      const [row] = await runSql(server, "select (extract(epoch from now()) * 1000)::float8 as now");
      expect(Math.abs(Date.parse(event?.ts ?? "") - Number(row?.["now"]))).toBeLessThan(hour / 2);
      await store[Symbol.asyncDispose]();
    });

    it("looks by the server's clock too, before it has written anything", async () => {
      await using database = await make();
      const worker = await openStore({ url: database.url });
      const presence = { worker_id: "w", team: "T", agents: [], places: 1, declined: {}, started_at: 1 };
      await worker.heartbeat(presence, 60_000);
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
      const store = await openStore({ url: database.url });
      expect(await store.workers()).toEqual([presence]);
      await worker[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    });

    it("keeps texts that Postgres has no room for, as near as it can", async () => {
      await using database = await make();
      const store = await database.open();
      await store.submit(aTask("t"), [aChild("t", 1)], []);
      const lease = await store.claim({ workerId: "w", leaseMs: 1000 });
      if (!lease) throw new Error("a child is free");
      const outcome = anOutcome(lease.subtask, { summary: "a\0b \ud800 ✓" });
      expect(await store.finish(lease, outcome, { text: "a\0b" }, [notice("t", "a\0b")])).toBe(true);
      expect((await store.outcomes("t"))[0]?.summary).toBe("a\ufffdb \ufffd ✓");
      expect(await store.events("t", null, 9)).toMatchObject([{ message: "a\0b" }]);
      await store.relay();
      expect(await store.topics.read(lease.subtask.done_topic, null, 9)).toMatchObject([
        { payload: { text: "a\0b" } },
      ]);
    });

    it("compares texts by their bytes, whatever language the database was made for", async () => {
      await using database = await make();
      await database.open();
      const { schema } = parsePostgresUrl(database.url);
      const rows = await runSql(
        server,
        `select distinct collation_name from information_schema.columns where table_schema = '${schema}' and data_type = 'text'`,
      );
      expect(rows).toEqual([{ collation_name: "C" }]);
    });

    it("gives numbers as numbers, however large", async () => {
      await using database = await make();
      const store = await database.open();
      const large = 2 ** 52 + 1;
      await store.submit(aTask("t", { created_at: large }), [], []);
      expect((await store.task("t"))?.created_at).toBe(large);
    });

    it("takes a bounded number of connections, and gives all back when it is closed", async () => {
      await using database = await make();
      const url = new URL(database.url);
      url.searchParams.set("application_name", server.name);
      const store = await openStore({ url: url.href });
      const count = async () => {
        const sql = `select count(*)::int as n from pg_stat_activity where application_name = '${server.name}'`;
        return Number((await runSql(server, sql))[0]?.["n"]);
      };
      const abort = new AbortController();
      const waiting = store.topics.wait([{ topic: "a", after: null }], 10_000, abort.signal);
      let over = false;
      const work = Promise.all(Array.from({ length: 300 }, () => store.tasks())).finally(() => {
        over = true;
      });
      const counts: number[] = [];
      while (!over) counts.push(await count());
      await work;
      expect(Math.max(...counts)).toBeGreaterThan(2);
      expect(Math.max(...counts)).toBeLessThanOrEqual(9);
      abort.abort();
      await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
      const last = store.append([notice("t", "last")]);
      await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
      await last;
      await expect.poll(count).toBe(0);
      for (const call of [() => store.tasks(), () => store.topics.publish("a", 1)])
        await expect(call()).rejects.toMatchObject({ code: "store_failed", message: "The store is closed." });
    });

    it("is refused when a newer Oxbow made it", async () => {
      await using database = await make();
      await database.open();
      await using other = await connect(database);
      await other.query("insert into migrations values (999, 'from the future', 0)");
      await expect(database.open()).rejects.toMatchObject({
        code: "store_failed",
        message: expect.stringContaining("newer Oxbow"),
      });
    });

    it("says so when the schema holds other tables", async () => {
      await using database = await make();
      const { schema } = parsePostgresUrl(database.url);
      await runSql(server, `create schema ${schema}`);
      await runSql(server, `create table ${schema}.tasks (name text)`);
      await expect(database.open()).rejects.toMatchObject({
        code: "store_failed",
        message: expect.stringContaining("holds other tables"),
        hint: expect.stringContaining("?schema="),
      });
    });

    it("keeps schemas apart, and does not hear of each other", async () => {
      await using one = await make();
      await using two = await make();
      const [a, b] = [await one.open(), await two.open()];
      await a.submit(aTask("t", { ticket: "7" }), someChildren("t", 1), []);
      await b.submit(aTask("t", { ticket: "7", body_hash: "other" }), [], []);
      await a.topics.publish("x", 1);
      expect([await b.topics.read("x", null, 9), await b.subtasks("t")]).toEqual([[], []]);
      expect(await b.claim({ workerId: "w", leaseMs: 1000 })).toBeNull();
    });

    it("wakes a process even when it was told nothing, or nonsense", async () => {
      await using database = await make();
      const store = await database.open();
      const { schema } = parsePostgresUrl(database.url);
      const waiting = store.topics.wait([{ topic: "a", after: null }], Infinity);
      await using other = await connect(database);
      for (const nonsense of ["", "{", "[]", "[1,2,3]", '["x",["a"],[7]]', '{"a":1}'])
        await runSql(server, `notify ${schema}, '${nonsense}'`);
      await other.query("insert into topic_entries (topic, event_id, payload, ts) values ('a', 'e', '1', 0)");
      expect(await waiting).toHaveLength(1);
    });

    it.each([
      ["postgres://u:secret@h/db?schema=Bad-Name", /schema "Bad-Name"/],
      ["postgres://u:secret@h/db?schema=pg_x", /schema "pg_x"/],
      ["postgres://u:secret@h:99999/db", /cannot be read/],
      ["postgres://u:sec/ret@h:x/db", /cannot be read/],
      ["postgres:u:secret@h/db", /cannot be read/],
    ])("refuses the URL %s without repeating its password", async (url, says) => {
      const error: unknown = await openStore({ url }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "store_unsupported", message: expect.stringMatching(says) });
      expect(String(error)).not.toMatch(/secret|sec\/ret/);
    });
  });

  describe.runIf(server.own)("a user who may not make schemas", () => {
    it("is told what to ask for, and works in a schema that was made for it", async () => {
      const user = server.name;
      await runSql(server, `create role ${user} login password 'other-secret'`);
      const url = new URL(inSchema(server, `${user}_s`));
      [url.username, url.password] = [user, "other-secret"];
      try {
        const error: unknown = await openStore({ url: url.href }).catch((caught: unknown) => caught);
        expect(error).toMatchObject({
          code: "store_failed",
          message: expect.stringContaining("does not allow this user"),
          hint: expect.stringContaining("CREATE SCHEMA"),
        });
        expect(String(error)).not.toContain("other-secret");
        await runSql(server, `create schema ${user}_s authorization ${user}`);
        const store = await openStore({ url: url.href });
        expect(await store.topics.publish("a", 1)).toMatchObject({ payload: 1 });
        await store[Symbol.asyncDispose]();
        await runSql(server, `revoke create on schema ${user}_s from ${user}`);
        const again = await openStore({ url: url.href });
        expect(await again.topics.read("a", null, 9)).toHaveLength(1);
        await again[Symbol.asyncDispose]();
      } finally {
        await runSql(server, `drop owned by ${user} cascade`);
        await runSql(server, `drop role ${user}`);
      }
    });
  });
});
