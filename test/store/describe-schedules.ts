/** What every engine keeps of schedules: one firing for each due time, whoever looks. */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/store/contract.ts";
import { type Advance, KEPT, type Schedule } from "../../src/store/schedules.ts";
import { aTask, notice, someChildren } from "../support/store-data.ts";
import { freshStore, type OpenDatabase, type TestDatabase } from "../support/store-engines.ts";

/** Fires what is due, and comes again a second later. */
function fires(taskId: string | null = null) {
  return ({ next_at }: Schedule, { now }: { now: number }): Advance | null => {
    if (next_at === null || next_at > now) return null;
    return {
      next_at: next_at + 1000,
      fired: {
        due: next_at,
        task: taskId === null ? null : { task_id: taskId, title: "Tidy", due: next_at, fired_at: now },
        signal: { event_id: `cron:Api:${next_at}`, topic: "cron.Api", payload: { due: next_at } },
      },
      missed: null,
      events: [notice("cron.Api", `fired ${next_at}`)],
    };
  };
}

export function describeSchedules(name: string, open: OpenDatabase): void {
  describe(`schedules on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;
    freshStore(open, (made) => ({ database, store } = made));
    const register = (...entries: [agent: string, timing: string][]) =>
      store.schedules.register(
        "T",
        entries.map(([agent, timing]) => ({ agent, timing })),
        (timing, now) => (timing === "never" ? null : now + 1000),
      );
    const row = async (agent = "Api") =>
      (await store.schedules.read("T")).schedules.find((each) => each.agent === agent);

    it("keeps a row as it is while its timing is the same, begins another anew, and lets one go", async () => {
      const begun = database.clock.now;
      await register(["Api", "a"], ["Web", "never"]);
      expect(await row()).toEqual({
        agent: "Api",
        timing: "a",
        registered_at: begun,
        next_at: begun + 1000,
        last_due: null,
        last_fired_at: null,
        last_task: null,
        missed: 0,
        missed_at: null,
        pending: null,
      });
      expect(await row("Web")).toMatchObject({ next_at: null });
      database.clock.now += 500;
      await register(["Api", "a"], ["Web", "w"]);
      expect(await row()).toMatchObject({ registered_at: begun, next_at: begun + 1000 });
      expect(await row("Web")).toMatchObject({ registered_at: begun + 500, next_at: begun + 1500 });
      await store.schedules.register("Other", [{ agent: "Api", timing: "x" }], () => 1);
      await register(["Web", "w"]);
      expect(await row()).toBeUndefined();
      const { now, schedules } = await store.schedules.read("Other");
      expect([now, schedules.length]).toEqual([database.clock.now, 1]);
    });

    it("fires a due time once, however many look at once, with its signal and its event", async () => {
      await register(["Api", "a"]);
      const due = database.clock.now + 1000;
      expect(await store.schedules.advance("T", "Api", fires())).toBeNull();
      expect(await store.schedules.advance("T", "Nobody", fires())).toBeNull();
      database.clock.now = due;
      const others = await Promise.all([database.open(), database.open()]);
      const all = await Promise.all(
        [store, ...others, store].map((each) => each.schedules.advance("T", "Api", fires())),
      );
      expect(all.filter((each) => each !== null)).toHaveLength(1);
      expect(await row()).toMatchObject({ next_at: due + 1000, last_due: due, last_fired_at: due });
      expect(await store.relay()).toBe(1);
      const entries = await store.topics.read("cron.Api", null, 10);
      expect(entries.map(({ event_id, payload }) => [event_id, payload])).toEqual([
        [`cron:Api:${due}`, { due }],
      ]);
      expect(await store.events("cron.Api", null, 10)).toMatchObject([{ message: `fired ${due}` }]);
    });

    it("knows of a task that is to be submitted, or still runs", async () => {
      await register(["Api", "a"]);
      database.clock.now += 1000;
      const running: boolean[] = [];
      const look = () =>
        store.schedules.advance("T", "Api", (_schedule, at) => {
          running.push(at.running);
          return null;
        });
      await look();
      await store.schedules.advance("T", "Api", fires("t1"));
      expect(await row()).toMatchObject({
        last_task: "t1",
        pending: { task_id: "t1", title: "Tidy", fired_at: database.clock.now },
      });
      await look();
      await store.submit(aTask("t1", { state: "running" }), someChildren("t1", 1), []);
      expect(await store.schedules.settle("T", "Api", "t0")).toBe(false);
      expect(await store.schedules.settle("T", "Api", "t1")).toBe(true);
      expect(await store.schedules.settle("T", "Api", "t1")).toBe(false);
      await look();
      await store.setTaskState("t1", "completed", []);
      await look();
      expect(running).toEqual([false, true, true, false]);
      expect(await row()).toMatchObject({ pending: null, last_task: "t1", missed: 0 });
    });

    it("keeps the signals and events of the last firings, and those of others", async () => {
      await register(["Api", "a"]);
      const { events, topics } = store;
      await store.append(Array.from({ length: KEPT + 5 }, (_, n) => notice("cron.Api", `${n}`)));
      await store.append([notice("cron.Web", "other")]);
      await Promise.all(Array.from({ length: KEPT + 5 }, (_, n) => topics.publish("cron.Api", n)));
      await topics.publish("cron.Web", "other");
      database.clock.now += 1000;
      await store.schedules.advance("T", "Api", fires());
      await store.relay();
      const signals = await topics.read("cron.Api", null, 2 * KEPT);
      expect([signals.length, signals[0]?.payload, signals.at(-1)?.event_id]).toEqual([
        KEPT,
        6,
        `cron:Api:${database.clock.now}`,
      ]);
      expect(await events("cron.Api", null, 2 * KEPT)).toHaveLength(KEPT);
      expect(await events("cron.Api", null, 1)).toMatchObject([{ message: "6" }]);
      expect([await topics.read("cron.Web", null, 2), await events("cron.Web", null, 2)]).toMatchObject([
        [{ payload: "other" }],
        [{ message: "other" }],
      ]);
    });

    it("counts what was missed", async () => {
      await register(["Api", "a"]);
      database.clock.now += 1000;
      const missed = (count: number, at: number) => () => ({
        next_at: 5,
        fired: null,
        missed: { count, at },
        events: [],
      });
      await store.schedules.advance("T", "Api", missed(3, 7));
      await store.schedules.advance("T", "Api", missed(2, 9));
      expect(await row()).toMatchObject({ next_at: 5, missed: 5, missed_at: 9, last_due: null });
      await store.schedules.advance("T", "Api", fires("t1"));
      await store.schedules.settle("T", "Api", "t1", { at: 11, events: [notice("cron.Api", "given up")] });
      expect(await row()).toMatchObject({ missed: 6, missed_at: 11, pending: null });
      expect(await store.events("cron.Api", null, 10)).toMatchObject([{}, { message: "given up" }]);
    });
  });
}
