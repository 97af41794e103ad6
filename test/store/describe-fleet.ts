/** What every engine keeps of workers: who is there, who carries a task, what is cancelled, how many may be at work. */
import { describe, expect, it } from "vitest";
import type { Lease, Store, WorkerPresence } from "../../src/store/contract.ts";
import { aChild, aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

const TTL_MS = 1_000;

function aWorker(id: string, over: Partial<WorkerPresence> = {}): WorkerPresence {
  return { worker_id: id, team: "Shop", agents: ["Api"], places: 2, declined: {}, started_at: 1, ...over };
}

export function describeFleet(name: string, open: OpenDatabase): void {
  describe(`workers on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    const claim = (workerId: string, limits: Record<string, number> = {}): Promise<Lease | null> =>
      store.claim({ workerId, leaseMs: TTL_MS, limits });
    const driver = (holder: string, shared = true) => ({ holder, ttlMs: TTL_MS, shared });

    it("counts a worker until its time is up, and no longer when it said goodbye", async () => {
      await store.heartbeat(aWorker("a", { started_at: 2 }), TTL_MS);
      await store.heartbeat(aWorker("b", { declined: { t1: ["Api"] } }), TTL_MS);
      await store.heartbeat(aWorker("a", { started_at: 2, places: 3 }), 2 * TTL_MS);
      expect(await store.workers()).toEqual([
        aWorker("b", { declined: { t1: ["Api"] } }),
        aWorker("a", { started_at: 2, places: 3 }),
      ]);
      database.clock.now += TTL_MS;
      expect((await store.workers()).map((each) => each.worker_id)).toEqual(["a"]);
      await store.removeWorker("a");
      expect(await store.workers()).toEqual([]);
    });

    it("lets one process carry a task, from its submission, until it lets go or its time is up", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 1), [], driver("first"));
      expect(await store.drive("t1", driver("second"))).toBe("first");
      database.clock.now += TTL_MS - 1;
      expect(await store.drive("t1", driver("first"))).toBe("first");
      database.clock.now += TTL_MS - 1;
      expect(await store.drive("t1", driver("second"))).toBe("first");
      expect(await store.liveTasks()).toMatchObject([{ driver: "first", shared: true, cancelled: false }]);
      database.clock.now += 1;
      expect(await store.liveTasks()).toMatchObject([{ driver: null }]);
      expect(await store.drive("t1", driver("second", false))).toBe("second");
      expect(await store.drive("t1", driver("first"))).toBe("second");
      await store.stopDriving("t1", "first");
      expect(await store.liveTasks()).toMatchObject([{ driver: "second", shared: false }]);
      await store.stopDriving("t1", "second");
      expect(await store.liveTasks()).toMatchObject([{ driver: null, shared: false }]);
      await store.setTaskState("t1", "completed", []);
      expect(await store.liveTasks()).toEqual([]);
      expect(await store.drive("t1", driver("late"))).toBeNull();
      await expect(store.drive("none", driver("x"))).rejects.toMatchObject({ code: "task_unknown" });
    });

    it("leases nothing of a cancelled task until that is taken back", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 1), []);
      expect(await store.setCancelled("t1", true, [notice("t1", "stop")])).toBe(true);
      expect(await store.setCancelled("t1", true, [notice("t1", "stop")])).toBe(false);
      expect(await store.liveTasks()).toMatchObject([{ cancelled: true }]);
      expect(await store.drive("t1", driver("first"))).toBe("first");
      expect(await claim("w")).toBeNull();
      expect(await store.events("t1", null, 10)).toHaveLength(1);
      expect(await store.setCancelled("t1", false, [])).toBe(true);
      expect((await claim("w"))?.attempt).toBe(1);
    });

    it("has no more of a task at work than its limit, over all workers; one that waits does not count", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 3), []);
      await store.submit(aTask("t2"), someChildren("t2", 1), []);
      const first = await claim("a", { t1: 1 });
      expect(first?.task.task_id).toBe("t1");
      expect((await claim("b", { t1: 1 }))?.task.task_id).toBe("t2");
      expect(await claim("b", { t1: 1 })).toBeNull();
      if (!first) throw new Error("nothing was claimed");
      expect(await store.park(first, true)).toBe(true);
      expect((await claim("b", { t1: 1 }))?.task.task_id).toBe("t1");
      expect(await claim("c", { t1: 1 })).toBeNull();
      await store.park(first, false);
      expect(await claim("c", { t1: 2 })).toBeNull();
      database.clock.now += TTL_MS;
      expect((await claim("c", { t1: 1 }))?.attempt).toBe(2);
    });

    it("claims of the tasks named, and leaves agents out", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1), aChild("t1", 2, { agent: "Web" })], []);
      await store.submit(aTask("t2"), [aChild("t2", 1)], []);
      const wanted = { workerId: "w", leaseMs: TTL_MS };
      expect(await store.claim({ ...wanted, tasks: [] })).toBeNull();
      expect((await store.claim({ ...wanted, tasks: ["t2"] }))?.task.task_id).toBe("t2");
      expect((await store.claim({ ...wanted, exceptAgents: ["Api"] }))?.subtask.agent).toBe("Web");
      expect(await store.claim({ ...wanted, exceptAgents: ["Api"] })).toBeNull();
      expect(await store.holders()).toMatchObject([
        { worker_id: "w", task_id: "t1", agent: "Web" },
        { worker_id: "w", task_id: "t2", agent: "Api" },
      ]);
      expect([await store.openSubtasks("t1"), await store.openSubtasks("none")]).toEqual([2, 0]);
    });

    it("refuses what a holder that was taken over still wants to change", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 1), []);
      const stale = await claim("a");
      database.clock.now += TTL_MS;
      const newer = await claim("b");
      if (!stale || !newer) throw new Error("nothing was claimed");
      const conversation = stale.conversation_id;
      const fenced = { code: "fenced" };
      await expect(store.confirm(stale)).rejects.toMatchObject(fenced);
      await expect(store.setCursors(conversation, { a: "1" }, stale)).rejects.toMatchObject(fenced);
      const more = [aChild("t1", 2)];
      await expect(store.addChildren("t1", more, [notice("t1", "more")], stale)).rejects.toMatchObject(
        fenced,
      );
      expect(await store.cursor(conversation, "a")).toBeNull();
      expect([await store.openSubtasks("t1"), await store.events("t1", null, 10)]).toEqual([1, []]);
      expect(await store.park(stale, true)).toBe(false);
      await store.confirm(newer);
      await store.setCursors(conversation, { a: "2" }, newer);
      await store.addChildren("t1", more, [], newer);
      expect([await store.openSubtasks("t1"), await store.cursor(conversation, "a")]).toEqual([2, "2"]);
    });

    it("shows what is new of any task to who opened a feed, of the kinds asked for", async () => {
      const other = await database.open();
      await store.submit(aTask("t1"), [], [notice("t1", "before")]);
      using feed = await store.openFeed(["notice"]);
      await other.append([notice("t1", "one")]);
      await other.submit(aTask("t2"), [], [notice("t2", "two"), { event: "task_resumed", task_id: "t2" }]);
      const seen: string[] = [];
      while (seen.length < 2)
        for (const event of await feed.next(5_000)) if (event.event === "notice") seen.push(event.message);
      expect(seen).toEqual(["one", "two"]);
      expect(await feed.next(0)).toEqual([]);
    });
  });
}
