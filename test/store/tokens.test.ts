/** Tokens of the network doors, on any engine. */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { withServer } from "../support/servers.ts";
import { aTask } from "../support/store-data.ts";
import {
  emptySchemas,
  freshStore,
  type OpenDatabase,
  sqliteFile,
  type TestDatabase,
} from "../support/store-engines.ts";

const wanted = (id: string, lifeMs: number | null = null) => ({
  token_id: id,
  name: `of ${id}`,
  scopes: ["read", "submit"] as const,
  hash: "ab".repeat(32),
  lifeMs,
});

function describeTokens(name: string, open: OpenDatabase): void {
  let database: TestDatabase;
  let store: Store;
  freshStore(open, (made) => ({ database, store } = made));

  describe(`tokens on ${name}`, () => {
    it("are kept without what would let a reader call, and found by their id", async () => {
      const made = await store.tokens.create(wanted("a"));
      expect(made).toEqual({
        token_id: "a",
        name: "of a",
        scopes: ["read", "submit"],
        created_at: database.clock.now,
        expires_at: null,
        last_used_at: null,
      });
      expect(await store.tokens.list()).toEqual([made]);
      expect(await store.tokens.find("a")).toEqual({ ...made, hash: "ab".repeat(32), expired: false });
      expect(await store.tokens.find("b")).toBeNull();
    });

    it("end when their time is up, and when they are revoked by id or name", async () => {
      await store.tokens.create(wanted("a", 1_000));
      database.clock.now += 1_000;
      expect(await store.tokens.find("a")).toMatchObject({ expired: true });
      await store.tokens.create(wanted("b"));
      expect(await store.tokens.revoke("of b")).toMatchObject({ token_id: "b" });
      expect(await store.tokens.revoke("a")).toMatchObject({ token_id: "a" });
      expect(await store.tokens.revoke("a")).toBeNull();
      expect(await store.tokens.list()).toEqual([]);
    });

    it("say to the minute when they were used last", async () => {
      const made = await store.tokens.create(wanted("a"));
      const used = async () => (await store.tokens.list())[0];
      const first = (database.clock.now += 5_000);
      await store.tokens.used(made);
      expect(await used()).toMatchObject({ last_used_at: first });
      database.clock.now += 59_000;
      await store.tokens.used({ ...made, last_used_at: first });
      expect(await used()).toMatchObject({ last_used_at: first });
      database.clock.now += 1_000;
      await store.tokens.used({ ...made, last_used_at: first });
      expect(await used()).toMatchObject({ last_used_at: database.clock.now });
    });

    it("have a name each", async () => {
      await store.tokens.create(wanted("a"));
      await expect(store.tokens.create({ ...wanted("b"), name: "of a" })).rejects.toMatchObject({
        code: "token_taken",
      });
    });
  });

  describe(`pages of tasks on ${name}`, () => {
    it("go on after a task, and hold those of a state or a ticket", async () => {
      for (const id of ["t1", "t2", "t3", "t4"]) {
        await store.submit({ ...aTask(id), ticket: `of ${id}`, created_at: id < "t3" ? 1 : 2 }, [], []);
      }
      const ids = async (filter: Parameters<Store["tasks"]>[0]) =>
        (await store.tasks(filter)).map(({ task_id }) => task_id);
      expect(await ids({ limit: 3 })).toEqual(["t4", "t3", "t2"]);
      expect(await ids({ before: { created_at: 2, task_id: "t3" } })).toEqual(["t2", "t1"]);
      await store.setTaskState("t2", "completed", []);
      expect(await ids({ state: "completed" })).toEqual(["t2"]);
      expect(await ids({ ticket: "of t3", limit: 1 })).toEqual(["t3"]);
    });
  });
}

describeTokens("SQLite in a file", sqliteFile);
await withServer("postgres", (server) => describeTokens("Postgres", emptySchemas(server)));
