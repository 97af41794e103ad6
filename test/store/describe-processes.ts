/** What every engine's store does when many processes have it open. */
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Lease } from "../../src/store/contract.ts";
import { anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import type { OpenDatabase, TestDatabase } from "../support/store-engines.ts";
import { runStoreProcess, startStoreProcess } from "../support/store-processes.ts";

export function describeProcesses(name: string, open: OpenDatabase): void {
  describe(`many processes at ${name}`, () => {
    let database: TestDatabase;
    beforeEach(async () => {
      database = await open();
    });
    afterEach(() => database[Symbol.asyncDispose]());
    const four = [1, 2, 3, 4];

    it("open a fresh store at the same moment", async () => {
      const said = await Promise.all(four.map(() => runStoreProcess(database, { do: "open" })));
      expect(said).toEqual(four.map(() => [{ tasks: 0 }]));
    });

    it("submit the same task: one creates it, the others get it", async () => {
      const command = { do: "submit", taskId: "t1", ticket: "7", children: 20 } as const;
      const said = (await Promise.all(four.map(() => runStoreProcess(database, command)))).flat();
      expect(said.map((answer) => String(answer["created"])).sort()).toEqual([
        "false",
        "false",
        "false",
        "true",
      ]);
      const store = await database.open();
      expect(await store.subtasks("t1")).toHaveLength(20);
      expect(await store.relay()).toBe(20);
    });

    it("submit different tasks with one ticket: one gets it", async () => {
      const said = await Promise.all(
        four.map((n) =>
          runStoreProcess(database, { do: "submit", taskId: `t${n}`, ticket: "7", children: 1 }),
        ),
      );
      const answers = said.flat().map((answer) => String(answer["error"] ?? answer["created"]));
      expect(answers.sort()).toEqual(["ticket_in_use", "ticket_in_use", "ticket_in_use", "true"]);
      expect(await (await database.open()).tasks()).toHaveLength(1);
    });

    it("work through one task: every child is done once, whoever did it", async () => {
      const store = await database.open();
      await store.submit(aTask("t1"), someChildren("t1", 300), []);
      const said = await Promise.all(
        four.map((n) => runStoreProcess(database, { do: "work", taskId: "t1", workerId: `w${n}` })),
      );
      const done = said.flat();
      expect(done.filter((line) => "error" in line)).toEqual([]);
      expect(done.every((line) => line["finished"] === true && line["token"] === 1)).toBe(true);
      expect(new Set(done.map((line) => line["conversation"])).size).toBe(300);
      expect(done).toHaveLength(300);
      expect(await store.outcomes("t1")).toHaveLength(300);
      await store.relay();
      for (const { done_topic } of await store.subtasks("t1")) {
        expect(await store.topics.read(done_topic, null, 9)).toHaveLength(1);
      }
    });

    it("see each other's events without a gap while all write", async () => {
      const store = await database.open();
      const abort = new AbortController();
      const ids: number[] = [];
      const watching = (async () => {
        for await (const event of store.watch("t1", null, abort.signal)) {
          ids.push(Number(event.id));
          if (ids.length === 400) abort.abort();
        }
      })();
      await Promise.all(
        four.map(() => runStoreProcess(database, { do: "append", taskId: "t1", count: 100 })),
      );
      await watching;
      expect(ids).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
    });

    it("wake each other: nobody has to wait until the other looks again", async () => {
      const store = await database.open();
      const publishing = runStoreProcess(database, { do: "publish", topic: "a", count: 50, everyMs: 5 });
      const late: number[] = [];
      let after: string | null = null;
      while (late.length < 50) {
        for (const entry of await store.topics.wait([{ topic: "a", after }], 30_000)) {
          after = entry.message_id;
          const { at } = entry.payload as { at: number };
          late.push(performance.timeOrigin + performance.now() - at);
        }
      }
      await publishing;
      // Whoever is not woken looks after 5 seconds; how fast the waking is, bench/ measures.
      expect(late.sort((a, b) => a - b)[25]).toBeLessThan(2_000);
    });

    it("lets a process end by itself once nobody waits", async () => {
      expect(await runStoreProcess(database, { do: "wait and leave" })).toEqual([{ code: "cancelled" }]);
    });

    it("is closed before the process ends, though nothing else keeps that alive", async () => {
      expect(await runStoreProcess(database, { do: "wait and close" })).toEqual([{ closed: true }]);
    });

    it("survives kill -9 in the middle of writing; the conversation can be claimed again", async () => {
      const store = await database.open();
      await store.submit(aTask("t1"), someChildren("t1", 1), []);
      const { child, lines } = startStoreProcess(database, {
        do: "claim and write",
        taskId: "t1",
        workerId: "dead",
      });
      const said: string[] = [];
      lines.on("line", (line) => {
        said.push(line);
        if (said.length === 5) child.kill("SIGKILL");
      });
      const [, signal] = (await once(child, "close")) as [number | null, string | null];
      expect(signal).toBe("SIGKILL");

      expect(await store.claim({ workerId: "w", leaseMs: 1000 })).toBeNull();
      const events = await store.events("t1", null, 100_000);
      expect(events.length % 2).toBe(0);
      expect(events.length).toBeGreaterThanOrEqual(62);
      // Its clock was the real one, and its lease an hour long.
      expect(await store.liveWorkers("t1")).toEqual(["dead"]);
      expect(await store.expireLeases("dead")).toBe(1);
      const lease = await store.claim({ workerId: "w", leaseMs: 1000 });
      if (!lease) throw new Error("the dead worker's conversation is free");
      expect([lease.token, lease.attempt]).toEqual([2, 2]);
      expect(await store.finish(lease, anOutcome(lease.subtask), {}, [notice("t1", "end")])).toBe(true);
      const stale = JSON.parse(said[0] ?? "null") as Lease;
      expect(await store.finish(stale, anOutcome(stale.subtask), {}, [])).toBe(false);
      expect(await store.outcomes("t1")).toHaveLength(1);
    });

    it("survives kill -9 of a worker between its children: each is done or can be done, once", async () => {
      const store = await database.open();
      await store.submit(aTask("t1"), someChildren("t1", 200), []);
      const { child, lines } = startStoreProcess(database, {
        do: "work",
        taskId: "t1",
        workerId: "dead",
      });
      let said = 0;
      lines.on("line", () => {
        if (++said === 40) child.kill("SIGKILL");
      });
      await once(child, "close");
      const before = await store.outcomes("t1");
      expect(before.length).toBeGreaterThanOrEqual(40);
      await store.expireLeases("dead");
      await runStoreProcess(database, { do: "work", taskId: "t1", workerId: "next" });
      await store.relay();
      expect(await store.outcomes("t1")).toHaveLength(200);
      for (const { done_topic } of await store.subtasks("t1")) {
        expect(await store.topics.read(done_topic, null, 9)).toHaveLength(1);
      }
    });
  });

  describe(`two stores of one process at ${name}`, () => {
    it("write at once without standing in each other's way, and wake each other", async () => {
      await using database = await open();
      const [one, two] = [await database.open(), await database.open()];
      const waiting = two.topics.wait([{ topic: "end", after: null }], 10_000);
      await Promise.all(
        Array.from({ length: 200 }, (_, i) => (i % 2 ? one : two).topics.publish("a", i)).concat(
          Array.from({ length: 200 }, (_, i) => (i % 2 ? one : two).topics.publish("a", i)),
        ),
      );
      expect(await one.topics.read("a", null, 1000)).toHaveLength(400);
      await one.topics.publish("end", true);
      expect(await waiting).toHaveLength(1);
    });

    it("finds cursors, tasks and half-relayed signals again after all were closed", async () => {
      await using database = await open();
      const first = await database.open();
      await first.submit(aTask("t1"), someChildren("t1", 2), [notice("t1", "x")]);
      await first.setCursors("c", { a: "0000000000000007" });
      const lease = await first.claim({ workerId: "w", leaseMs: 1000 });
      if (!lease) throw new Error("two children are free");
      await first.finish(lease, anOutcome(lease.subtask), "done", []);
      await first[Symbol.asyncDispose]();
      const again = await database.open();
      expect(await again.cursor("c", "a")).toBe("0000000000000007");
      expect((await again.subtasks("t1")).map((subtask) => subtask.state)).toEqual(["completed", "planned"]);
      expect(await again.relay()).toBe(3);
      expect(await again.topics.read(lease.subtask.done_topic, null, 9)).toHaveLength(1);
    });
  });
}
