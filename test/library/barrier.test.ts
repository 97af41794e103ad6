import { openApp, type OxbowEvent } from "oxbow";
import { describe, expect, it } from "vitest";
import { plainEnvironment } from "../support/cli.ts";
import {
  type ModelReply,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";
import { makeShop } from "../support/shop.ts";

const TEAM = `team: Shop
limits: { max_parallel: 4 }
agents:
  - name: Dev
    allowed_paths: ["src/**"]
  - name: Judge
    allowed_paths: ["docs/**"]
    instructions: Look twice.
  - name: Critic
    allowed_paths: ["test/**"]
  - { name: Format, runtime: command, command: [cat], allowed_paths: ["web/**"] }
`;
const KEY = "sk-test-0123456789abcdefghijkl";
const SCHEMA = {
  type: "object",
  properties: {
    risk: { enum: ["low", "high"] },
    score: { type: "integer", minimum: 0, maximum: 10 },
    builds: { type: "boolean" },
  },
  required: ["risk"],
  additionalProperties: false,
};
const json = (value: unknown): ModelReply => ({ text: JSON.stringify(value) });

/** Dev asks, with what the others answer, each in the order of the calls. */
async function ask(
  given: Record<string, unknown> | readonly Record<string, unknown>[],
  answers: Readonly<Record<string, readonly ScriptedReply[]>>,
  env: Record<string, string> = {},
  signal?: AbortSignal,
) {
  using shop = makeShop({ team: TEAM });
  const question = { agent: "Judge", input: "How risky is it?", schema: SCHEMA, k: 3 };
  const calls = [given].flat().map((own) => ({ name: "barrier_run", arguments: { ...question, ...own } }));
  const asked = new Map<string, number>();
  const inTurn = (name: string): ScriptedReply => {
    return (call) => {
      const n = asked.get(name) ?? 0;
      asked.set(name, n + 1);
      const reply = answers[name]?.[n] ?? { status: 400, message: `No answer ${n} of ${name}.` };
      return typeof reply === "function" ? reply(call) : reply;
    };
  };
  await using server = await startModelServer(
    scriptByAgent({
      Dev: [{ calls }, { text: "Done." }],
      Judge: [inTurn("Judge"), inTurn("Judge")],
      Critic: [inTurn("Critic")],
    }),
  );
  await using app = openApp({
    repo: shop.dir,
    env: {
      ...plainEnvironment(),
      OPENAI_BASE_URL: server.url,
      OPENAI_API_KEY: KEY,
      ENABLE_BARRIER_TOOL: "1",
      ...env,
    },
  });
  const events: OxbowEvent[] = [];
  const report = await app.run("Judge it", { onEvent: (event) => events.push(event) }, signal);
  const told = server.requests.filter(({ agent }) => agent === "Dev").at(-1);
  const outputs: readonly any[] = told?.outputs ?? [];
  const [bundle] = outputs;
  const runs = server.requests.filter(({ agent }) => agent !== "Dev");
  return { report, bundle, outputs, runs, first: server.requests[0], events };
}

describe("barrier_run", () => {
  it("is no tool at all while its flag is off", async () => {
    const { first } = await ask({}, {}, { ENABLE_BARRIER_TOOL: "0" });
    expect(first?.raw).not.toContain("barrier_run");
  });

  it("gives one bundle of evidence from K answers, and counts what they cost", async () => {
    const { bundle, report, runs } = await ask(
      { k: 3 },
      {
        Judge: [
          json({ risk: "high", score: 8 }),
          { text: 'I think:\n```json\n{"risk":"high","score":6}\n```' },
          json({ risk: "low", score: 8 }),
        ],
      },
    );
    expect(bundle).toMatchObject({
      ok: true,
      k: 3,
      answers: 3,
      stopped_early: false,
      consensus: { risk: "high", score: 8 },
      consensus_valid: true,
      usage: { requests: 3 },
      by_agent: { Judge: { runs: 3, answers: 3, usage: { requests: 3 } } },
      left_out: [],
    });
    expect(bundle.disagreements.map(({ path }: any) => path).sort()).toEqual(["/risk", "/score"]);
    const low = bundle.runs.find(({ value }: any) => value.risk === "low").run;
    const risk = bundle.disagreements.find(({ path }: any) => path === "/risk");
    expect(risk.answers).toMatchObject([{ value: "high" }, { value: "low", runs: [low] }]);
    for (const run of bundle.runs)
      expect(run).toMatchObject({ agent: "Judge", valid: true, error: null, elapsed_ms: expect.any(Number) });
    // What each is asked, and what it may use: it only looks.
    expect(runs).toHaveLength(3);
    expect(runs[0]?.instructions).toContain("Look twice.");
    const tools: any = runs[0]?.body["tools"];
    expect(tools.map(({ name }: any) => name)).toEqual([
      "list_files",
      "read_file",
      "search_files",
      "diff",
      "team_owner",
    ]);
    expect(report.evidence).toEqual([{ ...bundle, subtask_id: expect.stringContaining("Dev::") }]);
    expect(report.usage.requests).toBe(5);
  });

  it("goes round among several agents, which may look at the branch", async () => {
    const look: ModelReply = { calls: [{ name: "read_file", arguments: { path: "README.md" } }] };
    const { bundle, runs } = await ask(
      { k: 2, agents: ["Critic"] },
      { Judge: [look, json({ risk: "low" })], Critic: [json({ risk: "low" })] },
    );
    expect(bundle.runs.map(({ agent }: any) => agent)).toEqual(["Judge", "Critic"]);
    expect(bundle).toMatchObject({ answers: 2, agreement: 1, usage: { requests: 3 } });
    const seen = runs.filter(({ agent }) => agent === "Judge").at(-1)?.outputs;
    expect(JSON.stringify(seen)).toContain("# Shop");
  });

  it("keeps what is no answer beside the answers, and asks again only where that may help", async () => {
    const { bundle, runs, events } = await ask(
      { k: 5, max_parallel: 1 },
      {
        Judge: [
          { text: "No idea." },
          json({ risk: "medium" }),
          { status: 401, message: "Who are you?" },
          { status: 500, message: "Out of order" },
          json({ risk: "low" }),
          json({ risk: "low", score: 11 }),
        ],
      },
    );
    expect(bundle).toMatchObject({ ok: true, answers: 1, consensus: { risk: "low" } });
    expect(bundle.runs.map(({ error }: any) => error?.code ?? null)).toEqual([
      "model_behaviour",
      "model_behaviour",
      "provider_failed",
      null,
      "model_behaviour",
    ]);
    expect(bundle.runs[1].error.message).toContain("/risk");
    // Only the answer of 500 is asked for again.
    expect(runs).toHaveLength(6);
    expect(events.filter(({ event }) => event === "retry")).toMatchObject([{ source: "Judge" }]);
  });

  it("is no failure of the caller when nobody answers", async () => {
    const { bundle, report } = await ask({ k: 2 }, { Judge: [{ text: "?" }, { text: "!" }] });
    expect(bundle).toMatchObject({ ok: false, answers: 0, consensus: null, consensus_valid: false });
    expect(report.state).toBe("completed");
  });

  it("stops when the estimate has settled, and ends the runs it does not wait for", async () => {
    const low = json({ risk: "low" });
    const one = await ask({ k: 9, epsilon: 0.1, max_parallel: 1 }, { Judge: [low, low, low, low] });
    expect(one.bundle).toMatchObject({ answers: 3, stopped_early: true, movement: 0, k: 9 });
    expect(one.runs).toHaveLength(3);
    const hang: ModelReply = { hang: true };
    const many = await ask({ k: 4, epsilon: 0.1, min_runs: 2 }, { Judge: [low, hang, low, hang] });
    expect(many.bundle).toMatchObject({ answers: 2, stopped_early: true });
    const stopped = many.bundle.runs.filter((run: any) => run.stopped);
    expect(stopped).toHaveLength(2);
    expect(stopped[0]).toMatchObject({ valid: false, error: null });
  });

  it("gives a run only so much time", async () => {
    const { bundle } = await ask(
      { k: 2, timeout_ms: 300 },
      { Judge: [{ hang: true }, json({ risk: "low" })] },
    );
    expect(bundle.runs.map(({ error }: any) => error?.code ?? null).toSorted()).toEqual([null, "timed_out"]);
  });

  it("ends with its caller", async () => {
    const stop = new AbortController();
    const hang: ScriptedReply = () => {
      stop.abort();
      return { hang: true };
    };
    const { report } = await ask({ k: 1 }, { Judge: [hang] }, {}, stop.signal);
    expect(report.state).toBe("cancelled");
  });

  it("hides secrets in what is kept", async () => {
    const schema = { type: "string" };
    const { report, events } = await ask({ k: 1, schema }, { Judge: [json(`The key is ${KEY}.`)] });
    expect(report.evidence).toHaveLength(1);
    expect(JSON.stringify([report, events])).not.toContain(KEY);
  });

  const TERMINAL = { ENABLE_TERMINAL_TOOL: "1", TERMINAL_ALLOWED_COMMANDS: "cat, ls" };
  const builds = json({ risk: "low", builds: true });

  it("lets a command on the branch outweigh every answer", async () => {
    const checks = [
      { path: "/builds", command: "cat none.js" },
      { path: "/risk", command: "ls README.md", pass: "high" },
      { path: "/none", command: "ls" },
    ];
    const { bundle } = await ask({ checks }, { Judge: [builds, builds, builds] }, TERMINAL);
    expect(bundle.consensus).toEqual({ risk: "high", builds: false });
    expect(bundle.fields.find(({ path }: any) => path === "/builds")).toMatchObject({
      source: "check",
      agreement: 0,
      confidence: 1,
    });
    expect(bundle.checks).toMatchObject([
      { path: "/builds", found: false, exit_code: 1, output: expect.stringContaining("none.js") },
      { path: "/risk", found: "high", exit_code: 0 },
      { path: "/none", found: null, note: "No answer has this field." },
    ]);
  });

  it("refuses what is wrong before anything is asked", async () => {
    const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
      [{ checks: [{ path: "/builds", command: "rm x" }] }, "command_rejected"],
      [{ agent: "Nobody" }, "agent_unknown"],
      [{ agent: "Format" }, "runtime_not_available"],
      [{ k: 0 }, "tool_input"],
      [{ k: 33 }, "limit_exceeded"],
      [{ epsilon: 2 }, "tool_input"],
      [{ min_runs: 0 }, "tool_input"],
      [{ input: "x".repeat(70_000) }, "payload_too_large"],
      [{ schema: { type: "string", pattern: "(a+)+$" } }, "tool_input"],
    ];
    const { outputs, runs } = await ask(
      wrong.map(([given]) => given),
      {},
      TERMINAL,
    );
    expect(outputs).toMatchObject(wrong.map(([, code]) => ({ ok: false, error: { code } })));
    expect(runs).toEqual([]);
  });

  it("refuses checks of an agent that has no terminal", async () => {
    const { bundle, runs } = await ask({ checks: [{ path: "/builds", command: "ls" }] }, {});
    expect(bundle).toMatchObject({ ok: false, error: { code: "tool_disabled" } });
    expect(runs).toEqual([]);
  });
});
