import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Plan, planSchema } from "../../src/core/plan.ts";
import { readPlanFile, writePlanFile } from "../../src/core/plan-file.ts";

const refusal = (text: string): { code: string; message: string; details: object } => {
  try {
    readPlanFile(text, "p.yaml");
  } catch (error) {
    return error as { code: string; message: string; details: object };
  }
  throw new Error("it was taken");
};

describe("a plan's file", () => {
  it("is what docs/orchestration/planner.md shows", () => {
    const doc = readFileSync(join(import.meta.dirname, "../../docs/orchestration/planner.md"), "utf8");
    const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(doc) ?? [];
    const plan = readPlanFile(example, "planner.md");
    expect(plan.subtasks.map(({ id, depends_on }) => [id, ...depends_on])).toEqual([
      ["api"],
      ["docs", "api"],
    ]);
  });

  it("gives back the plan that was written, as YAML and as JSON, whatever is said in it", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
    const plan = fc.record({ task: text, objectives: fc.array(text, { maxLength: 3 }), brief: text });
    fc.assert(
      fc.property(plan, fc.constantFrom("p.yaml", "p.json"), ({ task, objectives, brief }, file) => {
        const made: Plan = {
          version: 1,
          task,
          planner: "rules",
          objectives,
          constraints: [],
          acceptance_criteria: [],
          scope: ["!src/**", "a b"],
          subtasks: [
            {
              id: "a",
              agent: "Api",
              brief,
              responsibilities: [],
              allowed_paths: ["*"],
              depends_on: [],
              approval: null,
            },
          ],
          mece: { overlaps: [], leftovers: { files: [], total: 0 } },
          notices: [],
        };
        fc.pre(planSchema.safeParse(made).success);
        expect(readPlanFile(writePlanFile(made, file), file)).toEqual(made);
      }),
    );
  });

  it("may leave out what is empty", () => {
    const text =
      "version: 1\ntask: Tidy\nsubtasks:\n  - { id: a, agent: Api, brief: Tidy, allowed_paths: [src] }\n";
    expect(readPlanFile(text, "p.yaml")).toMatchObject({
      planner: "rules",
      constraints: [],
      subtasks: [{ id: "a", depends_on: [], approval: null }],
    });
  });

  it.each([
    ["", /p\.yaml:1:1: must be a mapping/],
    ["version: 1\ntask: [", /^p\.yaml:2:\d+: /],
    [
      "version: 2\ntask: x\nplaner: rules",
      /p\.yaml:1:\d+: version: must be 1[\s\S]*planer: there is no such key\. Did you mean planner\?/,
    ],
    [`{"version": 1, "task": ""}`, /task: must not be empty/],
  ])("is refused with a line and a column: %j", (text, expected) => {
    const error = refusal(text);
    expect(error.code).toBe("plan_invalid");
    expect(error.message).toMatch(expected);
    expect(error.details).toMatchObject({
      file: "p.yaml",
      line: expect.any(Number),
      column: expect.any(Number),
    });
  });
});
