import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMatcher } from "../../src/core/ownership.ts";
import { checkPlan, type PlanSubtask, planSchema } from "../../src/core/plan.ts";
import { type AgentTraits, chooseAgents, rankAgents } from "../../src/core/plan-agents.ts";
import { meceOf } from "../../src/core/plan-mece.ts";
import { candidates, filesOf, indexFiles } from "../../src/core/plan-paths.ts";
import { planByRules } from "../../src/core/plan-rules.ts";
import { TEAM_DEFAULTS } from "../../src/core/team-schema.ts";
import { type PlanScene, planFacts } from "../support/plan-facts.ts";

function planned(text: string, scene: PlanScene = {}) {
  const facts = planFacts(scene);
  const { plan, rest } = planByRules(text, facts);
  expect(planSchema.parse(plan)).toEqual(plan);
  const files = facts.index.files.map(({ path }) => path);
  expect(checkPlan(plan, { agents: facts.agents, limits: TEAM_DEFAULTS.limits, files })).toEqual([]);
  return { ...plan, rest, by: new Map(plan.subtasks.map((each) => [each.agent, each])) };
}

const summary = ({ subtasks }: { subtasks: readonly PlanSubtask[] }) =>
  subtasks.map(
    ({ id, allowed_paths: paths, depends_on: on }) =>
      `${id}: ${paths.join(" ")}${on.length > 0 ? ` after ${on.join()}` : ""}`,
  );

describe("a plan by the rules", () => {
  it("gives the files that a text names to their owners", () => {
    const plan = planned("Rename userId to id in src/api/users.js and src/web, not in docs/guide.md");
    expect(summary(plan)).toEqual(["api: src/api/users.js", "docs: docs/guide.md", "web: src/web/**"]);
    expect(summary(planned("Fix src/api/users.js and every *.md file"))).toEqual([
      "api: src/api/users.js",
      "docs: docs/**/*.md README.md",
    ]);
  });

  it("gives what names no file to whom its words speak of, by name, skill or responsibility", () => {
    expect(summary(planned("Improve the REST errors"))).toEqual(["api: src/api/**"]);
    expect(summary(planned("Tidy the CSS"))).toEqual(["web: src/web/**"]);
    expect(summary(planned("Add ids to the api and the web"))).toEqual([
      "api: src/api/**",
      "web: src/web/**",
    ]);
  });

  it("puts steps in order, and tests after what they test", () => {
    expect(
      summary(planned("Add a limit to src/api, then describe it in docs/api.md. Cover it with tests.")),
    ).toEqual(["api: src/api/**", "docs: docs/api.md after api", "tests: test/** after docs"]);
    const numbered = planned("1. Write the page in src/web/page.js\n2. Add src/api/page.js\n3. Test it");
    expect(summary(numbered)).toEqual([
      "web: src/web/page.js",
      "api: src/api/page.js after web",
      "tests: test/** after api",
    ]);
    expect(numbered.notices).toEqual(["The base has no src/api/page.js: taken as to be made."]);
  });

  it("keeps away from what is not to be touched", () => {
    const plan = planned("Tidy the docs. Don't touch docs/guide.md or src/web.");
    expect(summary(plan)).toEqual(["docs: docs/** README.md !docs/guide.md"]);
    const only = planned("Add ids. Only touch src/api.");
    expect(summary(only)).toEqual(["api: src/api/**"]);
    expect(only.scope).toEqual(["src/api/**"]);
  });

  it("lists the files of the scope that nobody owns, and leaves them alone", () => {
    const plan = planned("Strip blanks in every file");
    expect(plan.subtasks.map(({ agent }) => agent)).toEqual(["Api", "Docs", "Web", "Tests"]);
    expect(plan.mece.leftovers).toEqual({ files: ["LICENSE", "src/lib/http.js"], total: 2 });
    expect(plan.notices).toEqual(["2 files of the scope are nobody's part (LICENSE, src/lib/http.js)."]);
    expect(plan.rest.unowned).toEqual(["LICENSE", "src/lib/http.js"]);
  });

  it("gives files without an owner to whom the words speak of, if it may write everywhere", () => {
    const agents = {
      Lead: { allowedPaths: [] },
      Api: { allowedPaths: ["src/api/**"] },
      Free: { skills: ["http"] },
    };
    expect(summary(planned("Fix the http helper in src/lib/http.js", { agents }))).toEqual([
      "free: src/lib/http.js",
    ]);
    expect(planned("Fix src/lib/other.js and src/api/users.js", { agents }).subtasks.length).toBe(1);
  });

  it("falls back to the lead, or to every owner where the lead may write nothing", () => {
    const vague = planned("Make it better");
    expect(vague.rest.isVague).toBe(true);
    expect(vague.subtasks.map(({ agent }) => agent)).toEqual(["Api", "Docs", "Web", "Tests"]);
    const alone = planned("Make it better", { agents: { Lead: {}, Api: { allowedPaths: ["src/api/**"] } } });
    expect(alone.subtasks.map(({ agent }) => agent)).toEqual(["Lead"]);
    expect(filesOf(alone.subtasks[0]?.allowed_paths ?? [], planFacts().index).length).toBeGreaterThan(0);
    expect(alone.mece.overlaps).toEqual([]);
  });

  it("needs a yes where the text says so, and for files that others obey", () => {
    const plan = planned(
      "Add a footer to src/web and ids to src/api. Ask me before changing the api schema.",
    );
    expect(plan.by.get("Api")?.approval).toBe("Ask me before changing the api schema.");
    expect(plan.by.get("Web")?.approval).toBeNull();
    expect(planned("Update AGENTS.md").by.get("Docs")?.approval).toBe(
      "It may change AGENTS.md, which others obey.",
    );
    expect(planned("Update docs/guide.md (needs approval)").by.get("Docs")?.approval).toMatch(
      /needs approval/,
    );
    expect(
      planned("Fix src/api and src/web. Get approval first.").subtasks.map(({ approval }) => approval),
    ).toEqual(["Get approval first.", "Get approval first."]);
  });

  it("lets a sentence that names files hold back only those who may write them", () => {
    const agents = {
      Lead: { allowedPaths: [] },
      Core: { responsibilities: ["build"], allowedPaths: ["source/**"] },
      Tests: { responsibilities: ["test"], allowedPaths: ["test/**"] },
      Docs: { responsibilities: ["docs"], allowedPaths: ["documentation/**", "readme.md"] },
    };
    const files = [
      "package.json",
      "readme.md",
      "source/core/options.ts",
      "test/retry.ts",
      "documentation/7-retry.md",
    ];
    const task =
      "Add a `retryBudget` option to source/core/options.ts. Then test it in test/retry.ts and describe it in documentation/7-retry.md. It must not change the default behaviour.";
    const ask = (words: string) => planned(`${task} ${words}`, { agents, files });
    const held = (words: string) =>
      ask(words).subtasks.flatMap(({ id, approval }) => (approval === null ? [] : [id]));

    const plan = ask("Ask before changing package.json.");
    expect(summary(plan)).toEqual([
      "core: source/core/options.ts",
      "docs: documentation/7-retry.md after core",
      "tests: test/retry.ts after core",
    ]);
    expect(plan.subtasks.map(({ approval }) => approval)).toEqual([null, null, null]);
    expect(plan.scope).not.toContain("package.json");
    expect(plan.mece.leftovers.total).toBe(0);
    expect(plan.notices).toEqual([
      "No part may touch package.json, so nobody waits for a yes to that: Ask before changing package.json.",
    ]);
    expect(held("Ask before changing source/core/options.ts or package.json.")).toEqual(["core"]);
    expect(held("Don't change test/retry.ts without my approval.")).toEqual(["tests"]);
    expect(held("Don't touch source/core/options.ts, and ask before changing test/retry.ts.")).toEqual([
      "tests",
    ]);
    expect(held("Ask me before you start.")).toEqual(["core", "docs", "tests"]);
  });

  it("lets the next step wait for all of a step, and documents for no tests", () => {
    const agents = {
      Api: { responsibilities: ["build"], allowedPaths: ["api/**"] },
      Docs: { responsibilities: ["docs"], allowedPaths: ["docs/**"] },
      Tests: { responsibilities: ["test"], allowedPaths: ["test/**"] },
      Web: { responsibilities: ["build"], allowedPaths: ["web/**"] },
    };
    const files = ["api/a", "docs/a.md", "test/a", "web/a"];
    const order = (text: string) => summary(planned(text, { agents, files }));
    expect(order("Change api/a, test/a and docs/a.md. Then change web/a.")).toEqual([
      "api: api/a",
      "docs: docs/a.md",
      "tests: test/a after api",
      "web: web/a after docs,tests",
    ]);
    expect(order("Change api/a and docs/a.md. Add tests.")).toEqual([
      "api: api/a",
      "docs: docs/a.md",
      "tests: test/** after api",
    ]);
    expect(order("1. Change docs/a.md\n2. Change test/a")).toEqual([
      "docs: docs/a.md",
      "tests: test/a after docs",
    ]);
  });

  it("tells each agent its own part, and what is for all", () => {
    const plan = planned(
      "Add a limit to src/api. Describe it in docs/api.md. docs/api.md must name the header. Over the limit the answer must be 429. No new dependency. Don't touch src/web.",
    );
    expect(plan.by.get("Docs")?.brief).toBe(
      [
        "Describe it in docs/api.md.",
        "Your part of it is what lies in your paths; others do the rest.",
        "Done when:\n- docs/api.md must name the header.\n- Over the limit the answer must be 429.",
        "Keep to this:\n- No new dependency.\n- Don't touch src/web.",
      ].join("\n\n"),
    );
    expect(plan.by.get("Api")?.brief).not.toContain("header");
  });

  it("goes round an agent that is disabled, or too slow for the deadline", () => {
    const agents = {
      Lead: { allowedPaths: [] },
      One: { skills: ["sql"], allowedPaths: ["a/**"], slaMs: 60_000 },
      Two: { skills: ["sql"], allowedPaths: ["b/**"], slaMs: 1_000 },
      Spare: {},
    };
    const files = ["a/x.sql", "b/y.sql"];
    const at = (scene: PlanScene, text = "Speed up the sql") =>
      planned(text, { agents, files, ...scene }).subtasks.map(({ agent }) => agent);
    expect(at({})).toEqual(["Two"]);
    expect(at({ loads: new Map([["Two", { open: 3, disabled: false }]]) })).toEqual(["One"]);
    expect(at({ loads: new Map([["Two", { open: 0, disabled: true }]]) })).toEqual(["One"]);
    expect(at({ deadlineMs: 30_000, loads: new Map([["Two", { open: 9, disabled: false }]]) })).toEqual([
      "Two",
    ]);
    const passed = planned("Fix a/x.sql", {
      agents,
      files,
      loads: new Map([["One", { open: 0, disabled: true }]]),
    });
    expect(passed.subtasks.map(({ agent }) => agent)).toEqual(["Spare"]);
    expect(passed.notices).toEqual(["One is disabled after its crashes: Spare gets its part."]);
  });

  it("is the same whatever the order of the team, gives no file twice and passes its own checks", () => {
    const words = fc.constantFrom(
      "Add ids to src/api",
      "Fix the docs.",
      "then tidy src/web",
      "must pass",
      "Only in src/api.",
      "every file",
      "Test it.",
      "*.md",
      "Don't touch docs.",
      "Ask me first.",
      "\n1. src/lib/http.js",
      "css",
      "Lead",
    );
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 6 }), fc.boolean(), (parts, isBackwards) => {
        const text = parts.join(" ");
        const plan = planned(text);
        const facts = planFacts();
        const agents = isBackwards
          ? facts.agents.toReversed()
          : facts.agents.toSorted((a, b) => (a.name < b.name ? 1 : -1));
        expect(planByRules(text, { ...facts, agents }).plan).toEqual(planByRules(text, facts).plan);
        expect(plan.mece.overlaps).toEqual([]);
        for (const { agent, allowed_paths: paths } of plan.subtasks)
          for (const { path } of filesOf(paths, facts.index))
            expect(facts.ownership.findOwner(path)).toBe(agent);
      }),
      { numRuns: 60 },
    );
  });
});

describe("any text at all", () => {
  it("becomes a plan that meets its schema, and never an error", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.constantFrom(
        " src/api/",
        " `docs/",
        "`",
        " **/*",
        "{a,b}",
        "!",
        "x".repeat(600),
        "/",
        ".md ",
        " only ",
        " don't touch ",
        "\n- ",
        "\n## ",
        " then ",
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), (pieces) => {
        const text = `Do ${pieces.join("")}`;
        const { plan } = planByRules(text, planFacts());
        expect(planSchema.safeParse(plan).error?.issues ?? []).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it("may name more files than anybody reads", () => {
    const text = Array.from({ length: 500 }, (_, i) => `src/api/${"long".repeat(60)}${i}.js`).join(" and ");
    const { plan } = planByRules(text, planFacts());
    expect(planSchema.safeParse(plan).error?.issues ?? []).toEqual([]);
  });
});

describe("the choice of an agent", () => {
  const agent = (name: string, more: Partial<AgentTraits> = {}): AgentTraits => ({
    name,
    skills: [],
    responsibilities: [],
    domain: null,
    slaMs: null,
    allowedPaths: [],
    ...more,
  });

  it("goes by words, then by what each has to do, then by time, then by name", () => {
    const team = [
      agent("B", { skills: ["typescript"] }),
      agent("A", { skills: ["typescript"] }),
      agent("Quick", { skills: ["typescript"], slaMs: 5 }),
      agent("Tester", { responsibilities: ["testing"], domain: "quality" }),
    ];
    const names = (text: string, loads = new Map()) =>
      rankAgents({ text }, team, loads).map((fit) => fit.agent);
    expect(names("TypeScript types")).toEqual(["Quick", "A", "B", "Tester"]);
    expect(names("TypeScript", new Map([["Quick", { open: 1, disabled: false }]]))[0]).toBe("A");
    expect(
      chooseAgents({ text: "Test it" }, team).map(({ agent: name, score, words }) => [name, score, words]),
    ).toEqual([["Tester", 3, ["test"]]]);
    expect(chooseAgents({ text: "Paint the wall" }, team)).toEqual([]);
  });

  it("never depends on the order in which agents are given", () => {
    const traits = fc.record({
      name: fc.constantFrom("A", "B", "C", "D", "E"),
      skills: fc.array(fc.constantFrom("sql", "css", "rest"), { maxLength: 2 }),
      responsibilities: fc.array(fc.constantFrom("test", "build", "review"), { maxLength: 2 }),
      domain: fc.constantFrom(null, "backend"),
      slaMs: fc.constantFrom(null, 5, 50),
      allowedPaths: fc.constantFrom<string[]>(["api/**"], []),
    });
    const load = fc.record({ open: fc.nat(3), disabled: fc.boolean() });
    fc.assert(
      fc.property(
        fc.uniqueArray(traits, { selector: ({ name }) => name }),
        fc.dictionary(fc.constantFrom("A", "B", "C"), load),
        fc.constantFrom("test the css and rest api", "backend sql review", ""),
        fc.constantFrom(null, 10),
        (team, loads, text, deadlineMs) => {
          const known = new Map(Object.entries(loads));
          for (const pick of [rankAgents, chooseAgents])
            expect(pick({ text, deadlineMs }, team.toReversed(), known)).toEqual(
              pick({ text, deadlineMs }, team, known),
            );
        },
      ),
    );
  });
});

describe("whether parts are exclusive and cover the scope", () => {
  const index = indexFiles(["a/1", "a/2", "a/b/3", "ab/4", "c.md", "d/e.md"]);
  const part = (id: string, ...allowed_paths: string[]) => ({ id, allowed_paths });

  it("is looked up in the files", () => {
    expect(
      meceOf([part("x", "a/**"), part("y", "a/b/*", "**/*.md"), part("z")], ["**", "!d"], index),
    ).toEqual({
      overlaps: [{ files: ["a/b/3"], total: 1, subtasks: ["x", "y"] }],
      leftovers: { files: ["ab/4"], total: 1 },
    });
    expect(meceOf([part("x", "a")], [], index).leftovers).toEqual({ files: [], total: 0 });
  });

  it("counts all, and names some", () => {
    const many = indexFiles(Array.from({ length: 300 }, (_, i) => `m/${i}`));
    const { overlaps, leftovers } = meceOf([part("x", "m/1*"), part("y", "m/**", "!m/2*")], ["m"], many);
    expect(overlaps).toEqual([{ files: expect.any(Array), total: 111, subtasks: ["x", "y"] }]);
    expect(overlaps[0]?.files.length).toBe(20);
    expect(leftovers.total).toBe(111);
  });

  it("looks only where files can be, and misses none", () => {
    const pattern = fc.constantFrom(
      "a",
      "a/**",
      "a/*",
      "**/*.md",
      "a/b/3",
      "{a,ab}/*",
      "ab",
      "*",
      "d/e*",
      "!a/1",
      "x/y",
    );
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 4 }), (patterns) => {
        const near = new Set(candidates(patterns, index.files).map(({ path }) => path));
        const matches = createMatcher(patterns);
        for (const { path } of index.files) if (matches(path)) expect([...near]).toContain(path);
        expect(near.size).toBe(candidates(patterns, index.files).length);
      }),
    );
  });
});
