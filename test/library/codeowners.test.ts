import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { initTeam, owners } from "../../src/app.ts";
import { lastOwners } from "../../src/core/codeowners-export.ts";
import { parseCodeowners } from "../../src/core/codeowners.ts";
import { exportOwners } from "../../src/codeowners.ts";
import { TeamRegistry } from "../../src/index.ts";
import { oxbow } from "../support/cli.ts";
import { commitFiles, emptyRepo } from "../support/repos.ts";

const FILES = {
  "README.md": "r\n",
  "src/api/users.ts": "u\n",
  "src/web/page.css": "p\n",
  "src/web/readme.md": "w\n",
  "docs/guide.md": "g\n",
  "apps/github/x.ts": "x\n",
};

const CODEOWNERS = `# who owns what
*            @acme/everybody
/src/        @octocat
/src/web/    @acme/web @hubot
*.md         docs@example.com
/apps/github
bad[12].ts   @octocat
`;

test("a registry comes from CODEOWNERS, and its agents know whom they stand for", () => {
  const registry = TeamRegistry.fromCodeowners(CODEOWNERS);
  const who = (file: string) => registry.get(registry.findOwner(file)?.agent ?? "")?.codeOwners ?? null;
  expect(registry.list().map(({ name }) => name)).toEqual(["everybody", "octocat", "web-hubot", "docs"]);
  expect(who("package.json")).toEqual(["@acme/everybody"]);
  expect(who("src/api/users.ts")).toEqual(["@octocat"]);
  expect(who("src/web/page.css")).toEqual(["@acme/web", "@hubot"]);
  expect(who("src/web/readme.md")).toEqual(["docs@example.com"]);
  expect(who("apps/github/x.ts")).toBeNull();
  expect(() => TeamRegistry.fromCodeowners("/a/ @x\n/a/b/\n/a/b/c/ @x\n")).toThrow(/Line 2 /);
});

test("CODEOWNERS in, a team with the same owners, CODEOWNERS out", async () => {
  const dir = emptyRepo();
  commitFiles(dir, FILES);
  await expect(initTeam({ repo: dir, fromCodeowners: true })).rejects.toMatchObject({
    code: "usage",
    hint: "GitHub looks for .github/CODEOWNERS, CODEOWNERS, docs/CODEOWNERS.",
  });
  // The first of the three places counts.
  writeFileSync(path.join(dir, "docs/CODEOWNERS"), "* @nobody\n");
  writeFileSync(path.join(dir, "CODEOWNERS"), CODEOWNERS);
  const made = await initTeam({ repo: dir, fromCodeowners: true });
  expect(made.agents).toEqual(["Lead", "everybody", "octocat", "web-hubot", "docs"]);
  expect(made.skipped).toEqual([
    { line: 7, text: "bad[12].ts   @octocat", reason: "GitHub does not know `[ ]` here" },
  ]);
  const team = path.join(dir, "team.yaml");
  const found = await owners(Object.keys(FILES), { team });
  expect(found.map(({ owner }) => owner?.agent ?? null)).toEqual([
    "docs",
    "octocat",
    "web-hubot",
    "docs",
    "docs",
    null,
  ]);
  const out = await exportOwners({ repo: dir, team });
  expect(out.differs).toEqual([]);
  const { rules } = parseCodeowners(out.text);
  for (const { path: file, owner } of found) {
    const before = TeamRegistry.load(team).get(owner?.agent ?? "")?.codeOwners ?? [];
    expect([file, lastOwners(rules, file)]).toEqual([file, before]);
  }
});

test("the command writes the file, and says who has no owners on GitHub", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { ...FILES, "team.yaml": "team: T\nagents:\n  - { name: Api, allowed_paths: [src] }\n" });
  const refused = await oxbow(["owners", "export"], { cwd: dir });
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining("The agent Api has no code_owners."),
  ]);
  writeFileSync(
    path.join(dir, "team.yaml"),
    'team: T\nagents:\n  - { name: Api, allowed_paths: [src], code_owners: ["@acme/api"] }\n',
  );
  const made = await oxbow(["owners", "export", "--output", "CODEOWNERS"], { cwd: dir });
  expect([made.code, made.stdout]).toEqual([0, "Wrote CODEOWNERS.\n"]);
  expect(readFileSync(path.join(dir, "CODEOWNERS"), "utf8")).toMatch(/^#.*\n\/src @acme\/api\n$/);
});
