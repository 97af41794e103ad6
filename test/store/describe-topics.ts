/** What every transport of topics does: order, no loss, no doubles, waits that wake and leave nothing behind. */
import { getEventListeners } from "node:events";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Store, TopicEntry } from "../../src/store/contract.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

const payloads = (entries: readonly TopicEntry[]) => entries.map((entry) => entry.payload);

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export function describeTopics(name: string, open: OpenDatabase): void {
  describe(`topics on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));
    const from = (...topics: string[]) => topics.map((topic) => ({ topic, after: null }));

    it("keeps entries in order, from any position on", async () => {
      const sent: TopicEntry[] = [];
      for (const n of [1, 2, 3, 4]) {
        sent.push(await store.topics.publish("a", { n }));
        await store.topics.publish("b", n);
      }
      expect(sent[0]).toMatchObject({ topic: "a", payload: { n: 1 }, ts: database.clock.now });
      expect(await store.topics.read("a", null, 10)).toEqual(sent);
      expect(await store.topics.read("a", sent[1]?.message_id ?? null, 1)).toEqual([sent[2]]);
      expect(await store.topics.read("a", sent[3]?.message_id ?? null, 10)).toEqual([]);
      const ids = sent.map((entry) => entry.message_id);
      expect([...ids].sort()).toEqual(ids);
    });

    it("publishes once for one event id, per topic", async () => {
      const first = await store.topics.publishOnce("done:c", "a", { ok: true });
      expect(first.published).toBe(true);
      const again = await store.topics.publishOnce("done:c", "a", { ok: false });
      expect(again).toEqual({ ...first, published: false });
      expect((await store.topics.publishOnce("done:c", "b", 1)).published).toBe(true);
      const both = await Promise.all([1, 2, 3].map((n) => store.topics.publishOnce("x", "c", n)));
      expect(both.filter((entry) => entry.published)).toHaveLength(1);
    });

    it("refuses a position that no topic gave out", async () => {
      for (const after of ["", "x", "-1", "1.5", "9".repeat(40), "1; drop"]) {
        await expect(store.topics.read("a", after, 1)).rejects.toMatchObject({ code: "topic_rejected" });
        await expect(store.topics.wait([{ topic: "a", after }], 0)).rejects.toMatchObject({
          code: "topic_rejected",
        });
      }
    });

    it("does not miss what was sent before the wait", async () => {
      await store.topics.publish("a", 1);
      expect(payloads(await store.topics.wait(from("a", "b"), 10_000))).toEqual([1]);
      expect(payloads(await store.topics.wait(from("a"), 0))).toEqual([1]);
      expect(await store.topics.wait(from("b"), 0)).toEqual([]);
      expect(await store.topics.wait([], 1)).toEqual([]);
    });

    it("wakes every waiter of a topic, and nobody else", async () => {
      const waits = [from("a"), from("b", "a"), from("a", "a")].map((topics) =>
        store.topics.wait(topics, 10_000),
      );
      const other = new AbortController();
      const unrelated = store.topics.wait(from("c"), 10_000, other.signal);
      const cut = expect(unrelated).rejects.toMatchObject({ code: "cancelled" });
      // A turn of the event loop: all have read, found nothing, and are parked.
      await turn();
      await store.topics.publish("a", "x");
      for (const wait of waits) expect(payloads(await wait)).toEqual(["x"]);
      const asleep = store.topics.wait([{ topic: "d", after: null }], 10_000);
      await turn();
      await store.topics.publishOnce("id", "d", "y");
      expect(payloads(await asleep)).toEqual(["y"]);
      other.abort();
      await cut;
    });

    it("says nothing came when the time is up", async () => {
      expect(await store.topics.wait(from("a", "b"), 20)).toEqual([]);
    });

    it("waits for ever when told so, and longer than a timer can", async () => {
      const waits = [Infinity, 2 ** 40].map((timeout) => store.topics.wait(from("a"), timeout));
      await store.topics.publish("a", 1);
      for (const wait of waits) expect(payloads(await wait)).toEqual([1]);
    });

    it("rejects on abort, before and during a wait, and leaves no listener", async () => {
      await expect(store.topics.wait(from("a"), 1000, AbortSignal.abort())).rejects.toMatchObject({
        code: "cancelled",
      });
      const abort = new AbortController();
      const waits = Array.from({ length: 100 }, (_, i) =>
        store.topics.wait(from(`t${i}`), 60_000, abort.signal),
      );
      const woken = store.topics.wait(from("w"), 60_000, abort.signal);
      const late = store.topics.wait(from("l"), 5, abort.signal);
      await store.topics.publish("w", 1);
      expect(payloads(await woken)).toEqual([1]);
      expect(await late).toEqual([]);
      // An engine that is asked over a network has not parked all of them yet.
      await expect.poll(() => getEventListeners(abort.signal, "abort").length, { timeout: 10_000 }).toBe(100);
      abort.abort(new Error("stop"));
      const ends = await Promise.allSettled(waits);
      expect(ends.every((end) => end.status === "rejected")).toBe(true);
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    });

    it("waits on a thousand topics", async () => {
      const topics = Array.from({ length: 1000 }, (_, i) => `signal:c${i}:done`);
      const all = store.topics.wait(from(...topics), 10_000);
      await store.topics.publish("signal:c977:done", 977);
      expect(payloads(await all)).toEqual([977]);
      for (const topic of topics) await store.topics.publishOnce("done", topic, topic);
      const got = await store.topics.wait(from(...topics), 10_000);
      expect(got).toHaveLength(1000);
      expect(got[0]?.payload).toBe(977);
    });

    it("goes on waiting: each call brings what came since, no entry twice, and nothing of a topic that was left out", async () => {
      const sent = await store.topics.publish("a", 1);
      using following = store.topics.follow(from("a", "b", "c"));
      expect(await following.next(0)).toEqual([sent]);
      const asleep = following.next(10_000);
      await turn();
      await store.topics.publish("b", 2);
      expect(payloads(await asleep)).toEqual([2]);
      following.drop("b");
      await store.topics.publish("b", 3);
      for (const n of [4, 5]) await store.topics.publish("c", n);
      const rest: unknown[] = [];
      while (rest.length < 2) rest.push(...payloads(await following.next(10_000)));
      expect(rest).toEqual([4, 5]);
      expect(await following.next(20)).toEqual([]);
      const abort = new AbortController();
      const cut = expect(following.next(10_000, abort.signal)).rejects.toMatchObject({ code: "cancelled" });
      abort.abort();
      await cut;
      await store.topics.publish("a", 6);
      expect(payloads(await following.next(10_000))).toEqual([6]);
      expect(() => store.topics.follow([{ topic: "a", after: "x" }])).toThrow(
        expect.objectContaining({ code: "topic_rejected" }),
      );
    });

    it("closes under those who wait: each is told, a second closing is quiet", async () => {
      const waits = [store.topics.wait(from("a"), Infinity), store.topics.wait(from("a", "b"), 60_000)];
      const told = waits.map((wait) => expect(wait).rejects.toMatchObject({ code: "store_failed" }));
      await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
      await store[Symbol.asyncDispose]();
      await Promise.all(told);
      for (let i = 0; i < 2; i++) {
        await expect(store.topics.publish("a", 1)).rejects.toMatchObject({ code: "store_failed" });
        await expect(store.topics.wait(from("a"), 10)).rejects.toMatchObject({ code: "store_failed" });
      }
    });

    it("gives every reader every message once and in order, however sends, reads and waits interleave", async () => {
      const action = fc.oneof(
        fc.record({
          kind: fc.constant("send" as const),
          topic: fc.constantFrom("a", "b", "c"),
          times: fc.nat(4),
        }),
        fc.record({
          kind: fc.constant("once" as const),
          topic: fc.constantFrom("a", "b", "c"),
          id: fc.nat(3),
        }),
        fc.record({ kind: fc.constant("pause" as const) }),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(action, { maxLength: 30 }),
          fc.integer({ min: 1, max: 3 }),
          async (actions, readers) => {
            await using own = await open();
            const [here, there] = [await own.open(), await own.open()];
            await followed(here, there, actions, readers);
          },
        ),
        { numRuns: 60 },
      );
      // Sixty databases are made for it, which takes a server on a busy machine its time.
    }, 120_000);
  });
}

type Action =
  | { readonly kind: "send"; readonly topic: string; readonly times: number }
  | { readonly kind: "once"; readonly topic: string; readonly id: number }
  | { readonly kind: "pause" };

/** Reads one of the topics in small steps and waits on all of them, until the topic `end` says that it is over. */
async function follow(store: Store): Promise<Map<string, TopicEntry[]>> {
  const got = new Map<string, TopicEntry[]>(["a", "b", "c", "end"].map((topic) => [topic, []]));
  const last = (topic: string) => got.get(topic)?.at(-1)?.message_id ?? null;
  let turn = 0;
  while (got.get("end")?.length === 0) {
    const topic = ["a", "b", "c"][turn++ % 3] ?? "a";
    got.get(topic)?.push(...(await store.topics.read(topic, last(topic), 2)));
    const positions = [...got.keys()].map((name) => ({ topic: name, after: last(name) }));
    for (const entry of await store.topics.wait(positions, 30_000)) got.get(entry.topic)?.push(entry);
  }
  return got;
}

async function followed(
  store: Store,
  other: Store,
  actions: readonly Action[],
  readers: number,
): Promise<void> {
  const following = Array.from({ length: readers }, (_, i) => follow(i % 2 === 0 ? other : store));
  const sends: Promise<TopicEntry>[] = [];
  for (const action of actions) {
    if (action.kind === "pause") await turn();
    else if (action.kind === "once")
      sends.push(store.topics.publishOnce(`id-${action.id}`, action.topic, action.id));
    else for (let n = 0; n < action.times; n++) sends.push(store.topics.publish(action.topic, n));
  }
  const sent = new Set((await Promise.all(sends)).map((entry) => entry.message_id));
  await store.topics.publish("end", null);
  for (const got of await Promise.all(following)) {
    const ids = ["a", "b", "c"].map((topic) => (got.get(topic) ?? []).map((entry) => entry.message_id));
    for (const list of ids) expect(list).toEqual([...list].sort());
    expect(ids.flat().sort()).toEqual([...sent].sort());
  }
}
