/** What a person meets when the Redis is not there, not fit, or loses everything in the middle. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { openStore } from "../../src/store/open.ts";
import type { Store, TopicEntry } from "../../src/store/contract.ts";
import { anOutcome, aTask, someChildren } from "../support/store-data.ts";
import { sqliteFile } from "../support/store-engines.ts";
import { ownServer, withServer } from "../support/servers.ts";

const payloads = (entries: readonly TopicEntry[]) => entries.map((entry) => entry.payload);
const from = (...topics: string[]) => topics.map((topic) => ({ topic, after: null }));
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** One who may look at and break the server. */
async function asked<T>(url: string, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

async function openWith(url: string, allowVolatile = false): Promise<Store> {
  return openStore({ url: "sqlite::memory:", redis: { url, allowVolatile } });
}

async function refusal(url: string): Promise<{ code: string; message: string; hint: string }> {
  const error: any = await openWith(url).then(
    async (store) => {
      await store[Symbol.asyncDispose]();
      return new Error("it was opened");
    },
    (caught: unknown) => caught,
  );
  return { code: error.code, message: error.message, hint: error.hint };
}

/** A child that has ended: its outcome is in the store, its done signal was sent. */
async function finishOne(store: Store): Promise<string> {
  const lease = await store.claim({ workerId: "w", leaseMs: 60_000 });
  if (!lease) throw new Error("a child is free");
  await store.finish(lease, anOutcome(lease.subtask), { outcome: "completed" }, []);
  await store.relay();
  return lease.subtask.done_topic;
}

await withServer("redis", (server) => {
  describe("a Redis that is not fit", () => {
    it("is refused with what to do when it evicts or keeps nothing, unless told otherwise", async () => {
      await using evicting = await ownServer("redis", [
        "--maxmemory",
        "64mb",
        "--maxmemory-policy",
        "allkeys-lru",
      ]);
      const evicts = await refusal(evicting.url);
      expect(evicts.code).toBe("redis_unsuitable");
      expect(evicts.message).toMatch(/throws entries away.*allkeys-lru/);
      expect(evicts.hint).toMatch(/noeviction.*OXBOW_REDIS_ALLOW_VOLATILE=1/);
      await using forgetting = await ownServer("redis", ["--appendonly", "no"]);
      const forgets = await refusal(forgetting.url);
      expect([forgets.code, forgets.message]).toEqual([
        "redis_unsuitable",
        expect.stringMatching(/keeps nothing on disk/),
      ]);
      for (const url of [evicting.url, forgetting.url]) {
        await using store = await openWith(url, true);
        await store.topics.publish("a", 1);
        expect(store.topics.about).toMatch(/^Redis \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+, .*\(allowed\)$/);
      }
    });

    it("is used when it tells nobody its configuration, but saves", async () => {
      await using managed = await ownServer("redis", ["--rename-command", "CONFIG", ""]);
      await using store = await openWith(managed.url);
      expect(store.topics.about).toMatch(/^Redis [\d.]+ at [\d.:]+$/);
      await using unsure = await ownServer("redis", ["--rename-command", "CONFIG", "", "--appendonly", "no"]);
      await using other = await openWith(unsure.url);
      expect(other.topics.about).toMatch(/cannot see whether it saves$/);
    });

    it("is refused when it is a replica", async () => {
      await using replica = await ownServer("redis");
      await asked(replica.url, (redis) => redis.replicaof("127.0.0.1", 1));
      expect(await refusal(replica.url)).toMatchObject({
        code: "redis_unsuitable",
        message: /read-only replica/,
      });
    });
  });

  describe("a Redis that is not there", () => {
    it.each([
      [
        "a wrong password",
        (url: URL) => Object.assign(url, { password: "secret-wrong" }),
        /WRONGPASS|NOAUTH/,
      ],
      ["no password", (url: URL) => Object.assign(url, { password: "", username: "" }), /NOAUTH/],
      ["nobody there", (url: URL) => Object.assign(url, { port: "1" }), /ECONNREFUSED/],
      [
        "a host that does not exist",
        (url: URL) => Object.assign(url, { hostname: "no.such.invalid" }),
        /ENOTFOUND|EAI_AGAIN/,
      ],
    ])("says so, with what to do, and tells no password: %s", async (_what, change, says) => {
      await using own = await ownServer("redis");
      const url = new URL(own.url);
      change(url);
      const { code, message, hint } = await refusal(url.href);
      expect([code, message]).toEqual(["redis_failed", expect.stringMatching(says)]);
      expect(hint).toMatch(/REDIS_URL/);
      expect(message).not.toMatch(new RegExp(`secret-wrong|${new URL(own.url).password}`));
    });

    it("gives up on one that says nothing", async () => {
      const silent = createServer(() => undefined).listen(0, "127.0.0.1");
      await once(silent, "listening");
      const address = silent.address();
      const port = typeof address === "object" && address ? address.port : 0;
      const { code, message } = await refusal(`redis://:secret-word@127.0.0.1:${port}`);
      expect([code, message]).toEqual(["redis_failed", expect.stringMatching(/no answer|timed? ?out/i)]);
      silent.close();
    }, 15_000);

    it("refuses an address that is none", async () => {
      for (const url of ["redis://h/x", "redis://:pass%zz@h", "http://h", "unix://h", "redis://h?tls=1"]) {
        const { code, message } = await refusal(url);
        expect([url, code]).toEqual([url, "setting_invalid"]);
        expect(message).not.toMatch("pass");
      }
    });
  });

  describe.runIf(server.own)("a Redis that loses what it was given", () => {
    it("does not keep a parent from hearing that its children have ended, before and after a flush", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile(redis.url);
      const [parent, worker] = [await database.open(), await database.open()];
      await parent.submit(aTask("t1"), someChildren("t1", 3), []);
      await parent.relay();
      const topics = (await parent.subtasks("t1")).map(({ done_topic }) => done_topic);
      using following = parent.topics.follow(from(...topics));
      const first = following.next(20_000);
      await turn();
      await finishOne(worker);
      const heard = [...(await first)];
      await asked(redis.url, (admin) => admin.flushall());
      const next = following.next(20_000);
      await turn();
      await finishOne(worker);
      heard.push(...(await next));
      await finishOne(worker);
      await asked(redis.url, (admin) => admin.flushall());
      while (heard.length < 3) heard.push(...(await following.next(20_000)));
      expect(heard.map(({ topic }) => topic)).toEqual(topics);
      // Whoever asks only now hears the same, at the same places.
      expect(await worker.topics.wait(from(...topics), 0)).toEqual(heard);
      expect(await following.next(0)).toEqual([]);
      expect(await parent.relay()).toBe(0);
    });

    it("loses no signal and no position, and publishes none twice", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile(redis.url);
      const [one, other] = [await database.open(), await database.open()];
      const sent = [];
      for (const n of [1, 2, 3]) sent.push(await one.topics.publish("a", n));
      const once_ = await one.topics.publishOnce("id", "b", "first");
      await asked(redis.url, (admin) => admin.flushall());
      expect(await other.topics.read("a", sent[0]?.message_id ?? null, 9)).toEqual(sent.slice(1));
      expect(await other.topics.publishOnce("id", "b", "again")).toEqual({ ...once_, published: false });
      const last = await other.topics.publish("a", 4);
      expect(await one.topics.wait([{ topic: "a", after: sent[2]?.message_id ?? null }], 10_000)).toEqual([
        last,
      ]);
      expect(payloads(await one.topics.read("a", null, 9))).toEqual([1, 2, 3, 4]);
    });

    it("may be killed and come back empty: who waits goes on, who sends waits for it", async () => {
      await using redis = await ownServer("redis", ["--appendonly", "no"]);
      await using database = await sqliteFile();
      const options = { url: database.url, redis: { url: redis.url, allowVolatile: true } };
      await using one = await openStore(options);
      await using other = await openStore(options);
      await one.topics.publish("a", 1);
      using following = one.topics.follow(from("a", "b"));
      expect(payloads(await following.next(10_000))).toEqual([1]);
      const asleep = following.next(20_000);
      await redis.order("kill");
      const sending = other.topics.publish("b", 2);
      const once_ = other.topics.publishOnce("id", "b", 3);
      expect(payloads(await other.topics.read("a", null, 9))).toEqual([1]);
      await redis.order("start");
      const [second, third] = [await sending, await once_];
      const heard = [...(await asleep)];
      while (heard.length < 2) heard.push(...(await following.next(20_000)));
      expect(heard.map(({ message_id }) => message_id).sort()).toEqual(
        [second.message_id, third.message_id].sort(),
      );
      expect(await following.next(20)).toEqual([]);
      // A clock behind, or a server that begins anew, does not take positions back.
      const before = (await one.topics.read("a", null, 9)).at(-1)?.message_id ?? "";
      expect((await one.topics.publish("a", 4)).message_id > before).toBe(true);
    });

    it("may cut every connection at any moment: nothing is missed, nothing comes twice", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile(redis.url);
      const [one, other] = [await database.open(), await database.open()];
      using following = one.topics.follow(from("a"));
      const heard: unknown[] = [];
      const hearing = (async () => {
        while (heard.length < 200) heard.push(...payloads(await following.next(20_000)));
      })();
      for (let n = 0; n < 200; n++) {
        const sending = other.topics.publish("a", n);
        if (n % 20 === 10) await asked(redis.url, (admin) => admin.call("CLIENT", "KILL", "TYPE", "normal"));
        await sending;
      }
      await hearing;
      expect(heard).toEqual(Array.from({ length: 200 }, (_, n) => n));
      expect(payloads(await other.topics.read("a", null, 1000))).toEqual(heard);
    });

    it("stays away: sending fails and says so, waiting and reading go on", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile();
      await using store = await openStore({ url: database.url, redis: { url: redis.url }, busyMs: 300 });
      await store.topics.publish("a", 1);
      await redis.order("kill");
      const error: any = await store.topics.publish("a", 2).catch((caught: unknown) => caught);
      expect([error.code, error.message]).toEqual([
        "redis_failed",
        expect.stringMatching(/stays away.*ECONNREFUSED/),
      ]);
      expect(error.message).not.toMatch(new URL(redis.url).password);
      expect(payloads(await store.topics.wait(from("a"), 0))).toEqual([1]);
      expect(await store.topics.wait(from("b"), 20)).toEqual([]);
    });
  });

  describe.runIf(server.own)("a Redis that is shared", () => {
    it("serves all who wait in a process over one blocking connection", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile(redis.url);
      const store = await database.open();
      const abort = new AbortController();
      const waits = Array.from({ length: 500 }, (_, i) =>
        store.topics.wait(from(`t${i}`), 60_000, abort.signal),
      );
      const cut = Promise.allSettled(waits);
      await turn();
      await store.topics.publish("t7", 7);
      expect(payloads((await waits[7]) ?? [])).toEqual([7]);
      const clients = await asked(redis.url, (admin) => admin.client("LIST"));
      // Those of the store, and the one that asks.
      expect(String(clients).trim().split("\n")).toHaveLength(3);
      abort.abort();
      await cut;
    });

    it("keeps stores apart, also a copy of one", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile(redis.url);
      const original = await database.open();
      await original.topics.publish("a", "before");
      const folder = await mkdtemp(join(tmpdir(), "oxbow-copy-"));
      await original[Symbol.asyncDispose]();
      await cp(database.url.slice("sqlite:".length), join(folder, "oxbow.db"));
      const one = await database.open();
      {
        await using copy = await openStore({ url: `sqlite:${folder}/oxbow.db`, redis: { url: redis.url } });
        const waiting = copy.topics.wait(from("b"), 60_000);
        await one.topics.publish("b", "of the original");
        await copy.topics.publish("b", "of the copy");
        expect(payloads(await waiting)).toEqual(["of the copy"]);
        expect(payloads(await one.topics.read("a", null, 9))).toEqual(["before"]);
        expect(payloads(await one.topics.read("b", null, 9))).toEqual(["of the original"]);
      }
      await rm(folder, { recursive: true });
    });

    it("is given a bounded number of entries, which it drops some day", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile(redis.url);
      const store = await database.open();
      for (let i = 0; i < 60; i++)
        await Promise.all(Array.from({ length: 100 }, (_, n) => store.topics.publish("a", i * 100 + n)));
      await store.topics.publishOnce("id", "a", "once");
      const kept = await asked(redis.url, async (admin) => {
        const keys = await admin.keys("*");
        const log = keys.find((key) => key.endsWith(":log")) ?? "";
        const ttls = await Promise.all(keys.map((key) => admin.pttl(key)));
        return { keys: keys.length, length: await admin.xlen(log), ttls };
      });
      expect(kept.keys).toBe(2);
      expect(kept.length).toBeLessThan(5_000);
      expect(kept.ttls.every((ttl) => ttl > 0)).toBe(true);
      expect(await store.topics.read("a", null, 10_000)).toHaveLength(6_001);
    });

    it("takes over the signals of a store that had none: positions keep their meaning", async () => {
      await using redis = await ownServer("redis");
      await using database = await sqliteFile();
      await using plain = await openStore({ url: database.url });
      const [first, second] = [await plain.topics.publish("a", 1), await plain.topics.publish("a", 2)];
      await using store = await openStore({ url: database.url, redis: { url: redis.url } });
      expect(await store.topics.read("a", first.message_id, 9)).toEqual([second]);
      const waiting = store.topics.wait([{ topic: "a", after: second.message_id }], 10_000);
      const third = await store.topics.publish("a", 3);
      expect(await waiting).toEqual([third]);
      expect(payloads(await plain.topics.read("a", null, 9))).toEqual([1, 2, 3]);
    });
  });
});
