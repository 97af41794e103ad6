/** A person cancels, tries again and hands over parts of a task, while processes work on it and when none does. */
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, type Running, reportOf, startOxbow } from "../support/cli.ts";
import {
  type ModelServer,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop, type Shop } from "../support/shop.ts";
import { BROKEN, CHILDREN, HANDS_OUT } from "../support/split-script.ts";
import { startWorkers } from "../support/workers.ts";

const RUN = ["run", "Add request ids", "--ticket", "146", "--json"];

function envFor(server: ModelServer) {
  return { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
}

function run(shop: Shop, env: Readonly<Record<string, string>>, args: readonly string[] = []): Running {
  return startOxbow([...RUN, ...args], { cwd: shop.dir, env });
}

function childOf(report: Record<string, any>, agent: string): any {
  return report["children"].find((child: any) => child.agent === agent);
}

const HANGS: ScriptedReply[] = [{ hang: true }];

/** Whatever was sent on a done topic. */
async function signalsOn(shop: Shop, conversation: string): Promise<any[]> {
  const heard: any[] = [];
  for (let last: string[] = []; ; ) {
    const args = ["signal", "wait", `signal:${conversation}:done`, ...last, "--timeout-ms", "0", "--json"];
    const next = await oxbow(args, { cwd: shop.dir });
    if (next.code !== 0) return heard;
    heard.push(next.lines[0]?.["message"]);
    last = ["--last-id", next.lines[0]?.["message_id"]];
  }
}

describe("oxbow cancel", () => {
  it("ends one part in another process: its outcome and its signal are told once, the others are merged", async () => {
    using shop = makeShop();
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Web: HANGS }));
    await using _workers = await startWorkers(1, shop, envFor(server));
    const running = run(shop, envFor(server));
    const started = await running.line(
      (line) => line["event"] === "child_started" && line["source"] === "Web",
    );
    const cancelled = await oxbow(["cancel", started["subtask_id"], "--json"], { cwd: shop.dir });
    expect([cancelled.code, cancelled.lines[0]]).toMatchObject([0, { changed: true, state: "cancelled" }]);
    const ended = await running.ended;
    const report = reportOf(ended);
    expect([ended.code, report["state"]]).toEqual([1, "partial"]);
    expect(report["children"].map((child: any) => [child.agent, child.outcome, child.merged])).toEqual([
      ["Api", "completed", true],
      ["Web", "cancelled", false],
      ["Docs", "completed", true],
    ]);
    const signals = await signalsOn(shop, childOf(report, "Web").conversation_id);
    expect(signals.map((signal) => signal.outcome)).toEqual(["cancelled"]);
    const again = await oxbow(["cancel", started["subtask_id"], "--json"], { cwd: shop.dir });
    expect([again.code, again.lines[0]]).toMatchObject([1, { changed: false, state: "cancelled" }]);
  });

  it("ends with a lead all that it has split off, however deep, in other processes too; each is told once", async () => {
    using shop = makeShop();
    const split = (agent: string): ScriptedReply[] => [
      {
        calls: [
          {
            name: "orchestrate_split",
            arguments: {
              task: "{{task}}",
              children: [{ task: `For ${agent}`, agent }],
              wait: true,
              timeout_ms: 60_000,
            },
          },
        ],
      },
    ];
    await using server = await startModelServer(
      scriptByAgent({ Lead: split("Api"), Api: split("Web"), Web: HANGS }),
    );
    const env = { ...envFor(server), ENABLE_ORCHESTRATE_TOOL: "1" };
    await using _workers = await startWorkers(1, shop, env, ["--agent", "Api"]);
    const running = run(shop, env);
    const web = await running.line((line) => line["event"] === "child_started" && line["source"] === "Web");
    const task = web["task_id"];
    const cancelled = await oxbow(["cancel", `Lead::${task}::1`, "--json"], { cwd: shop.dir });
    expect([cancelled.code, cancelled.lines[0]]).toMatchObject([
      0,
      {
        changed: true,
        state: "cancelled",
        parts: ["Web", "Api", "Lead"].map((name) => `${name}::${task}::1`),
      },
    ]);
    const ended = await running.ended;
    const report = reportOf(ended);
    const all = [report["lead"], ...report["children"]];
    expect(all.map((child: any) => [child.agent, child.outcome])).toEqual(
      ["Lead", "Api", "Web"].map((name) => [name, "cancelled"]),
    );
    for (const { conversation_id } of all)
      expect((await signalsOn(shop, conversation_id)).map((signal) => signal.outcome)).toEqual(["cancelled"]);
  });

  it("ends a whole task that another process carries, by its ticket", async () => {
    using shop = makeShop();
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Web: HANGS }));
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Web");
    const cancelled = await oxbow(["cancel", "146", "--json"], { cwd: shop.dir });
    expect([cancelled.code, cancelled.lines[0]]).toMatchObject([0, { changed: true, state: "cancelled" }]);
    const ended = await running.ended;
    expect([ended.code, reportOf(ended)["state"]]).toEqual([130, "cancelled"]);
  });

  it("ends a task that no process carries: every part has its outcome", async () => {
    using shop = makeShop();
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Web: HANGS }));
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Web");
    running.kill("SIGKILL");
    await running.ended;
    const cancelled = await oxbow(["cancel", "146", "--json"], { cwd: shop.dir });
    expect([cancelled.code, cancelled.lines[0]]).toMatchObject([0, { state: "cancelled" }]);
    const status = await oxbow(["status", "146", "--json"], { cwd: shop.dir });
    const [task] = JSON.parse(status.stdout);
    expect(task.task.state).toBe("cancelled");
    expect(task.subtasks.every((part: any) => part.outcome !== null)).toBe(true);
  });

  it("says what is not there", async () => {
    using shop = makeShop();
    const codes = [];
    for (const args of [
      ["cancel", "147"],
      ["cancel", "Api::t1::1"],
      ["retry", "147"],
      ["resume", "147"],
      ["assign", "147", "Api"],
      ["agents", "147"],
    ]) {
      const ended = await oxbow([...args, "--json"], { cwd: shop.dir });
      codes.push([ended.code, errorOf(ended).code]);
    }
    expect(codes).toEqual([
      [2, "task_unknown"],
      [2, "subtask_unknown"],
      ...Array.from({ length: 4 }, () => [2, "task_unknown"]),
    ]);
    expect((await oxbow(["assign", "x"], { cwd: shop.dir })).code).toBe(2);
  });
});

describe("oxbow retry", () => {
  it("tries the failed part again in a subtask of its own, merges it, and leaves the first outcome as it was", async () => {
    using shop = makeShop();
    let broken = true;
    const web: ScriptedReply[] = CHILDREN.Web.map((reply, i) =>
      i === 0 ? () => (broken ? { status: 400, message: "Not available." } : reply) : reply,
    ) as ScriptedReply[];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Web: web }));
    const first = await run(shop, envFor(server)).ended;
    expect(first.code).toBe(1);
    const failed = childOf(reportOf(first), "Web");
    broken = false;
    const again = await oxbow(["retry", failed.subtask_id, "--json"], { cwd: shop.dir, env: envFor(server) });
    const report = reportOf(again);
    expect([again.code, report["state"]]).toEqual([0, "completed"]);
    const now = childOf(report, "Web");
    expect([now.outcome, now.merged, now.subtask_id !== failed.subtask_id]).toEqual([
      "completed",
      true,
      true,
    ]);
    expect(report["superseded"]).toMatchObject([{ subtask_id: failed.subtask_id, outcome: "failed" }]);
    expect(shop.at("integration/146", "src/web/request-id.js")).toContain("Web");
    expect(shop.at("integration/146", "src/api/request-id.js")).toContain("Api");
    for (const [child, outcome] of [
      [failed, "failed"],
      [now, "completed"],
    ])
      expect((await signalsOn(shop, child.conversation_id)).map((signal) => signal.outcome)).toEqual([
        outcome,
      ]);
    const nothing = await oxbow(["retry", "146", "--json"], { cwd: shop.dir, env: envFor(server) });
    expect([nothing.code, errorOf(nothing).code]).toEqual([2, "nothing_to_retry"]);
    const twice = await oxbow(["retry", failed.subtask_id, "--json"], { cwd: shop.dir, env: envFor(server) });
    expect([twice.code, errorOf(twice).code]).toEqual([2, "nothing_to_retry"]);
  });

  it("goes on from what the part had committed, and only makes the task live with --detach", async () => {
    using shop = makeShop();
    let broken = true;
    const api: ScriptedReply[] = [
      { calls: [{ name: "write_file", arguments: { path: "src/api/one.js", content: "1\n" } }] },
      { calls: [{ name: "commit", arguments: { message: "Add one" } }] },
      () => (broken ? { status: 400, message: "Not available." } : { text: "Done." }),
    ];
    const later: ScriptedReply[] = [{ text: "It is all there." }];
    await using server = await startModelServer((call) =>
      scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: call.task.includes("earlier try") ? later : api })(
        call,
      ),
    );
    const first = reportOf(await run(shop, envFor(server)).ended);
    expect(childOf(first, "Api")).toMatchObject({ outcome: "failed", merged: false });
    broken = false;
    const detached = await oxbow(["retry", "146", "--detach", "--json"], {
      cwd: shop.dir,
      env: envFor(server),
    });
    expect([detached.code, detached.lines[0]?.["carried"]]).toEqual([0, false]);
    const resumed = await oxbow(["resume", "146", "--json"], { cwd: shop.dir, env: envFor(server) });
    const api2 = childOf(reportOf(resumed), "Api");
    expect([resumed.code, api2.outcome, api2.merged, api2.summary]).toEqual([
      0,
      "completed",
      true,
      "It is all there.",
    ]);
    expect(shop.at("integration/146", "src/api/one.js")).toBe("1\n");
  });
});

describe("oxbow assign", () => {
  it("has another agent do what one did not complete", async () => {
    const team = `team: Shop
lead: Lead
agents:
  - name: Lead
    allowed_paths: []
  - name: Api
    allowed_paths: ["src/api/**"]
  - name: Web
    allowed_paths: ["src/web/**"]
  - name: Docs
    allowed_paths: ["docs/**"]
  - name: Spare
`;
    using shop = makeShop({ team });
    const spare: ScriptedReply[] = [
      { calls: [{ name: "write_file", arguments: { path: "src/web/spare.js", content: "x\n" } }] },
      { text: "Stood in." },
    ];
    await using server = await startModelServer(
      scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Web: BROKEN, Spare: spare }),
    );
    const failed = childOf(reportOf(await run(shop, envFor(server)).ended), "Web");
    const unknown = await oxbow(["assign", failed.subtask_id, "Nobody", "--json"], { cwd: shop.dir });
    expect([unknown.code, errorOf(unknown).code]).toEqual([2, "agent_unknown"]);
    const ended = await oxbow(["assign", failed.subtask_id, "Spare", "--json"], {
      cwd: shop.dir,
      env: envFor(server),
    });
    const report = reportOf(ended);
    expect([ended.code, report["state"], childOf(report, "Spare").merged]).toEqual([0, "completed", true]);
    expect(shop.at("integration/146", "src/web/spare.js")).toBe("x\n");
  });

  it("moves a part that has not begun, and refuses one that is at work", async () => {
    using shop = makeShop();
    await using server = await startModelServer(
      scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: HANGS, Docs: [{ text: "Nothing to do." }] }),
    );
    await using _worker = await startWorkers(1, shop, envFor(server), ["--agent", "Lead", "Api", "Docs"]);
    const running = run(shop, envFor(server), ["--workers", "only"]);
    const announced = await running.line(
      (line) => line["event"] === "child_announced" && line["agent"] === "Web",
    );
    const api = await running.line((line) => line["event"] === "child_started" && line["agent"] === "Api");
    const refused = await oxbow(["assign", api["subtask_id"], "Docs", "--json"], { cwd: shop.dir });
    expect([refused.code, errorOf(refused).code]).toEqual([2, "subtask_active"]);
    const moved = await oxbow(["assign", announced["subtask_id"], "Docs", "--json"], { cwd: shop.dir });
    expect([moved.code, moved.lines[0]]).toMatchObject([0, { agent: "Docs", parts: [], carried: true }]);
    const done = await running.line(
      (line) => line["event"] === "child_finished" && line["subtask_id"] === announced["subtask_id"],
    );
    expect(done).toMatchObject({ source: "Docs", outcome: "completed" });
    expect((await oxbow(["cancel", "146"], { cwd: shop.dir })).code).toBe(0);
    expect((await running.ended).code).toBe(130);
  });
});
