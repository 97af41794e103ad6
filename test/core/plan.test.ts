import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkPlan, type Plan, planSchema, type PlanSubtask, refusePlan } from "../../src/core/plan.ts";
import { TeamRegistry } from "../../src/core/registry.ts";
import { TEAM_DEFAULTS } from "../../src/core/team-schema.ts";

const registry = new TeamRegistry();
registry.register({ name: "Api", team: "Shop", allowedPaths: ["src/api/**", "!src/api/old/**"] });
registry.register({ name: "Web", team: "Shop", allowedPaths: ["src/web/**", "docs"] });
registry.register({ name: "Free", team: "Shop" });
const agents = registry.list();
const limits = TEAM_DEFAULTS.limits;

function subtask(id: string, more: Partial<PlanSubtask> = {}): PlanSubtask {
  const given = { id, agent: "Api", brief: `Do ${id}`, responsibilities: [], allowed_paths: [] };
  return { ...given, depends_on: [], approval: null, ...more };
}

function planOf(...subtasks: PlanSubtask[]): Plan {
  return {
    version: 1,
    task: "Do it",
    planner: "rules",
    objectives: ["Do it"],
    constraints: [],
    acceptance_criteria: [],
    scope: [],
    subtasks,
    mece: { overlaps: [], leftovers: { files: [], total: 0 } },
    notices: [],
  };
}

const messages = (plan: Plan, more: object = {}) =>
  checkPlan(plan, { agents, limits, ...more }).map(({ path, message }) => `${path.join(".")}: ${message}`);

describe("a plan", () => {
  it("is accepted when it can be carried out", () => {
    const plan = planOf(
      subtask("api", { allowed_paths: ["src/api/**"] }),
      subtask("web", { agent: "Web", allowed_paths: ["src/web/*.ts", "docs/guide.md"], depends_on: ["api"] }),
      subtask("rest", { agent: "Free", allowed_paths: ["**"], approval: "it touches everything" }),
    );
    expect(planSchema.parse(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    expect(messages(plan)).toEqual([]);
  });

  it.each([
    ["an unknown agent", subtask("a", { agent: "Apy" }), /subtasks\.0\.agent: .*"Apy".*Did you mean Api\?/],
    ["an unknown dependency", subtask("a", { depends_on: ["b"] }), /subtasks\.0\.depends_on\.0: .*"b"/],
    ["one that waits for itself", subtask("a", { depends_on: ["a"] }), /wait for each other: a → a/],
    [
      "paths of somebody else",
      subtask("a", { allowed_paths: ["src/api/x.ts", "src/web/**"] }),
      /subtasks\.0\.allowed_paths\.1: "src\/web\/\*\*" is outside of what Api may write/,
    ],
    ["a pattern that leads out", subtask("a", { allowed_paths: ["../x"] }), /allowed_paths\.0: .*`\.\.`/],
    [
      "a protected file through a wildcard",
      subtask("a", { agent: "Free", allowed_paths: [".github/workflows/ci.yml"] }),
      /outside of what Free may write/,
    ],
  ])("is refused with %s", (_what, bad, expected) => {
    expect(messages(planOf(bad)).join("\n")).toMatch(expected);
  });

  it("is refused when ids are there twice, in a ring, or when there are too many", () => {
    expect(messages(planOf(subtask("a"), subtask("a")))).toEqual([
      "subtasks.1.id: there is a subtask a already",
    ]);
    const ring = planOf(
      subtask("a", { depends_on: ["c"] }),
      subtask("b", { depends_on: ["a"] }),
      subtask("c", { depends_on: ["b"] }),
    );
    expect(messages(ring).join()).toMatch(/wait for each other: a → c → b → a/);
    expect(
      messages(planOf(subtask("a"), subtask("b")), { limits: { ...limits, maxChildrenPerSplit: 1 } }),
    ).toEqual(["subtasks: there are 2 subtasks, but limits.max_children_per_split is 1"]);
    expect(messages(planOf(subtask("a")), { depth: 3 }).join()).toMatch(/limits\.max_depth \(3\)/);
    expect(messages(planOf(subtask("a")), { existingChildren: 200 }).join()).toMatch(/limits\.max_children/);
    expect(messages(planOf()).join()).toMatch(/there is no subtask/);
  });

  it("may have a pattern whose form tells nothing, when its files are the agent's own", () => {
    const plan = planOf(subtask("a", { allowed_paths: ["src/{api,shared}/*.ts"] }));
    expect(messages(plan, { files: ["src/api/a.ts", "src/web/b.ts"] })).toEqual([]);
    expect(messages(plan, { files: ["src/api/a.ts", "src/shared/b.ts"] }).join()).toMatch(/outside/);
  });

  it("is refused with all its problems in the error", () => {
    const problems = checkPlan(planOf(subtask("a", { agent: "X" }), subtask("a")), { agents, limits });
    expect(() => refusePlan(problems)).toThrow(
      expect.objectContaining({ code: "plan_invalid", details: { problems } }),
    );
    expect(() => refusePlan([])).not.toThrow();
  });

  it("is judged alike whatever the order of its subtasks, and never throws", () => {
    const part = fc.record({
      id: fc.constantFrom("a", "b", "c", "d"),
      agent: fc.constantFrom("Api", "Web", "Free", "Nobody"),
      allowed_paths: fc.array(
        fc.constantFrom("src/api/**", "src/**", "docs", "{", "/x", "!a", "src/web/a.ts"),
        {
          maxLength: 3,
        },
      ),
      depends_on: fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(part, { minLength: 1, maxLength: 4, selector: ({ id }) => id }), (parts) => {
        const all = parts.map(({ id, ...more }) => subtask(id, more));
        const isFine = (...some: PlanSubtask[]) => messages(planOf(...some)).length === 0;
        expect(isFine(...all.toReversed())).toBe(isFine(...all));
      }),
    );
  });
});
