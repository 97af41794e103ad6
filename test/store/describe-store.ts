/** What every engine's store does with tasks, children, events and cursors. */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import type { OxbowEvent } from "../../src/core/events.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

export function describeStore(name: string, open: OpenDatabase): void {
  describe(`tasks on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    it("gives back what was submitted, field by field", async () => {
      const child = aChild("t1", 1, {
        over: { root: true, branch: "feature/x", parent_conversation_id: "c-0" },
      });
      await store.submit(aTask("t1"), [child], []);
      expect(await store.task("t1")).toEqual(aTask("t1"));
      expect(await store.subtasks("t1")).toEqual([child.subtask]);
      expect(await store.messages(child.conversation.conversation_id)).toEqual([child.message]);
      expect(await store.task("t2")).toBeNull();
      expect(await store.subtasks("t2")).toEqual([]);
    });

    it("answers the same submission with the same task, and refuses another body", async () => {
      expect((await store.submit(aTask("t1"), [aChild("t1", 1)], [notice("t1", "a")])).created).toBe(true);
      await store.setTaskState("t1", "needs_review", []);
      const again = await store.submit(aTask("t1"), [aChild("t1", 1)], [notice("t1", "a")]);
      expect(again).toEqual({
        task: { ...aTask("t1"), state: "needs_review", updated_at: database.clock.now },
        created: false,
      });
      expect(await store.events("t1", null, 10)).toHaveLength(1);
      await expect(store.submit(aTask("t1", { body_hash: "other" }), [], [])).rejects.toMatchObject({
        code: "task_conflict",
      });
    });

    it("lets one live task have a ticket", async () => {
      await store.submit(aTask("t1", { ticket: "7" }), [], []);
      await expect(store.submit(aTask("t2", { ticket: "7" }), [aChild("t2", 1)], [])).rejects.toMatchObject({
        code: "ticket_in_use",
        details: { ticket: "7", task_id: "t1" },
      });
      expect(await store.task("t2")).toBeNull();
      await store.setTaskState("t1", "failed", []);
      await store.submit(aTask("t2", { ticket: "7", created_at: 2000 }), [], []);
      await expect(store.setTaskState("t1", "running", [])).rejects.toMatchObject({ code: "ticket_in_use" });
      expect((await store.tasksByTicket("7")).map((task) => [task.task_id, task.state])).toEqual([
        ["t2", "running"],
        ["t1", "failed"],
      ]);
    });

    it("lists the newest tasks first", async () => {
      for (const [i, id] of ["a", "b", "c"].entries())
        await store.submit(aTask(id, { created_at: i }), [], []);
      expect((await store.tasks({ limit: 2 })).map((task) => task.task_id)).toEqual(["c", "b"]);
      expect(await store.tasks()).toHaveLength(3);
    });

    it("adds children with an announcement each, all or none", async () => {
      await store.submit(aTask("t1"), [], []);
      await store.addChildren("t1", someChildren("t1", 3), [notice("t1", "split")]);
      expect(await store.relay()).toBe(3);
      const announced = await store.topics.read("chat:Api", null, 10);
      expect(announced.map((entry) => [entry.event_id, entry.payload])).toEqual(
        someChildren("t1", 3).map(({ subtask: { conversation_id, task_id, subtask_id } }) => [
          `announce:${conversation_id}`,
          { conversation_id, task_id, subtask_id },
        ]),
      );
      const events = await store.events("t1", null, 10);
      await expect(
        store.addChildren("t1", [aChild("t1", 4), aChild("t1", 3)], [notice("t1", "again")]),
      ).rejects.toMatchObject({ code: "task_conflict" });
      expect(await store.subtasks("t1")).toHaveLength(3);
      expect(await store.events("t1", null, 10)).toEqual(events);
      expect(await store.relay()).toBe(0);
    });

    it("takes a thousand children in one go, in their order", async () => {
      await store.submit(aTask("t1"), [], []);
      await store.addChildren("t1", someChildren("t1", 1000), []);
      expect((await store.subtasks("t1")).map((subtask) => subtask.position)).toEqual(
        Array.from({ length: 1000 }, (_, i) => i + 1),
      );
      expect(await store.relay()).toBe(1000);
    });

    it("refuses children of an unknown task and unknown dependencies", async () => {
      await expect(store.addChildren("t1", [aChild("t1", 1)], [])).rejects.toMatchObject({
        code: "task_unknown",
      });
      await expect(store.setTaskState("t1", "failed", [])).rejects.toMatchObject({ code: "task_unknown" });
      await store.submit(aTask("t1"), [], []);
      await expect(store.addChildren("t1", [aChild("t1", 1, { dependsOn: [9] })], [])).rejects.toMatchObject({
        code: "plan_invalid",
      });
      expect(await store.subtasks("t1")).toEqual([]);
    });

    it("blocks a child until all it depends on have an outcome, whichever", async () => {
      await store.submit(
        aTask("t1"),
        [aChild("t1", 1), aChild("t1", 2), aChild("t1", 3, { dependsOn: [2, 1] })],
        [],
      );
      const states = async () => (await store.subtasks("t1")).map((subtask) => subtask.state);
      expect(await states()).toEqual(["planned", "planned", "blocked"]);
      const claim = () => store.claim({ workerId: "w", leaseMs: 1000 });
      const first = await claim();
      const second = await claim();
      if (!first || !second) throw new Error("two children are free");
      expect(await claim()).toBeNull();
      await store.finish(first, anOutcome(first.subtask), null, []);
      expect(await states()).toEqual(["completed", "running", "blocked"]);
      await store.finish(second, anOutcome(second.subtask, { outcome: "failed" }), null, []);
      expect(await states()).toEqual(["completed", "failed", "planned"]);
      const third = await claim();
      expect(third?.subtask).toMatchObject({ position: 3, state: "running" });
      expect(third?.subtask.depends_on).toEqual([second.subtask.subtask_id, first.subtask.subtask_id]);
      await store.addChildren("t1", [aChild("t1", 4, { dependsOn: [1] })], []);
      expect((await states())[3]).toBe("planned");
    });

    it("keeps cursors, and finds them again after a restart where the data outlive the store", async () => {
      expect(await store.cursor("c", "a")).toBeNull();
      await store.setCursors("c", { a: "1", b: "2" });
      await store.setCursors("c", { a: "3" });
      await store.setCursors("c", {});
      expect([
        await store.cursor("c", "a"),
        await store.cursor("c", "b"),
        await store.cursor("d", "a"),
      ]).toEqual(["3", "2", null]);
    });
  });

  describe(`events on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    it("numbers events in the order in which they became durable", async () => {
      const first = await store.append([notice("t1", "a"), notice("t2", "b"), notice("t1", "c")]);
      expect(first[0]).toEqual({
        ...notice("t1", "a"),
        id: "1",
        ts: new Date(database.clock.now).toISOString(),
      });
      expect(first.map((event) => event.id)).toEqual(["1", "2", "3"]);
      await Promise.all(Array.from({ length: 50 }, (_, i) => store.append([notice("t1", `${i}`)])));
      const all = await store.events("t1", null, 1000);
      expect(all).toHaveLength(52);
      expect(all.map((event) => Number(event.id))).toEqual(
        all.map((event) => Number(event.id)).sort((a, b) => a - b),
      );
      expect((await store.events("t1", all[1]?.id ?? null, 3)).map((event) => event.id)).toEqual([
        "4",
        "5",
        "6",
      ]);
      await expect(store.events("t1", "x", 3)).rejects.toMatchObject({ code: "usage" });
    });

    it("writes more events at once than one statement takes", async () => {
      const many = Array.from({ length: 1234 }, (_, i) => notice("t1", `${i}`));
      const written = await store.append(many);
      expect(written.map((event) => ("message" in event ? event.message : null))).toEqual(
        many.map((event) => ("message" in event ? event.message : null)),
      );
      expect(await store.append([])).toEqual([]);
    });

    it("watches from the past into the present without a gap or a double", async () => {
      const abort = new AbortController();
      const seen: OxbowEvent[] = [];
      await store.append(Array.from({ length: 700 }, (_, i) => notice("t1", `${i}`)));
      const watching = (async () => {
        for await (const event of store.watch("t1", "100", abort.signal)) {
          seen.push(event);
          if (seen.length === 900) abort.abort();
        }
      })();
      for (let i = 0; i < 300; i++) await store.append([notice("t1", `later ${i}`), notice("other", "no")]);
      await watching;
      expect(seen.every((event) => event.task_id === "t1")).toBe(true);
      expect(new Set(seen.map((event) => event.id)).size).toBe(900);
      expect(seen.map(({ id }) => id)).toEqual((await store.events("t1", "100", 2000)).map(({ id }) => id));
    });

    it("ends a watch quietly on abort, also before it began, and loudly when the store closes", async () => {
      const aborted = store.watch("t1", null, AbortSignal.abort())[Symbol.asyncIterator]();
      expect(await aborted.next()).toEqual({ done: true, value: undefined });
      const abort = new AbortController();
      const waiting = store.watch("t1", null, abort.signal)[Symbol.asyncIterator]().next();
      const cut = store.watch("t1", null, new AbortController().signal)[Symbol.asyncIterator]().next();
      const failed = expect(cut).rejects.toMatchObject({ code: "store_failed" });
      abort.abort();
      expect(await waiting).toEqual({ done: true, value: undefined });
      await store[Symbol.asyncDispose]();
      await failed;
    });
  });
}
