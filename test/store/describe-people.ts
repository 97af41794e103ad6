/** Agents of run time and conversations with people, on any engine. */
import { describe, expect, it } from "vitest";
import type { Message } from "../../src/core/model.ts";
import type { Store } from "../../src/store/contract.ts";
import { MAX_UNANSWERED } from "../../src/store/dialogue-store.ts";
import { aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

const said = (id: string, more: Partial<Message> = {}): Message => ({
  id,
  conversation_id: "c1",
  sender: "Ada",
  recipients: ["Api"],
  content: `${id} ✓`,
  timestamp: 1,
  type: "message",
  topology: "broadcast",
  metadata: {},
  ...more,
});
const reply = (to: string): Message =>
  said(`r-${to}`, { sender: "Api", recipients: ["Ada"], type: "reply", metadata: { in_reply_to: to } });
const told = ({ id }: Message) => notice("conversation.c1", id);
const OPEN = { conversation_id: "c1", team: "Shop", agent: "Api", topology: "broadcast" };
const WANTED = { team: "Shop", agents: ["Api"], workerId: "w", leaseMs: 1_000 };

export function describePeople(name: string, open: OpenDatabase): void {
  let database: TestDatabase;
  let store: Store;
  freshStore(open, (made) => ({ database, store } = made));

  describe(`agents of run time on ${name}`, () => {
    const words = { name: "Ops", skills: ["docker"] };
    const save = (agent: string, value: object | null = words) =>
      store.people.agents.save("Shop", { name: agent, words: value && { ...value } }, () => undefined, []);

    it("are kept by team, and a check that refuses changes nothing", async () => {
      await save("Ops");
      const refused = store.people.agents.save(
        "Shop",
        { name: "Two", words },
        (agents) => {
          throw new Error(agents.map((each) => each.name).join());
        },
        [],
      );
      await expect(refused).rejects.toThrow("Ops");
      expect(await store.people.agents.list("Shop")).toMatchObject([{ name: "Ops", words, state: "active" }]);
      expect(await store.people.agents.list("Other")).toEqual([]);
    });

    it("that are shut down hand back what they hold, are not to be started, and go on when they are back", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 2), []);
      const lease = await store.claim({ workerId: "w", taskId: "t1", leaseMs: 60_000 });
      const { team } = aTask("t1");
      const down = await store.people.agents.shutDown(team, "Api", [notice("agent.Api", "down")]);
      expect(down).toEqual({ changed: true, working: [lease?.conversation_id] });
      expect(await store.people.agents.shutDown(team, "Api", [])).toEqual({ changed: false, working: [] });
      expect(await store.stopRequests("w")).toMatchObject([
        { conversation_id: lease?.conversation_id, why: "recalled" },
      ]);
      if (lease) await store.release(lease);
      const again = await store.claim({ workerId: "w", taskId: "t1", leaseMs: 60_000 });
      expect(again?.disabled).toBe("Api was shut down.");
      if (again) expect(await store.blockHeld(again, 60_000, [])).toBe(true);
      await store.people.agents.save(team, { name: "Api", words: null }, () => undefined, []);
      const back = await store.claim({ workerId: "w", taskId: "t1", leaseMs: 60_000 });
      expect(back).toMatchObject({ conversation_id: lease?.conversation_id, disabled: null, blocked: true });
    });
  });

  describe(`conversations with people on ${name}`, () => {
    it("are answered one message at a time, in their order, each once", async () => {
      const talk = store.people.dialogues;
      await talk.open(OPEN, said("m1"), told(said("m1")));
      await talk.post(said("m2"), told(said("m2")));
      expect(await talk.get("c1")).toMatchObject({ messages: 2, unanswered: 2, worker: null });
      expect(await talk.claim({ ...WANTED, agents: ["Web"] })).toBeNull();
      expect(await talk.claim({ ...WANTED, team: "Other" })).toBeNull();
      const first = await talk.claim(WANTED);
      expect(first).toMatchObject({ agent: "Api", attempt: 1, message: { id: "m1", content: "m1 ✓" } });
      expect(await talk.claim({ ...WANTED, workerId: "v" })).toBeNull();
      if (!first) throw new Error("nothing was claimed");
      expect(await talk.before(first, 10)).toEqual([]);
      expect(await talk.answer(first, reply("m1"), told(reply("m1")))).toBe(true);
      expect(await talk.answer(first, reply("m1"), told(reply("m1")))).toBe(false);
      const second = await talk.claim(WANTED);
      if (!second) throw new Error("nothing was claimed");
      expect(second.message.id).toBe("m2");
      expect((await talk.before(second, 10)).map(({ id }) => id)).toEqual(["m1", "r-m1"]);
      await talk.answer(second, reply("m2"), told(reply("m2")));
      expect(await talk.claim(WANTED)).toBeNull();
      const { messages, more } = await talk.page("c1", null, 3);
      expect([messages.map(({ message }) => message.id), more]).toEqual([["m1", "m2", "r-m1"], true]);
      const rest = await talk.page("c1", messages.at(-1)?.position ?? null, 3);
      expect([rest.messages.map(({ message }) => message.id), rest.more]).toEqual([["r-m2"], false]);
      expect(await talk.message("c1", "r-m2")).toEqual(reply("m2"));
      expect(await talk.get("c1")).toMatchObject({ messages: 4, unanswered: 0, worker: null });
      const events = await store.events("conversation.c1", null, 10);
      expect(events.map((event) => "message" in event && event.message)).toEqual([
        "m1",
        "m2",
        "r-m1",
        "r-m2",
      ]);
    });

    it("are taken over from who is late or dead, whose answer then counts no more", async () => {
      const talk = store.people.dialogues;
      await talk.open(OPEN, said("m1"), told(said("m1")));
      const late = await talk.claim(WANTED);
      if (!late) throw new Error("nothing was claimed");
      expect(await talk.renew(late, 1_000)).toBe(true);
      database.clock.now += 1_001;
      const next = await talk.claim({ ...WANTED, workerId: "v" });
      expect(next).toMatchObject({ attempt: 2, message: { id: "m1" } });
      expect(await talk.renew(late, 1_000)).toBe(false);
      expect(await talk.answer(late, reply("m1"), told(reply("m1")))).toBe(false);
      expect(await talk.waiting("Shop")).toEqual([{ agent: "Api", worker: "v" }]);
      await talk.free("v");
      const third = await talk.claim(WANTED);
      expect(third?.attempt).toBe(3);
      if (third) await talk.release(third);
      expect((await talk.claim(WANTED))?.attempt).toBe(3);
    });

    it("are bounded, and known by who spoke last", async () => {
      const talk = store.people.dialogues;
      await expect(talk.post(said("m0"), told(said("m0")))).rejects.toMatchObject({
        code: "recipient_unknown",
      });
      await talk.open(OPEN, said("m0"), told(said("m0")));
      for (let n = 1; n < MAX_UNANSWERED; n++) await talk.post(said(`m${n}`), told(said(`m${n}`)));
      await expect(talk.post(said("x"), told(said("x")))).rejects.toMatchObject({ code: "limit_exceeded" });
      database.clock.now += 1;
      const other = { ...OPEN, conversation_id: "c2", agent: "Web" };
      await talk.open(other, said("o1", { conversation_id: "c2" }), told(said("o1")));
      const ids = async (agent?: string) =>
        (await talk.list("Shop", { agent, limit: 10 })).map(({ conversation_id }) => conversation_id);
      expect([await ids(), await ids("Api"), await ids("Docs")]).toEqual([["c2", "c1"], ["c1"], []]);
      await talk.open(
        { ...other, conversation_id: "c3" },
        said("p1", { conversation_id: "c3" }),
        told(said("p1")),
      );
      const order: string[] = [];
      let [next] = await talk.list("Shop", { limit: 1 });
      while (next) {
        order.push(next.conversation_id);
        [next] = await talk.list("Shop", { limit: 1, before: next });
      }
      expect(order).toEqual(["c2", "c3", "c1"]);
      expect(await talk.taskOf("c1")).toBeNull();
    });

    it("are removed with all that was said, unless somebody is about to answer", async () => {
      const talk = store.people.dialogues;
      await talk.open(OPEN, said("m1"), told(said("m1")));
      const turn = await talk.claim(WANTED);
      if (!turn) throw new Error("nothing was claimed");
      await expect(talk.remove("c1", "conversation.c1")).rejects.toMatchObject({ code: "task_active" });
      await talk.answer(turn, reply("m1"), told(reply("m1")));
      expect(await talk.remove("c1", "conversation.c1")).toBe(true);
      expect(await talk.remove("c1", "conversation.c1")).toBe(false);
      expect([
        await talk.get("c1"),
        await store.messages("c1"),
        await store.events("conversation.c1", null, 9),
      ]).toEqual([null, [], []]);
    });
  });
}
