import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { openStore } from "../../src/store/open.ts";
import { startCutProxy } from "../support/cut-proxy.ts";
import { notice } from "../support/store-data.ts";
import { inSchema, runSql } from "../support/store-engines.ts";
import { type OwnServer, ownServer, withServer } from "../support/servers.ts";

await withServer("postgres", ({ own }) => {
  // Only a server of one's own may be cut off and stopped.
  describe.runIf(own)("a Postgres that fails", () => {
    let server: OwnServer;
    let schema = 0;
    const stores: Store[] = [];

    beforeAll(async () => {
      server = await ownServer("postgres");
    });
    afterAll(() => server[Symbol.asyncDispose]());
    beforeEach(() => {
      schema++;
    });
    afterEach(async () => {
      for (const store of stores.splice(0)) await store[Symbol.asyncDispose]();
    });

    async function open(busyMs = 20_000): Promise<Store> {
      const store = await openStore({ url: inSchema(server, `s${schema}`), busyMs });
      stores.push(store);
      return store;
    }

    /** Cuts every connection of Oxbow's; returns how many there were. */
    async function cut(): Promise<number> {
      const rows = await runSql(
        server,
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'oxbow'",
      );
      return rows.length;
    }

    it("wakes who waits, and goes on reading and writing, after its connections were cut", async () => {
      const [one, two] = [await open(), await open()];
      const waiting = one.topics.wait([{ topic: "a", after: null }], 20_000);
      const abort = new AbortController();
      const watching = one.watch("t", null, abort.signal)[Symbol.asyncIterator]().next();
      await two.topics.publish("b", 0);
      expect(await cut()).toBeGreaterThanOrEqual(2);
      await two.append([notice("t", "x")]);
      await two.topics.publish("a", 1);
      expect((await waiting).map((entry) => entry.payload)).toEqual([1]);
      expect((await watching).value).toMatchObject({ message: "x" });
      abort.abort();
      expect(await one.topics.read("b", null, 9)).toHaveLength(1);
    });

    it("loses nothing and does nothing twice while connections are cut all the time", async () => {
      const writers = [await open(), await open(), await open()];
      const reader = await open();
      let over = false;
      const cutting = (async () => {
        let cuts = 0;
        while (!over) {
          cuts += await cut();
          await delay(15);
        }
        return cuts;
      })();
      const sent = Promise.all(
        writers.map(async (store, w) => {
          for (let n = 0; n < 60; n++) {
            await store.topics.publish("a", `${w}:${n}`);
            await store.append([notice("t", `${w}:${n}`)]);
          }
        }),
      );
      const seen: string[] = [];
      let after: string | null = null;
      while (seen.length < 180) {
        for (const entry of await reader.topics.wait([{ topic: "a", after }], 20_000)) {
          seen.push(JSON.stringify(entry.payload));
          after = entry.message_id;
        }
      }
      await sent;
      over = true;
      expect(await cutting).toBeGreaterThan(5);
      const all = writers.flatMap((_, w) => Array.from({ length: 60 }, (_unused, n) => `${w}:${n}`)).sort();
      expect(seen.map((text) => JSON.parse(text)).sort()).toEqual(all);
      expect(await reader.topics.read("a", null, 1000)).toHaveLength(180);
      const events = (await reader.events("t", null, 1000)).map((event) =>
        "message" in event ? event.message : "",
      );
      expect(events.sort()).toEqual(all);
    }, 60_000);

    it.each(["stop", "kill"] as const)("is waited for while it is started again (%s)", async (how) => {
      const [one, two] = [await open(), await open()];
      await two.topics.publish("b", 0);
      const waiting = one.topics.wait([{ topic: "a", after: null }], 20_000);
      await server.order(how);
      const writing = two.topics.publish("a", how);
      const reading = two.topics.read("b", null, 9);
      await server.order("start");
      await writing;
      expect(await reading).toHaveLength(1);
      expect((await waiting).map((entry) => entry.payload)).toEqual([how]);
    });

    it("is not misled by a number that a killed server gives out again", async () => {
      const { hostname, port } = new URL(server.url);
      await using proxy = await startCutProxy({ host: hostname, port: Number(port) });
      const url = new URL(inSchema(server, `s${schema}`));
      [url.hostname, url.port] = ["127.0.0.1", `${proxy.port}`];
      const store = await openStore({ url: url.href, busyMs: 20_000 });
      stores.push(store);
      await store.append([notice("t", "first")]);
      // Nothing of the transaction, not even its number, is on disk when the server is killed.
      await runSql(server, "alter system set wal_writer_delay = '10s'");
      await runSql(server, "select pg_reload_conf()");
      proxy.cut("before", "commit\0");
      const release = proxy.hold();
      const appended = store.append([notice("t", "second")]);
      await expect.poll(() => proxy.cuts, { interval: 1 }).toBe(1);
      await server.order("kill");
      await server.order("start");
      await runSql(server, "alter system reset wal_writer_delay");
      for (let n = 0; n < 20; n++) await runSql(server, "select pg_current_xact_id()");
      release();
      await appended;
      const events = await store.events("t", null, 9);
      expect(events.map((event) => "message" in event && event.message)).toEqual(["first", "second"]);
    });

    it("says that it cannot be reached once it stays away, and at once when it was never there", async () => {
      const store = await open(1500);
      const waiting = store.topics.wait([{ topic: "a", after: null }], 20_000);
      const failed = expect(waiting).rejects.toMatchObject({ code: "store_failed" });
      const { password } = new URL(server.url);
      await server.order("stop");
      for (const call of [
        () => store.topics.publish("a", 1),
        () => store.tasks(),
        () => openStore({ url: inSchema(server, "other") }),
      ]) {
        const error: unknown = await call().catch((caught: unknown) => caught);
        expect(error).toMatchObject({
          code: "store_failed",
          message: expect.stringMatching(
            /^The store postgres:\/\/oxbow@127\.0\.0\.1:\d+\/postgres .* cannot be reached/,
          ),
          hint: expect.stringContaining("Start the server"),
        });
        expect(String(error)).not.toContain(password);
      }
      await failed;
      await server.order("start");
      expect(await store.topics.publish("a", 2)).toMatchObject({ payload: 2 });
    });

    it("takes its turn from a process that stands still in a transaction", async () => {
      const { openPostgres } = await import("../../src/store/postgres.ts");
      const store = await open(20_000);
      const stuck = await openPostgres({ url: inSchema(server, `s${schema}`), busyMs: 2000 });
      const { promise: never, resolve: wake } = Promise.withResolvers<void>();
      const { promise: inside, resolve: enter } = Promise.withResolvers<void>();
      let tries = 0;
      const standing = stuck.transact("state", async (db) => {
        if (++tries > 1) return "again";
        await db.selectFrom("tasks").selectAll().execute();
        enter();
        await never;
        return db.selectFrom("tasks").selectAll().execute();
      });
      await inside;
      await store.append([notice("t", "mine")]);
      wake();
      expect(await standing).toBe("again");
      await stuck.close();
    });

    it("says that another holds it when that never lets go", async () => {
      const store = await open(1500);
      const { parsePostgresUrl } = await import("../../src/store/postgres-url.ts");
      const other = new pg.Client(server.url);
      await other.connect();
      const { lock } = parsePostgresUrl(inSchema(server, `s${schema}`));
      await other.query("begin");
      await other.query("select pg_advisory_xact_lock($1::int, 1)", [lock]);
      await expect(store.append([notice("t", "x")])).rejects.toMatchObject({
        code: "store_failed",
        message: expect.stringContaining("is held by another process"),
      });
      expect(await store.events("t", null, 9)).toEqual([]);
      expect(await store.topics.publish("a", 1)).toMatchObject({ payload: 1 });
      await other.end();
    });
  });
});
