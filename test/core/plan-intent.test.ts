import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTask } from "../../src/core/plan-intent.ts";
import { indexFiles, pathsIn } from "../../src/core/plan-paths.ts";

const read = (text: string) => {
  const { objectives, constraints, acceptanceCriteria } = readTask(text);
  return { objectives, constraints, criteria: acceptanceCriteria };
};

describe("what a text asks for", () => {
  it.each([
    ["Add request ids to every handler", { objectives: ["Add request ids to every handler"] }],
    ["The header shows the wrong year", { objectives: ["The header shows the wrong year"] }],
    [
      "Add a limiter. Requests over the limit must get a 429. Don't touch `src/web`.",
      {
        objectives: ["Add a limiter."],
        criteria: ["Requests over the limit must get a 429."],
        constraints: ["Don't touch `src/web`."],
      },
    ],
    [
      "Rename the handler without changing src/web, so that logs are readable",
      {
        objectives: ["Rename the handler without changing src/web, so that logs are readable"],
        constraints: ["Without changing src/web, so that logs are readable"],
        criteria: ["Logs are readable"],
      },
    ],
    ["Add it. Then note it in docs/a.md.", { objectives: ["Add it.", "Note it in docs/a.md."] }],
    ["Add it. Note that b.js is generated. Note: so is c.js.", { objectives: ["Add it."] }],
    ["We should add a footer", { objectives: ["We should add a footer"] }],
    ["Only touch src/api. Add ids.", { objectives: ["Add ids."], constraints: ["Only touch src/api."] }],
    [
      "Fix it. Ask me before changing the schema.",
      { objectives: ["Fix it."], constraints: ["Ask me before changing the schema."] },
    ],
    [
      "It must:\n- answer 429\n- log it",
      { objectives: ["It must answer 429"], criteria: ["It must answer 429", "It must log it"] },
    ],
    [
      "Do it.\n\nDo not:\n- change src/web",
      { objectives: ["Do it."], constraints: ["Do not change src/web"] },
    ],
    [
      "Use v1.2 of the API, e.g. The old one. Then stop",
      { objectives: ["Use v1.2 of the API, e.g. The old one.", "Stop"] },
    ],
    ["", {}],
    ["   \n\n", {}],
  ])("%j", (text, wanted) => {
    expect(read(text)).toEqual({ objectives: [], constraints: [], criteria: [], ...wanted });
  });

  it("is read from an issue by its headings and lists", () => {
    const issue = `<!-- template -->
# Rate limiting

The API has no limit today.

## Tasks
1. Add a limiter to \`src/api/**\`
2. Document it in [the guide](docs/guide.md)
3. Drop the old table (needs approval)

\`\`\`sh
rm -rf everything
\`\`\`

**Acceptance criteria**
- [ ] Over the limit: 429
- [x] All tests pass

Constraints:
* No new dependency

## Out of scope
- The web client

## Background
It must be said that clients hammer it.
`;
    expect(read(issue)).toEqual({
      objectives: [
        "Rate limiting",
        "Add a limiter to `src/api/**`",
        "Document it in the guide (docs/guide.md)",
        "Drop the old table (needs approval)",
      ],
      criteria: ["Over the limit: 429", "All tests pass"],
      constraints: ["No new dependency", "Out of scope: The web client"],
    });
    const { statements } = readTask(issue);
    expect(statements.filter(({ kind }) => kind === "objective").map(({ step }) => step)).toEqual([
      null,
      1,
      2,
      3,
    ]);
    expect(statements.filter(({ gate }) => gate).map(({ text }) => text)).toEqual([
      "Drop the old table (needs approval)",
    ]);
  });

  it("has an order where the text says one", () => {
    const steps = (text: string) => readTask(text).statements.map(({ text: said, step }) => [said, step]);
    expect(steps("Add ids to the api, then update the docs. Finally tidy up.")).toEqual([
      ["Add ids to the api", 1],
      ["Update the docs.", 2],
      ["Tidy up.", 3],
    ]);
    expect(steps("If it fails then say so. Add ids.")).toEqual([
      ["If it fails then say so.", null],
      ["Add ids.", null],
    ]);
  });

  it("tells who asks for an approval from who does without", () => {
    const gates = (text: string) => readTask(text).statements.some(({ gate }) => gate);
    expect(gates("Changes to the schema need my approval")).toBe(true);
    expect(gates("Check with Ada before you delete anything")).toBe(true);
    expect(gates("Show an approval dialog")).toBe(false);
    expect(gates("This does not need approval")).toBe(false);
  });

  it("never fails, and is bounded, whatever the text", () => {
    const words = fc.array(
      fc.constantFrom(
        "# ",
        "- ",
        "1. ",
        "\n",
        "\n\n",
        "must",
        "don't ",
        "then ",
        "`",
        "```",
        "<!--",
        "-->",
        "a/b.ts",
        ". ",
        ":",
        "**",
        "only ",
        "[x](y)",
        "(",
        "needs approval",
      ),
      { maxLength: 60 },
    );
    const any = fc.oneof(
      fc.string({ unit: "binary", maxLength: 400 }),
      words.map((all) => all.join("")),
    );
    fc.assert(
      fc.property(any, (text) => {
        const all = read(text);
        for (const list of Object.values(all)) {
          expect(list.length).toBeLessThanOrEqual(200);
          for (const line of list) {
            expect(line).not.toBe("");
            expect(line.length).toBeLessThanOrEqual(2_000);
          }
        }
        expect(read(text)).toEqual(all);
      }),
    );
    const long = read(`${"word ".repeat(30_000)}\n- ${"must ".repeat(20_000)}`);
    expect(long.objectives.length).toBeLessThanOrEqual(200);
  });
});

describe("the files that a text names", () => {
  const index = indexFiles([
    "LICENSE",
    "build",
    "README.md",
    "docs/guide.md",
    "src/api/users.js",
    "src/web/page.js",
    "app/[id]/page.js",
  ]);
  const paths = (text: string) =>
    pathsIn(text, index).map(
      ({ role, patterns, exists }) => `${role} ${patterns.join()}${exists ? "" : " new"}`,
    );

  it.each([
    ["Change src/api/users.js:12 and `src/web`.", ["target src/api/users.js", "target src/web/**"]],
    ["Fix users.js, please", ["target src/api/users.js"]],
    ["Fix (src/api/) and ./docs/guide.md!", ["target src/api/**", "target docs/guide.md"]],
    ["All *.md files", ["target **/*.md"]],
    ["Look at `app/[id]/page.js`", ["target app/\\[id\\]/page.js"]],
    ["Add src/api/limit.js", ["target src/api/limit.js new"]],
    ["Read/write and/or a client/server thing at https://x.org/a/b.js", []],
    ["Tidy LICENSE and the build", ["target LICENSE"]],
    ["Update the docs and npm test", []],
    ["Use the helper from src/web/page.js in src/api", ["reference src/web/page.js", "target src/api/**"]],
    ["Don't touch src/web or docs/guide.md", ["avoid src/web/**", "avoid docs/guide.md"]],
    ["Do not change the name of x in src/api/users.js", ["target src/api/users.js"]],
    ["Leave README.md alone", ["avoid README.md"]],
    ["Tidy src/api, users.js and docs", ["target src/api/**", "target src/api/users.js", "target docs/**"]],
    ["Tidy everything in docs.", ["target docs/**"]],
    ["Add a docs mode in docs mode", []],
    ["Don't touch docs, only change app", ["avoid docs/**", "only app/**"]],
    ["src/web must not be changed", ["avoid src/web/**"]],
    ["Only change files in src/api", ["only src/api/**"]],
    ["Move ../x and /etc/passwd to `.git/config`", []],
  ])("%j", (text, wanted) => {
    expect(paths(text)).toEqual(wanted);
  });

  it("are found without failing in any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(pathsIn(text, index).length).toBeLessThanOrEqual(200);
      }),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from("`*{}[]()!/.,ab-\\")), maxLength: 40 }),
        (text) => {
          expect(() => pathsIn(text, index)).not.toThrow();
        },
      ),
    );
  });
});
