import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { createMatcher } from "../../src/core/ownership.ts";
import { TeamRegistry } from "../../src/core/registry.ts";
import { planSplit, type SplitContext } from "../../src/core/split.ts";
import type { SplitRequest } from "../../src/core/tool.ts";

const FILES = [
  "README.md",
  "docs/a.md",
  "docs/b.md",
  "src/api/x.ts",
  "src/api/old/y.ts",
  "src/web/z.ts",
  "AGENTS.md",
];

function team(agents: Record<string, readonly string[]>): TeamRegistry {
  const registry = new TeamRegistry();
  for (const [name, allowedPaths] of Object.entries(agents)) {
    registry.register({ name, team: "T", allowedPaths, responsibilities: [`keep ${name}`] });
  }
  return registry;
}

const usual = team({ Web: ["src/**"], Api: ["src/api/**"], Docs: ["docs/"], Lead: [] });

function context(change: Partial<SplitContext> = {}, registry = usual): SplitContext {
  return {
    agents: registry.list(),
    limits: { maxParallel: 16, maxDepth: 3, maxChildrenPerSplit: 50, maxChildren: 200 },
    depth: 0,
    existingChildren: 0,
    targetAgent: "Lead",
    files: FILES,
    ownership: registry.ownership(),
    ...change,
  };
}

function refusal(request: SplitRequest, change: Partial<SplitContext> = {}): OxbowError {
  try {
    planSplit(request, context(change));
  } catch (error) {
    if (error instanceof OxbowError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("a split into copies", () => {
  it("makes two children of the target agent unless told otherwise", () => {
    const { children } = planSplit({ task: "Do it" }, context({ targetAgent: "Api" }));
    expect(children).toEqual(
      [0, 1].map(() => ({
        agent: "Api",
        brief: "Do it",
        responsibilities: ["keep Api"],
        allowedPaths: ["src/api/**"],
        dependsOn: [],
        approval: null,
      })),
    );
  });

  it("gives the request's paths and responsibilities to each", () => {
    const request = { task: "x", numChildren: 3, responsibilities: ["build"], allowedPaths: ["src/app/**"] };
    for (const child of planSplit(request, context()).children) {
      expect(child).toMatchObject({
        agent: "Lead",
        responsibilities: ["build"],
        allowedPaths: ["src/app/**"],
      });
    }
  });

  it.each<[string, SplitRequest, Partial<SplitContext>, string, string]>([
    ["no children", { task: "x", numChildren: 0 }, {}, "split_invalid", "not 0"],
    ["a negative number", { task: "x", numChildren: -1 }, {}, "split_invalid", "not -1"],
    ["half a child", { task: "x", numChildren: 1.5 }, {}, "split_invalid", "not 1.5"],
    [
      "too many at once",
      { task: "x", numChildren: 10_000 },
      {},
      "limit_exceeded",
      "10000 children is too much: limits.max_children_per_split is 50",
    ],
    [
      "too many in all",
      { task: "x", numChildren: 2 },
      { existingChildren: 199 },
      "limit_exceeded",
      "has 199 children; with 2 more, limits.max_children is 200",
    ],
    ["too deep", { task: "x" }, { depth: 3 }, "limit_exceeded", "limits.max_depth (3)"],
    ["no task", { task: " " }, {}, "split_invalid", "no task"],
    ["an unknown agent", { task: "x" }, { targetAgent: "Apii" }, "agent_unknown", "Did you mean Api?"],
    [
      "a pattern that leads out",
      { task: "x", allowedPaths: ["../**"] },
      {},
      "split_invalid",
      "contains `..`",
    ],
    [
      "owners with none",
      { task: "x", by: "owner" },
      { files: ["README.md"] },
      "nothing_to_split",
      "No agent owns",
    ],
    [
      "owners with too many",
      { task: "x", by: "owner" },
      { limits: { maxParallel: 1, maxDepth: 3, maxChildrenPerSplit: 2, maxChildren: 9 } },
      "limit_exceeded",
      "3 children",
    ],
    ["two wishes", { task: "x", by: "owner", children: [{ task: "y" }] }, {}, "split_invalid", "not both"],
    [
      "two counts",
      { task: "x", numChildren: 3, children: [{ task: "y" }] },
      {},
      "split_invalid",
      "but 1 children are given",
    ],
  ])("refuses %s", (_what, request, change, code, message) => {
    const error = refusal(request, change);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

describe("a split into parts", () => {
  it("gives each child its own task, agent, paths and dependencies", () => {
    const { children } = planSplit(
      {
        task: "All",
        children: [
          { task: "a", agent: "Api" },
          { task: "b", agent: "Docs", allowed_paths: ["docs/b.md"], depends_on: [0, 0] },
          { task: "c", allowed_paths: [] },
        ],
      },
      context({ targetAgent: "Web" }),
    );
    expect(
      children.map(({ agent, brief, allowedPaths, dependsOn }) => [agent, brief, allowedPaths, dependsOn]),
    ).toEqual([
      ["Api", "a", ["src/api/**"], []],
      ["Docs", "b", ["docs/b.md"], [0]],
      ["Web", "c", ["src/**"], []],
    ]);
  });

  it.each<[string, number[][], string]>([
    ["itself", [[0]], "0 → 0"],
    ["each other", [[1], [2], [0]], "0 → 1 → 2 → 0"],
    ["a cycle further on", [[], [0, 3], [1], [2]], "1 → 3 → 2 → 1"],
    ["a child that is not there", [[], [7]], "Child 1 depends on child 7, but they are numbered 0 to 1."],
    ["half a child", [[], [0.5]], "Child 1 depends on child 0.5"],
  ])("refuses children that wait for %s", (_what, edges, message) => {
    const error = refusal({ task: "x", children: edges.map((depends_on) => ({ task: "y", depends_on })) });
    expect(error.code).toBe("plan_invalid");
    expect(error.message).toContain(message);
  });

  it("hands on no more than the one that splits may touch, or the agent's own paths", () => {
    const child = (allowed_paths: string[], agent = "Docs") => ({
      task: "x",
      children: [{ task: "y", agent, allowed_paths }],
    });
    const scope = { parentScope: ["src/api/**", "!src/api/old/**"] };
    const given = (request: SplitRequest) => planSplit(request, context(scope)).children[0]?.allowedPaths;
    expect(given(child(["src/api/x.ts"]))).toEqual(["src/api/x.ts", "!src/api/old/**"]);
    expect(given(child(["docs/b.md"]))).toEqual(["docs/b.md"]);
    for (const wish of ["**", "src/**", "README.md", "src/*/x.ts", "{docs/a.md,README.md}"]) {
      expect(refusal(child([wish]), scope).code).toBe("out_of_scope");
    }
    expect(refusal(child(["AGENTS.md"]), { parentScope: ["**"] }).code).toBe("out_of_scope");
  });
});

describe("a split by owner", () => {
  const parts = (request: Partial<SplitRequest>, registry = usual, files = FILES) => {
    const plan = planSplit({ task: "x", by: "owner", ...request }, context({ files }, registry));
    return {
      ...plan,
      paths: Object.fromEntries(plan.children.map((child) => [child.agent, child.allowedPaths])),
    };
  };

  it("makes a child for each owner, in the order of names, and leaves over what nobody owns", () => {
    const { paths, leftovers } = parts({});
    expect(Object.entries(paths)).toEqual([
      ["Api", ["src/api/**"]],
      ["Docs", ["docs/"]],
      ["Web", ["src/**", "!src/api/**"]],
    ]);
    expect(leftovers).toEqual(["README.md", "AGENTS.md"]);
  });

  it("narrows the owners' patterns to what was asked for", () => {
    expect(parts({ allowedPaths: ["src/**"] }).paths).toEqual({
      Api: ["src/api/**"],
      Web: ["src/**", "!src/api/**"],
    });
    expect(parts({ allowedPaths: ["src/api/old", "docs/*.md"] }).paths).toEqual({
      Api: ["src/api/old"],
      Docs: ["docs/*.md"],
    });
    expect(parts({ allowedPaths: ["**/a.md"] }).paths).toEqual({ Docs: ["docs/a.md"] });
  });

  it("names what another agent owns inside, when patterns cannot say it", () => {
    const registry = team({ A: ["src/**", "src/api/old/**"], B: ["src/api/**"] });
    const { paths } = parts({}, registry);
    expect(paths).toEqual({
      A: ["src/**", "src/api/old/**", "!src/api/x.ts"],
      B: ["src/api/**", "!src/api/old/**"],
    });
  });

  it("gives owners their own, whatever the one that splits may touch itself", () => {
    const plan = planSplit({ task: "x", by: "owner" }, context({ parentScope: ["plans/**"] }));
    expect(plan.children.map((child) => child.agent)).toEqual(["Api", "Docs", "Web"]);
  });

  it("leaves files with impossible names over", () => {
    expect(parts({}, usual, [...FILES, "docs/a\\b.md", "docs/a\nb.md"]).leftovers).toContain("docs/a\\b.md");
  });

  it("never gives a file to two children, nor drops one that has an owner", () => {
    const name = fc.constantFrom("a", "b", "c.ts", "d[1].md", ".x", "{e}");
    const file = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
    const segment = fc.constantFrom("a", "b", "*", "**", "c*", "{a,b}", "*.md");
    const pattern = fc.array(segment, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
    const patterns = fc.array(
      fc.tuple(fc.constantFrom("", "", "!"), pattern).map((two) => two.join("")),
      { maxLength: 3 },
    );
    const agents = fc.dictionary(fc.constantFrom("A", "B", "C"), patterns, { minKeys: 1 });
    const wish = fc.option(fc.array(pattern, { minLength: 1, maxLength: 2 }), { nil: undefined });
    fc.assert(
      fc.property(
        agents,
        fc.uniqueArray(file, { minLength: 1, maxLength: 12 }),
        wish,
        (agents, drawn, allowedPaths) => {
          const registry = attempt(() => team(agents));
          const isDirectory = (path: string) => drawn.some((other) => other.startsWith(`${path}/`));
          const files = drawn.filter((path) => !isDirectory(path));
          if (registry === null) return;
          const request: SplitRequest = { task: "x", by: "owner", ...(allowedPaths && { allowedPaths }) };
          const plan = attempt(() => planSplit(request, context({ files }, registry)));
          if (plan === null) return;
          const matchers = plan.children.map((child) => ({
            agent: child.agent,
            has: createMatcher(child.allowedPaths),
          }));
          const wanted = allowedPaths === undefined ? () => true : createMatcher(allowedPaths);
          for (const path of files) {
            const owner = wanted(path) ? (registry.findOwner(path)?.agent ?? null) : null;
            const takers = matchers.filter((one) => one.has(path)).map((one) => one.agent);
            expect([path, takers]).toEqual([path, owner === null ? [] : [owner]]);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  function attempt<T>(make: () => T): T | null {
    try {
      return make();
    } catch (error) {
      if (error instanceof OxbowError && ["team_config", "nothing_to_split"].includes(error.code))
        return null;
      throw error;
    }
  }
});
