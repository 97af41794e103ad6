import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { translateCodeowners } from "../../src/core/codeowners-import.ts";
import { parseCodeowners } from "../../src/core/codeowners.ts";
import { codeownersText, differences, type ExportedAgent } from "../../src/core/codeowners-export.ts";
import { hasCode } from "../../src/core/errors.ts";
import { createOwnership } from "../../src/core/ownership.ts";

/** The rules of GitHub's documentation, straight: the last line that matches. Null: nobody owns it. */
function lastMatch(text: string, path: string): string | null {
  let found: string | null = null;
  for (const line of text.split("\n")) {
    const [pattern = "", ...owners] = line
      .replace(/\s#.*|^#.*/, "")
      .trim()
      .split(/\s+/);
    if (pattern !== "" && asRegExp(pattern).test(path)) found = owners.length > 0 ? owners.join(" ") : null;
  }
  return found;
}

function asRegExp(pattern: string): RegExp {
  const names = pattern.replace(/^\//, "").replace(/\/$/, "/**").split("/");
  const rooted = pattern.replace(/\/$/, "").includes("/");
  const last = names.at(-1);
  let text = rooted || names[0] === "**" ? "^" : "^(?:.*/)?";
  for (const [i, name] of names.entries()) {
    const end = i === names.length - 1;
    if (name === "**") text += end ? ".+" : "(?:.*/)?";
    else
      text += `${name
        .replace(/[.+^${}()|]/g, "\\$&")
        .replaceAll("*", "[^/]*")
        .replaceAll("?", "[^/]")}${end ? "" : "/"}`;
  }
  return new RegExp(`${text}${last === "**" || last === "*" ? "" : "(?:/.*)?"}$`);
}

function translated(text: string): (path: string) => string | null {
  const agents = translateCodeowners(parseCodeowners(text));
  const ownership = createOwnership(
    Object.fromEntries(agents.map(({ owners, allowedPaths }) => [owners.join(" "), allowedPaths])),
  );
  return (path) => ownership.findOwner(path);
}

function paths(text: string): Record<string, readonly string[]> {
  return Object.fromEntries(
    translateCodeowners(parseCodeowners(text)).map(({ owners, allowedPaths }) => [
      owners.join(" "),
      allowedPaths,
    ]),
  );
}

describe("reading", () => {
  it("gives rules with their lines, and skips what GitHub does not know", () => {
    const { rules, skipped } = parseCodeowners(
      [
        "# who owns what",
        "*       @global-owner1 @global-owner2   # an inline comment",
        "",
        "\t/docs/ docs@example.com",
        "/apps/github",
        "path\\ with\\ blanks/ @org/team-name",
        "!no @a",
        "\\#no @a",
        "Python/ceval*.[ch] @a",
        "src/ a",
        "/ @a",
        "a//b @a",
        "***  @a",
        "x#y @a",
      ].join("\r\n"),
    );
    expect(rules.map(({ line, pattern, owners }) => [line, pattern, owners])).toEqual([
      [2, "*", ["@global-owner1", "@global-owner2"]],
      [4, "/docs/", ["docs@example.com"]],
      [5, "/apps/github", []],
      [6, "path\\ with\\ blanks/", ["@org/team-name"]],
    ]);
    expect(skipped.map(({ line, reason }) => `${line}: ${reason}`)).toEqual([
      "7: GitHub does not know `!` here",
      "8: GitHub does not know `\\#` here",
      "9: GitHub does not know `[ ]` here",
      '10: "a" is no owner: write @user, @org/team or an address',
      "11: no path looks like that",
      "12: no path looks like that",
      "13: it has three `*` in a row",
      "14: a `#` begins a comment only after a blank",
    ]);
  });

  it("refuses a file that GitHub does not load", () => {
    expect(() => parseCodeowners("# \n".repeat(1024 * 1024))).toThrow(/3 MB/);
  });
});

describe("as allowed_paths", () => {
  it("is what one would write by hand", () => {
    expect(paths("* @all\n/docs @docs\n/src/api/ @api\n*.md @docs\n/src/ui/*.css @ui\n")).toEqual({
      "@all": ["**/*"],
      "@docs": ["docs", "**/*.md", "**/*.md/**/*", "src/api/**/*.md", "src/api/**/*.md/**/*"],
      "@api": ["src/api/**/*"],
      "@ui": ["src/ui/*.css", "src/ui/*.css/**/*"],
    });
    expect(paths("/apps/ @octocat\n/apps/github\n")).toEqual({ "@octocat": ["apps/**/*", "!apps/github"] });
    expect(paths("/src @a\n* @b\n")).toEqual({ "@b": ["**/*"] });
    // What becomes code for others is owned only through its own name.
    expect(translated("* @all\n/.github/ @ops\n")(".github/workflows/ci.yml")).toBe("@ops");
    expect(translated("* @all\n")(".github/workflows/ci.yml")).toBeNull();
  });

  it("says which lines cannot be expressed", () => {
    const refusal = (text: string) => {
      try {
        return paths(text);
      } catch (error) {
        return hasCode(error, "codeowners_invalid") ? [error.message, error.details["line"]] : error;
      }
    };
    expect(refusal("/a/ @x\n/a/b/\n/a/b/c/ @x\n")).toEqual([
      'Line 2 ("/a/b/") cannot be said in allowed_paths: it takes paths from "/a/" (line 1) of which "/a/b/c/" (line 3) gives some back to @x.',
      2,
    ]);
  });

  it("finds the owners that GitHub finds, on any tree, or refuses the file", () => {
    const name = fc.constantFrom("a", "b", "ab", "a.md", "b.md", "docs", ".x");
    const glob = fc.oneof(
      { weight: 4, arbitrary: name },
      { weight: 1, arbitrary: fc.constantFrom("*", "**", "*.md", "a*", "?", "?b", "*b*", "d*s") },
    );
    const pattern = fc
      .tuple(fc.boolean(), fc.array(glob, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([rooted, names, folder]) => `${rooted ? "/" : ""}${names.join("/")}${folder ? "/" : ""}`);
    const line = fc
      .tuple(pattern, fc.constantFrom("@a", "@b", "@c", "@a @b", ""))
      .map(([one, owner]) => `${one} ${owner}`);
    const file = fc.array(line, { minLength: 1, maxLength: 6 }).map((list) => list.join("\n"));
    const tree = fc.array(
      fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/")),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    let refused = 0;
    fc.assert(
      fc.property(file, tree, (text, files) => {
        let find: (path: string) => string | null;
        try {
          find = translated(text);
        } catch (error) {
          if (!hasCode(error, "codeowners_invalid")) throw error;
          refused++;
          return;
        }
        for (const path of files) expect([path, find(path)]).toEqual([path, lastMatch(text, path)]);
      }),
      { numRuns: 1_000, seed: 6 },
    );
    expect(refused).toBeLessThan(50);
  });
});

describe("from allowed_paths", () => {
  const agent = (name: string, ...allowedPaths: string[]): ExportedAgent => ({
    name,
    allowedPaths,
    codeOwners: [`@${name.toLowerCase()}`],
  });
  const lines = (...agents: ExportedAgent[]) =>
    codeownersText(agents)
      .split("\n")
      .slice(1)
      .filter((line) => line !== "")
      .map((line) => line.replace(/ +/g, " "));

  it("is in the order in which the last line that matches is the most specific", () => {
    expect(
      lines(agent("Api", "src/api/**", "**/*.ts"), agent("Docs", "docs", "**"), agent("Web", "src/*/ui/")),
    ).toEqual(["* @docs", "*.ts @api", "/docs @docs", "/src/*/ui @web", "/src/api @api"]);
  });

  it("says again what was said before where an agent gives something up", () => {
    expect(lines(agent("All", "**"), agent("Src", "src/**", "!src/gen/**"))).toEqual([
      "* @all",
      "/src @src",
      "/src/gen @all",
      "/src/gen/ @all",
    ]);
  });

  it("refuses an agent that nobody on GitHub stands for, and what GitHub does not know", () => {
    const refusal = (one: ExportedAgent) => {
      try {
        return codeownersText([one]);
      } catch (error) {
        return hasCode(error, "codeowners_invalid") ? error.message : error;
      }
    };
    expect(refusal({ name: "A", allowedPaths: ["a"], codeOwners: [] })).toBe(
      "The agent A has no code_owners.",
    );
    expect(refusal({ name: "A", allowedPaths: ["a"], codeOwners: ["me"] })).toContain('"me" is no owner');
    expect(refusal(agent("A", "src/[ab].ts"))).toContain("brackets or groups");
    expect(refusal(agent("A", "src/#1"))).toContain("a character that GitHub does not know");
  });

  const folder = fc.constantFrom("src", "docs", "lib", ".x");
  const file = fc.constantFrom("a.md", "b.ts", "c.md");
  const wild = fc.constantFrom(
    "*.md",
    "?.ts",
    "*",
    "**/*.md",
    "**",
    "**/b.ts",
    "*/a.md",
    "**/lib/**",
    "**/docs/*",
  );
  const pattern = fc
    .tuple(fc.boolean(), fc.array(folder, { maxLength: 2 }), fc.option(fc.oneof(wild, file)))
    .map(
      ([negative, names, end]) => [negative, [...names, ...(end === null ? [] : [end])].join("/")] as const,
    )
    .filter(([, text]) => text !== "")
    .map(([negative, text]) => (negative ? `!${text}` : text));
  const team = fc.array(fc.array(pattern, { maxLength: 4 }), { minLength: 1, maxLength: 3 });
  const tree = fc.uniqueArray(
    fc.tuple(fc.array(folder, { maxLength: 3 }), file).map(([names, name]) => [...names, name].join("/")),
    { minLength: 1, maxLength: 30 },
  );

  it("names the owners that the team has, on any tree whose directories are not called like files", () => {
    fc.assert(
      fc.property(team, tree, (patterns, files) => {
        const agents = patterns.map((list, i) => agent(["A", "B", "C"][i] ?? "", ...list));
        let find: (path: string) => string | null;
        try {
          find = createOwnership(
            Object.fromEntries(agents.map((each) => [each.name, each.allowedPaths])),
          ).findOwner;
        } catch (error) {
          if (hasCode(error, "team_config")) return;
          throw error;
        }
        const text = codeownersText(agents);
        const owner = (path: string) => agents.find(({ name }) => name === find(path)) ?? null;
        for (const path of files)
          expect([path, owner(path)?.codeOwners.join(" ") ?? null]).toEqual([path, lastMatch(text, path)]);
        expect(differences(text, files, owner)).toEqual([]);
      }),
      { numRuns: 1_000, seed: 6 },
    );
  });

  it("tells where the file says otherwise: a directory that is called like a file", () => {
    const agents = [agent("A", "**/*.md"), agent("B", "**/b.ts")];
    const find = createOwnership(Object.fromEntries(agents.map((each) => [each.name, each.allowedPaths])));
    const owner = (path: string) => agents.find(({ name }) => name === find.findOwner(path)) ?? null;
    expect(differences(codeownersText(agents), ["x.md/y", "x.md/b.ts", "AGENTS.md"], owner)).toEqual([
      { path: "x.md/y", agent: null, owners: ["@a"] },
    ]);
  });
});
