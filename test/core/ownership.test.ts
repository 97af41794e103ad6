import * as fc from "fast-check";
import micromatch from "micromatch";
import { describe, expect, it } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { literalPattern } from "../../src/core/glob.ts";
import { simpleMatcher } from "../../src/core/glob-match.ts";
import { createMatcher, createOwnership, createReadMatcher } from "../../src/core/ownership.ts";

function refusal(make: () => unknown): OxbowError {
  try {
    make();
  } catch (error) {
    if (error instanceof OxbowError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const owner = (agents: Record<string, string[]>, path: string) => createOwnership(agents).findOwner(path);

describe("the owner of a file", () => {
  it.each<[string, Record<string, string[]>, string, string | null]>([
    ["a star stays in its directory", { A: ["src/*.ts"] }, "src/a/b.ts", null],
    ["dotfiles match", { A: ["src/**"] }, "src/.env.example", "A"],
    ["a bare directory owns what is below", { A: ["docs"] }, "docs/a/b.md", "A"],
    ["so it does with a slash", { A: ["docs/"] }, "docs/a/b.md", "A"],
    ["a bare directory is not a prefix of a name", { A: ["docs"] }, "docs2/a.md", null],
    ["the whole repository", { A: ["."] }, "x/y", "A"],
    ["braces are alternatives", { A: ["src/{a,b}/**"] }, "src/b/x.ts", "A"],
    ["a negation wins inside its agent", { A: ["src/**", "!src/gen/**"] }, "src/gen/x.ts", null],
    ["… whatever comes after it", { A: ["!src/gen/**", "src/gen/x.ts", "src/**"] }, "src/gen/x.ts", null],
    [
      "… and leaves the others alone",
      { A: ["src/**", "!src/gen/**"], B: ["src/g*/**"] },
      "src/gen/x.ts",
      "B",
    ],
    ["only exclusions own nothing", { A: ["!src/**"] }, "docs/a.md", null],
    ["no pattern owns nothing", { A: [] }, "a", null],
    [
      "a literal beats any wildcard",
      { A: ["src/**/api.test.ts"], B: ["src/a/api.test.ts"] },
      "src/a/api.test.ts",
      "B",
    ],
    ["the deeper directory wins", { A: ["src/**"], B: ["src/api/**"] }, "src/api/a.ts", "B"],
    ["specific, not long", { A: ["src/very-long-literal-text-*/**"], B: ["src/*/a/b"] }, "src/x/a/b", "B"],
    ["from the root: literal before star", { A: ["*/api/index.ts"], B: ["src/**"] }, "src/api/index.ts", "B"],
    ["partial before star", { A: ["src/*/x.ts"], B: ["src/a*/**"] }, "src/api/x.ts", "B"],
    ["more literal characters first", { A: ["src/a*/**"], B: ["src/ap*/**"] }, "src/api/x.ts", "B"],
    ["star before double star", { A: ["src/**/x.ts"], B: ["src/*/x.ts"] }, "src/a/x.ts", "B"],
    ["the longer one of equals", { A: ["src/**"], B: ["src/**/x.ts"] }, "src/a/x.ts", "B"],
    [
      "a bare directory is no literal for what is below it",
      { A: ["src"], B: ["src/api/**"] },
      "src/api/x.ts",
      "B",
    ],
    [
      "ties go to the smallest name by code unit",
      { b: ["src/[ab].ts"], B: ["src/[ba].ts"] },
      "src/a.ts",
      "B",
    ],
    ["paths are compared in NFC", { A: ["docs/caf\u00e9/**"] }, "docs/cafe\u0301/x", "A"],
    ["brackets can be escaped", { A: ["pages/\\[id\\].tsx"], B: ["pages/*"] }, "pages/[id].tsx", "A"],
    ["a path may begin with ./", { A: ["./src/**"] }, "./src/a", "A"],
  ])("%s", (_what, agents, path, expected) => {
    expect(owner(agents, path)).toBe(expected);
  });

  it("names the pattern as it was written", () => {
    const ownership = createOwnership({ Docs: ["./docs/"], Api: ["src/{api,rest}/**"] });
    expect(ownership.find("docs/a.md")).toEqual({ agent: "Docs", pattern: "./docs/" });
    expect(ownership.find("src/rest/a.ts")).toEqual({ agent: "Api", pattern: "src/{api,rest}/**" });
  });

  it.each([
    ".github/workflows/ci.yml",
    ".gitattributes",
    ".gitmodules",
    ".npmrc",
    ".mcp.json",
    ".claude/settings.json",
    ".codex/config.toml",
    "AGENTS.md",
    "CLAUDE.md",
    "oxbow.plugin.ts",
    "tools/Oxbow.Plugin.mjs",
    "team.yaml",
    "packages/x/AGENTS.md",
    "agents.md",
    ".GitHub/workflows/ci.yml",
  ])("gives %s only to a pattern that names it", (path) => {
    expect(owner({ A: ["**", "*", ".*/**", "{**,x}", "."] }, path)).toBeNull();
    expect(owner({ A: ["**"], B: [literalPattern(path)] }, path)).toBe("B");
    expect(createMatcher(["**"])(path)).toBe(false);
    expect(createMatcher([path])(path)).toBe(true);
    expect(createMatcher([path, `!${path}`])(path)).toBe(false);
  });

  it("takes a protected directory's own name as naming it, but not its parent's or a wildcard below it", () => {
    expect(owner({ A: [".github"] }, ".github/workflows/ci.yml")).toBe("A");
    expect(owner({ A: [".github/**"] }, ".github/workflows/ci.yml")).toBeNull();
    expect(owner({ A: ["packages/x"] }, "packages/x/AGENTS.md")).toBeNull();
  });

  it.each(["/etc/passwd", "../x", "a/../b", "a\\b", "a\0b", "", ".", "C:/x", ".git/config", "a\nb"])(
    "refuses to look up %j",
    (path) => {
      expect(refusal(() => owner({ A: ["**"] }, path)).code).toBe("path_rejected");
      expect(createMatcher(["**"])(path)).toBe(false);
    },
  );

  it.each([
    ["", "is empty"],
    ["!", "is empty"],
    ["/etc/**", "is absolute"],
    ["C:/x", "is absolute"],
    ["../**", "contains `..`"],
    ["src\\api\\**", "write forward slashes"],
    ["a\0", "control character"],
    ["{a,b}".repeat(12), "stands for more than 1000 patterns"],
    ["*(a|ab)x", "repeats a group whose alternatives"],
    ["+(a*)x", "repeats a group whose alternatives"],
    ["(a|aa)+x", "repeats a group"],
    ["@(a)*b*c*d*e*f", "more than 4 wildcards beside a group"],
    ["{1..99999}", "stands for more than 1000 patterns"],
    [".{{}()", "has braces that cannot be read"],
    ["x".repeat(2000), "more than 1024 bytes"],
  ])("refuses the pattern %j", (pattern, why) => {
    const error = refusal(() => createOwnership({ Api: [pattern] }));
    expect(error.code).toBe("team_config");
    expect(error.message).toContain("Agent Api: ");
    expect(error.message).toContain(why);
  });

  it.each([
    ["docs/**", "./docs//**"],
    ["docs", "docs/"],
    ["docs", "docs/**"],
    ["src/{a,b}/*.ts", "src/b/*.ts"],
    ["caf\u00e9/*", "cafe\u0301/*"],
  ])("refuses two agents with one pattern: %j and %j", (a, b) => {
    const error = refusal(() => createOwnership({ Api: [a], Web: [b] }));
    expect(error.code).toBe("team_config");
    expect(error.message).toContain("Api");
    expect(error.message).toContain("Web");
    expect(error.details["patterns"]).toEqual([a, b]);
  });
});

const name = fc.constantFrom("a", "b", ".c", "ab", "x.ts", "y.md");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
const segment = fc.constantFrom(
  "a",
  "b",
  ".c",
  "*",
  "**",
  "a*",
  "*.ts",
  "?",
  "[ab]",
  "{a,b}",
  "x.{ts,md}",
  "@(a|ab)",
);
const glob = fc.array(segment, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
const signed = fc.tuple(fc.constantFrom("", "", "", "!"), glob).map(([sign, text]) => sign + text);

/** The rule in the plainest words: positives minus negatives, each by micromatch alone. */
function plainMatch(patterns: readonly string[], path: string): boolean {
  const one = (pattern: string) =>
    micromatch
      .braces(pattern, { expand: true })
      .some(
        (text) =>
          micromatch.isMatch(path, text, { dot: true }) ||
          (/^[\w./]+$/.test(text) && path.startsWith(`${text}/`)),
      );
  const [no, yes] = [patterns.filter((p) => p.startsWith("!")), patterns.filter((p) => !p.startsWith("!"))];
  return yes.some(one) && !no.some((pattern) => one(pattern.slice(1)));
}

describe("against plain micromatch", () => {
  it("finds the same files", () => {
    fc.assert(
      fc.property(
        fc.array(signed, { maxLength: 5 }),
        fc.array(path, { minLength: 1, maxLength: 8 }),
        (patterns, paths) => {
          const matches = createMatcher(patterns);
          const ownership = createOwnership({ A: patterns });
          for (const path of paths) {
            expect([path, matches(path)]).toEqual([path, plainMatch(patterns, path)]);
            expect(ownership.findOwner(path)).toBe(matches(path) ? "A" : null);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("gives a file to an agent whose patterns match, whatever the order of agents and patterns", () => {
    const team = fc.dictionary(fc.constantFrom("A", "B", "C", "a"), fc.array(signed, { maxLength: 4 }), {
      minKeys: 1,
    });
    fc.assert(
      fc.property(team, fc.array(path, { minLength: 1, maxLength: 6 }), (agents, paths) => {
        const made = attempt(agents);
        const turned = Object.fromEntries(
          Object.entries(agents)
            .toReversed()
            .map(([agent, patterns]) => [agent, patterns.toReversed()]),
        );
        const again = attempt(turned);
        expect(again === null).toBe(made === null);
        if (made === null || again === null) return;
        for (const path of paths) {
          const found = made.find(path);
          expect(again.find(path)).toEqual(found);
          const able = Object.keys(agents).filter((agent) => plainMatch(agents[agent] ?? [], path));
          if (found === null) expect(able).toEqual([]);
          else expect(able).toContain(found.agent);
        }
      }),
      { numRuns: 2000 },
    );
  });

  function attempt(agents: Record<string, string[]>) {
    try {
      return createOwnership(agents);
    } catch (error) {
      if (error instanceof OxbowError && error.code === "team_config") return null;
      throw error;
    }
  }
});

describe("literalPattern", () => {
  it("matches exactly the path it was made from", () => {
    const char = fc.constantFrom(...Array.from("ab*?[]{}(),!|\"'+@$^ .~é"));
    const odd = fc.string({ unit: char, minLength: 1, maxLength: 8 }).filter((text) => !/^[. ]+$/.test(text));
    fc.assert(
      fc.property(odd, odd, (a, b) => {
        const matches = createMatcher([literalPattern(a)]);
        expect(matches(a)).toBe(true);
        expect(matches(b)).toBe(a === b);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("the matcher of plain wildcards", () => {
  it("answers as micromatch does", () => {
    const segments =
      "a b .c * ** a* *.ts ? ?? [ab] [!a] [^a]* a? *a a*b *a* [a-c]x .* a** ?* *? x.y \\\\[a\\\\] a\\\\* *[ab] a.b* a+ -x".split(
        " ",
      );
    const part = fc.constantFrom(...segments.map((text) => text.replaceAll("\\\\", "\\")));
    const name = fc.constantFrom(
      "a",
      "b",
      ".c",
      "ab",
      "x.ts",
      "aab",
      "c",
      "bx",
      "[a]",
      "*",
      "a*",
      "axb",
      "x.y",
      "..a",
      "a+",
      "!",
    );
    const several = (one: fc.Arbitrary<string>) =>
      fc.array(one, { minLength: 1, maxLength: 4 }).map((list) => list.join("/"));
    fc.assert(
      fc.property(several(part), several(name), (pattern, path) => {
        fc.pre(!pattern.includes("**/**"));
        const matches = simpleMatcher(pattern);
        expect(matches).not.toBeNull();
        expect([pattern, path, matches?.(path)]).toEqual([
          pattern,
          path,
          micromatch.isMatch(path, pattern, { dot: true }),
        ]);
      }),
      { numRuns: 10_000 },
    );
  });

  it("cannot be made slow", () => {
    const path = `${"a/".repeat(1000)}${"a".repeat(250)}`;
    const started = performance.now();
    for (const pattern of [
      `${"**/a/".repeat(100)}b`,
      `**/${"*a".repeat(100)}b`,
      `${"**/*a*/".repeat(50)}b`,
    ]) {
      expect(createMatcher([pattern])(path)).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("createReadMatcher", () => {
  it("lets protected files be seen through a wildcard", () => {
    expect(createReadMatcher(["**", "!secret"])("AGENTS.md")).toBe(true);
    expect(createReadMatcher(["**", "!secret"])("secret/x")).toBe(false);
    expect(createReadMatcher(["**"])("../x")).toBe(false);
  });
});
