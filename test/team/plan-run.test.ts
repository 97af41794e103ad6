import { afterAll, describe, expect, it } from "vitest";
import { openApp, type Plan } from "../../src/app.ts";
import { reportMarkdown } from "../../src/report-markdown.ts";
import { plainEnvironment } from "../support/cli.ts";
import { type ModelCall, startModelServer } from "../support/model-server.ts";
import { makeShop } from "../support/shop.ts";

const shop = makeShop();
afterAll(() => shop[Symbol.dispose]());

const OPTIONS = {
  by: null,
  provider: null,
  model: "test-model",
  runtime: null,
  command: null,
  script: null,
  maxParallel: null,
};
const never = new AbortController().signal;
const TASK =
  "# Limits\n\n1. Add a limit to src/api\n2. Tell of it in README.md\n\n## Done when\n- Over the limit: 429";

describe("a plan that is carried out", () => {
  it("tells each agent its own part and what came before it, and the report what it was to come to", async () => {
    const calls: ModelCall[] = [];
    await using server = await startModelServer((call) => {
      calls.push(call);
      const path = call.agent === "Api" ? "src/api/limit.js" : "README.md";
      return call.turn === 1
        ? { calls: [{ name: "write_file", arguments: { path, content: `By ${call.agent}\n` } }] }
        : { text: call.agent === "Api" ? "The limit is 100." : "Told." };
    });
    const env = plainEnvironment({ OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: server.url });
    await using app = openApp({ repo: shop.dir, env });
    const plan = await app.makePlan({ task: TASK, planner: "rules", options: OPTIONS }, never);
    const report = await app.run(
      { title: "Limits", ticket: "9", plan, options: OPTIONS },
      { workers: "none" },
      never,
    );
    expect(report.state).toBe("completed");
    expect(report.plan).toEqual(plan);
    const told = (agent: string) => calls.find((call) => call.agent === agent)?.task;
    expect(told("Api")).toBe(
      "- Limits\n- Add a limit to src/api\n\nYour part of it is what lies in your paths; others do the rest.\n\nDone when:\n- Over the limit: 429\n\n(Part of the task: Limits)",
    );
    expect(told("Docs")).toContain(
      "Your branch begins with what others did before you:\n- Api: completed, The limit is 100.",
    );
    expect(told("Docs")).not.toContain("Add a limit");
    expect(shop.at("feature/9/Docs", "src/api/limit.js")).toBe("By Api\n");
    const history = await app.report("9");
    expect(history.tasks[0]?.plan?.acceptance_criteria).toEqual(["Over the limit: 429"]);
    expect(reportMarkdown(history)).toContain("### Done when\n\n- [ ] Over the limit: 429");
  });

  it("keeps no secret of the task, planned or run", async () => {
    await using app = openApp({ repo: shop.dir, env: plainEnvironment() });
    const secret = `sk-proj-${"a1B2".repeat(12)}`;
    const options = { ...OPTIONS, runtime: "command" as const, command: ["true"] };
    const made = await app.makePlan({ task: `Use ${secret} in src/api`, planner: "rules", options }, never);
    expect(JSON.stringify(made)).not.toContain(secret);
    const brief = `Use ${secret}`;
    const plan = { ...made, subtasks: made.subtasks.map((each) => ({ ...each, brief })) };
    const report = await app.run({ title: "Use it", ticket: "8", plan, options }, { workers: "none" }, never);
    expect(JSON.stringify(report)).toContain("[REDACTED");
    expect(JSON.stringify(report)).not.toContain(secret);
  });

  it("waits for a person where it says so, and is refused as a whole when the team has changed since", async () => {
    await using app = openApp({ repo: shop.dir, env: plainEnvironment() });
    const options = { ...OPTIONS, runtime: "command" as const, command: ["true"] };
    const made = await app.makePlan(
      { task: "Tidy the docs. Get approval first.", planner: "rules", options },
      never,
    );
    const report = await app.run(
      { title: "Tidy", ticket: "10", plan: made, options },
      { workers: "none", wait: false },
      never,
    );
    expect(report.state).toBe("waiting");
    expect(report.approvals).toMatchObject([{ agent: "Docs", state: "open", reason: "Get approval first." }]);
    const odd: Plan = JSON.parse(JSON.stringify({ ...made, subtasks: [{ ...made.subtasks[0], brief: 7 }] }));
    await expect(
      app.run({ title: "Tidy", ticket: "11", plan: odd, options }, {}, never),
    ).rejects.toMatchObject({
      code: "plan_invalid",
      message: expect.stringContaining("subtasks[0].brief"),
    });
    const gone: Plan = { ...made, subtasks: made.subtasks.map((each) => ({ ...each, agent: "Gone" })) };
    await expect(
      app.run({ title: "Tidy", ticket: "11", plan: gone, options }, {}, never),
    ).rejects.toMatchObject({
      code: "plan_invalid",
      details: { problems: [{ path: ["subtasks", 0, "agent"] }] },
    });
    expect(await app.status()).toHaveLength(3);
  });
});
