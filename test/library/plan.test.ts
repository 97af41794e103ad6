import { afterAll, expect, it } from "vitest";
import { openApp, rankAgents } from "oxbow";
import { plainEnvironment } from "../support/cli.ts";
import { makeShop } from "../support/shop.ts";

const shop = makeShop();
afterAll(() => shop[Symbol.dispose]());

it("plans a task, and carries the plan out as it is or changed", async () => {
  await using app = openApp({ repo: shop.dir, env: plainEnvironment() });
  const plan = await app.makePlan("Add a limit to src/api, then tell of it in README.md");
  expect(plan.subtasks.map(({ agent, depends_on }) => [agent, ...depends_on])).toEqual([
    ["Api"],
    ["Docs", "api"],
  ]);
  const less = { ...plan, subtasks: plan.subtasks.filter(({ agent }) => agent === "Api") };
  const report = await app.run("Limits", {
    plan: less,
    command: ["sed", "-i", "s/users/people/", "{paths}"],
    workers: "none",
  });
  expect([report.state, report.title, report.children.map(({ agent }) => agent)]).toEqual([
    "completed",
    "Limits",
    ["Api"],
  ]);
  expect(report.notices).toContain("1 file of the scope is nobody's part (README.md).");
  await expect(app.makePlan("  ")).rejects.toMatchObject({ code: "usage" });
});

it("ranks agents without an app", () => {
  const agent = (name: string, skills: string[]) => ({
    name,
    skills,
    responsibilities: [],
    domain: null,
    slaMs: null,
    allowedPaths: [],
  });
  expect(rankAgents({ text: "Tidy the CSS" }, [agent("Api", ["sql"]), agent("Web", ["css"])])[0]?.agent).toBe(
    "Web",
  );
});
