/** What every engine's store does about crashes, about what a person does to work under way, and about transcripts. */
import { describe, expect, it } from "vitest";
import type { ErrorValue } from "../../src/core/errors.ts";
import type { Subtask } from "../../src/core/model.ts";
import type { Lease, Store } from "../../src/store/contract.ts";
import type { Crash, CrashVerdict } from "../../src/store/supervision.ts";
import { aChild, anOutcome, aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";
import { cancelled, LEASE_MS } from "./queue-play.ts";

const DIED: ErrorValue = { code: "worker_lost", message: "It died." };
const AGAIN: CrashVerdict = { delayMs: 0, restart: [], disable: [], cancelCode: null, events: [] };

export function describeSupervision(name: string, open: OpenDatabase): void {
  describe(`crashes and interventions on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));

    const take = (workerId = "w1") => store.claim({ workerId, leaseMs: LEASE_MS, onlyReady: true });
    async function claim(workerId = "w1"): Promise<Lease> {
      const lease = await take(workerId);
      if (!lease) throw new Error("nothing to claim");
      return lease;
    }
    const reap = (decide: (crash: Crash) => CrashVerdict, except: readonly string[] = []) =>
      store.reap({ team: "Payments", except, failure: DIED }, decide);

    it("notes an attempt whose lease ran out once, with what follows from it, and waits before the next", async () => {
      await store.submit(aTask("t1", { state: "running" }), [aChild("t1", 1)], []);
      const lease = await claim();
      expect(await reap(() => AGAIN)).toBe(0);
      database.clock.now += LEASE_MS;
      expect(await take("w2")).toBeNull();
      expect(await reap(() => AGAIN, [lease.conversation_id])).toBe(0);
      expect(await store.reap({ team: "Others", except: [], failure: DIED }, () => AGAIN)).toBe(0);
      const seen: Crash[] = [];
      const decide = (crash: Crash) => {
        seen.push(crash);
        return { ...AGAIN, delayMs: 2000, events: [notice("t1", "crashed")] };
      };
      expect(await reap(decide)).toBe(1);
      expect(await reap(decide)).toBe(0);
      expect(seen).toMatchObject([{ attempt: 1, crashes: 1, failure: DIED, subtask: { agent: "Api" } }]);
      expect(seen[0]?.log).toMatchObject([{ agent: "Api", crashed: true, worker_id: "w1" }]);
      expect((await store.events("t1", null, 9)).map(({ event }) => event)).toEqual(["notice"]);
      expect(await take("w2")).toBeNull();
      database.clock.now += 2000;
      expect(await claim("w2")).toMatchObject({ attempt: 2, crashes: 1, failure: DIED, disabled: null });
      expect(await store.renew(lease, LEASE_MS)).toBe(false);
    });

    it("takes a crash from the holder only, and gives no outcome for it", async () => {
      await store.submit(aTask("t1", { state: "running" }), [aChild("t1", 1)], []);
      const lease = await claim();
      expect(await store.crash(lease, DIED, () => AGAIN)).toBe(true);
      expect(await store.crash(lease, DIED, () => AGAIN)).toBe(false);
      expect(await store.finish(lease, anOutcome(lease.subtask), {}, [])).toBe(false);
      expect(await store.outcomes("t1")).toEqual([]);
      expect((await store.subtasks("t1"))[0]?.state).toBe("planned");
      expect(await store.agentRecords(["t1"])).toMatchObject([
        { agent: "Api", working: 0, waiting: 1, open: 1, crashes: 1, disabled: null },
      ]);
    });

    it("asks the attempts of others to stop, keeps a disabled agent's next from beginning, and cancels a task", async () => {
      const children = [
        aChild("t1", 1),
        aChild("t1", 2, { agent: "Web" }),
        aChild("t1", 3, { agent: "Docs" }),
      ];
      await store.submit(aTask("t1", { state: "running" }), children, []);
      const [api, web, docs] = [await claim(), await claim(), await claim("w2")];
      const verdict = { ...AGAIN, restart: ["Web"], disable: [{ agent: "Docs", reason: "Too often." }] };
      await store.crash(api, DIED, () => verdict);
      expect(await store.stopRequests("w1")).toEqual([
        { conversation_id: web.conversation_id, token: web.token, why: "recalled" },
      ]);
      expect(await store.stopRequests("w2")).toMatchObject([{ why: "recalled" }]);
      await store.release(docs);
      await store.release(web);
      expect(await store.stopRequests("w1")).toEqual([]);
      const next = [await claim(), await claim(), await claim()];
      expect(next.map(({ subtask, disabled }) => [subtask.agent, disabled])).toEqual([
        ["Api", null],
        ["Web", null],
        ["Docs", "Too often."],
      ]);
      const again = next[0];
      if (again) await store.crash(again, DIED, () => ({ ...AGAIN, cancelCode: "agent_critical" }));
      expect(await store.liveTasks()).toMatchObject([{ cancelled: true, cancelCode: "agent_critical" }]);
      expect(await take()).toBeNull();
      await store.setCancelled("t1", false, []);
      expect(await store.liveTasks()).toMatchObject([{ cancelled: false, cancelCode: null }]);
    });

    it("cancels one subtask: at once when it is free, through its holder when not", async () => {
      await store.submit(aTask("t1", { state: "running" }), someChildren("t1", 2), []);
      const held = await claim();
      const ids = (await store.subtasks("t1")).map(({ subtask_id }) => subtask_id);
      const [first = "", second = ""] = ids;
      expect(await store.cancelSubtask(second, [], cancelled)).toEqual({ ended: [second], asked: [] });
      expect(await store.cancelSubtask(second, [], cancelled)).toEqual({ ended: [], asked: [] });
      expect(await store.cancelSubtask(first, [], cancelled)).toEqual({ ended: [], asked: [first] });
      expect(await store.stopRequests("w1")).toMatchObject([{ token: held.token, why: "cancelled" }]);
      await store.release(held);
      expect((await claim("w2")).cancelled).toBe(true);
      await expect(store.cancelSubtask("nobody", [], cancelled)).rejects.toMatchObject({
        code: "subtask_unknown",
      });
    });

    it("cancels with a subtask all that was split from it, the newest first, and lets it split no more", async () => {
      const lead = aChild("t1", 1, { agent: "Lead" });
      await store.submit(aTask("t1", { state: "running" }), [lead], []);
      const under = (parent: { readonly subtask: Subtask }, n: number) =>
        aChild("t1", n, { over: { parent_conversation_id: parent.subtask.conversation_id } });
      const [held, free, other] = [under(lead, 2), under(lead, 3), aChild("t1", 9)];
      const below = under(free, 4);
      const leading = await claim();
      await store.addChildren("t1", [held, free, other], [], leading);
      const working = await claim();
      await store.addChildren("t1", [below], []);
      const id = ({ subtask }: { readonly subtask: Subtask }) => subtask.subtask_id;
      const events = [notice("t1", "asked")];
      expect(await store.cancelSubtask(id(lead), events, cancelled)).toEqual({
        ended: [id(below), id(free)],
        asked: [id(held), id(lead)],
      });
      expect(await store.cancelSubtask(id(lead), events, cancelled)).toEqual({
        ended: [],
        asked: [id(held), id(lead)],
      });
      const told = (await store.events("t1", null, 9)).map(
        (event) => event.event === "notice" && event.message,
      );
      expect(told.filter((message) => message === "asked")).toHaveLength(1);
      await expect(store.addChildren("t1", [under(lead, 5)], [], leading)).rejects.toMatchObject({
        code: "cancelled",
      });
      for (const lease of [working, leading])
        await store.finish(lease, anOutcome(lease.subtask, { outcome: "cancelled" }), {}, []);
      expect((await store.outcomes("t1")).map(({ subtask_id, outcome }) => [subtask_id, outcome])).toEqual(
        [lead, held, free, below].map((each) => [id(each), "cancelled"]),
      );
      expect((await claim()).subtask.subtask_id).toBe(id(other));
      expect(await store.cancelSubtask(id(lead), [], cancelled)).toEqual({ ended: [], asked: [] });
    });

    it("gives what has not begun to another agent, and nothing else", async () => {
      await store.submit(aTask("t1", { state: "running" }), someChildren("t1", 2), []);
      const lease = await claim();
      const ids = (await store.subtasks("t1")).map(({ subtask_id }) => subtask_id);
      const to = { agent: "Web", allowedPaths: ["web/**"] };
      await expect(store.assign(ids[0] ?? "", to, [])).rejects.toMatchObject({ code: "subtask_active" });
      await store.release(lease);
      await expect(store.assign(ids[0] ?? "", to, [])).rejects.toMatchObject({ code: "subtask_active" });
      await store.assign(ids[1] ?? "", to, [notice("t1", "moved")]);
      const moved = await store.claim({ workerId: "w2", leaseMs: LEASE_MS, agents: ["Web"] });
      expect(moved?.subtask).toMatchObject({ subtask_id: ids[1], agent: "Web", allowed_paths: ["web/**"] });
    });

    it("ends a task only when nothing of it is open, and makes it live again with new parts", async () => {
      await store.submit(aTask("t1", { state: "running" }), [aChild("t1", 1)], []);
      expect(await store.endTask("t1", "completed", [])).toBe(false);
      const lease = await claim();
      const failed = anOutcome(lease.subtask, { outcome: "failed" });
      expect(await store.finish(lease, failed, {}, [])).toBe(true);
      expect(await store.endTask("t1", "needs_review", [notice("t1", "over")])).toBe(true);
      const next = aChild("t1", 2, { over: { supersedes: lease.subtask.subtask_id } });
      await store.reopen("t1", [next], []);
      expect((await store.task("t1"))?.state).toBe("running");
      const twice = aChild("t1", 3, { over: { supersedes: lease.subtask.subtask_id } });
      await expect(store.reopen("t1", [twice], [])).rejects.toMatchObject({ code: "task_conflict" });
      expect(await store.outcomes("t1")).toEqual([failed]);
      expect((await claim("w2")).subtask).toMatchObject({ supersedes: lease.subtask.subtask_id });
      expect(await store.endTask("t1", "completed", [])).toBe(false);
    });

    it("keeps a transcript in order with its cursors, for the holder of the lease alone", async () => {
      await store.submit(aTask("t1", { state: "running" }), [aChild("t1", 1)], []);
      const first = await claim();
      const { conversation_id } = first;
      await store.transcripts.add(first, '{"n":1}', { news: "0000000000000001" });
      await store.transcripts.add(first, '{"n":2}', {});
      await store.crash(first, DIED, () => AGAIN);
      const second = await claim("w2");
      for (const late of [store.transcripts.add(first, '{"n":3}', {}), store.transcripts.clear(first)])
        await expect(late).rejects.toMatchObject({ code: "fenced" });
      await store.transcripts.add(second, '{"n":4}', {});
      expect(await store.transcripts.read(conversation_id)).toEqual(['{"n":1}', '{"n":2}', '{"n":4}']);
      expect(await store.cursor(conversation_id, "news")).toBe("0000000000000001");
      await store.transcripts.clear(second);
      expect(await store.transcripts.read(conversation_id)).toEqual([]);
    });
  });
}
