/** What every engine's store lets go of, and what it refuses to. */
import { describe, expect, it } from "vitest";
import type { Lease, Store } from "../../src/store/contract.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

export function describeForget(name: string, open: OpenDatabase): void {
  describe(`what is let go of on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    const claim = (taskId: string) => store.claim({ workerId: "w", taskId, leaseMs: 1_000 });
    async function end(taskId: string): Promise<void> {
      for (let lease: Lease | null = await claim(taskId); lease; lease = await claim(taskId))
        await store.finish(lease, anOutcome(lease.subtask), { event: "done" }, [notice(taskId, "end")]);
      await store.setTaskState(taskId, "completed", [notice(taskId, "over")]);
    }

    it("removes a task that has ended with all its rows, and leaves the others as they are", async () => {
      for (const id of ["t1", "t2"]) {
        await store.submit(aTask(id), someChildren(id, 2), [notice(id, "a")], {
          holder: "p",
          ttlMs: 1_000,
          shared: true,
        });
        await store.todos.create(id, {
          title: "x",
          details: "",
          state: "open",
          owner: "Api",
          created_by: "Api",
        });
        await store.setCursors(`c-${id}-1`, { "signal:x": "0000000000000001" });
        await end(id);
      }
      await store.relay();
      const [mine, others] = ["t1", "t2"].map((id) => `signal:c-${id}-1:done`);
      const before = [
        await store.subtasks("t2"),
        await store.outcomes("t2"),
        await store.events("t2", null, 99),
      ];
      expect(await store.forget("t1")).toBe(true);
      expect(await store.task("t1")).toBeNull();
      expect(await store.subtasks("t1")).toEqual([]);
      expect(await store.outcomes("t1")).toEqual([]);
      expect(await store.events("t1", null, 10)).toEqual([]);
      expect(await store.messages("c-t1-1")).toEqual([]);
      expect(await store.todos.list("t1", {})).toEqual([]);
      expect(await store.cursor("c-t1-1", "signal:x")).toBeNull();
      expect(await store.topics.read(mine ?? "", null, 10)).toEqual([]);
      const told = (await store.topics.read("chat:Api", null, 10)).map(({ event_id }) => event_id);
      expect(told).toEqual(["announce:c-t2-1", "announce:c-t2-2"]);
      expect(await store.topics.read(others ?? "", null, 10)).toHaveLength(1);
      expect([
        await store.subtasks("t2"),
        await store.outcomes("t2"),
        await store.events("t2", null, 99),
      ]).toEqual(before);
      expect(await store.forget("t1")).toBe(false);
      expect(await store.compact()).toBe(true);
      // A process that comes later does not hear of it either.
      expect(await (await database.open()).topics.read(mine ?? "", null, 10)).toEqual([]);
    });

    it("can be submitted again afterwards", async () => {
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      await end("t1");
      await store.relay();
      await store.forget("t1");
      expect((await store.submit(aTask("t1"), [aChild("t1", 1)], [])).created).toBe(true);
    });

    it("keeps a task that is not finished, is worked on, or has signals to send", async () => {
      const active = { code: "task_active" };
      await store.submit(aTask("t1"), [aChild("t1", 1)], []);
      await expect(store.forget("t1")).rejects.toMatchObject(active);
      const lease = await claim("t1");
      if (lease === null) throw new Error("nothing to claim");
      await store.setTaskState("t1", "cancelled", []);
      await expect(store.forget("t1")).rejects.toMatchObject(active);
      await store.finish(lease, anOutcome(lease.subtask), { event: "done" }, []);
      await expect(store.forget("t1")).rejects.toMatchObject(active);
      expect(await store.subtasks("t1")).toHaveLength(1);
      await store.relay();
      expect(await store.forget("t1")).toBe(true);
    });
  });
}
