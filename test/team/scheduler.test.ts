/** What workers do about `schedule:`, on a real store and repository, with a clock that the test moves. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../../src/team/engine.ts";
import { fireNow, listSchedules } from "../../src/team/schedule-list.ts";
import { createScheduler, keepSchedule, type Scheduler } from "../../src/team/scheduler.ts";
import type { WorkerEvent } from "../../src/team/worker-events.ts";
import { type ClockedEngine, clockedEngine } from "../support/clocked-engine.ts";
import { aTask, someChildren } from "../support/store-data.ts";
import { makeShop, SHOP_TEAM, type Shop } from "../support/shop.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse("2026-05-01T05:30:00Z");
const team = (schedule: string) =>
  SHOP_TEAM.replace(/^ {2}- name: /gm, '  - runtime: command\n    command: ["true"]\n    name: ') +
  `schedule:\n${schedule}`;
const HOURLY = '  Api: { cron: "0 * * * *", task: Tidy up }\n';

describe("a schedule", () => {
  const clock = { now: START };
  let shop: Shop;
  const opened: ClockedEngine[] = [];
  let engine: Engine;
  let told: WorkerEvent[] = [];
  let problems: string[] = [];
  let one: Scheduler;
  let other: Scheduler;
  const scheduler = () =>
    createScheduler(
      (event) => void told.push(event),
      (error) => void problems.push(error instanceof Error ? error.message : "?"),
    );
  const open = async (env = {}) => {
    const made = await clockedEngine(shop, clock, env);
    opened.push(made);
    return made;
  };
  const at = async (time: string, ...lookers: Scheduler[]) => {
    clock.now = Date.parse(time);
    for (const each of lookers) await each.look(engine);
  };
  const signals = async (agent = "Api") =>
    (await engine.store.topics.read(`cron.${agent}`, null, 100)).map((entry) => entry.payload);
  const tasks = async () => (await engine.store.tasks()).map((task) => task.task_id).reverse();
  const ends = (task: string) => engine.store.setTaskState(task, "completed", []);
  const events = async () => (await engine.store.events("cron.Api", null, 100)).map((each) => each.event);

  const begin = async (schedule: string, env = {}) => {
    shop = makeShop({ team: team(schedule) });
    clock.now = START;
    [told, problems, one, other] = [[], [], scheduler(), scheduler()];
    engine = (await open(env)).engine;
    await one.look(engine);
  };
  beforeEach(() => begin(HOURLY));
  afterEach(async () => {
    for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
    shop[Symbol.dispose]();
  });

  it("fires at its time: a signal, a task for its agent, an event; whichever worker looks", async () => {
    const second = await open();
    clock.now = Date.parse("2026-05-01T06:00:00Z");
    await Promise.all([one.look(engine), other.look(second.engine)]);
    await at("2026-05-01T06:00:01Z", one, other);
    expect(await signals()).toEqual([
      {
        agent: "Api",
        due_at: "2026-05-01T06:00:00.000Z",
        fired_at: "2026-05-01T06:00:00.000Z",
        late_ms: 0,
        missed: 0,
        task_id: "cron-Api-20260501T060000Z",
      },
    ]);
    expect(await tasks()).toEqual(["cron-Api-20260501T060000Z"]);
    expect(await engine.store.task("cron-Api-20260501T060000Z")).toMatchObject({
      title: "Tidy up",
      ticket: "cron-Api-20260501T060000Z",
      state: "running",
    });
    expect(await engine.store.subtasks("cron-Api-20260501T060000Z")).toMatchObject([
      { agent: "Api", brief: "Tidy up", allowed_paths: ["src/api/**"], root: false },
    ]);
    expect(told).toMatchObject([
      { event: "schedule_fired", agent: "Api", task: "cron-Api-20260501T060000Z" },
    ]);
    expect(await events()).toEqual(["schedule_fired"]);
    expect(problems).toEqual([]);
  });

  it("says how long to sleep, never for long", async () => {
    expect(await one.look(engine)).toBe(30_000);
    await at("2026-05-01T05:59:59.250Z");
    expect(await one.look(engine)).toBe(750);
    const far = opened[0]?.withTeam(team("  Api: { at: 2999-01-01 }\n"));
    if (far) expect(await other.look(far)).toBe(30_000);
  });

  it("gives the lead its task as a run does", async () => {
    engine = opened[0]?.withTeam(team("  Lead: { after_ms: 1000, task: Plan the day }\n")) ?? engine;
    await one.look(engine);
    clock.now += 1000;
    await one.look(engine);
    const [task = ""] = await tasks();
    expect(task).toBe("cron-Lead-20260501T053001Z");
    expect(await engine.store.subtasks(task)).toMatchObject([{ agent: "Lead", root: true }]);
  });

  it("submits no second task while one runs, says so, and goes on when it has ended", async () => {
    await at("2026-05-01T06:00:00Z", one);
    await at("2026-05-01T07:00:00Z", one);
    expect(await tasks()).toEqual(["cron-Api-20260501T060000Z"]);
    expect((await signals()).at(-1)).toMatchObject({ due_at: "2026-05-01T07:00:00.000Z", task_id: null });
    expect(told.slice(1)).toMatchObject([
      { event: "schedule_missed", reason: "still_running", due_at: "2026-05-01T07:00:00.000Z" },
      { event: "schedule_fired", task: null },
    ]);
    await ends("cron-Api-20260501T060000Z");
    await at("2026-05-01T08:00:00Z", one);
    expect(await tasks()).toEqual(["cron-Api-20260501T060000Z", "cron-Api-20260501T080000Z"]);
    expect(await listSchedules(engine)).toMatchObject([
      { missed: 1, last_missed_at: "2026-05-01T07:00:00.000Z", last_task: "cron-Api-20260501T080000Z" },
    ]);
  });

  it("fires late once for what was missed, and skips what is too late", async () => {
    await at("2026-05-01T09:20:00Z", other);
    expect(await signals()).toMatchObject([
      {
        due_at: "2026-05-01T09:00:00.000Z",
        late_ms: 20 * MINUTE,
        missed: 3,
        task_id: "cron-Api-20260501T090000Z",
      },
    ]);
    expect(told[0]).toMatchObject({ event: "schedule_missed", reason: "late", count: 3 });
    expect(await events()).toEqual(["schedule_missed", "schedule_fired"]);
    const daily = opened[0]?.withTeam(team('  Web: "0 0 * * *"\n')) ?? engine;
    await one.look(daily);
    clock.now = Date.parse("2026-05-03T01:00:01Z");
    await one.look(daily);
    expect(await signals("Web")).toEqual([]);
    expect(await listSchedules(daily)).toMatchObject([
      { agent: "Web", missed: 2, next_at: "2026-05-04T00:00:00.000Z", last_due_at: null },
    ]);
  });

  it("counts a delay from when it was first read, whoever starts again", async () => {
    const delayed = opened[0]?.withTeam(team("  Web: { after_ms: 600000 }\n")) ?? engine;
    await one.look(delayed);
    clock.now += 9 * MINUTE;
    await other.look(delayed);
    await scheduler().look(delayed);
    expect(await signals("Web")).toEqual([]);
    clock.now += MINUTE;
    await other.look(delayed);
    clock.now += 10 * HOUR;
    await scheduler().look(delayed);
    expect(await signals("Web")).toMatchObject([{ due_at: "2026-05-01T05:40:00.000Z" }]);
  });

  it("fires a moment that has just gone by, and only notes one that is long over", async () => {
    const moments = opened[0]?.withTeam(
      team("  Web: { at: 2026-05-01T05:29:00Z }\n  Docs: { at: 2026-04-01T00:00:00Z }\n"),
    );
    if (!moments) throw new Error("no engine");
    await one.look(moments);
    await other.look(moments);
    expect(await signals("Web")).toMatchObject([{ late_ms: MINUTE }]);
    expect(await signals("Docs")).toEqual([]);
    expect(told).toMatchObject([
      { event: "schedule_fired", agent: "Web" },
      { event: "schedule_missed", agent: "Docs", reason: "late" },
    ]);
  });

  it("begins anew with another time, keeps its place with another task, and goes when it is taken out", async () => {
    const teams = opened[0];
    if (!teams) throw new Error("no engine");
    const retold = teams.withTeam(team('  Api: { cron: "0 * * * *", task: Tidy more }\n'));
    await one.look(retold);
    clock.now = Date.parse("2026-05-01T06:00:00Z");
    await one.look(retold);
    expect((await engine.store.tasks()).map((task) => task.title)).toEqual(["Tidy more"]);
    await other.look(retold);
    const moved = teams.withTeam(team('  Api: "30 * * * *"\n'));
    await one.look(moved);
    // A worker that has not read the new file yet does not fire by the old one.
    clock.now = Date.parse("2026-05-01T07:00:00Z");
    await other.look(retold);
    expect(await signals()).toHaveLength(1);
    await one.look(moved);
    expect((await signals()).slice(1)).toMatchObject([{ due_at: "2026-05-01T06:30:00.000Z" }]);
    const none = teams.withTeam(team("  Web: { after_ms: 1 }\n"));
    await one.look(none);
    expect((await engine.store.schedules.read("Shop")).schedules.map((row) => row.agent)).toEqual(["Web"]);
  });

  it("is not repeated by a clock that goes back, nor silenced by one that was far ahead", async () => {
    await at("2026-05-01T06:00:00Z", one);
    await at("2026-05-01T05:59:58Z", one, other);
    await at("2026-05-01T06:00:00Z", one, other);
    expect(await signals()).toHaveLength(1);
    await at("2028-05-01T06:00:00Z", one);
    await ends("cron-Api-20260501T060000Z");
    await at("2026-05-01T06:10:00Z", one);
    await at("2026-05-01T07:00:00Z", one);
    expect((await signals()).at(-1)).toMatchObject({ due_at: "2026-05-01T07:00:00.000Z" });
  });

  it("finishes what a worker that died had fired only in the store", async () => {
    clock.now = Date.parse("2026-05-01T06:00:00Z");
    const dying: Engine = {
      ...engine,
      store: { ...engine.store, relay: () => Promise.reject(new Error("died")) },
    };
    await expect(one.look(dying)).rejects.toThrow("died");
    expect([await signals(), await tasks()]).toEqual([[], []]);
    expect(await listSchedules(engine)).toMatchObject([{ pending: true }]);
    await engine.store.relay();
    await other.look(engine);
    await other.look(engine);
    expect([(await signals()).length, await tasks()]).toEqual([1, ["cron-Api-20260501T060000Z"]]);
    expect(await listSchedules(engine)).toMatchObject([{ pending: false }]);
  });

  it("tries a task again that cannot be submitted, and gives it up after the grace", async () => {
    shop.git("branch", "integration");
    await at("2026-05-01T06:00:00Z", one, one);
    expect(problems).toEqual([expect.stringContaining("There is a branch integration")]);
    expect(await tasks()).toEqual([]);
    shop.git("branch", "--delete", "integration");
    await at("2026-05-01T06:10:00Z", other);
    expect(await tasks()).toEqual(["cron-Api-20260501T060000Z"]);
    await ends("cron-Api-20260501T060000Z");
    shop.git("branch", "integration");
    await at("2026-05-01T07:00:00Z", one);
    await at("2026-05-01T07:59:00Z", one);
    expect(told.at(-1)).toMatchObject({ event: "schedule_fired" });
    await at("2026-05-01T08:00:00.001Z", one);
    expect(told.slice(-2)).toMatchObject([
      { event: "schedule_missed", reason: "not_submitted", message: expect.stringContaining("integration") },
      { event: "schedule_fired", task: "cron-Api-20260501T080000Z" },
    ]);
  });

  it("waits for its ticket while another live task has it", async () => {
    const ticket = "cron-Api-20260501T060000Z";
    await engine.store.submit(aTask("t1", { ticket, state: "running" }), someChildren("t1", 1), []);
    await at("2026-05-01T06:00:00Z", one);
    await at("2026-05-01T06:00:30Z", one, one);
    expect(problems).toHaveLength(1);
    expect(await tasks()).toEqual(["t1"]);
    await ends("t1");
    await at("2026-05-01T06:01:00Z", one);
    expect(await tasks()).toContain(ticket);
  });

  it("keeps a secret in a task to itself", async () => {
    const key = `sk-proj-${"a1B2c3D4".repeat(6)}`;
    const secret = opened[0]?.withTeam(team(`  Api: { after_ms: 1, task: "Use ${key}" }\n`)) ?? engine;
    await one.look(secret);
    clock.now += 1;
    await one.look(secret);
    expect((await engine.store.tasks())[0]?.title).toBe("Use [REDACTED]");
  });

  it("can be fired by hand, besides its times", async () => {
    expect(await fireNow(engine, "Api")).toMatchObject({
      topic: "cron.Api",
      task_id: "cron-Api-20260501T053000Z",
      still_running: false,
      error: null,
    });
    clock.now += 1;
    expect(await fireNow(engine, "Api")).toMatchObject({ task_id: null, still_running: true });
    await expect(fireNow(engine, "Web")).rejects.toMatchObject({ code: "usage" });
    expect(await listSchedules(engine)).toMatchObject([{ next_at: "2026-05-01T06:00:00.000Z" }]);
    expect(await signals()).toHaveLength(2);
  });

  it("is looked at when its team file changes, and no more once the worker stops", async () => {
    const stop = new AbortController();
    const looked: string[] = [];
    let next = Promise.withResolvers<void>();
    const watching: Scheduler = {
      look: (now) => {
        looked.push(now.team.schedule.map((entry) => entry.agent).join());
        next.resolve();
        return Promise.resolve(30_000);
      },
    };
    const keeper = keepSchedule(engine, watching, () => undefined, stop.signal);
    await next.promise;
    next = Promise.withResolvers<void>();
    keeper.follow(engine);
    keeper.follow(opened[0]?.withTeam(team("  Web: { after_ms: 1 }\n")) ?? engine);
    await next.promise;
    stop.abort();
    await keeper.ended;
    expect(looked).toEqual(["Api", "Web"]);
  });
});
