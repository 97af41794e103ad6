/** What agents write to each other and to the todo list of their task, on any engine. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Lease, Store } from "../../src/store/contract.ts";
import type { Message } from "../../src/core/model.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import type { OpenDatabase, TestDatabase } from "../support/store-engines.ts";

function chat(id: string, to: string): { message: Message; event: ReturnType<typeof notice> } {
  const message: Message = {
    id,
    conversation_id: to,
    sender: "Web",
    recipients: ["Api"],
    content: `Hello – ${id} ✓`,
    timestamp: 5000,
    type: "chat",
    topology: "direct",
    metadata: { from_conversation: "c-x" },
  };
  return { message, event: notice("t1", id) };
}

export function describeTalk(name: string, open: OpenDatabase): void {
  let database: TestDatabase;
  let store: Store;
  beforeEach(async () => {
    database = await open();
    store = await database.open();
    await store.submit(aTask("t1"), someChildren("t1", 2), []);
    await store.submit(aTask("t2"), [aChild("t2", 1)], []);
  });
  afterEach(() => database[Symbol.asyncDispose]());
  const claim = async (): Promise<Lease> => {
    const lease = await store.claim({ workerId: "w", taskId: "t1", leaseMs: 1000 });
    if (!lease) throw new Error("nothing to claim");
    return lease;
  };
  const read = async (after: string | null = null, limit = 10) =>
    (await store.chat.read("c-t1-1", after, limit)).map(({ message }) => message.id);

  describe(`chat on ${name}`, () => {
    it("keeps messages for a conversation that has not begun, in order, with their events", async () => {
      expect(await store.chat.send([chat("m1", "c-t1-1"), chat("m2", "c-t1-2")])).toEqual([
        "c-t1-1",
        "c-t1-2",
      ]);
      await store.chat.send([chat("m3", "c-t1-1")]);
      const all = await store.chat.read("c-t1-1", null, 10);
      expect(all.map(({ message }) => message)).toEqual([
        chat("m1", "c-t1-1").message,
        chat("m3", "c-t1-1").message,
      ]);
      expect(await read(all[0]?.position ?? null)).toEqual(["m3"]);
      expect(await read(all[1]?.position ?? null)).toEqual([]);
      expect(await read(null, 1)).toEqual(["m1"]);
      const events = await store.events("t1", null, 10);
      expect(events.map((event) => ("message" in event ? event.message : null))).toEqual(["m1", "m2", "m3"]);
      expect((await store.messages("c-t1-1")).map(({ id }) => id)).toEqual(["m-t1-1", "m1", "m3"]);
    });

    it("does not let a message start or hold up a conversation's work", async () => {
      await store.chat.send([chat("m1", "c-t1-1")]);
      const lease = await claim();
      expect(lease.message.id).toBe("m-t1-1");
      await store.chat.send([chat("m2", "c-t1-1")]);
      expect(await store.finish(lease, anOutcome(lease.subtask), null, [])).toBe(true);
      expect((await claim()).conversation_id).toBe("c-t1-2");
      expect(await store.claim({ workerId: "w", taskId: "t1", leaseMs: 1000 })).toBeNull();
    });

    it("writes nothing to a conversation that has ended, and to the others all the same", async () => {
      const lease = await claim();
      await store.finish(lease, anOutcome(lease.subtask), null, []);
      expect(await store.chat.addressees("t1")).toEqual([
        { conversation_id: "c-t1-1", agent: "Api", listening: false },
        { conversation_id: "c-t1-2", agent: "Api", listening: true },
      ]);
      expect(await store.chat.send([chat("m1", "c-t1-1"), chat("m2", "c-t1-2")])).toEqual(["c-t1-2"]);
      expect(await store.chat.send([chat("m3", "c-t1-1"), chat("m4", "nowhere")])).toEqual([]);
      expect(await read()).toEqual([]);
      expect(await store.events("t1", null, 10)).toHaveLength(1);
    });

    it("goes on listening while something is unread, and then refuses what comes", async () => {
      const lease = await claim();
      const stop = (after: string | null, anyway = false) =>
        store.chat.stopListening(lease, after, { anyway });
      await store.chat.send([chat("m1", "c-t1-1")]);
      expect(await stop(null)).toEqual({ stopped: false, unread: 1 });
      await store.chat.send([chat("m2", "c-t1-1")]);
      const last = (await store.chat.read("c-t1-1", null, 10)).at(-1)?.position ?? null;
      expect(await stop(last)).toEqual({ stopped: true, unread: 0 });
      expect(await store.chat.send([chat("m3", "c-t1-1")])).toEqual([]);
      expect(await stop(null, true)).toEqual({ stopped: true, unread: 2 });
      expect((await store.chat.addressees("t1"))[0]?.listening).toBe(false);
    });

    it("lets the next attempt read all of it and listen again, and the attempt before change nothing", async () => {
      const first = await claim();
      await store.chat.send([chat("m1", "c-t1-1")]);
      await store.chat.stopListening(first, null, { anyway: true });
      database.clock.now += 2000;
      const second = await claim();
      expect(second.conversation_id).toBe("c-t1-1");
      expect(await store.chat.stopListening(first, null, { anyway: true })).toEqual({
        stopped: true,
        unread: 0,
      });
      expect(await store.chat.send([chat("m2", "c-t1-1")])).toEqual(["c-t1-1"]);
      expect(await read()).toEqual(["m1", "m2"]);
    });

    it("either delivers a message before the recipient stops listening, or refuses it", async () => {
      for (let round = 0; round < 10; round++) {
        const conversation_id = `c-t3-${round}`;
        await store.submit(aTask(`t3-${round}`), [], []);
        const child = aChild(`t3-${round}`, 1, { over: { conversation_id } });
        const { conversation, message } = child;
        await store.addChildren(
          `t3-${round}`,
          [
            {
              ...child,
              conversation: { ...conversation, conversation_id },
              message: { ...message, conversation_id },
            },
          ],
          [],
        );
        const lease = await store.claim({ workerId: "w", taskId: `t3-${round}`, leaseMs: 1000 });
        if (!lease) throw new Error("nothing to claim");
        const sends = Array.from({ length: 5 }, (_, i) =>
          store.chat.send([chat(`m-${round}-${i}`, conversation_id)]),
        );
        const stopped = store.chat.stopListening(lease, null, { anyway: true });
        const delivered = (await Promise.all(sends)).filter((reached) => reached.length > 0).length;
        expect((await stopped).unread).toBe(delivered);
      }
    });

    it("takes a bounded number of messages for a conversation, all of a call or none", async () => {
      for (let i = 0; i < 500; i++) await store.chat.send([chat(`m${i}`, "c-t1-1")]);
      await expect(store.chat.send([chat("x", "c-t1-2"), chat("y", "c-t1-1")])).rejects.toMatchObject({
        code: "limit_exceeded",
      });
      expect(await store.chat.read("c-t1-2", null, 10)).toEqual([]);
    });
  });

  describe(`todo lists on ${name}`, () => {
    const entry = (title: string) => ({
      title,
      details: "",
      state: "open" as const,
      owner: "Api",
      created_by: "Lead",
    });

    it("keeps entries by task, with short ids that are never given out twice", async () => {
      const first = await store.todos.create("t1", entry("One – ünï"));
      expect(first).toEqual({
        todo_id: "todo-1",
        ...entry("One – ünï"),
        created_at: database.clock.now,
        updated_at: database.clock.now,
      });
      await store.todos.create("t1", entry("Two"));
      expect(await store.todos.delete("t1", "2")).toBe(true);
      expect((await store.todos.create("t1", entry("Three"))).todo_id).toBe("todo-3");
      expect((await store.todos.create("t2", entry("Other"))).todo_id).toBe("todo-1");
      expect((await store.todos.list("t1", {})).map(({ title }) => title)).toEqual(["One – ünï", "Three"]);
      expect(await store.todos.get("t1", "todo-1")).toEqual(first);
      expect(await store.todos.get("t1", "1")).toEqual(first);
    });

    it("changes what is given, and when it was", async () => {
      await store.todos.create("t1", entry("One"));
      database.clock.now += 10;
      const changed = await store.todos.update("t1", "1", { state: "done", owner: "Web" });
      expect(changed).toMatchObject({ title: "One", state: "done", owner: "Web", created_by: "Lead" });
      expect((changed?.updated_at ?? 0) - (changed?.created_at ?? 0)).toBe(10);
      expect(await store.todos.list("t1", { state: "open" })).toEqual([]);
      expect(await store.todos.list("t1", { state: "done", owner: "Web" })).toEqual([changed]);
      expect(await store.todos.list("t1", { owner: "Api" })).toEqual([]);
    });

    it.each(["todo-2", "todo-", "todo-01", "2", "0", "-1", "1.0", "01", "x", "", "1'", "99999999999"])(
      "knows no entry %j",
      async (id) => {
        await store.todos.create("t1", entry("One"));
        expect(await store.todos.get("t1", id)).toBeNull();
        expect(await store.todos.update("t1", id, { title: "x" })).toBeNull();
        expect(await store.todos.delete("t1", id)).toBe(false);
        expect(await store.todos.get("t2", "1")).toBeNull();
      },
    );

    it("numbers entries that are made at once, up to a limit", async () => {
      const made = await Promise.all(
        Array.from({ length: 40 }, (_, i) => store.todos.create("t1", entry(`${i}`))),
      );
      expect(new Set(made.map(({ todo_id }) => todo_id)).size).toBe(40);
      for (let i = 40; i < 500; i++) await store.todos.create("t1", entry(`${i}`));
      await expect(store.todos.create("t1", entry("501"))).rejects.toMatchObject({ code: "limit_exceeded" });
      expect(await store.todos.list("t1", {})).toHaveLength(500);
      await store.todos.delete("t1", "7");
      expect((await store.todos.create("t1", entry("501"))).todo_id).toBe("todo-501");
    });
  });
}
