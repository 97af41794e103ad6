import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf } from "../support/cli.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

const shop = makeShop({ files: { "test/api.test.js": "// none\n" } });
afterAll(() => shop[Symbol.dispose]());
const run = (...args: string[]) => oxbow(args, { cwd: shop.dir });
const TASK =
  "Add a limit to src/api, then describe it in docs/guide.md. Over the limit the answer must be 429.";

describe("oxbow plan", () => {
  it("shows who would do which part, in which order, and makes nothing", async () => {
    const before = shop.fingerprint();
    const { stdout, code } = await run("plan", `${TASK} Ask me before changing the docs.`);
    expect(code).toBe(0);
    expect(stdout).toContain("(by rules); nothing was made.");
    expect(stdout).toMatch(/Done when\n {2}- Over the limit the answer must be 429\./);
    expect(stdout).toMatch(/1 {2}Api {3}2 files {2}src\/api\/\*\*\n {7}Add a limit to src\/api/);
    expect(stdout).toMatch(/2 {2}Docs {2}1 file {3}docs\/guide\.md {3}after api/);
    expect(stdout).toContain("⚑ waits for your yes: Ask me before changing the docs.");
    expect(stdout).not.toContain("Budget");
    expect(shop.fingerprint()).toBe(before);
  });

  it("says what the team lets one task use", async () => {
    const file = join(shop.dir, ".git", "thrifty.yaml");
    writeFileSync(file, `budget: { usd: 2.5, tokens: 100000 }\n${SHOP_TEAM}`);
    const { stdout } = await run("plan", TASK, "--team", file);
    expect(stdout).toContain("Budget of the task: $2.5, 100,000 tokens.");
  });

  it("prints exactly the plan with --json, reads an issue from a file, and writes what `run --plan` carries out", async () => {
    writeFileSync(
      join(shop.dir, ".git", "issue.md"),
      `# Limits\n\n## Tasks\n1. Add a limit to \`src/api\`\n2. Tell of it in README.md\n`,
    );
    const file = join(shop.dir, ".git", "plan.yaml");
    const made = await run(
      "plan",
      "--file",
      ".git/issue.md",
      "--planner",
      "rules",
      "--output",
      file,
      "--json",
    );
    const plan = JSON.parse(made.stdout);
    expect(plan).toMatchObject({
      version: 1,
      planner: "rules",
      objectives: ["Limits", "Add a limit to `src/api`", "Tell of it in README.md"],
      scope: ["src/api/**", "README.md"],
      subtasks: [
        { id: "api", agent: "Api", allowed_paths: ["src/api/**"], depends_on: [] },
        { id: "docs", agent: "Docs", allowed_paths: ["README.md"], depends_on: ["api"] },
      ],
      mece: { overlaps: [], leftovers: { files: [], total: 0 } },
    });
    const ended = await run(
      "run",
      "--plan",
      file,
      "--ticket",
      "7",
      "--command",
      "sed -i s/[a-z]/X/ {paths}",
      "--json",
    );
    const report = reportOf(ended);
    expect([report.state, report.title]).toEqual(["completed", "Limits"]);
    expect(ended.lines.find(({ event }) => event === "planned")).toMatchObject({
      plan: { objectives: plan.objectives },
    });
    const [api, docs] = report.children;
    expect([api.agent, docs.agent]).toEqual(["Api", "Docs"]);
    expect(shop.git("diff", "--name-only", "main", "integration/7").trim().split("\n")).toEqual([
      "README.md",
      "src/api/orders.js",
      "src/api/users.js",
    ]);
    // Docs began with what Api had made.
    expect(shop.at("feature/7/Docs", "src/api/users.js")).toContain("X");
  });

  it("names the line and column of what is wrong in a plan, and runs nothing of it", async () => {
    const file = join(shop.dir, ".git", "bad.yaml");
    await run("plan", TASK, "--output", file);
    const good = readFileSync(file, "utf8");
    const wrong = async (from: string | RegExp, to: string) => {
      writeFileSync(file, good.replace(from, to));
      const ended = await run("run", "--plan", file, "--ticket", "8", "--json");
      expect(ended.code).toBe(2);
      expect(errorOf(ended).code).toBe("plan_invalid");
      return errorOf(ended).message.replaceAll(file, "F");
    };
    expect(await wrong("agent: Docs", "agent: Dogs")).toMatch(
      /^F:\d+:\d+: subtasks\[1\]\.agent: .*Did you mean Docs\?/,
    );
    expect(await wrong("brief:", "breif:")).toMatch(
      /subtasks\[0\]\.breif: there is no such key\. Did you mean brief\?/,
    );
    expect(await wrong("depends_on: []", "depends_on: [docs]")).toMatch(
      /wait for each other: api → docs → api/,
    );
    expect(await wrong(/- src\/api\/\*\*\n {4}depends/, "- src/web/**\n    depends")).toMatch(
      /outside of what Api may write/,
    );
    expect(shop.git("for-each-ref", "refs/heads/feature/8")).toBe("");
  });

  it("opens the editor on it, and keeps what was written when that is no plan", async () => {
    const editor = join(shop.dir, ".git", "editor.sh");
    const file = join(shop.dir, ".git", "edited.yaml");
    const edit = async (script: string, ...args: string[]) => {
      writeFileSync(editor, `#!/bin/sh\n${script}\n`);
      chmodSync(editor, 0o755);
      return oxbow(["plan", ...args, "--edit", "--json"], {
        cwd: shop.dir,
        env: { VISUAL: `${editor} --wait` },
      });
    };
    const made = await edit(
      `sed -i 's/approval: null/approval: Ada says when/' "$2"`,
      TASK,
      "--output",
      file,
    );
    expect(JSON.parse(made.stdout).subtasks.map((each: { approval: string }) => each.approval)).toEqual([
      "Ada says when",
      "Ada says when",
    ]);
    const broken = await edit(`echo 'nonsense: 1' >> "$2"`, "--from", file);
    expect(errorOf(broken)).toMatchObject({
      code: "plan_invalid",
      message: expect.stringMatching(/nonsense: there is no such key/),
      hint: `What you wrote is kept: \`oxbow plan --edit --from ${file}\` goes on with it.`,
    });
    expect(readFileSync(file, "utf8")).toContain("Ada says when");
    const mended = await edit(`sed -i /nonsense/d "$2"`, "--from", file);
    expect(mended.code).toBe(0);
    const failed = await edit("exit 3", "--from", file);
    expect(errorOf(failed).message).toMatch(/ended with 3; what it saved is in/);
  });

  it.each([
    [["plan"], "usage", /Say what is to be done/],
    [["plan", "  "], "usage", /The task is empty/],
    [["plan", "x", "--from", "y"], "usage", /Give one task/],
    [["plan", "--from", "missing.yaml"], "usage", /cannot be read/],
    [["plan", "x", "--planner", "magic"], "usage", /magic/],
    [["plan", "x", "--planner-agent", "Nobody"], "agent_unknown", /Nobody/],
    [["plan", "x", "--planner", "llm"], "provider_missing", /No key/],
    [["run", "x", "--plan", "y"], "usage", /has its task in it/],
  ])("refuses %j", async (args, code, message) => {
    const ended = await run(...args, "--json");
    expect([ended.code, errorOf(ended).code]).toEqual([2, code]);
    expect(errorOf(ended).message).toMatch(message);
    expect(existsSync(join(shop.dir, ".git", "oxbow", "plans"))).toBe(false);
  });
});
