import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { taskViewSchema } from "../../src/core/task-view.ts";
import { historyText } from "../../src/doors/cli/history-text.ts";
import { openApp, type OxbowApp } from "../../src/library.ts";
import { reportMarkdown } from "../../src/report-markdown.ts";
import { reportPage } from "../../src/report-page.ts";
import { plainEnvironment } from "../support/cli.ts";
import { makeShop, type Shop } from "../support/shop.ts";

/** Appends to every file it is given; Docs fails when a file says so. */
const WORK = [
  "node",
  "-e",
  `const fs = require("fs");
   const files = process.argv.slice(1);
   if (files.includes("docs/fail")) process.exit(1);
   for (const f of files) fs.appendFileSync(f, "// by a team\\n")`,
  "{paths}",
];

const open = (shop: Shop, env: Readonly<Record<string, string>> = {}) =>
  openApp({ repo: shop.dir, env: plainEnvironment(env) });
const work = (app: OxbowApp, ticket: string, base?: string) =>
  app.run("Sign every file", { by: "owner", command: WORK, ticket, base, workers: "none" });
const tip = (shop: Shop, rev: string) => shop.git("rev-parse", rev).trim();

describe("a finished ticket", () => {
  it("is looked at, and lands in the branch it began with, whose clean checkout follows", async () => {
    using shop = makeShop();
    await using app = open(shop);
    const before = tip(shop, "main");
    await work(app, "146");

    const { diffs } = await app.diff("146");
    expect(diffs).toMatchObject([{ branch: "integration/146", agent: null, base: before, deletions: 0 }]);
    expect(diffs[0]?.diff).toBe(shop.git("diff", before, "integration/146"));
    expect(diffs[0]?.stat).toContain("src/web/page.js");
    const [api] = (await app.diff("146", { agent: "Api" })).diffs;
    expect(api?.files.map(({ path }) => path)).toEqual(["src/api/orders.js", "src/api/users.js"]);

    const merged = await app.merge("146");
    expect(merged).toMatchObject({
      ok: true,
      state: "landed",
      how: "fast_forward",
      into: "main",
      before,
      checkout: shop.dir,
      left_out: [],
    });
    expect(tip(shop, "main")).toBe(tip(shop, "integration/146"));
    expect(shop.git("status", "--porcelain")).toBe("");
    expect(readFileSync(join(shop.dir, "README.md"), "utf8")).toContain("by a team");
    expect(await app.merge("146")).toMatchObject({ ok: true, state: "unchanged" });
    const story = await app.report("146");
    expect(story).toMatchObject({ state: "completed", live: false });
    expect(story.tasks[0]?.moments.at(-1)).toMatchObject({ kind: "landed", text: "Landed in main" });
  });

  it("lands as one commit with its agents as co-authors, besides what others did, without a checkout", async () => {
    using shop = makeShop();
    await using app = open(shop);
    await work(app, "7");
    shop.git("branch", "release");
    shop.write("LICENSE", "some\n");
    shop.git("commit", "--quiet", "--all", "--message", "License");
    const clean = shop.fingerprint();
    const merged = await app.merge("7", { into: "release", squash: true });
    expect(merged).toMatchObject({ state: "landed", how: "squash", into: "release", checkout: null });
    expect(shop.fingerprint()).toBe(clean);
    const [parents, subject, authors] = shop
      .git("log", "-1", "--format=%P%n%s%n%(trailers:key=Co-authored-by,valueonly,separator=%x2C)", "release")
      .split("\n");
    expect(parents).toBe(merged.before);
    expect(subject).toBe("Sign every file");
    expect(authors).toBe("Api <Api@oxbow.localhost>,Docs <Docs@oxbow.localhost>,Web <Web@oxbow.localhost>");
    expect(await app.merge("7", { into: "release", squash: true })).toMatchObject({ state: "unchanged" });

    // main went on: a merge commit, with trailers.
    expect(await app.merge("7")).toMatchObject({
      state: "landed",
      how: "merge",
      into: "main",
      checkout: shop.dir,
    });
    expect(shop.git("log", "-1", "--format=%s", "main").trim()).toBe("Merge integration/7 into main");
    expect(shop.at("main", "LICENSE")).toBe("some\n");
  });

  it("moves nothing where it conflicts, where files are changed, and where the branch is not there", async () => {
    using shop = makeShop();
    await using app = open(shop);
    await work(app, "8");
    shop.write("src/api/users.js", "export const users = ['ada'];\n");
    await expect(app.merge("8")).rejects.toMatchObject({
      code: "dirty_tree",
      hint: expect.stringContaining("stash"),
    });
    shop.git("commit", "--quiet", "--all", "--message", "Ada");
    const clean = shop.fingerprint();
    expect(await app.merge("8")).toMatchObject({
      ok: false,
      state: "conflict",
      conflicts: [{ path: "src/api/users.js", kind: "content", agents: ["Api"] }],
    });
    await expect(app.merge("8", { into: "nowhere" })).rejects.toMatchObject({ code: "rev_not_found" });
    await expect(app.merge("8", { into: "--force" })).rejects.toMatchObject({ code: "rev_not_found" });
    await expect(app.merge("8", { into: "integration/8" })).rejects.toMatchObject({ code: "usage" });
    await expect(app.merge("8", { push: "nobody" })).rejects.toMatchObject({ code: "usage" });
    await expect(app.merge("nothing")).rejects.toMatchObject({ code: "task_unknown" });
    await expect(app.diff("nothing")).rejects.toMatchObject({ code: "task_unknown" });
    await expect(app.diff("8", { agent: "Nobody" })).rejects.toMatchObject({ code: "agent_unknown" });
    await expect(app.report("nothing")).rejects.toMatchObject({ code: "task_unknown" });
    expect(shop.fingerprint()).toBe(clean);
  });

  it("is kept back while a part of it is missing, unless a person says otherwise", async () => {
    using shop = makeShop({ files: { "docs/fail": "" } });
    await using app = open(shop);
    await work(app, "9");
    await expect(app.merge("9")).rejects.toMatchObject({
      code: "unlanded_work",
      message: expect.stringMatching(/Docs::.*\(failed\)/),
      hint: expect.stringContaining("--partial"),
    });
    expect(await app.merge("9", { partial: true })).toMatchObject({
      state: "landed",
      left_out: [{ agent: "Docs", reason: "failed" }],
    });
    // A second task of the ticket goes on where the first ended; both are told.
    shop.git("rm", "--quiet", "docs/fail");
    shop.git("commit", "--quiet", "--message", "No reason to fail");
    await work(app, "9", "main");
    const story = await app.report("9");
    expect(story.tasks.map(({ state }) => state)).toEqual(["failed", "completed"]);
    expect(story.tasks[0]?.parts.map(({ agent, verdict }) => `${agent} ${verdict}`).sort()).toEqual([
      "Api merged",
      "Docs failed",
      "Web merged",
    ]);
  });

  it("is pushed where git would push it, never over what others pushed", async () => {
    using shop = makeShop();
    const bare = join(shop.dir, ".git", "bare.git");
    execFileSync("git", ["init", "--quiet", "--bare", bare]);
    shop.git("remote", "add", "origin", bare);
    shop.git("push", "--quiet", "origin", "main");
    await using app = open(shop);
    await work(app, "10");
    const start = tip(shop, "main");
    const theirs = shop.git("commit-tree", "-p", "main", "-m", "Theirs", "main^{tree}").trim();
    shop.git("push", "--quiet", "origin", `${theirs}:refs/heads/main`);
    shop.git("update-ref", "-d", "refs/remotes/origin/main");
    await expect(app.merge("10", { push: "origin" })).rejects.toMatchObject({
      code: "branch_moved",
      hint: expect.stringContaining("git fetch origin main"),
    });
    expect(tip(shop, "main")).toBe(start);
    shop.git("merge", "--quiet", theirs);
    const merged = await app.merge("10", { push: "origin" });
    expect(merged).toMatchObject({ ok: true, how: "merge", push: { state: "pushed", remote: "origin" } });
    expect(shop.git("ls-remote", bare, "main").split("\t")[0]).toBe(tip(shop, "main"));
  });

  it("becomes a pull request through gh, and the command for one where there is no gh", async () => {
    using shop = makeShop();
    const bare = join(shop.dir, ".git", "bare.git");
    execFileSync("git", ["init", "--quiet", "--bare", bare]);
    shop.git("remote", "add", "origin", bare);
    const bin = join(shop.dir, ".git", "bin");
    mkdirSync(bin);
    const gh = `#!/bin/sh\n[ "$1" = --version ] && exit 0\nprintf '%s\\n' "$@" > ${bin}/arguments\ncat > ${bin}/body\necho https://github.com/acme/shop/pull/7\n`;
    await using app = open(shop);
    await work(app, "11");
    const before = shop.fingerprint();
    const without = await app.merge("11", { pullRequest: true });
    expect(without).toMatchObject({ ok: false, state: "proposed", push: null, pull_request: { url: null } });
    expect(without.pull_request?.command).toBe(
      "git push origin integration/11 && oxbow report 11 --format markdown | gh pr create --base main --head integration/11 --title 'Sign every file' --body-file -",
    );
    expect(shop.git("ls-remote", bare)).toBe("");

    writeFileSync(join(bin, "gh"), gh);
    chmodSync(join(bin, "gh"), 0o755);
    await using other = open(shop, { PATH: `${bin}:${process.env["PATH"]}` });
    expect(await other.merge("11", { pullRequest: true })).toMatchObject({
      ok: true,
      state: "proposed",
      push: { state: "pushed", branch: "integration/11" },
      pull_request: { url: "https://github.com/acme/shop/pull/7" },
    });
    expect(readFileSync(join(bin, "arguments"), "utf8").split("\n").slice(0, 6)).toEqual([
      "pr",
      "create",
      "--base",
      "main",
      "--head",
      "integration/11",
    ]);
    expect(readFileSync(join(bin, "body"), "utf8")).toContain("Sign every file");

    const url = "https://github.com/acme/shop/pull/7";
    await other.merge("11", { pullRequest: true });
    const history = await other.report("11");
    const [task] = history.tasks;
    expect(task?.pull_request).toBe(url);
    expect(task?.moments.filter(({ kind }) => kind === "pull_request")).toMatchObject([
      { ok: true, text: `Pull request for main: ${url}` },
    ]);
    for (const shown of [historyText(history), reportMarkdown(history), reportPage(history)])
      expect(shown).toContain(url);
    const view = await other.taskView(task?.task_id ?? "");
    expect(taskViewSchema.parse(view)).toEqual(view);
    for (const { merged, outputs } of view.subtasks)
      expect(outputs?.pull_request).toBe(merged ? url : undefined);
    expect(view.subtasks.some(({ merged }) => merged)).toBe(true);
    expect(view.audit.filter(({ what }) => what === "pull_request").map(({ text }) => text)).toEqual([
      `proposed integration/11 for main: ${url}`,
    ]);
    expect(shop.fingerprint()).toBe(before);
  });
});
