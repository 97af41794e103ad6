import { AgentRunner, openApp, type OxbowEvent, registerTool } from "oxbow";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { reportText } from "../../src/doors/cli/report-text.ts";
import { reportPage } from "../../src/report-page.ts";
import { plainEnvironment } from "../support/cli.ts";
import { checkEvents } from "../support/event-stream.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "../support/model-server.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

const KEY = "sk-test-0123456789abcdefghijkl";
const writes = (path: string, content = "x\n") => ({ name: "write_file", arguments: { path, content } });
const waits = { name: "signal_wait_all", arguments: { topics: "$last.topics", timeout_ms: 60_000 } };
const split = (children: readonly Readonly<Record<string, unknown>>[]) => ({
  name: "orchestrate_split",
  arguments: { task: "All of it", children },
});

const opinion: { env: Record<string, string> } = { env: {} };
registerTool({
  name: "second_opinion",
  description: "Asks a helper.",
  parameters: z.strictObject({}),
  flag: null,
  async run(_input, context) {
    const runner = new AgentRunner({ runtime: "openai_agents", env: opinion.env });
    const instructions = "You are Helper.";
    return (await runner.run({ agent: "Helper", instructions, input: "Is it fine?", context })).output;
  },
});

/** Each answer of a model takes 120 tokens (100 + 20). */
async function play(
  scripts: Readonly<Record<string, readonly ScriptedReply[]>>,
  { team = SHOP_TEAM, env = {}, prices, ...options }: Record<string, any> = {},
) {
  using shop = makeShop({ team });
  if (prices !== undefined) shop.write("prices.yaml", prices);
  await using server = await startModelServer(scriptByAgent(scripts));
  const settings = {
    ...plainEnvironment(),
    OPENAI_BASE_URL: server.url,
    OPENAI_API_KEY: KEY,
    ENABLE_ORCHESTRATE_TOOL: "1",
    ...(prices === undefined ? {} : { OXBOW_PRICES: `${shop.dir}/prices.yaml` }),
    ...env,
  };
  opinion.env = settings;
  await using app = openApp({ repo: shop.dir, env: settings });
  const events: OxbowEvent[] = [];
  const report = await app.run("Do it", {
    ticket: "146",
    workers: "none",
    onEvent: (event) => events.push(event),
    ...options,
  });
  checkEvents([...events, report]);
  const calls = (agent: string) => server.requests.filter((request) => request.agent === agent);
  const told = (agent: string): readonly any[] => calls(agent).at(-1)?.outputs ?? [];
  const child = (agent: string) => report.children.find((each) => each.agent === agent);
  const files = (rev: string) => shop.git("ls-tree", "-r", "--name-only", rev).trim().split("\n");
  const kept = report.children.flatMap(({ branch }) => (branch === null ? [] : files(branch)));
  const page = reportPage(await app.report("146"));
  const refused = events.filter((event) => event.event === "budget_exceeded");
  return { report, events, calls, told, child, kept, refused, page };
}

describe("a budget over a task", () => {
  it("ends a child when it is used up, keeps its work, and lets nothing further start", async () => {
    const { report, child, calls, told, kept, refused, page } = await play(
      {
        Lead: [
          {
            calls: [
              split([
                { agent: "Api", task: "Part one" },
                { agent: "Web", task: "Part two", depends_on: [] },
              ]),
            ],
          },
          { calls: [waits] },
          { text: "Never asked for." },
        ],
        Api: [
          { calls: [writes("src/api/one.js")] },
          { calls: [writes("src/api/two.js")] },
          { text: "Never asked for." },
        ],
      },
      { team: `budget: { tokens: 400 }\nlimits: { max_parallel: 1 }\n${SHOP_TEAM}` },
    );
    // Lead twice, Api twice: 480 of 400 tokens, since each may have one call under way.
    expect(calls("Api")).toHaveLength(2);
    expect(calls("Web")).toHaveLength(0);
    expect(child("Api")).toMatchObject({ outcome: "failed", error: { code: "budget_exceeded" } });
    expect(child("Api")?.error?.message).toContain("0 tokens");
    expect(kept).toContain("src/api/two.js");
    expect(page).toContain("480 of 400 tokens");
    expect(reportText(report, { bare: false })).toContain(
      "Budget: 480 of 400 tokens; too little was left for",
    );
    expect(child("Web")).toMatchObject({ outcome: "failed", error: { code: "budget_exceeded" } });
    expect(report.lead?.error?.code).toBe("budget_exceeded");
    expect(told("Lead")).toHaveLength(1);
    expect(report.budget).toMatchObject({
      limit: { tokens: 400 },
      spent: { tokens: 480 },
      left: { tokens: 0 },
      refused: expect.arrayContaining([child("Api")?.subtask_id, child("Web")?.subtask_id]),
    });
    expect(refused.map((event) => [event.source, event.started]).toSorted()).toEqual([
      ["Api", true],
      ["Lead", true],
      ["Web", false],
    ]);
  });

  it("is asked for by each child of a split; one that asks for more than is left does not start", async () => {
    const { child, told, refused, report } = await play(
      {
        Lead: [
          {
            calls: [
              split([
                { agent: "Api", task: "Part one", budget: { tokens: 600 } },
                { agent: "Web", task: "Part two", budget: { tokens: 900 } },
              ]),
            ],
          },
          { calls: [waits] },
          { text: "Done." },
        ],
        Api: [{ calls: [writes("src/api/one.js")] }, { text: "There." }],
      },
      { budget: { tokens: 1_000 }, maxParallel: 1 },
    );
    expect(child("Api")?.outcome).toBe("completed");
    expect(child("Web")).toMatchObject({
      outcome: "failed",
      error: {
        code: "budget_exceeded",
        message: expect.stringMatching(
          /does not start: too little is left of tokens\. There is left: \d+ tokens/,
        ),
      },
    });
    const [made, waited] = told("Lead");
    expect(made.budget.left.tokens).toBe(1_000 - 120);
    const messages = Object.values<any>(waited.messages).map(({ message }) => message);
    const of = (agent: string) => messages.find((each) => each.agent === agent);
    expect(of("Web")).toMatchObject({ outcome: "failed", error: { code: "budget_exceeded" } });
    // What Api did not use is free again.
    expect(of("Web").budget.left.tokens).toBe(1_000 - 240 - 240);
    expect(refused).toMatchObject([{ source: "Web", started: false, exceeded: ["tokens"] }]);
    expect(report.budget?.spent.tokens).toBe(600);
  });

  it("bounds grandchildren by what their parent was given", async () => {
    const team = SHOP_TEAM.replace(
      "allowed_paths: []",
      "allowed_paths: []\n  - { name: Sub, allowed_paths: [src/sub/**] }",
    );
    const { report, child, told } = await play(
      {
        Lead: [
          { calls: [split([{ agent: "Api", task: "Part one", budget: { tokens: 240 } }])] },
          { calls: [waits] },
          { text: "Done." },
        ],
        Api: [
          { calls: [split([{ agent: "Sub", task: "Part of a part", budget: { tokens: 200 } }])] },
          { calls: [waits] },
          { text: "Never asked for." },
        ],
        Sub: [{ text: "Never asked for." }],
      },
      { team },
    );
    // Nothing limits the task: the child that was given a part is under a budget, and what it splits off.
    expect(told("Api")[0].budget.left.tokens).toBe(120);
    expect(child("Sub")).toMatchObject({ outcome: "failed", error: { code: "budget_exceeded" } });
    expect(child("Api")?.outcome).toBe("failed");
    expect(report.lead?.outcome).toBe("completed");
    expect(report.budget?.limit).toEqual({});
  });

  it("holds in dollars, to the digit, where the price is known", async () => {
    const prices = `date: 2026-11-21\nprices: { openai: { priced: { input: 1000, output: 5000 } } }\n`;
    // 100 read and 20 written tokens: $0.20 an answer.
    const looks = { calls: [{ name: "list_files", arguments: {} }] };
    const { report, calls } = await play(
      { Lead: [looks, looks, looks, { text: "Never asked for." }] },
      { budget: { usd: 0.6 }, model: "priced", prices },
    );
    expect(calls("Lead")).toHaveLength(3);
    expect(report.lead?.error?.code).toBe("budget_exceeded");
    expect(report.budget).toMatchObject({ spent: { usd: 0.6 }, left: { usd: 0 }, unpriced: false });
    expect(report.notices.join()).not.toContain("price");
  });

  it("in dollars cannot be kept for a model without a price, and says so", async () => {
    const { report } = await play(
      { Lead: [{ calls: [writes("src/api/one.js")] }, { text: "Never asked for." }] },
      { budget: { usd: 5 }, model: "a-model-of-nobody" },
    );
    expect(report.lead?.error).toMatchObject({
      code: "budget_exceeded",
      message: expect.stringContaining("one in tokens can, or give the price (OXBOW_PRICES)"),
    });
    expect(report.budget).toMatchObject({ unpriced: true, limit: { usd: 5 } });
    expect(report.notices.join()).toContain("price");
  });

  it("in wall time ends what runs, and lets nothing further start", async () => {
    const team = `${SHOP_TEAM}  - { name: Prog, runtime: command, command: [sleep, "600"], allowed_paths: ["prog/**"] }\n`;
    const { child, report, refused } = await play(
      {
        Lead: [
          {
            calls: [
              split([
                { agent: "Prog", task: "Sleep", budget: { wall_ms: 400 } },
                { agent: "Web", task: "Part two", budget: { wall_ms: 9_000_000 } },
              ]),
            ],
          },
          { calls: [waits] },
          { text: "Done." },
        ],
      },
      { team, budget: { wall_ms: 600_000 } },
    );
    expect(child("Prog")).toMatchObject({ outcome: "failed", error: { code: "budget_exceeded" } });
    expect(child("Web")).toMatchObject({ outcome: "failed", error: { code: "budget_exceeded" } });
    expect(report.lead?.outcome).toBe("completed");
    expect(refused.map(({ exceeded }) => exceeded)).toEqual([["wall_ms"], ["wall_ms"]]);
  });

  it("counts the runs of barrier_run", async () => {
    const judge = { text: '{"risk":"low"}' };
    const schema = { type: "object", properties: { risk: { enum: ["low", "high"] } }, required: ["risk"] };
    const asked = { agent: "Docs", input: "How risky?", schema, k: 3, max_parallel: 1 };
    const { report, calls } = await play(
      { Lead: [{ calls: [{ name: "barrier_run", arguments: asked }] }, { text: "No." }], Docs: [judge] },
      { budget: { tokens: 240 }, env: { ENABLE_BARRIER_TOOL: "1" } },
    );
    expect(calls("Docs")).toHaveLength(1);
    expect(report.budget?.spent.tokens).toBe(240);
    expect(report.lead?.error?.code).toBe("budget_exceeded");
  });

  it("counts what a tool of yours has agents do", async () => {
    const { report, calls } = await play(
      {
        Lead: [{ calls: [{ name: "second_opinion", arguments: {} }] }, { text: "No." }],
        Helper: [{ text: "Fine." }],
      },
      { budget: { tokens: 240 } },
    );
    expect(calls("Helper")).toHaveLength(1);
    expect(report.budget?.spent.tokens).toBe(240);
    expect(report.lead?.error?.code).toBe("budget_exceeded");
  });

  it("is left alone where there is none: the report has no word of it", async () => {
    const { report, told, page } = await play({
      Lead: [{ calls: [split([{ agent: "Api", task: "Part one" }])] }, { calls: [waits] }, { text: "Done." }],
      Api: [{ text: "Nothing to do." }],
    });
    expect(report).not.toHaveProperty("budget");
    expect(page).not.toContain("Budget");
    expect(told("Lead")[0]).not.toHaveProperty("budget");
  });
});
