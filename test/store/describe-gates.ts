/** Subtasks that wait for a person, tasks that are only planned, and the order of the queue, on any engine. */
import { describe, expect, it } from "vitest";
import { decidedEvent } from "../../src/core/gates.ts";
import type { Approval, Gate, Subtask } from "../../src/core/model.ts";
import type { NewChild, Store } from "../../src/store/contract.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

const GATE: Gate = { reason: "It costs money", person: "lead@example.com" };
const gated = (n: number, dependsOn: readonly number[] = []): NewChild =>
  aChild("t", n, { dependsOn, over: { gate: GATE } });
const id = (n: number) => `Api::t::${n}`;

function ended(subtask: Subtask) {
  const outcome = anOutcome(subtask, { outcome: "cancelled", branch: null, commit: null });
  return {
    outcome,
    signalPayload: { outcome: "cancelled" },
    event: notice(subtask.task_id, `ended ${subtask.subtask_id}`),
  };
}

export function describeGates(name: string, open: OpenDatabase): void {
  let database: TestDatabase;
  let store: Store;
  freshStore(open, (made) => ({ database, store } = made));

  const claim = (workerId = "w") => store.claim({ workerId, leaseMs: 60_000 });
  const claimed = async () => (await claim())?.subtask.subtask_id ?? null;
  const states = async () =>
    Object.fromEntries((await store.subtasks("t")).map((each) => [each.subtask_id.slice(-1), each.state]));
  const requests = () => store.approvals.list({ taskId: "t" });
  const requestOf = async (n: number): Promise<Approval> => {
    const found = (await requests()).find(({ subtask_id }) => subtask_id === id(n));
    if (!found) throw new Error(`nobody asked for ${id(n)}`);
    return found;
  };
  const answer = async (n: number, state: "granted" | "denied", by = "Ada") => {
    const { approval_id } = await requestOf(n);
    return store.approvals.decide(approval_id, { state, decidedBy: by, answer: "why" }, decidedEvent, ended);
  };
  const told = async () => (await store.events("t", null, 500)).map(({ event }) => event);
  const finishNext = async (outcome: "completed" | "failed" = "completed") => {
    const lease = await claim();
    if (!lease) throw new Error("nothing to claim");
    await store.finish(lease, anOutcome(lease.subtask, { outcome }), {}, []);
    return lease.subtask.subtask_id;
  };

  describe(`gates on ${name}`, () => {
    it("keep a subtask from being taken until a person says yes, once", async () => {
      await store.submit(aTask("t"), [gated(1), aChild("t", 2)], [notice("t", "submitted")]);
      expect(await states()).toEqual({ 1: "awaiting_approval", 2: "planned" });
      expect(await requestOf(1)).toMatchObject({
        kind: "gate",
        state: "open",
        agent: "Api",
        paths: [],
        reason: GATE.reason,
        person: GATE.person,
      });
      expect(await told()).toEqual(["notice", "approval_requested"]);
      expect(await claimed()).toBe(id(2));
      expect(await claimed()).toBeNull();
      expect(await answer(1, "granted")).toMatchObject({ first: true });
      expect(await answer(1, "denied", "Bob")).toMatchObject({
        first: false,
        approval: { state: "granted", decided_by: "Ada" },
      });
      expect(await claimed()).toBe(id(1));
      expect((await store.events("t", null, 500)).at(-1)).toMatchObject({
        event: "approval_decided",
        kind: "gate",
        state: "granted",
        decided_by: "Ada",
      });
    });

    it("ask when all that comes before has completed, and not again after a take-over", async () => {
      await store.submit(aTask("t"), [aChild("t", 1), gated(2, [1]), aChild("t", 3, { dependsOn: [2] })], []);
      expect(await states()).toEqual({ 1: "planned", 2: "blocked", 3: "blocked" });
      expect(await requests()).toEqual([]);
      await finishNext();
      expect(await states()).toEqual({ 1: "completed", 2: "awaiting_approval", 3: "blocked" });
      await answer(2, "granted");
      const lease = await claim();
      if (!lease) throw new Error("nothing to claim");
      await store.release(lease);
      expect(await states()).toMatchObject({ 2: "planned" });
      expect(await finishNext()).toBe(id(2));
      expect(await claimed()).toBe(id(3));
      expect(await requests()).toHaveLength(1);
    });

    it("ask nobody about what cannot begin anyway", async () => {
      await store.submit(aTask("t"), [aChild("t", 1), gated(2, [1])], []);
      await finishNext("failed");
      expect(await requests()).toEqual([]);
      // Whoever takes it finds that what it depends on did not complete.
      expect(await claimed()).toBe(id(2));
    });

    it("end a subtask with a no, for all that wait for its end", async () => {
      await store.submit(aTask("t"), [gated(1), aChild("t", 2, { dependsOn: [1] })], []);
      const topic = (await store.subtasks("t"))[0]?.done_topic ?? "";
      expect(await answer(1, "denied")).toMatchObject({ first: true });
      expect(await store.outcomes("t")).toMatchObject([{ subtask_id: id(1), outcome: "cancelled" }]);
      await store.relay();
      expect(await store.topics.read(topic, null, 10)).toMatchObject([{ payload: { outcome: "cancelled" } }]);
      expect(await told()).toEqual(["approval_requested", "approval_decided", "notice"]);
      expect(await answer(1, "granted")).toMatchObject({ first: false });
      expect(await store.outcomes("t")).toHaveLength(1);
      expect(await claimed()).toBe(id(2));
    });

    it("let one of many answers through", async () => {
      await store.submit(aTask("t"), [gated(1)], []);
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) => answer(1, i % 2 === 0 ? "denied" : "granted", `p${i}`)),
      );
      expect(answers.filter((each) => each?.first)).toHaveLength(1);
      const granted = (await requestOf(1)).state === "granted";
      expect(await store.outcomes("t")).toHaveLength(granted ? 0 : 1);
      expect(await claimed()).toBe(granted ? id(1) : null);
    });

    it("are withdrawn with what is cancelled meanwhile", async () => {
      await store.submit(aTask("t"), [gated(1), gated(2)], []);
      await store.cancelSubtask(id(1), [], ended);
      expect(await requestOf(1)).toMatchObject({ state: "withdrawn", decided_by: null });
      expect(await answer(1, "granted")).toMatchObject({ first: false, approval: { state: "withdrawn" } });
      await store.finishUnstarted("t", ended);
      expect(await requestOf(2)).toMatchObject({ state: "withdrawn" });
      expect(await claimed()).toBeNull();
    });

    it("stay with a subtask that is given to another agent", async () => {
      await store.submit(aTask("t"), [gated(1)], []);
      await store.assign(id(1), { agent: "Web", allowedPaths: ["web/**"] }, []);
      expect(await states()).toEqual({ 1: "awaiting_approval" });
      expect(await requestOf(1)).toMatchObject({ agent: "Web", state: "open" });
      await answer(1, "granted");
      expect((await claim())?.subtask).toMatchObject({ agent: "Web", allowed_paths: ["web/**"] });
    });

    it("hold children that are added to a running task", async () => {
      await store.submit(aTask("t"), [aChild("t", 1)], []);
      await store.addChildren("t", [gated(2), gated(3, [1])], [notice("t", "added")]);
      expect(await states()).toEqual({ 1: "planned", 2: "awaiting_approval", 3: "blocked" });
      expect(await told()).toEqual(["notice", "approval_requested"]);
    });
  });

  describe(`planned tasks on ${name}`, () => {
    const planned = () => aTask("t", { state: "planned" });

    it("are not taken by anybody before they begin", async () => {
      await store.submit(planned(), [aChild("t", 1), aChild("t", 2, { dependsOn: [1] }), gated(3)], []);
      expect(await states()).toEqual({ 1: "planned", 2: "planned", 3: "planned" });
      expect(await claimed()).toBeNull();
      expect(await requests()).toEqual([]);
      expect(await store.freeSubtasks("t")).toEqual([]);
      expect(await store.gates.begin("t", {}, [notice("t", "begun")], "Ada")).toBe(true);
      expect(await store.task("t")).toMatchObject({ state: "running" });
      expect(await states()).toEqual({ 1: "planned", 2: "blocked", 3: "awaiting_approval" });
      expect(await told()).toEqual(["notice", "approval_requested"]);
      expect(await finishNext()).toBe(id(1));
      expect(await finishNext()).toBe(id(2));
      await answer(3, "granted");
      expect(await finishNext()).toBe(id(3));
    });

    it("begin once, and with the gates they are given then", async () => {
      const children = [aChild("t", 1), aChild("t", 2, { dependsOn: [1] })];
      await store.submit(planned(), children, []);
      const gates = { [id(1)]: GATE, [id(2)]: { reason: "Look first", person: null } };
      const begun = await Promise.all(
        ["a", "b", "c"].map((who) => store.gates.begin("t", gates, [notice("t", who)], who)),
      );
      expect(begun.filter(Boolean)).toHaveLength(1);
      expect(await store.gates.begin("t", {}, [], "late")).toBe(false);
      expect(await states()).toEqual({ 1: "awaiting_approval", 2: "blocked" });
      await answer(1, "granted");
      await finishNext();
      expect(await requestOf(2)).toMatchObject({ reason: "Look first", person: null, state: "open" });
      await expect(store.gates.begin("t9", {}, [], "x")).rejects.toMatchObject({ code: "task_unknown" });
    });

    it("tell who changed which state, the last changes first to be kept", async () => {
      await store.submit(planned(), [aChild("t", 1)], []);
      await store.gates.begin("t", {}, [], "Ada");
      await claim();
      const told = (await store.gates.statusHistory("t", 2)).map(
        ({ subtask_id, from_state, to_state, who }) => [subtask_id, from_state, to_state, who],
      );
      expect(told).toEqual([
        [null, "planned", "running", "Ada"],
        [id(1), "planned", "running", "w"],
      ]);
    });

    it("keep what is tried again for their beginning", async () => {
      await store.submit(planned(), [aChild("t", 1), aChild("t", 2)], []);
      await store.cancelSubtask(id(1), [], ended);
      await store.reopen("t", [aChild("t", 3, { over: { supersedes: id(1) } })], []);
      expect(await store.task("t")).toMatchObject({ state: "planned" });
      expect(await claimed()).toBeNull();
      await store.gates.begin("t", {}, [], "Ada");
      expect([await claimed(), await claimed(), await claimed()]).toEqual([id(2), id(3), null]);
    });

    it("can be forgotten with their requests once they have ended", async () => {
      await store.submit(planned(), [gated(1)], []);
      await store.gates.begin("t", {}, [], "Ada");
      await answer(1, "denied");
      await store.relay();
      expect(await store.endTask("t", "failed", [])).toBe(true);
      expect(await store.forget("t")).toBe(true);
      expect(await requests()).toEqual([]);
    });
  });

  describe(`the queue's order on ${name}`, () => {
    const HOUR = 3_600_000;
    const submit = (task: string, priority?: string) =>
      store.submit(
        aTask(task, { options: priority === undefined ? {} : { priority } }),
        someChildren(task, 1),
        [],
      );
    const order = async (n: number) => {
      const taken: string[] = [];
      for (let i = 0; i < n; i++) taken.push((await claim())?.task.task_id ?? "-");
      return taken;
    };

    it("is that of the tasks' priorities, and of their age within one", async () => {
      const given = ["low", "normal", "high", "urgent", undefined, "urgent"];
      for (const [i, priority] of given.entries()) await submit(`t${i}`, priority);
      expect(await order(6)).toEqual(["t3", "t5", "t2", "t1", "t4", "t0"]);
    });

    it("lets what has waited long go before what is more urgent and new", async () => {
      const put = (task: string, priority: string, hours: number) => {
        database.clock.now += hours * HOUR;
        return submit(task, priority);
      };
      await put("old", "normal", 0);
      await put("older-low", "low", 0);
      await put("high", "high", 1.5);
      await put("normal", "normal", 0.25);
      await put("urgent", "urgent", 0.25);
      // The urgent one counts as a day older, the high one as an hour, the low one as an hour younger.
      expect(await order(5)).toEqual(["urgent", "old", "high", "older-low", "normal"]);
    });

    it("holds for children that are added later as well", async () => {
      await submit("a", "normal");
      await submit("b", "high");
      await store.addChildren("a", [aChild("a", 2)], []);
      await store.addChildren("b", [aChild("b", 2)], []);
      expect(await order(4)).toEqual(["b", "b", "a", "a"]);
    });
  });
}
