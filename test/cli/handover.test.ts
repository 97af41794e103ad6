import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openApp } from "../../src/library.ts";
import { paint } from "../../src/doors/cli/diff.ts";
import { errorOf, oxbow, plainEnvironment } from "../support/cli.ts";
import { makeShop } from "../support/shop.ts";

const SIGN = [
  "node",
  "-e",
  'for (const f of process.argv.slice(1)) require("fs").appendFileSync(f, "// by a team\\n")',
  "{paths}",
];

it("a ticket is looked at, told and merged from the command line", async () => {
  using shop = makeShop();
  const cwd = shop.dir;
  await using app = openApp({ repo: cwd, env: plainEnvironment() });
  await app.run("Sign <every> file", { by: "owner", command: SIGN, ticket: "146", workers: "none" });

  const [stat, unknown, text, page] = await Promise.all([
    oxbow(["diff", "146", "--stat"], { cwd }),
    oxbow(["report", "147", "--json"], { cwd }),
    oxbow(["report", "146"], { cwd }),
    oxbow(["report", "146", "--output", ".git/river.html"], { cwd }),
  ]);
  expect(stat).toMatchObject({ code: 0, stderr: "" });
  expect(stat.stdout).toMatch(/src\/web\/page\.js +\| +1 \+/);
  expect(unknown.code).toBe(2);
  expect(errorOf(unknown).code).toBe("task_unknown");
  expect(text.stdout).toMatch(/✓ +Api +merged +1 /);
  expect(page).toMatchObject({ code: 0, stdout: "Wrote .git/river.html.\n" });
  const html = readFileSync(join(cwd, ".git/river.html"), "utf8");
  expect(html).toMatch(/^<!doctype html>/);
  expect(html).toContain("Sign &lt;every&gt; file");

  shop.write("src/api/users.js", "export const users = ['ada'];\n");
  shop.git("commit", "--quiet", "--all", "--message", "Ada");
  const conflict = await oxbow(["merge", "146", "--json"], { cwd });
  expect(conflict.code).toBe(3);
  expect(conflict.lines[0]).toMatchObject({ state: "conflict", conflicts: [{ path: "src/api/users.js" }] });
  shop.git("branch", "calm", "HEAD~1");
  const merged = await oxbow(["merge", "146", "--into", "calm"], { cwd });
  expect(merged.stdout).toMatch(
    /^calm is at [0-9a-f]{10}, it was at [0-9a-f]{10}: fast-forward of integration\/146/,
  );
});

it("a diff on a terminal has git's colours, and nothing that the terminal would obey", () => {
  const text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- old\n+\x1b]0;title\x07new\n same\n";
  expect(paint(text, true).split("\n")).toEqual([
    "\x1b[1mdiff --git a/x b/x\x1b[m",
    "\x1b[1m--- a/x\x1b[m",
    "\x1b[1m+++ b/x\x1b[m",
    "\x1b[36m@@ -1 +1 @@\x1b[m",
    "\x1b[31m--- old\x1b[m",
    "\x1b[32m+\\x1b]0;title\\x07new\x1b[m",
    " same",
    "",
  ]);
  expect(paint(text, false)).not.toContain("\x1b");
});

it("secrets that a branch holds are not shown", async () => {
  using shop = makeShop();
  await using app = openApp({ repo: shop.dir, env: plainEnvironment() });
  const leak = [
    "node",
    "-e",
    `require("fs").writeFileSync("docs/leak.md", "key: sk-proj-" + "a1B2c3D4".repeat(6) + "\\n")`,
  ];
  await app.run("Leak", { by: "owner", command: leak, ticket: "9", workers: "none" });
  const [docs] = (await app.diff("9", { agent: "Docs" })).diffs;
  expect(docs?.diff).toContain("+key: [REDACTED]");
  expect(JSON.stringify(docs)).not.toContain("sk-proj-a1B2");
});
