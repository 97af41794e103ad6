/** A model's conversation outlives its process: another goes on with it, and asks and does nothing twice. */
import { describe, expect, it } from "vitest";
import { oxbow, type Running, reportOf, startOxbow } from "../support/cli.ts";
import {
  type ModelCall,
  type ModelServer,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop, SHOP_TEAM, type Shop } from "../support/shop.ts";
import { CHILDREN, HANDS_OUT, LEAD } from "../support/split-script.ts";

const RUN = ["run", "Add request ids", "--ticket", "146", "--json"];

function envFor(server: ModelServer, extra: Readonly<Record<string, string>> = {}) {
  return { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl", ...extra };
}

function start(shop: Shop, server: ModelServer): Running {
  return startOxbow(RUN, { cwd: shop.dir, env: envFor(server) });
}

function resume(shop: Shop, server: ModelServer) {
  return oxbow(["resume", "146", "--json"], { cwd: shop.dir, env: envFor(server) });
}

function writes(path: string, content: string) {
  return { name: "write_file", arguments: { path, content } };
}

function requestsOf(server: ModelServer, agent: string): readonly ModelCall[] {
  return server.requests.filter((request) => request.agent === agent);
}

/** The items of a request, each as its type and what tells it from others. */
function items(call: ModelCall | undefined): string[] {
  const input = call?.body["input"];
  if (!Array.isArray(input)) return [];
  return input.map((item) => `${item.type ?? item.role}:${item.call_id ?? ""}`);
}

function childOf(report: Record<string, any>, agent: string): any {
  return report["children"].find((child: any) => child.agent === agent);
}

describe("a conversation whose process dies while the model thinks", () => {
  it("goes on in another with all that was said, once, and repeats neither call nor commit", async () => {
    using shop = makeShop();
    let first = true;
    const api: ScriptedReply[] = [
      { calls: [writes("src/api/one.js", "1\n")], usage: { input: 10, output: 1 } },
      { calls: [{ name: "commit", arguments: { message: "Add one" } }], usage: { input: 20, output: 1 } },
      { calls: [writes("src/api/two.js", "2\n")], usage: { input: 30, output: 1 } },
      () => (first ? { hang: true } : { text: "Both are there.", usage: { input: 40, output: 1 } }),
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: api }));
    const running = start(shop, server);
    await running.line((line) => line["event"] === "turn" && line["source"] === "Api" && line["turn"] === 3);
    while (requestsOf(server, "Api").length < 4) await server.received(server.requests.length + 1);
    first = false;
    running.kill("SIGKILL");
    await running.ended;
    const ended = await resume(shop, server);
    const report = reportOf(ended);
    const child = childOf(report, "Api");
    expect([ended.code, child.outcome, child.summary]).toEqual([0, "completed", "Both are there."]);
    expect(child.usage).toMatchObject({ requests: 4, input_tokens: 100, output_tokens: 4 });
    const asked = requestsOf(server, "Api");
    expect(asked).toHaveLength(5);
    const again = items(asked[4]);
    expect(again).toEqual(items(asked[3]));
    expect(new Set(again).size).toBe(again.length);
    expect(again.filter((item) => item.startsWith("function_call_output"))).toHaveLength(3);
    expect(shop.git("log", "--format=%s", "main..feature/146/Api").trim().split("\n")).toEqual([
      "Both are there.",
      "Add one",
    ]);
    expect(shop.at("integration/146", "src/api/two.js")).toBe("2\n");
    const called = ended.lines.filter((line) => line["event"] === "tool_called" && line["source"] === "Api");
    expect(called).toEqual([]);
  });
});

describe("a lead whose process dies while it waits", () => {
  it("goes on waiting: the model is not asked until its children have ended", async () => {
    using shop = makeShop();
    let first = true;
    const api: ScriptedReply[] = [
      () => (first ? { hang: true } : { calls: [writes("src/api/one.js", "1\n")] }),
      { text: "Done." },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: LEAD, ...CHILDREN, Api: api }));
    const running = start(shop, server);
    await running.line((line) => line["event"] === "child_finished" && line["source"] === "Web");
    await running.line((line) => line["event"] === "child_finished" && line["source"] === "Docs");
    await running.line((line) => line["event"] === "child_started" && line["source"] === "Api");
    first = false;
    running.kill("SIGKILL");
    await running.ended;
    const ended = await resume(shop, server);
    const report = reportOf(ended);
    expect([ended.code, report["lead"].summary]).toEqual([0, "All three parts are done."]);
    expect(report["children"]).toHaveLength(3);
    const asked = requestsOf(server, "Lead");
    expect(asked).toHaveLength(3);
    expect(asked[2]?.lastOutputs).toMatchObject([{ ok: true, missing: [] }]);
  });
});

describe("a process that dies in the middle of a turn", () => {
  it("leaves a commit that is recognised, waits that go on, and says of the rest that it was interrupted", async () => {
    using shop = makeShop();
    const api: ScriptedReply[] = [
      {
        calls: [
          writes("src/api/one.js", "1\n"),
          { name: "commit", arguments: { message: "Add one" } },
          { name: "signal_send", arguments: { topic: "api:news", payload: { one: true } } },
          { name: "signal_wait", arguments: { topic: "go", timeout_ms: 60_000 } },
        ],
      },
      { text: "Went on." },
    ];
    await using server = await startModelServer(scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: api }));
    const running = start(shop, server);
    await running.line((line) => line["event"] === "commit" && line["source"] === "Api");
    await running.line((line) => line["event"] === "signal_send");
    running.kill("SIGKILL");
    await running.ended;
    await oxbow(["signal", "send", "go", "1"], { cwd: shop.dir });
    const ended = await resume(shop, server);
    expect([ended.code, childOf(reportOf(ended), "Api").summary]).toEqual([0, "Went on."]);
    const asked = requestsOf(server, "Api");
    expect(asked).toHaveLength(2);
    expect(asked[1]?.outputs).toMatchObject([
      expect.anything(),
      { committed: true, branch: "feature/146/Api" },
      { ok: false, error: { code: "interrupted" } },
      { ok: true, topic: "go", message: 1 },
    ]);
    expect(shop.git("log", "--format=%s", "main..feature/146/Api").trim()).toBe("Add one");
    const args = ["signal", "wait", "api:news", "--timeout-ms", "0", "--json"];
    const heard = await oxbow(args, { cwd: shop.dir });
    const more = await oxbow([...args, "--last-id", heard.lines[0]?.["message_id"]], { cwd: shop.dir });
    expect([heard.code, more.code]).toEqual([0, 1]);
  });
});

describe("an agent that recovers clean", () => {
  it("begins its conversation anew, on a branch that keeps its commits", async () => {
    const team = SHOP_TEAM.replace('["src/api/**"]', '["src/api/**"]\n    recovery: clean');
    using shop = makeShop({ team });
    let first = true;
    const api: ScriptedReply[] = [
      { calls: [writes("src/api/one.js", "1\n"), { name: "commit", arguments: { message: "Add one" } }] },
      (call) => (first ? { hang: true } : { text: `Answer ${call.turn}` }),
    ];
    await using server = await startModelServer((call) =>
      call.agent === "Api" && call.task.includes("interrupted")
        ? { text: `Begun anew at turn ${call.turn}.` }
        : scriptByAgent({ Lead: HANDS_OUT, ...CHILDREN, Api: api })(call),
    );
    const running = start(shop, server);
    while (requestsOf(server, "Api").length < 2) await server.received(server.requests.length + 1);
    first = false;
    running.kill("SIGKILL");
    await running.ended;
    const ended = await resume(shop, server);
    const child = childOf(reportOf(ended), "Api");
    expect([ended.code, child.summary, child.merged]).toEqual([0, "Begun anew at turn 1.", true]);
    expect(shop.at("integration/146", "src/api/one.js")).toBe("1\n");
  });
});
