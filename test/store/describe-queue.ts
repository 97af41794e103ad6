/** What every engine's queue does: one live holder, tokens that only grow, exactly one outcome. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Lease, Store } from "../../src/store/contract.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";
import { cancelled, LEASE_MS, playSteps, queueStep } from "./queue-play.ts";

export function describeQueue(name: string, open: OpenDatabase): void {
  describe(`the queue on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    async function claim(workerId = "w1"): Promise<Lease> {
      const lease = await store.claim({ workerId, leaseMs: LEASE_MS });
      if (!lease) throw new Error("nothing to claim");
      return lease;
    }

    it("hands out the oldest message first, with all that a worker needs", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 2), []);
      const lease = await claim();
      const child = aChild("t1", 1);
      expect(lease).toEqual({
        conversation_id: child.conversation.conversation_id,
        worker_id: "w1",
        token: 1,
        attempt: 1,
        message: child.message,
        subtask: { ...child.subtask, state: "running" },
        task: aTask("t1"),
        crashes: 0,
        failure: null,
        cancelled: false,
        disabled: null,
        blocked: false,
      });
      expect((await claim()).subtask.position).toBe(2);
      expect(await store.claim({ workerId: "w2", leaseMs: LEASE_MS })).toBeNull();
    });

    it("claims for a task, and for the agents named", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1, { agent: "Api" })], []);
      await store.submit(aTask("t2"), [aChild("t2", 1, { agent: "Web" })], []);
      const wanted = { workerId: "w", leaseMs: LEASE_MS };
      expect(await store.claim({ ...wanted, agents: [] })).toBeNull();
      expect(await store.claim({ ...wanted, agents: ["Docs"] })).toBeNull();
      expect(await store.claim({ ...wanted, taskId: "t3" })).toBeNull();
      expect(await store.claim({ ...wanted, taskId: "t1", agents: ["Web"] })).toBeNull();
      expect((await store.claim({ ...wanted, agents: ["Docs", "Web"] }))?.subtask.task_id).toBe("t2");
      expect((await store.claim({ ...wanted, taskId: "t1" }))?.subtask.task_id).toBe("t1");
    });

    it("finishes once: outcome, signal, acknowledgement, state and events together", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const lease = await claim();
      const outcome = anOutcome(lease.subtask, { error: { code: "internal", message: "no" }, cost: null });
      expect(await store.finish(lease, outcome, { ok: true }, [notice("t1", "finished")])).toBe(true);
      expect(await store.outcomes("t1")).toEqual([outcome]);
      expect((await store.subtasks("t1"))[0]?.state).toBe("completed");
      expect(await store.topics.read(lease.subtask.done_topic, null, 10)).toEqual([]);
      expect(await store.relay()).toBe(2);
      expect(await store.relay()).toBe(0);
      expect(await store.topics.read(lease.subtask.done_topic, null, 10)).toMatchObject([
        { event_id: `done:${lease.conversation_id}`, payload: { ok: true } },
      ]);
      expect(await store.finish(lease, outcome, { ok: true }, [notice("t1", "twice")])).toBe(false);
      expect(await store.events("t1", null, 10)).toMatchObject([{ message: "finished" }]);
      expect(await store.claim({ workerId: "w", leaseMs: LEASE_MS })).toBeNull();
      expect([await store.renew(lease, LEASE_MS), await store.setBranch(lease, "x")]).toEqual([false, false]);
    });

    it("writes nothing of a finish that fails half-way", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 2), []);
      const lease = await claim();
      const wrong = anOutcome(aChild("t1", 2).subtask);
      await expect(store.finish(lease, wrong, {}, [notice("t1", "x")])).rejects.toMatchObject({
        code: "internal",
      });
      const circle: Record<string, unknown> = {};
      circle["self"] = circle;
      const event = { ...notice("t1", "x"), extra: circle };
      await expect(store.finish(lease, anOutcome(lease.subtask), {}, [event])).rejects.toMatchObject({
        code: "payload_invalid",
      });
      expect([await store.outcomes("t1"), await store.events("t1", null, 9)]).toEqual([[], []]);
      expect(await store.finish(lease, anOutcome(lease.subtask), {}, [])).toBe(true);
    });

    it("does not publish a signal twice that the child sent itself", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const lease = await claim();
      await store.topics.publishOnce(`done:${lease.conversation_id}`, lease.subtask.done_topic, "mine");
      await store.finish(lease, anOutcome(lease.subtask), "the engine's", []);
      await store.relay();
      const entries = await store.topics.read(lease.subtask.done_topic, null, 10);
      expect(entries.map((entry) => entry.payload)).toEqual(["mine"]);
    });

    it("takes over from a dead worker with a higher token, never from one that renews", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const first = await claim("w1");
      database.clock.now += LEASE_MS - 1;
      expect(await store.claim({ workerId: "w2", leaseMs: LEASE_MS })).toBeNull();
      expect(await store.renew(first, LEASE_MS)).toBe(true);
      database.clock.now += LEASE_MS - 1;
      expect(await store.claim({ workerId: "w2", leaseMs: LEASE_MS })).toBeNull();
      database.clock.now += 1;
      const second = await claim("w2");
      expect([second.token, second.attempt, second.conversation_id]).toEqual([2, 2, first.conversation_id]);
      expect(await store.renew(first, LEASE_MS)).toBe(false);
      expect(await store.setBranch(first, "stale")).toBe(false);
      await store.release(first);
      expect(await store.setBranch(second, "feature/1/Api")).toBe(true);
      expect((await store.subtasks("t1"))[0]?.branch).toBe("feature/1/Api");
      expect(await store.liveWorkers("t1")).toEqual(["w2"]);
    });

    it("refuses a worker's own older lease once it has claimed again", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const older = await claim("w1");
      database.clock.now += LEASE_MS;
      const newer = await claim("w1");
      expect([await store.renew(older, LEASE_MS), await store.setBranch(older, "stale")]).toEqual([
        false,
        false,
      ]);
      await store.release(older);
      expect(await store.liveWorkers("t1")).toEqual(["w1"]);
      expect(await store.finish(older, anOutcome(older.subtask), {}, [])).toBe(false);
      expect(await store.finish(newer, anOutcome(newer.subtask), {}, [])).toBe(true);
    });

    it("keeps a late result and tells of it once, without a signal", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const first = await claim("w1");
      expect(await store.expireLeases("w1")).toBe(1);
      expect(await store.expireLeases("w1")).toBe(0);
      const second = await claim("w2");
      const late = anOutcome(first.subtask, { outcome: "failed" });
      for (let i = 0; i < 2; i++)
        expect(await store.finish(first, late, "late", [notice("t1", "no")])).toBe(false);
      expect(await store.finish(second, anOutcome(second.subtask, { attempt: 2 }), "done", [])).toBe(true);
      expect(await store.finish(first, late, "late", [])).toBe(false);
      expect(await store.events("t1", null, 10)).toMatchObject([
        {
          event: "late_result",
          attempt: 1,
          outcome: "failed",
          subtask_id: first.subtask.subtask_id,
          source: "Api",
        },
      ]);
      expect(await store.outcomes("t1")).toMatchObject([{ outcome: "completed", attempt: 2 }]);
      await store.relay();
      expect(await store.topics.read(first.subtask.done_topic, null, 10)).toHaveLength(1);
    });

    it("lets exactly one of many results count, whichever comes when", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const leases: Lease[] = [];
      for (let i = 0; i < 5; i++) {
        leases.push(await claim(`w${i}`));
        if (i < 4) database.clock.now += LEASE_MS;
      }
      const all = [...leases, ...leases].toReversed();
      const results = await Promise.all(
        all.map((lease) =>
          store.finish(lease, anOutcome(lease.subtask, { attempt: lease.attempt }), lease.token, []),
        ),
      );
      expect(all.filter((_, i) => results[i]).map((lease) => lease.token)).toEqual([5]);
      expect(await store.outcomes("t1")).toMatchObject([{ attempt: 5 }]);
      expect(await store.events("t1", null, 20)).toHaveLength(4);
      await Promise.all([store.relay(), store.relay(), (await database.open()).relay()]);
      const signals = await store.topics.read(`signal:${all[0]?.conversation_id}:done`, null, 9);
      expect(signals.map((signal) => signal.payload)).toEqual([5]);
    });

    it("lets a slow worker finish whose lease ran out while nobody took it", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const lease = await claim();
      database.clock.now += 10 * LEASE_MS;
      expect(await store.liveWorkers("t1")).toEqual([]);
      expect(await store.finish(lease, anOutcome(lease.subtask), {}, [])).toBe(true);
    });

    it("hands back a conversation that is released, and says so once", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      const lease = await claim("w1");
      await store.release(lease, [notice("t1", "Handed back.")]);
      await store.release(lease, [notice("t1", "Handed back again.")]);
      expect((await store.events("t1", null, 9)).map((event) => "message" in event && event.message)).toEqual(
        ["Handed back."],
      );
      expect((await store.subtasks("t1"))[0]?.state).toBe("planned");
      expect(await store.liveWorkers("t1")).toEqual([]);
      expect(await claim("w2")).toMatchObject({ token: 2, attempt: 2, subtask: { state: "running" } });
    });

    it("ends what nobody works on, and leaves a live worker alone", async () => {
      await store.submit(aTask("t1"), [...someChildren("t1", 3), aChild("t1", 4, { dependsOn: [1] })], []);
      await store.submit(aTask("t2"), [aChild("t2", 1)], []);
      const lost = await claim("lost");
      const live = await claim("live");
      await store.expireLeases("lost");
      expect(await store.finishUnstarted("t1", cancelled)).toBe(3);
      expect((await store.subtasks("t1")).map((subtask) => subtask.state)).toEqual([
        "cancelled",
        "running",
        "cancelled",
        "cancelled",
      ]);
      expect(await store.finishUnstarted("t1", cancelled)).toBe(0);
      expect(await store.finish(lost, anOutcome(lost.subtask), {}, [])).toBe(false);
      expect(await store.finish(live, anOutcome(live.subtask), {}, [])).toBe(true);
      expect((await store.outcomes("t1")).map((outcome) => outcome.outcome)).toEqual([
        "cancelled",
        "completed",
        "cancelled",
        "cancelled",
      ]);
      expect((await store.events("t1", null, 20)).map((event) => event.event)).toEqual([
        "notice",
        "notice",
        "notice",
        "late_result",
      ]);
      expect((await store.subtasks("t2"))[0]?.state).toBe("planned");
      await store.relay();
      for (const { done_topic } of await store.subtasks("t1")) {
        expect(await store.topics.read(done_topic, null, 9)).toHaveLength(1);
      }
    });

    it("keeps its promises under any order of claims, renewals, releases, deaths and results", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(queueStep, { maxLength: 40 }), fc.boolean(), async (steps, atOnce) => {
          await using own = await open();
          await playSteps(own, steps, atOnce);
        }),
        { numRuns: 80 },
      );
    });
  });
}
