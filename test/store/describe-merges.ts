/** What every engine keeps of the merge queue: one writer a target, one entry a subtask, and nothing from a stale writer. */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import type { MergeLease, NewMerge } from "../../src/store/merges.ts";
import { aChild, aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

const TARGET = "integration/t1";

function entry(n: number, over: Partial<NewMerge> = {}): NewMerge {
  return {
    subtask_id: `Api::t1::${n}`,
    task_id: "t1",
    agent: "Api",
    target: TARGET,
    branch: `feature/t1/Api-${n}`,
    commit: String(n).repeat(40).slice(0, 40),
    round: 0,
    state: "queued",
    reason: null,
    ...over,
  };
}

const queued = (n: number, over?: Partial<NewMerge>) => ({ entry: entry(n, over), events: [] });

export function describeMerges(name: string, open: OpenDatabase): void {
  describe(`the merge queue on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));
    const take = async (holder: string, from = store): Promise<MergeLease> => {
      const taken = await from.merges.take(TARGET, holder, 1_000);
      if ("lease" in taken) return taken.lease;
      throw new Error(`${taken.holder} has it`);
    };

    it("gives a target to one writer at a time, and takes a dead one's over but not a slow one's", async () => {
      const others = await Promise.all([database.open(), database.open()]);
      const all = await Promise.all(
        [store, ...others].map((each, i) => each.merges.take(TARGET, `w${i}`, 1_000)),
      );
      const winners = all.flatMap((each) => ("lease" in each ? [each.lease] : []));
      expect(winners).toHaveLength(1);
      const first = winners[0] as MergeLease;
      for (const each of all) if (!("lease" in each)) expect(each.holder).toBe(first.holder);
      expect(await store.merges.take("integration/other", "w9", 1_000)).toHaveProperty("lease");
      database.clock.now += 900;
      expect(await store.merges.renew(first, 1_000)).toBe(true);
      database.clock.now += 900;
      expect(await store.merges.take(TARGET, "next", 1_000)).toEqual({ holder: first.holder });
      database.clock.now += 200;
      const next = await take("next");
      expect(next.token).toBeGreaterThan(first.token);
      expect(await store.merges.renew(first, 1_000)).toBe(false);
      await expect(store.merges.confirm(first)).rejects.toMatchObject({ code: "fenced" });
      await store.merges.release(first);
      await store.merges.confirm(next);
      await store.merges.release(next);
      await expect(store.merges.confirm(next)).rejects.toMatchObject({ code: "fenced" });
      await take("again");
    });

    it("keeps one entry for each subtask, in order, with the events of new ones only", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 3), []);
      const told = (n: number) => ({ entry: entry(n), events: [notice("t1", `queued ${n}`)] });
      expect(await store.merges.enqueue([told(2), told(1)])).toEqual(["Api::t1::2", "Api::t1::1"]);
      const again = { ...told(1), entry: entry(1, { commit: "f".repeat(40), state: "failed" }) };
      expect(await store.merges.enqueue([again, told(3)])).toEqual(["Api::t1::3"]);
      const all = await store.merges.list({ taskId: "t1" });
      expect(all.map(({ subtask_id, state, commit }) => [subtask_id, state, commit.slice(0, 1)])).toEqual([
        ["Api::t1::2", "queued", "2"],
        ["Api::t1::1", "queued", "1"],
        ["Api::t1::3", "queued", "3"],
      ]);
      expect(all[0]).toMatchObject({
        landed_commit: null,
        reason: null,
        conflicts: [],
        verification: null,
        onto: null,
        draft: null,
        reworked_by: null,
        created_at: database.clock.now,
      });
      const messages = (await store.events("t1", null, 99)).flatMap((event) =>
        event.event === "notice" ? [event.message] : [],
      );
      expect(messages).toEqual(["queued 2", "queued 1", "queued 3"]);
      expect(await store.merges.list({ target: "integration/other" })).toEqual([]);
    });

    it("takes thousands at once", async () => {
      const many = Array.from({ length: 250 }, (_, i) => queued(i + 1));
      expect(await store.merges.enqueue(many)).toHaveLength(250);
      expect(await store.merges.list({ state: "queued" })).toHaveLength(250);
      const lease = await take("w");
      const landings = many.map(({ entry: { subtask_id } }) => ({
        subtask_id,
        landed_commit: `by ${subtask_id}`,
      }));
      await store.merges.plan(lease, landings);
      const landed = landings.slice(1).map(({ subtask_id }) => ({ subtask_id, state: "landed" as const }));
      await store.merges.settle(lease, landed, { events: [] });
      const all = await store.merges.list({});
      expect(all.map(({ subtask_id, landed_commit }) => ({ subtask_id, landed_commit }))).toEqual(landings);
      expect(all.map(({ state }) => state)).toEqual(["queued", ...landed.map(({ state }) => state)]);
    });

    it("changes what is open, with new subtasks and events, all or nothing", async () => {
      await store.submit(aTask("t1"), someChildren("t1", 2), []);
      await store.merges.enqueue([queued(1), queued(2)]);
      const lease = await take("w");
      const landed = "e".repeat(40);
      await store.merges.plan(lease, [{ subtask_id: "Api::t1::1", landed_commit: landed }]);
      const reason = { code: "merge_conflict", message: "It conflicts." };
      const changes = [
        { subtask_id: "Api::t1::1", state: "landed" },
        { subtask_id: "Api::t1::2", state: "rework", reason, reworked_by: "Api::t1::3", draft: landed },
      ] as const;
      const known = store.merges.settle(lease, changes, {
        children: [aChild("t1", 2)],
        events: [notice("t1", "never")],
      });
      await expect(known).rejects.toMatchObject({ code: "task_conflict" });
      expect(await store.merges.list({ state: "queued" })).toHaveLength(2);
      const child = aChild("t1", 3, { over: { supersedes: "Api::t1::2" } });
      await store.merges.settle(lease, changes, { children: [child], events: [notice("t1", "told")] });
      expect(await store.merges.list({ taskId: "t1" })).toMatchObject([
        { state: "landed", landed_commit: landed, reason: null },
        { state: "rework", reason, reworked_by: "Api::t1::3", draft: landed, landed_commit: null },
      ]);
      expect((await store.subtasks("t1")).at(-1)).toMatchObject({
        subtask_id: "Api::t1::3",
        supersedes: "Api::t1::2",
        state: "planned",
      });
      // What has ended stays as it is.
      await store.merges.settle(lease, [{ subtask_id: "Api::t1::1", state: "failed" }], { events: [] });
      await store.merges.plan(lease, [{ subtask_id: "Api::t1::1", landed_commit: null }]);
      expect(await store.merges.list({ state: "landed" })).toMatchObject([{ landed_commit: landed }]);
      expect((await store.events("t1", null, 99)).filter(({ event }) => event === "notice")).toHaveLength(1);
    });

    it("writes nothing for a stale writer", async () => {
      await store.submit(aTask("t1"), [], []);
      await store.merges.enqueue([queued(1)]);
      const stale = await take("slow");
      database.clock.now += 1_001;
      await take("fast");
      const fenced = { code: "fenced" };
      const landing = { subtask_id: "Api::t1::1", landed_commit: "e".repeat(40) };
      await expect(store.merges.plan(stale, [landing])).rejects.toMatchObject(fenced);
      const settled = store.merges.settle(stale, [{ ...landing, state: "landed" }], {
        events: [notice("t1", "x")],
      });
      await expect(settled).rejects.toMatchObject(fenced);
      expect(await store.merges.list({})).toMatchObject([{ state: "queued", landed_commit: null }]);
      expect(await store.events("t1", null, 99)).toEqual([]);
    });

    it("lets go of a task's entries with the task", async () => {
      await store.submit(aTask("t1", { state: "failed" }), [], []);
      await store.merges.enqueue([queued(1), queued(2, { task_id: "t2" })]);
      await store.forget("t1");
      expect(await store.merges.list({})).toMatchObject([{ task_id: "t2" }]);
    });
  });
}
