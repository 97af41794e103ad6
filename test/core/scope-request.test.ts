import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMatcher, createOwnership } from "../../src/core/ownership.ts";
import { scopeQuestions } from "../../src/core/scope-request.ts";
import { TeamRegistry } from "../../src/core/registry.ts";

const AGENTS: Readonly<Record<string, readonly string[]>> = {
  Api: ["src/api/**"],
  Web: ["src/web/**", "assets"],
  Styles: ["src/web/css/**"],
  Docs: ["docs/**", "!docs/private/**", "AGENTS.md"],
  Prog: ["prog/**"],
};
const FILES = [
  "LICENSE",
  "AGENTS.md",
  "assets/logo.svg",
  "docs/guide.md",
  "docs/private/x.md",
  "prog/p.c",
  "src/api/a.ts",
  "src/web/[id].ts",
  "src/web/css/a.css",
  "src/web/page.ts",
  "src/web/sub/x.ts",
];
const registry = new TeamRegistry();
for (const [name, allowedPaths] of Object.entries(AGENTS))
  registry.register({ name, team: "T", allowedPaths });
const ownership = createOwnership(AGENTS);

function asked(paths: readonly string[], agent = "Api") {
  const scope = AGENTS[agent] ?? [];
  return scopeQuestions(paths, {
    agent,
    allows: createMatcher(scope),
    scopes: [scope],
    agents: registry.list(),
    ownerOf: (path) => ownership.findOwner(path),
    files: FILES,
    answers: (name) => name !== "Prog",
  });
}

describe("whom to ask", () => {
  it.each([
    ["src/web/page.ts", "Web"],
    ["./src//web/new.ts", "Web"],
    ["src/web/[id].ts", "Web"],
    ["src/web/sub", "Web"],
    ["src/web/sub/", "Web"],
    ["src/web/sub/**", "Web"],
    ["src/web/*.ts", "Web"],
    ["src/web/{page,new}.ts", "Web"],
    ["src/web/css/a.css", "Styles"],
    ["src/web/css/**", "Styles"],
    ["docs/new.md", "Docs"],
    // For the window person:
    ["src/web/**", null],
    ["src/web", null],
    ["src/**", null],
    ["**", null],
    ["LICENSE", null],
    ["docs/private/x.md", null],
    ["docs/**", null],
    ["prog/p.c", null],
    ["AGENTS.md", null],
    [".github/workflows/ci.yml", null],
    [".github/**", null],
    ["src/web/CLAUDE.md", null],
  ])("%s → %s", (path, owner) => {
    const { inScope, questions } = asked([path]);
    expect(inScope).toEqual([]);
    expect(questions.map((question) => question.owner)).toEqual([owner]);
  });

  it("asks each owner once, nobody for what is allowed, and the window person instead of oneself", () => {
    expect(asked(["src/api/new.ts", "src/api/**", "src/web/page.ts", "src/web/new.ts", "LICENSE"])).toEqual({
      inScope: ["src/api/new.ts", "src/api/**"],
      questions: [
        { owner: "Web", patterns: ["src/web/page.ts", "src/web/new.ts"] },
        { owner: null, patterns: ["LICENSE"] },
      ],
    });
    const narrowed = scopeQuestions(["src/web/page.ts"], {
      agent: "Web",
      allows: () => false,
      scopes: [["src/web/sub/**"]],
      agents: registry.list(),
      ownerOf: (path) => ownership.findOwner(path),
      files: FILES,
      answers: () => true,
    });
    expect(narrowed.questions).toEqual([{ owner: null, patterns: ["src/web/page.ts"] }]);
  });

  it.each([
    ["../x", "path_rejected"],
    ["/x", "path_rejected"],
    ["a/../../x", "path_rejected"],
    ["C:/x", "path_rejected"],
    [".git/config", "path_rejected"],
    ["a\\b", "path_rejected"],
    ["", "path_rejected"],
    ["!src/**", "tool_input"],
  ])("refuses %j", (path, code) => {
    expect(() => asked([path])).toThrow(expect.objectContaining({ code }));
  });

  it("never asks an agent for a file that another owns, or that is protected", () => {
    const name = fc.constantFrom(
      "src",
      "web",
      "api",
      "css",
      "docs",
      "private",
      "*",
      "**",
      "AGENTS.md",
      ".github",
      "x.ts",
      "{a,web}",
    );
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
    fc.assert(
      fc.property(fc.array(path, { minLength: 1, maxLength: 5 }), (paths) => {
        for (const { owner, patterns } of asked(paths).questions) {
          if (owner === null) continue;
          const matches = createMatcher(patterns);
          for (const file of [
            ...FILES,
            "src/web/css/new.css",
            "src/api/new.ts",
            "docs/private/n.md",
            ".github/n",
          ])
            if (matches(file)) expect([file, ownership.findOwner(file)]).toEqual([file, owner]);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
