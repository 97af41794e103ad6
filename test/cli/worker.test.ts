/** Workers that die, stand still, leave, or cannot do the work; a run that is cancelled or goes away under them. */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { isAlive } from "../../src/host/process.ts";
import { openStore } from "../../src/store/open.ts";
import { type Ended, errorOf, oxbow, type Running, reportOf, startOxbow } from "../support/cli.ts";
import {
  type ModelServer,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop, SHOP_TEAM, type Shop } from "../support/shop.ts";
import { CHILDREN, HANDS_OUT, LEAD, SPLIT } from "../support/split-script.ts";
import { aChild, aTask } from "../support/store-data.ts";
import { gate, startWorkers } from "../support/workers.ts";

const RUN = ["run", "Add request ids", "--ticket", "146", "--json"];
const COMMIT: ScriptedReply = { calls: [{ name: "commit", arguments: { message: "Late" } }] };

function writes(path: string, content: string): ScriptedReply {
  return { calls: [{ name: "write_file", arguments: { path, content } }] };
}

function envFor(server: ModelServer, extra: Readonly<Record<string, string>> = {}) {
  return { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl", ...extra };
}

function run(shop: Shop, env: Readonly<Record<string, string>>, args: readonly string[] = []): Running {
  return startOxbow([...RUN, ...args], { cwd: shop.dir, env });
}

/** Stops a worker between two writes: one that stopped within a write would keep everybody from the database. */
async function standStill(worker: Running, shop: Shop): Promise<void> {
  using db = new DatabaseSync(join(shop.dir, ".git/oxbow/oxbow.db"), { timeout: 500 });
  for (;;) {
    worker.kill("SIGSTOP");
    try {
      db.exec("BEGIN IMMEDIATE; ROLLBACK");
      return;
    } catch {
      worker.kill("SIGCONT");
      await oxbow(["status"], { cwd: shop.dir });
    }
  }
}

function childOf(report: Record<string, any>, agent: string): any {
  return report["children"].find((child: any) => child.agent === agent);
}

/** All entries of a child's done topic. */
async function doneSignals(shop: Shop, conversation: string, env = {}): Promise<number> {
  const topic = `signal:${conversation}:done`;
  let count = 0;
  for (let last: string[] = []; ; count += 1) {
    const heard = await oxbow(["signal", "wait", topic, ...last, "--timeout-ms", "0", "--json"], {
      cwd: shop.dir,
      env,
    });
    if (heard.code !== 0) return count;
    last = ["--last-id", heard.lines[0]?.["message_id"]];
  }
}

function outcomesOf(ended: Ended, agent: string) {
  return ended.lines.filter((line) => line["event"] === "child_finished" && line["source"] === agent);
}

/** Every ref with its object. */
function refs(shop: Shop): string[] {
  return shop.git("for-each-ref", "--format=%(refname) %(objectname)").trim().split("\n");
}

describe("a worker that dies", () => {
  it("is replaced by another at once: its commits are kept, and the child has one outcome and one signal", async () => {
    using shop = makeShop();
    let first = true;
    const dies: ScriptedReply[] = [
      writes("src/api/one.js", "1\n"),
      { calls: [{ name: "commit", arguments: { message: "Add one" } }] },
      writes("src/api/two.js", "2\n"),
      () => (first ? { hang: true } : { text: "Went on." }),
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: dies }));
    await using workers = await startWorkers(3, shop, envFor(server), ["--concurrency", "1"]);
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "commit" && line["source"] === "Api");
    await running.line((line) => line["event"] === "work_saved" && twoThere(shop, line));
    first = false;
    const victim = await workers.takerOf("Api");
    victim.kill("SIGKILL");
    const ended = await running.ended;
    const report = reportOf(ended);
    const api = childOf(report, "Api");
    expect([ended.code, api.outcome, api.merged]).toEqual([0, "completed", true]);
    expect(shop.at("integration/146", "src/api/one.js")).toBe("1\n");
    expect(outcomesOf(ended, "Api")).toHaveLength(1);
    expect(outcomesOf(ended, "Api")[0]?.["result"].attempt).toBe(2);
    expect(await doneSignals(shop, api.conversation_id)).toBe(1);
  });
});

describe("a worker that idles", () => {
  it("sends the signals that a process wrote down and then died before it sent them", async () => {
    using shop = makeShop();
    await using _workers = await startWorkers(1, shop, {});
    await using store = await openStore({ url: `sqlite:${join(shop.dir, ".git/oxbow/oxbow.db")}` });
    await store.submit(aTask("t1", { state: "running" }), [aChild("t1", 1, { agent: "Nobody" })], []);
    const heard = await oxbow(["signal", "wait", "chat:Nobody", "--json"], { cwd: shop.dir });
    expect(heard.lines[0]).toMatchObject({ ok: true, message: { task_id: "t1" } });
  });
});

describe("a worker that dies under a program", () => {
  it("leaves no program behind: another takes the child over and runs it anew", async () => {
    using shop = makeShop();
    const wait = `node -e 'const fs = require("fs"); const again = fs.existsSync(${JSON.stringify(join(shop.dir, ".git", "again"))}); console.log(process.pid); for (const f of process.argv.slice(1)) fs.appendFileSync(f, again ? "second" : "first"); if (!again) setInterval(() => 0, 1000);' {paths}`;
    const seesAll = { TERMINAL_SANDBOX: "off" };
    await using workers = await startWorkers(2, shop, seesAll, ["--concurrency", "1", "--agent", "Api"]);
    const running = run(shop, {}, ["--by", "owner", "--command", wait, "--workers", "only"]);
    const first = await running.line((line) => line["event"] === "command_output");
    writeFileSync(join(shop.dir, ".git", "again"), "");
    await using rest = await startWorkers(1, shop, seesAll, ["--agent", "Web", "Docs"]);
    (await workers.takerOf("Api")).kill("SIGKILL");
    const ended = await running.ended;
    expect([ended.code, rest.all.length]).toEqual([0, 1]);
    expect(shop.at("integration/146", "src/api/users.js")).toBe("export const users = [];\nsecond");
    expect(isAlive(Number(String(first["text"]).trim()))).toBe(false);
    await Promise.all([workers.stop(), rest.stop()]);
    expect(readdirSync(join(shop.dir, ".git/oxbow/workspaces"))).toEqual([]);
    const saved = ended.lines.find((line) => line["event"] === "work_saved");
    expect(shop.at(saved?.["commit"], "src/api/users.js")).toContain("first");
  });
});

describe("a lead that recovers clean, whose worker dies while it waits", () => {
  it("is told what it has handed out already, and hands nothing out twice", async () => {
    using shop = makeShop({ team: SHOP_TEAM.replace("name: Lead", "name: Lead\n    recovery: clean") });
    const lead: ScriptedReply[] = [
      (call) =>
        call.task.includes("handed these parts out already") ? { text: "They are at work, or done." } : SPLIT,
      { hang: true },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: lead, ...CHILDREN }));
    await using workers = await startWorkers(2, shop, envFor(server), ["--concurrency", "4"]);
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "split");
    (await workers.takerOf("Lead")).kill("SIGKILL");
    const ended = await running.ended;
    const report = reportOf(ended);
    expect([ended.code, report["lead"].summary]).toEqual([0, "They are at work, or done."]);
    expect(report["children"].map((child: any) => child.agent)).toEqual(["Api", "Web", "Docs"]);
  });
});

describe("a worker and its team", () => {
  it("is refused at a store that holds another repository's tasks", async () => {
    using shop = makeShop();
    using other = makeShop();
    const env = { OXBOW_STORE_URL: `sqlite:${join(shop.dir, ".git", "both.db")}` };
    expect((await run(shop, env, ["--by", "owner", "--command", "true"]).ended).code).toBe(0);
    const refused = await oxbow(["worker", "--json"], { cwd: other.dir, env });
    expect([refused.code, errorOf(refused).code]).toEqual([2, "setting_invalid"]);
    expect(errorOf(refused).message).toContain(shop.dir);
  });

  it("follows team.yaml: a new agent is taken, and a mistake in it is told and changes nothing", async () => {
    using shop = makeShop();
    await using workers = await startWorkers(1, shop, {});
    const [only] = workers.all;
    shop.write("team.yaml", "agents: [");
    const problem = await only?.line((line) => line["event"] === "problem");
    expect(problem?.["error"].code).toBe("team_file_invalid");
    shop.write("team.yaml", `${SHOP_TEAM}  - name: Law\n    allowed_paths: [LICENSE]\n`);
    const args = ["--by", "owner", "--command", "true", "--workers", "only"];
    const ended = await run(shop, {}, args).ended;
    expect([ended.code, reportOf(ended)["children"].map((child: any) => child.agent)]).toEqual([
      0,
      ["Api", "Docs", "Law", "Web"],
    ]);
  });

  it("is told when it names an agent that is not there", async () => {
    using shop = makeShop();
    const ended = await oxbow(["worker", "--agent", "Nobody", "--json"], { cwd: shop.dir });
    expect([ended.code, errorOf(ended).code]).toEqual([2, "agent_unknown"]);
  });
});

function twoThere(shop: Shop, line: Record<string, any>): boolean {
  return shop.git("ls-tree", "-r", "--name-only", line["commit"]).includes("src/api/two.js");
}

describe("a worker that stands still longer than its lease", () => {
  it("is taken over, and when it goes on it moves no ref and writes no outcome", async () => {
    using shop = makeShop();
    const [reached, late] = [gate(), gate()];
    let asked = 0;
    const stalls: ScriptedReply[] = [
      writes("src/api/mine.js", "early\n"),
      async () => {
        asked += 1;
        if (asked > 1) return { text: "The second one did it." };
        reached.open();
        await late.opened;
        return { calls: [{ name: "write_file", arguments: { path: "src/api/mine.js", content: "late\n" } }] };
      },
      COMMIT,
      { text: "The first one did it." },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: stalls }));
    const env = envFor(server, { OXBOW_LEASE_MS: "1000" });
    await using workers = await startWorkers(2, shop, env, ["--concurrency", "2"]);
    const running = run(shop, env);
    await reached.opened;
    const still = await workers.takerOf("Api");
    await standStill(still, shop);
    await running.line((line) => line["event"] === "child_finished" && line["source"] === "Api");
    const ended = await running.ended;
    const before = refs(shop);
    late.open();
    still.kill("SIGCONT");
    const lost = await still.line(
      (line) => line["event"] === "conversation_ended" && line["agent"] === "Api",
    );
    expect(lost["end"]).toBe("lost");
    const api = childOf(reportOf(ended), "Api");
    expect([api.outcome, api.summary]).toEqual(["completed", "The second one did it."]);
    expect(refs(shop)).toEqual(before);
    const status = await oxbow(["status", "146", "--json"], { cwd: shop.dir });
    const [task] = JSON.parse(status.stdout);
    expect(task.subtasks.find((part: any) => part.agent === "Api").outcome.summary).toBe(
      "The second one did it.",
    );
    expect(await doneSignals(shop, api.conversation_id)).toBe(1);
  });

  it("is not stolen from while it is only slow", async () => {
    using shop = makeShop();
    const slow = gate();
    const works: ScriptedReply[] = [
      async () => {
        await slow.opened;
        return { text: "Took my time." };
      },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: works }));
    const env = envFor(server, { OXBOW_LEASE_MS: "1000" });
    await using _workers = await startWorkers(2, shop, env, ["--concurrency", "3"]);
    const running = run(shop, env);
    const started = await running.line(
      (line) => line["event"] === "child_started" && line["source"] === "Api",
    );
    // Renewed three times a second: well past the lease it is still the first attempt.
    const until = Date.parse(started["ts"]) + 2_500;
    while (Date.now() < until) await oxbow(["status"], { cwd: shop.dir });
    slow.open();
    const ended = await running.ended;
    expect(outcomesOf(ended, "Api")[0]?.["result"].attempt).toBe(1);
    expect(
      ended.lines.filter((line) => line["event"] === "child_started" && line["source"] === "Api"),
    ).toHaveLength(1);
  });
});

describe("a worker that is asked to stop", () => {
  it("lets end what ends within OXBOW_DRAIN_MS, and takes nothing more", async () => {
    using shop = makeShop();
    const held = gate();
    const api: ScriptedReply[] = [
      async () => {
        await held.opened;
        return { text: "Just in time." };
      },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: api }));
    const env = envFor(server, { OXBOW_DRAIN_MS: "20000" });
    await using workers = await startWorkers(1, shop, env, ["--agent", "Api"]);
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Api");
    workers.all[0]?.kill("SIGTERM");
    while ((await oxbow(["worker", "--list", "--json"], { cwd: shop.dir })).stdout.trim() !== "[]");
    held.open();
    const ended = await running.ended;
    expect([ended.code, childOf(reportOf(ended), "Api").summary]).toEqual([0, "Just in time."]);
    expect(ended.lines.some((line) => line["event"] === "handed_back")).toBe(false);
    const left = await workers.all[0]?.ended;
    expect([left?.code, left?.lines.at(-1)]).toMatchObject([0, { event: "worker_stopped", ended: 1 }]);
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "hands its conversation back with its edits at %s, and another goes on at once",
    async (name) => {
      using shop = makeShop();
      let first = true;
      const leaves: ScriptedReply[] = [
        writes("src/api/half.js", "half\n"),
        () => (first ? { hang: true } : { text: "Took it from there." }),
      ];
      await using server = await startModelServer(
        scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: leaves }),
      );
      const env = envFor(server, { OXBOW_DRAIN_MS: "0" });
      await using workers = await startWorkers(2, shop, env, ["--concurrency", "2"]);
      const running = run(shop, envFor(server));
      await running.line((line) => line["event"] === "work_saved" && line["source"] === "Api");
      first = false;
      const leaving = await workers.takerOf("Api");
      leaving.kill(name);
      const left = await leaving.ended;
      expect([left.code, left.lines.at(-1)?.["event"]]).toEqual([0, "worker_stopped"]);
      const ended = await running.ended;
      expect(ended.code).toBe(0);
      expect(shop.at("integration/146", "src/api/half.js")).toBe("half\n");
      expect(ended.lines.some((line) => line["event"] === "handed_back")).toBe(true);
    },
  );
});

describe("a run over workers", () => {
  it("cancels children in other processes on Ctrl-C; each has its outcome and signal, and the workers stay", async () => {
    using shop = makeShop();
    await using server = await startModelServer(
      scriptByAgent({ Lead: LEAD, ...CHILDREN, Api: [{ hang: true }] }),
    );
    await using workers = await startWorkers(2, shop, envFor(server), ["--concurrency", "2"]);
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Api");
    running.kill("SIGINT");
    const ended = await running.ended;
    const report = reportOf(ended);
    expect([ended.code, report["state"]]).toEqual([130, "cancelled"]);
    expect([report["lead"].outcome, childOf(report, "Api").outcome]).toEqual(["cancelled", "cancelled"]);
    for (const child of report["children"]) expect(await doneSignals(shop, child.conversation_id)).toBe(1);
    const listed = await oxbow(["worker", "--list", "--json"], { cwd: shop.dir });
    expect(JSON.parse(listed.stdout)).toHaveLength(2);
    expect(workers.all).toHaveLength(2);
  });

  it("leaves the workers going on at SIGTERM; they bring the task to its end, and --resume shows the report", async () => {
    using shop = makeShop();
    const wait = gate();
    const slow: ScriptedReply[] = [
      async () => {
        await wait.opened;
        return { calls: [{ name: "write_file", arguments: { path: "src/api/new.js", content: "1\n" } }] };
      },
      { text: "Done." },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: slow }));
    await using workers = await startWorkers(2, shop, envFor(server), ["--concurrency", "2"]);
    const running = run(shop, envFor(server));
    const { task_id } = await running.line(
      (line) => line["event"] === "child_started" && line["source"] === "Api",
    );
    running.kill("SIGTERM");
    await running.ended;
    wait.open();
    await Promise.any(workers.all.map((each) => each.line((line) => line["event"] === "task_ended")));
    const resumed = await oxbow(["run", "--resume", task_id, "--json"], {
      cwd: shop.dir,
      env: envFor(server),
    });
    expect([resumed.code, reportOf(resumed)["state"]]).toEqual([0, "completed"]);
    expect(shop.at("integration/146", "src/api/new.js")).toBe("1\n");
  });

  it("works itself when all its workers are gone, and says so", async () => {
    using shop = makeShop();
    let first = true;
    const dies: ScriptedReply[] = [() => (first ? { hang: true } : { text: "Here." })];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: dies }));
    await using workers = await startWorkers(2, shop, envFor(server));
    const running = run(shop, envFor(server));
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Api");
    first = false;
    for (const each of workers.all) each.kill("SIGKILL");
    const ended = await running.ended;
    expect([ended.code, reportOf(ended)["state"]]).toEqual([0, "completed"]);
    const told = ended.lines.filter((line) => line["event"] === "workers");
    // It may look just between the two deaths.
    expect([told[0], told.at(-1)]).toMatchObject([
      { live: 2, here: false },
      { live: 0, here: true },
    ]);
  });

  it("does what no worker takes: workers for one agent, and one without a key", async () => {
    using shop = makeShop();
    await using server = await startModelServer(scriptByAgent({ Lead: LEAD, ...CHILDREN }));
    await using api = await startWorkers(1, shop, envFor(server), ["--agent", "Api"]);
    await using keyless = await startWorkers(1, shop, {});
    const ended = await run(shop, envFor(server)).ended;
    expect([ended.code, reportOf(ended)["state"]]).toEqual([0, "completed"]);
    for (const each of [...api.all, ...keyless.all]) each.kill("SIGTERM");
    const [served] = await Promise.all(api.all.map((each) => each.ended));
    const [idle] = await Promise.all(keyless.all.map((each) => each.ended));
    const taken = (log: Ended | undefined) =>
      log?.lines.filter((line) => line["event"] === "conversation_taken").map((line) => line["agent"]);
    expect(taken(served)).toEqual(["Api"]);
    expect(taken(idle)).toEqual([]);
    expect(idle?.lines.find((line) => line["event"] === "declined")).toMatchObject({
      agents: ["Lead", "Api", "Web", "Docs"],
    });
  });

  it("with --workers only waits for a worker and says so; with --workers none it leaves them idle", async () => {
    using shop = makeShop();
    await using server = await startModelServer(scriptByAgent({ Lead: LEAD, ...CHILDREN }));
    const waiting = run(shop, envFor(server), ["--workers", "only"]);
    const told = await waiting.line((line) => line["event"] === "workers");
    expect(told["message"]).toContain("oxbow worker");
    await using workers = await startWorkers(1, shop, envFor(server));
    expect((await waiting.ended).code).toBe(0);
    const alone = await oxbow(["run", "Again", "--ticket", "147", "--workers", "none", "--json"], {
      cwd: shop.dir,
      env: envFor(server),
    });
    expect(alone.code).toBe(0);
    for (const each of workers.all) each.kill("SIGTERM");
    const [log] = await Promise.all(workers.all.map((each) => each.ended));
    const tasks = new Set(
      log?.lines.filter((line) => line["event"] === "conversation_taken").map((line) => line["task_id"]),
    );
    expect([...tasks]).toEqual([told["task_id"]]);
  });

  it("never has more at work than --max-parallel, over all processes", async () => {
    using shop = makeShop();
    await using server = await startModelServer(scriptByAgent({ Lead: LEAD, ...CHILDREN }));
    await using _workers = await startWorkers(3, shop, envFor(server));
    const ended = await run(shop, envFor(server), ["--max-parallel", "1"]).ended;
    expect(ended.code).toBe(0);
    const spans = reportOf(ended)["children"].map((child: any) => {
      const of = (event: string) =>
        ended.lines.findIndex((line) => line["event"] === event && line["source"] === child.agent);
      return [of("child_started"), of("child_finished")];
    });
    spans.sort((a: number[], b: number[]) => (a[0] ?? 0) - (b[0] ?? 0));
    expect(spans[0][1]).toBeLessThan(spans[1][0]);
    expect(spans[1][1]).toBeLessThan(spans[2][0]);
  });
});
