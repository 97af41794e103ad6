/** Agents whose processes die, that get stuck, or that must not crash at all: what their team's groups make of it. */
import { describe, expect, it } from "vitest";
import { oxbow, type Running, reportOf, startOxbow } from "../support/cli.ts";
import {
  type ModelServer,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop, SHOP_TEAM, type Shop } from "../support/shop.ts";
import { CHILDREN, HANDS_OUT } from "../support/split-script.ts";
import { startWorkers } from "../support/workers.ts";

const RUN = ["run", "Add request ids", "--ticket", "146", "--json"];
const HANGS: ScriptedReply[] = [{ hang: true }];

function envFor(server: ModelServer) {
  return { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
}

function run(shop: Shop, env: Readonly<Record<string, string>>, args: readonly string[] = []): Running {
  return startOxbow([...RUN, ...args], { cwd: shop.dir, env });
}

function childOf(report: Record<string, any>, agent: string): any {
  return report["children"].find((child: any) => child.agent === agent);
}

async function stateOf(shop: Shop): Promise<string> {
  return JSON.parse((await oxbow(["status", "146", "--json"], { cwd: shop.dir })).stdout)[0].task.state;
}

async function agents(shop: Shop): Promise<Record<string, any>> {
  const shown = await oxbow(["agents", "146", "--json"], { cwd: shop.dir });
  return Object.fromEntries(JSON.parse(shown.stdout).map((each: any) => [each.agent, each]));
}

/** The shop's team, with lines added to agents and groups at the end. */
function team(lines: Readonly<Record<string, string>>, groups = ""): string {
  let text = SHOP_TEAM;
  for (const [agent, line] of Object.entries(lines))
    text = text.replace(`name: ${agent}\n`, `name: ${agent}\n    ${line}\n`);
  return text + groups;
}

const ends = (line: Record<string, any>, agent: string) =>
  line["event"] === "child_finished" && line["source"] === agent;

describe("a subtask that takes every process down with it", () => {
  it("has its outcome after three attempts, told once; the others are merged and a person has to look", async () => {
    using shop = makeShop();
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: HANGS }));
    await using _rest = await startWorkers(1, shop, envFor(server), ["--agent", "Lead", "Web", "Docs"]);
    await using workers = await startWorkers(4, shop, envFor(server), ["--agent", "Api"]);
    const running = run(shop, envFor(server), ["--workers", "only"]);
    for (const attempt of [1, 2, 3]) {
      const taken = (line: Record<string, any>) =>
        line["event"] === "conversation_taken" && line["attempt"] === attempt;
      const victim = await Promise.any(workers.all.map(async (each) => (await each.line(taken), each)));
      await running.line(
        (line) => line["event"] === "child_started" && line["attempt"] === attempt && line["agent"] === "Api",
      );
      victim.kill("SIGKILL");
    }
    const ended = await running.ended;
    const report = reportOf(ended);
    expect([ended.code, report["state"], await stateOf(shop)]).toEqual([1, "partial", "needs_review"]);
    expect(childOf(report, "Api")).toMatchObject({
      outcome: "failed",
      error: { code: "attempts_exhausted" },
    });
    expect(childOf(report, "Web").merged).toBe(true);
    expect(ended.lines.filter((line) => ends(line, "Api"))).toHaveLength(1);
    const restarts = ended.lines.filter((line) => line["event"] === "agent_restarted");
    expect(restarts.map((line) => [line["agent"], line["restarts"], line["delay_ms"]])).toEqual([
      ["Api", 1, 1000],
      ["Api", 2, 2000],
    ]);
    expect(ended.lines.find((line) => line["event"] === "agent_failed")).toMatchObject({
      agent: "Api",
      code: "attempts_exhausted",
    });
    expect((await agents(shop))["Api"]).toMatchObject({ state: "idle", crashes: 3, open: 0 });
  }, 60_000);
});

describe("a critical agent", () => {
  it("stops the whole task when its process dies: what is open is cancelled, and a person has to look", async () => {
    const groups = "groups:\n  - name: core\n    critical: true\n";
    using shop = makeShop({ team: team({ Api: "group: core" }, groups) });
    await using server = await startModelServer(
      scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: HANGS, Web: HANGS }),
    );
    await using workers = await startWorkers(1, shop, envFor(server), ["--agent", "Api"]);
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Web");
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Api");
    await running.line((line) => ends(line, "Docs"));
    workers.all[0]?.kill("SIGKILL");
    const ended = await running.ended;
    const report = reportOf(ended);
    expect([ended.code, report["state"], await stateOf(shop)]).toEqual([1, "partial", "needs_review"]);
    for (const agent of ["Api", "Web"])
      expect(childOf(report, agent)).toMatchObject({
        outcome: "cancelled",
        error: { code: "agent_critical" },
      });
    expect(childOf(report, "Docs").outcome).toBe("completed");
    expect((await agents(shop))["Api"]).toMatchObject({ state: "terminated", critical: true });
  });
});

describe("an agent that gets stuck", () => {
  it("is stopped after its response_timeout_ms and begins again", async () => {
    using shop = makeShop({ team: team({ Api: "response_timeout_ms: 1500" }) });
    let asked = 0;
    const api: ScriptedReply[] = [() => (++asked === 1 ? { hang: true } : { text: "There." })];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: api }));
    const running = run(shop, envFor(server));
    const restarted = await running.line((line) => line["event"] === "agent_restarted");
    expect(restarted).toMatchObject({ agent: "Api", error: { code: "agent_stuck" }, delay_ms: 1000 });
    expect((await agents(shop))["Api"]?.state).toBe("restarting");
    const ended = await running.ended;
    expect([ended.code, childOf(reportOf(ended), "Api").summary]).toEqual([0, "There."]);
  });

  it("is not waited for beyond its sla_ms: after the last attempt its outcome is timed_out", async () => {
    const groups = "groups:\n  - name: once\n    restart: temporary\n";
    using shop = makeShop({ team: team({ Api: "sla_ms: 800\n    group: once" }, groups) });
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: HANGS }));
    const ended = await run(shop, envFor(server)).ended;
    expect(childOf(reportOf(ended), "Api")).toMatchObject({
      outcome: "timed_out",
      error: { code: "attempts_exhausted" },
    });
    expect([ended.code, await stateOf(shop)]).toEqual([1, "needs_review"]);
  });

  it("as a program is ended when it prints nothing", async () => {
    using shop = makeShop({ team: team({ Api: "response_timeout_ms: 700" }) });
    const program = `node -e 'const fs = require("fs"); const mark = ${JSON.stringify(`${shop.dir}/.git/again`)}; if (process.argv[1].includes("/api/") && !fs.existsSync(mark)) { fs.writeFileSync(mark, ""); setInterval(() => 0, 1000) }' {paths}`;
    const ended = await run(shop, { TERMINAL_SANDBOX: "off" }, ["--by", "owner", "--command", program]).ended;
    expect(ended.lines.find((line) => line["event"] === "agent_restarted")).toMatchObject({
      agent: "Api",
      error: { code: "agent_stuck" },
    });
    expect([ended.code, childOf(reportOf(ended), "Api").outcome]).toEqual([0, "completed"]);
  });
});

describe("groups", () => {
  it("restart all of one_for_all when one crashes, and give all of them up when that is too often", async () => {
    const groups =
      "groups:\n  - name: pair\n    strategy: one_for_all\n    max_restarts: 1\n    window_s: 60\n";
    const lines = { Api: "group: pair\n    response_timeout_ms: 1200", Web: "group: pair" };
    using shop = makeShop({ team: team(lines, groups) });
    await using server = await startModelServer(
      scriptByAgent({ Lead: HANDS_OUT, Docs: [{ text: "There." }], Api: HANGS, Web: HANGS }),
    );
    const running = run(shop, envFor(server));
    const restarted = await running.line((line) => line["event"] === "agent_restarted");
    expect(restarted).toMatchObject({ agent: "Api", together: ["Web"] });
    await running.line((line) => line["event"] === "handed_back" && line["source"] === "Web");
    await running.line(
      (line) => line["event"] === "child_started" && line["source"] === "Web" && line["attempt"] === 2,
    );
    const alert = await running.line((line) => line["event"] === "alert" && line["source"] === "Web");
    const waiting = await oxbow(["approvals", "list", "--json"], { cwd: shop.dir });
    expect(JSON.parse(waiting.stdout)).toMatchObject([
      { kind: "alert", subtask_id: alert["subtask_id"], agent: "Web", code: "agent_disabled" },
    ]);
    const shown = await oxbow(["approvals", "list"], { cwd: shop.dir });
    expect(shown.stdout).toContain(`oxbow assign ${alert["subtask_id"]} AGENT`);
    const states = await agents(shop);
    expect([states["Api"]?.state, states["Web"]?.state]).toEqual(["failed", "failed"]);
    const assigned = await oxbow(["assign", alert["subtask_id"], "Docs", "--json"], { cwd: shop.dir });
    expect([assigned.code, assigned.lines[0]]).toMatchObject([0, { agent: "Docs", carried: true }]);
    const ended = await running.ended;
    expect(ended.lines.find((line) => line["event"] === "restart_limit_exceeded")).toMatchObject({
      group: "pair",
      max_restarts: 1,
    });
    const report = reportOf(ended);
    const routed = report["children"].find((child: any) => child.subtask_id === alert["subtask_id"]);
    expect(routed).toMatchObject({ agent: "Docs", outcome: "completed" });
    expect(childOf(report, "Api")).toMatchObject({
      outcome: "failed",
      error: { code: "attempts_exhausted" },
    });
    expect([ended.code, await stateOf(shop)]).toEqual([1, "needs_review"]);
  });

  it("restart: permanent tries a failed outcome again", async () => {
    const groups = "groups:\n  - name: sure\n    restart: permanent\n";
    using shop = makeShop({ team: team({ Api: "group: sure" }, groups) });
    let asked = 0;
    const api: ScriptedReply[] = [
      () => (++asked === 1 ? { status: 400, message: "Not now." } : { text: "There." }),
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: api }));
    const ended = await run(shop, envFor(server)).ended;
    expect([ended.code, childOf(reportOf(ended), "Api").summary]).toEqual([0, "There."]);
  });
});

describe("the chief", () => {
  it("is told of three crashes in a row while it is at work", async () => {
    const groups = "groups:\n  - name: long\n    max_restarts: 5\n    window_s: 300\n";
    using shop = makeShop({ team: team({ Api: "group: long\n    response_timeout_ms: 1000" }, groups) });
    let asked = 0;
    const api: ScriptedReply[] = [() => (++asked <= 3 ? { hang: true } : { text: "There." })];
    const lead: ScriptedReply[] = [
      HANDS_OUT[0] ?? { text: "" },
      { calls: [{ name: "signal_wait_all", arguments: { topics: "$last.topics", timeout_ms: 25_000 } }] },
      { text: "All is done." },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: lead, ...CHILDREN, Api: api }));
    const ended = await run(shop, envFor(server)).ended;
    expect(ended.code).toBe(0);
    const last = server.requests.filter((request) => request.agent === "Lead").at(-1);
    expect(last?.raw).toContain("Api has crashed 3 times in a row");
  }, 60_000);
});
