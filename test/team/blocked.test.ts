/** Agents that were given up, or that no worker takes: their subtasks wait for a person, and never without end. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Json } from "../../src/core/model.ts";
import type { Lease } from "../../src/store/contract.ts";
import type { OxbowEvent } from "../../src/core/events.ts";
import { createServiceWatch, openAlerts } from "../../src/team/blocked.ts";
import { carry } from "../../src/team/carry.ts";
import type { Engine } from "../../src/team/engine.ts";
import { assign, cancel, retry } from "../../src/team/interventions.ts";
import { prepareBranch } from "../../src/team/prepare.ts";
import { type ClockedEngine, clockedEngine } from "../support/clocked-engine.ts";
import { makeShop, SHOP_TEAM, type Shop } from "../support/shop.ts";
import { aChild, aTask, type ChildOptions } from "../support/store-data.ts";

const TEAM =
  `${SHOP_TEAM.replace(/^ {2}- name: /gm, '  - runtime: command\n    command: ["true"]\n    name: ')}  - name: Spare
    runtime: command
    command: ["true"]
`.replace("name: Web\n", "name: Web\n    sla_ms: 60000\n");
const FAILURE = { code: "worker_lost", message: "It died." };
const REASON = "Api crashed too often.";
const PATIENCE_MS = 900_000;
const API = "Api::t1::1";

describe("a subtask whose agent is not available", () => {
  const clock = { now: 0 };
  let shop: Shop;
  let opened: ClockedEngine;
  let engine: Engine;
  const stop = new AbortController();

  beforeEach(async () => {
    shop = makeShop({ team: TEAM });
    clock.now = Date.parse("2026-05-01T05:30:00Z");
    opened = await clockedEngine(shop, clock, { TERMINAL_SANDBOX: "off" });
    engine = opened.engine;
  });
  afterEach(async () => {
    await opened[Symbol.asyncDispose]();
    shop[Symbol.dispose]();
  });

  async function submit(...children: ChildOptions[]): Promise<void> {
    const base_commit = shop.git("rev-parse", "HEAD").trim();
    const made = children.map((child, i) => aChild("t1", i + 1, child));
    const task = aTask("t1", { team: "Shop", state: "running", base_commit, options: {} });
    await engine.store.submit(task, made, []);
  }
  async function claim(): Promise<Lease> {
    const lease = await engine.store.claim({ workerId: "w1", leaseMs: 1000 });
    if (!lease) throw new Error("nothing to claim");
    return lease;
  }
  /** Api, after an attempt that crashed, is not to be started any more. */
  async function giveUp(lease: Lease): Promise<void> {
    const disable = [{ agent: "Api", reason: REASON }];
    const verdict = { delayMs: 0, restart: [], disable, cancelCode: null, events: [] };
    await engine.store.crash(lease, FAILURE, () => verdict);
  }
  async function task() {
    const found = await engine.store.task("t1");
    if (!found) throw new Error("no task");
    return found;
  }
  async function until(event: OxbowEvent["event"]): Promise<OxbowEvent> {
    for await (const each of engine.store.watch("t1", null, stop.signal))
      if (each.event === event) return each;
    throw new Error("not told");
  }
  const states = async () => (await engine.store.subtasks("t1")).map(({ state }) => state);
  const outcomes = async () =>
    (await engine.store.outcomes("t1")).map((each) => [each.agent, each.outcome, each.error?.code]);
  const signals = async (conversation = "c-t1-1"): Promise<Json[]> =>
    (await engine.store.topics.read(`signal:${conversation}:done`, null, 9)).map(({ payload }) => payload);

  it("is blocked with an alert while the others go on, and ends as timed_out when nobody does anything", async () => {
    await submit({ over: { allowed_paths: ["src/api/**"] } }, { agent: "Docs" });
    await giveUp(await claim());
    const carried = carry(engine, await task(), { workers: "auto", wait: true }, stop.signal);
    expect(await until("alert")).toMatchObject({ subtask_id: API, agent: "Api", code: "agent_disabled" });
    await until("child_finished");
    expect(await states()).toEqual(["blocked", "completed"]);
    const alert = { kind: "alert", subtask_id: API, code: "agent_disabled", message: REASON };
    const since = new Date(clock.now).toISOString();
    const until_ = new Date(clock.now + PATIENCE_MS).toISOString();
    expect(await openAlerts(engine.store)).toMatchObject([{ ...alert, since, until: until_ }]);
    expect(await openAlerts(engine.store, "t2")).toEqual([]);
    clock.now += PATIENCE_MS;
    expect(await carried).toBe("done");
    expect(await outcomes()).toEqual([
      ["Api", "timed_out", "agent_disabled"],
      ["Docs", "completed", undefined],
    ]);
    expect(await signals()).toMatchObject([{ outcome: "timed_out" }]);
    expect(await openAlerts(engine.store)).toEqual([]);
  });

  it("is given to another agent, who goes on from what it may write of it; whoever waits hears one end", async () => {
    await submit({ over: { allowed_paths: ["src/api/**"] } });
    const lease = await claim();
    const { tree } = await prepareBranch(engine, lease);
    await tree.write("src/api/begun.js", Buffer.from("begun\n"));
    await tree.commit("Begin", stop.signal);
    await tree.write("src/api/half.js", Buffer.from("half\n"));
    await tree.saveWork();
    await giveUp(lease);
    const carried = carry(engine, await task(), { workers: "auto", wait: true }, stop.signal);
    await until("alert");
    expect(await assign(engine, API, "Spare")).toMatchObject({ agent: "Spare", parts: [] });
    expect(await carried).toBe("done");
    expect(await outcomes()).toEqual([["Spare", "completed", undefined]]);
    expect(await signals()).toMatchObject([{ outcome: "completed", branch: "feature/t1/Spare" }]);
    expect(shop.at("feature/t1/Spare", "src/api/begun.js")).toBe("begun\n");
    expect(shop.git("ls-tree", "-r", "--name-only", "feature/t1/Spare")).not.toContain("half.js");
    expect(shop.at("feature/t1/Api", "src/api/begun.js")).toBe("begun\n");
    await expect(assign(engine, "Api::t1::9", "Spare")).rejects.toMatchObject({ code: "subtask_unknown" });
  });

  it("names what was committed for it when it ends so, and a new try begins with that", async () => {
    await submit({ over: { allowed_paths: ["src/api/**"] } });
    const lease = await claim();
    const { tree } = await prepareBranch(engine, lease);
    await tree.write("src/api/begun.js", Buffer.from("begun\n"));
    const made = await tree.commit("Begin", stop.signal);
    await giveUp(lease);
    const carried = carry(engine, await task(), { workers: "auto", wait: true }, stop.signal);
    await until("alert");
    expect(await cancel(engine, API, 0)).toMatchObject({ changed: true, state: "cancelled" });
    expect(await carried).toBe("done");
    const told = { outcome: "cancelled", branch: "feature/t1/Api", commit: made?.commit };
    expect(await engine.store.outcomes("t1")).toMatchObject([told]);
    expect(await signals()).toMatchObject([told]);
    await retry(engine, API);
    await carry(engine, await task(), { workers: "auto", wait: true }, stop.signal);
    expect(shop.at("feature/t1/Api-2", "src/api/begun.js")).toBe("begun\n");
  });

  it("is not given what the new agent may not write", async () => {
    await submit({ over: { allowed_paths: ["src/api/**"] } });
    const lease = await claim();
    const { tree } = await prepareBranch(engine, lease);
    await tree.write("src/api/begun.js", Buffer.from("begun\n"));
    await tree.commit("Begin", stop.signal);
    await giveUp(lease);
    const carried = carry(engine, await task(), { workers: "auto", wait: true }, stop.signal);
    await until("alert");
    await assign(engine, API, "Docs");
    expect(await carried).toBe("done");
    expect(await outcomes()).toEqual([["Docs", "completed", undefined]]);
    expect(shop.git("ls-tree", "-r", "--name-only", "feature/t1/Docs")).not.toContain("begun.js");
  });

  it("can be cancelled, and a person who goes on with the task has it tried again", async () => {
    await submit({}, {});
    const [first, second] = [await claim(), await claim()];
    await giveUp(first);
    await engine.store.release(second);
    const carried = carry(engine, await task(), { workers: "auto", wait: true }, stop.signal);
    await expect.poll(states, { timeout: 20_000 }).toEqual(["blocked", "blocked"]);
    expect(await cancel(engine, API, 0)).toMatchObject({ changed: true, state: "cancelled" });
    await engine.store.pardon("t1");
    expect(await carried).toBe("done");
    expect(await outcomes()).toEqual([
      ["Api", "cancelled", "cancelled"],
      ["Api", "completed", undefined],
    ]);
  });

  it("is blocked when no worker takes it for longer than a lease, free when one comes, and ended in the end", async () => {
    await submit({ agent: "Web" }, { agent: "Docs" });
    const watch = createServiceWatch();
    const look = async (...served: string[]) => watch.look(engine, await task(), served);
    await look("Docs");
    expect(await states()).toEqual(["planned", "planned"]);
    clock.now += engine.settings.oxbowLeaseMs;
    await look("Docs");
    await look("Docs");
    expect(await states()).toEqual(["blocked", "planned"]);
    expect(await openAlerts(engine.store, "t1")).toMatchObject([{ agent: "Web", code: "agent_unavailable" }]);
    await look("Docs", "Web");
    expect([await states(), await openAlerts(engine.store)]).toEqual([["planned", "planned"], []]);
    await look("Docs");
    clock.now += engine.settings.oxbowLeaseMs;
    await look("Docs");
    clock.now += 59_999;
    await look("Docs");
    expect(await states()).toEqual(["blocked", "planned"]);
    clock.now += 1;
    await look("Docs");
    await look("Docs");
    expect(await outcomes()).toEqual([["Web", "timed_out", "agent_unavailable"]]);
    expect(await signals()).toMatchObject([{ outcome: "timed_out", error: { code: "agent_unavailable" } }]);
  });
});
