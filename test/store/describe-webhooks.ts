/** What every engine keeps of webhooks: no event left out, one sender at a time, and what became of each try. */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { KEPT_TRIES, type Settlement, type WebhookLease } from "../../src/store/webhook-sending.ts";
import { CALLBACKS } from "../../src/store/webhook-rows.ts";
import type { WebhookEvents } from "../../src/core/webhook-events.ts";
import { aTask, notice } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

const SECRET = "whsec_b25lb25lb25lb25lb25lb25lb25lb25l";
const OTHER = "whsec_dHdvdHdvdHdvdHdvdHdvdHdvdHdvdHdv";

export function describeWebhooks(name: string, open: OpenDatabase): void {
  describe(`webhooks on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    const add = (id: string, events: WebhookEvents = "all", task: string | null = null) =>
      store.webhooks.add({ webhook_id: id, url: "https://a.example/", events, task_id: task }, SECRET);
    const told = (task: string, ...words: string[]) => store.append(words.map((word) => notice(task, word)));
    const take = async (id: string, holder = "me") => {
      const lease = await store.webhooks.take(id, holder, 30_000);
      if (lease === null) throw new Error(`${id} could not be taken`);
      return lease;
    };
    const waiting = async (id: string, after?: number) => {
      const webhook = await store.webhooks.get(id);
      if (webhook === null) throw new Error(`no ${id}`);
      const { events } = await store.webhooks.pending(webhook, after ?? webhook.position, 100);
      return events.map((event) => (event.event === "notice" ? event.message : event.event));
    };
    const due = async () => (await store.webhooks.due(10))?.webhooks.map(({ webhook_id }) => webhook_id);
    const settle = (lease: WebhookLease, eventId: string, what: Settlement, status: number | null = 200) =>
      store.webhooks.settle(
        lease,
        {
          event_id: eventId,
          event: "notice",
          task_id: "t",
          at: database.clock.now,
          elapsed_ms: 3,
          status,
          error: status === 200 ? null : "ECONNREFUSED",
        },
        what,
      );
    const delivered: Settlement = { kind: "delivered", ttlMs: 30_000 };

    it("begins after what was there; one of a task begins with its first event", async () => {
      expect(await store.webhooks.due(10)).toBeNull();
      await told("t", "old");
      await add("w");
      await add("c", ["notice"], "t");
      expect(await due()).toEqual(["c"]);
      await told("t", "one", "two");
      await told("u", "three");
      expect([await waiting("w"), await waiting("c")]).toEqual([
        ["one", "two", "three"],
        ["old", "one", "two"],
      ]);
      expect((await due())?.sort()).toEqual(["c", "w"]);
      await add("w", "default");
      expect(await store.webhooks.get("w")).toMatchObject({ events: "all", state: "active", delivered: 0 });
    });

    it("finds the events that are wanted, and says how far it has looked", async () => {
      await add("some", ["task_resumed", "handed_back"]);
      await store.append([{ event: "task_resumed", task_id: "t" }, notice("t", "x")]);
      const webhook = await store.webhooks.get("some");
      const found = webhook && (await store.webhooks.pending(webhook, 0, 10));
      expect(found?.events.map(({ event }) => event)).toEqual(["task_resumed"]);
      expect(found?.until).toBe(Number(found?.events[0]?.id) + 1);
      const [newest] = await told("t", "later");
      expect((await store.webhooks.due(10))?.newest).toBe(Number(newest?.id));
    });

    it("is held by one process at a time, also when many reach for it", async () => {
      await add("w");
      await told("t", "one");
      const others = await Promise.all([database.open(), database.open()]);
      const leases = await Promise.all(
        [store, ...others].map((each, n) => each.webhooks.take("w", `worker-${n}`, 30_000)),
      );
      expect(leases.filter((lease) => lease !== null)).toHaveLength(1);
      expect([await due(), (await store.webhooks.due(10))?.nextInMs]).toEqual([[], 30_000]);
      database.clock.now += 30_000;
      expect(await due()).toEqual(["w"]);
    });

    it("lets only the newest holder write, and only what is there", async () => {
      await add("w");
      const [one] = await told("t", "one", "two");
      const late = await take("w", "late");
      database.clock.now += 30_001;
      const lease = await take("w", "next");
      expect(await settle(late, one?.id ?? "", delivered)).toBe(false);
      await store.webhooks.release(late, 1_000_000);
      expect(await settle(lease, one?.id ?? "", delivered)).toBe(true);
      expect(await waiting("w")).toEqual(["two"]);
      expect(await store.webhooks.remove("w")).toBe(true);
      expect(await settle(lease, one?.id ?? "", delivered)).toBe(false);
      expect([await store.webhooks.remove("w"), await store.webhooks.secrets("w")]).toEqual([false, []]);
      expect(await store.webhooks.tries("w")).toEqual([]);
    });

    it("goes on with the same event after a failed try, when its time has come", async () => {
      await add("w");
      const [one] = await told("t", "one");
      expect(await settle(await take("w"), one?.id ?? "", { kind: "again", delayMs: 5_000 }, null)).toBe(
        true,
      );
      expect([await due(), (await store.webhooks.due(10))?.nextInMs]).toEqual([[], 5_000]);
      expect(await store.webhooks.take("w", "me", 1_000)).toBeNull();
      const failing = { failed_tries: 1, failing_since: database.clock.now, last_error: "ECONNREFUSED" };
      expect(await store.webhooks.get("w")).toMatchObject(failing);
      database.clock.now += 5_000;
      expect([await due(), await waiting("w")]).toEqual([["w"], ["one"]]);
      const lease = await take("w");
      expect(lease.webhook).toMatchObject(failing);
      await settle(lease, one?.id ?? "", delivered);
      await store.webhooks.release(lease, 0);
      expect(await store.webhooks.get("w")).toMatchObject({
        failed_tries: 0,
        failing_since: null,
        last_error: null,
        delivered: 1,
        position: Number(one?.id),
      });
      expect((await store.webhooks.tries("w")).map(({ status, error }) => [status, error])).toEqual([
        [200, null],
        [null, "ECONNREFUSED"],
      ]);
    });

    it("stops with a notice, unless the task is gone, and goes on where it stopped or from now on", async () => {
      await add("w");
      const [one] = await told("t", "one", "two");
      const stop = (task: string): Settlement => ({
        kind: "ended",
        state: "paused",
        notice: notice(task, "stop"),
      });
      await settle(await take("w"), one?.id ?? "", stop("t"), 500);
      expect([await due(), await store.webhooks.take("w", "me", 1)]).toEqual([[], null]);
      expect(await waiting("w")).toEqual(["one", "two", "stop"]);
      expect(await store.webhooks.resume("w", { skip: false })).toBe(true);
      expect([await due(), await waiting("w")]).toEqual([["w"], ["one", "two", "stop"]]);
      await settle(await take("w"), "999999", stop("gone"), 500);
      expect(await store.events("gone", null, 10)).toEqual([]);
      await store.webhooks.resume("w", { skip: true });
      expect([await due(), await waiting("w")]).toEqual([[], []]);
      expect(await store.webhooks.resume("nobody", { skip: true })).toBe(false);
    });

    it("lets go of what a dead process held", async () => {
      await add("w");
      await told("t", "one");
      await take("w", "dead");
      expect(await store.webhooks.holders()).toEqual(["dead"]);
      await store.webhooks.free("dead");
      expect([await due(), await store.webhooks.holders()]).toEqual([["w"], []]);
    });

    it("signs with the newest secret, and with the one before it for a while", async () => {
      await add("w");
      await add("c", "all", "t");
      await told("t", "one");
      expect((await take("w")).secrets).toEqual([SECRET]);
      expect((await take("c")).secrets).toEqual([]);
      const first = { keepMs: 60_000, onlyFirst: true };
      expect(await store.webhooks.setSecret(CALLBACKS, SECRET, first)).toEqual([SECRET]);
      expect(await store.webhooks.setSecret(CALLBACKS, OTHER, first)).toEqual([SECRET]);
      expect(await store.webhooks.setSecret(CALLBACKS, OTHER, { keepMs: 60_000 })).toEqual([OTHER, SECRET]);
      database.clock.now += 60_000;
      expect((await take("c")).secrets).toEqual([OTHER]);
    });

    it("keeps the last tries, and lists webhooks of tasks only when asked", async () => {
      await add("w");
      await add("c", "all", "t");
      await told("t", ...Array.from({ length: KEPT_TRIES + 3 }, (_, n) => `${n}`));
      const lease = await take("w");
      for (const each of await store.events("t", null, 100)) await settle(lease, each.id, delivered);
      const tries = await store.webhooks.tries("w");
      expect([tries.length, tries[0]?.event_id]).toEqual([KEPT_TRIES, String(lease.webhook.position + 53)]);
      const ids = async (ofTasks: boolean) =>
        (await store.webhooks.list({ ofTasks, limit: 10 })).map(({ webhook_id }) => webhook_id);
      expect([await ids(false), (await ids(true)).sort()]).toEqual([["w"], ["c", "w"]]);
    });

    it("keeps a task's events until they are delivered, and goes with its task", async () => {
      await add("w", ["task_finished"]);
      await store.submit(aTask("t"), [], []);
      await add("c", ["notice"], "t");
      const [ended] = await store.append([{ event: "task_finished", task_id: "t", state: "failed" }]);
      await store.setTaskState("t", "failed", []);
      const why = "has events that a webhook is still to be told of";
      await expect(store.forget("t")).rejects.toMatchObject({
        code: "task_active",
        message: expect.stringContaining(why),
      });
      const lease = await take("w");
      await settle(lease, ended?.id ?? "", delivered);
      expect(await store.webhooks.tries("w")).toHaveLength(1);
      expect(await store.forget("t")).toBe(true);
      expect([await store.webhooks.get("c"), await store.webhooks.tries("w")]).toEqual([null, []]);
    });

    it("wakes whoever waits for events", async () => {
      using news = await store.webhooks.news();
      const woken = news.next(60_000, new AbortController().signal);
      await told("t", "one");
      await woken;
      const stop = new AbortController();
      stop.abort();
      await expect(news.next(60_000, stop.signal)).rejects.toMatchObject({ code: "cancelled" });
      expect(await store.webhooks.storeId()).toMatch(/^\w+$/);
    });
  });
}
