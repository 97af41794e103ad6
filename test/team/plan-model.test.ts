import { afterAll, describe, expect, it } from "vitest";
import { openApp, type RunOptions } from "../../src/app.ts";
import { type ModelCall, type ModelReply, startModelServer } from "../support/model-server.ts";
import { plainEnvironment } from "../support/cli.ts";
import { makeShop } from "../support/shop.ts";

const TEAM = `team: Shop
lead: Lead
defaults: { provider: openai, model: test-model }
limits: { max_children_per_split: 3 }
agents:
  - { name: Lead, responsibilities: [plan], allowed_paths: [] }
  - { name: Api, responsibilities: [build], allowed_paths: ["src/api/**"] }
  - { name: Web, responsibilities: [build], allowed_paths: ["src/web/**"] }
  - { name: Free, skills: [licences], timeout_ms: 300 }
`;
const shop = makeShop({ team: TEAM });
afterAll(() => shop[Symbol.dispose]());

const OPTIONS: RunOptions = {
  by: null,
  provider: null,
  model: null,
  runtime: null,
  command: null,
  script: null,
  maxParallel: null,
};

interface Wish {
  readonly task?: string;
  readonly planner?: "rules" | "llm" | "hybrid";
  readonly plannerAgent?: string;
  readonly provider?: string;
}

/** Plans with a model that answers in turn: JSON where it is a value, else as it stands. */
async function planWith(answers: readonly (object | string | ModelReply)[], wish: Wish = {}) {
  const calls: ModelCall[] = [];
  await using server = await startModelServer((call) => {
    calls.push(call);
    const answer = answers[calls.length - 1] ?? { status: 500, message: "asked too often" };
    if (typeof answer === "string") return { text: answer };
    return "subtasks" in answer ? { text: JSON.stringify(answer) } : (answer as ModelReply);
  });
  const env = plainEnvironment({
    OPENAI_API_KEY: "sk-test",
    OPENAI_BASE_URL: server.url,
    ANTHROPIC_API_KEY: "sk-ant-test",
    ANTHROPIC_BASE_URL: server.origin,
  });
  await using app = openApp({ repo: shop.dir, env });
  const { task = "Make it better", planner = "llm", plannerAgent, provider } = wish;
  const options = { ...OPTIONS, provider: provider ?? null };
  const request = { task, planner, plannerAgent, options };
  const outcome = await app.makePlan(request, new AbortController().signal).then(
    (plan) => ({ plan, error: null }),
    (error: { code: string; message: string; details: { problems?: { message: string }[] } }) => ({
      plan: null,
      error,
    }),
  );
  return {
    ...outcome,
    calls,
    problems: outcome.error?.details.problems?.map(({ message }) => message).join("; "),
  };
}

const part = (id: string, agent: string, ...allowed_paths: string[]) => ({
  id,
  agent,
  brief: `Do ${id}`,
  allowed_paths,
});
const GOOD = {
  objectives: ["Better"],
  acceptance_criteria: ["It is better"],
  subtasks: [
    part("api", "Api", "src/api/users.js"),
    { ...part("web", "Web"), depends_on: ["api"], approval: "It shows." },
  ],
};

describe("a plan by a model", () => {
  it.each(["openai", "openai_chat", "anthropic"])(
    "is what it answers over %s, once it passes every check",
    async (provider) => {
      const { plan, calls } = await planWith([`Here it is:\n\`\`\`json\n${JSON.stringify(GOOD)}\n\`\`\``], {
        provider,
      });
      expect(plan).toMatchObject({
        planner: "llm",
        task: "Make it better",
        objectives: ["Better"],
        acceptance_criteria: ["It is better"],
        subtasks: [
          {
            id: "api",
            agent: "Api",
            allowed_paths: ["src/api/users.js"],
            responsibilities: ["build"],
            depends_on: [],
            approval: null,
          },
          {
            id: "web",
            agent: "Web",
            allowed_paths: ["src/web/**"],
            depends_on: ["api"],
            approval: "It shows.",
          },
        ],
        mece: { overlaps: [] },
      });
      expect(calls.length).toBe(1);
      expect(calls[0]?.agent).toBe("Lead");
      expect(calls[0]?.instructions).toContain("- Api (build): may write src/api/**");
      expect(calls[0]?.task).toMatch(/Make it better[\s\S]*src\/api\/ \(2 files\)/);
    },
  );

  it.each([
    ["no JSON at all", "I would rather not.", /there is no JSON in the answer/],
    [
      "a wrong form",
      { subtasks: [{ id: "a b", agent: "Api" }] },
      /subtasks\[0\]\.id: must begin with a letter/,
    ],
    [
      "an agent nobody knows",
      { subtasks: [part("a", "Apy")] },
      /no agent "Apy" in the team\. Did you mean Api\?/,
    ],
    [
      "paths of somebody else",
      { subtasks: [part("a", "Api", "src/web/**")] },
      /outside of what Api may write/,
    ],
    [
      "a circle",
      {
        subtasks: [
          { ...part("a", "Api"), depends_on: ["b"] },
          { ...part("b", "Web"), depends_on: ["a"] },
        ],
      },
      /wait for each other: a → b → a/,
    ],
    ["nothing to do", { subtasks: [] }, /there is no subtask/],
    [
      "too many subtasks",
      { subtasks: ["a", "b", "c", "d"].map((id) => part(id, "Web")) },
      /max_children_per_split is 3/,
    ],
    [
      "a huge answer",
      `{"subtasks": "${"x".repeat(300_000)}"}`,
      /the answer has \d+ bytes, of 262144 at most/,
    ],
    ["two answers", "```\n{}\n```\n```\n{}\n```", /2 JSON values instead of one/],
  ])("is asked for once more after %s, with what was wrong", async (_what, bad, why) => {
    const mended = await planWith([bad, GOOD]);
    expect(mended.plan?.subtasks.map(({ id }) => id)).toEqual(["api", "web"]);
    expect(mended.calls[1]?.task).toMatch(/What is wrong with it:\n- /);
    expect(mended.calls[1]?.task).toMatch(why);
    const given = await planWith([bad, bad, GOOD]);
    expect(given.error?.code).toBe("plan_invalid");
    expect(given.error?.message).toContain("Lead gave no plan that can be carried out, in 2 answers");
    expect(given.problems).toMatch(why);
    expect(given.calls.length).toBe(2);
  });

  it("may keep an overlap that it was told of, and says so", async () => {
    const shared = { subtasks: [part("one", "Web"), part("two", "Web", "src/web/page.js")] };
    const { plan, calls } = await planWith([shared, shared]);
    expect(calls[1]?.task).toContain("one and two may both write 1 file (src/web/page.js).");
    expect(plan?.mece.overlaps).toEqual([{ files: ["src/web/page.js"], total: 1, subtasks: ["one", "two"] }]);
    expect(plan?.notices).toEqual(["one and two may both write 1 file (src/web/page.js)."]);
  });

  it("fails as its run does: a refusal, a hang", async () => {
    expect((await planWith([{ status: 401, message: "no" }])).error?.code).toBe("provider_failed");
    const hung = await planWith([{ hang: true }], { plannerAgent: "Free" });
    expect(hung.error?.code).toBe("timed_out");
    expect(hung.calls[0]?.agent).toBe("Free");
  });
});

describe("a hybrid plan", () => {
  it("asks nobody when the rules leave nothing", async () => {
    const { plan, calls } = await planWith([], { task: "Tidy src/api and src/web", planner: "hybrid" });
    expect(calls).toEqual([]);
    expect([plan?.planner, plan?.subtasks.length]).toEqual(["hybrid", 2]);
  });

  it("asks for the files that nobody owns, and keeps what the rules have settled", async () => {
    const task = "Tidy src/api and LICENSE";
    const added = await planWith([{ subtasks: [part("licence", "Free", "LICENSE")] }], {
      task,
      planner: "hybrid",
    });
    expect(added.calls[0]?.task).toMatch(/1 file of it is nobody's so far:\n- LICENSE/);
    expect(added.plan?.subtasks.map(({ id, agent, allowed_paths }) => [id, agent, ...allowed_paths])).toEqual(
      [
        ["api", "Api", "src/api/**"],
        ["licence", "Free", "LICENSE"],
      ],
    );
    expect(added.plan?.mece.leftovers.total).toBe(0);
    const none = await planWith([{ subtasks: [] }], { task, planner: "hybrid" });
    expect(none.plan?.mece.leftovers).toEqual({ files: ["LICENSE"], total: 1 });
    expect(none.plan?.subtasks.length).toBe(1);
  });

  it("asks for what names nobody, beside what does", async () => {
    const task = "Tidy src/api/users.js. Paint the wall.";
    const { plan, calls } = await planWith([{ subtasks: [part("wall", "Web")] }], {
      task,
      planner: "hybrid",
    });
    expect(calls[0]?.task).toMatch(/nobody's own so far[^\n]*\n- Paint the wall\./);
    expect(plan?.subtasks.map(({ id }) => id)).toEqual(["api", "wall"]);
    const rules = await planWith([], { task, planner: "rules" });
    expect(rules.plan?.notices).toEqual([
      "Names no file and no agent, so all are told of it: Paint the wall.",
    ]);
  });

  it("asks for all of it when the text says nothing that the rules know", async () => {
    const { plan, calls } = await planWith([GOOD], { planner: "hybrid" });
    expect([plan?.planner, calls.length]).toEqual(["hybrid", 1]);
    expect(plan?.subtasks.map(({ id }) => id)).toEqual(["api", "web"]);
  });
});
