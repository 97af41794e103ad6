import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow } from "../support/cli.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

const OWNER = ["--by", "owner", "--command", "true {paths}", "--json"];

describe("bad input gives a code, a sentence and an exit status, and leaves nothing half-made", () => {
  it.each([
    ["no task", ["run", "--json"], 2, "usage"],
    ["a task and --resume", ["run", "x", "--resume", "t", "--json"], 2, "usage"],
    ["an unknown option", ["run", "x", "--wat", "--json"], 2, "usage"],
    ["an unknown command", ["frobnicate", "--json"], 2, "usage"],
    ["an empty task", ["run", " ", ...OWNER], 2, "usage"],
    ["an unknown --by", ["run", "x", "--by", "luck", "--json"], 2, "usage"],
    ["a split of 0 places", ["run", "x", "--max-parallel", "0", ...OWNER], 2, "usage"],
    [
      "a ticket that is a Git option",
      ["run", "x", "--ticket=--upload-pack=evil", ...OWNER],
      2,
      "branch_name_rejected",
    ],
    [
      "a ticket with a hidden character",
      ["run", "x", "--ticket", "a\u202eb", ...OWNER],
      2,
      "branch_name_rejected",
    ],
    ["a base that is not there", ["run", "x", "--base", "no-such-rev", ...OWNER], 2, "rev_not_found"],
    ["a base that is an option", ["run", "x", "--base=--all", ...OWNER], 2, "rev_not_found"],
    [
      "a shell line as command",
      ["run", "x", "--by", "owner", "--command", "ls | wc", "--json"],
      2,
      "command_invalid",
    ],
    ["no key, no command", ["run", "x", "--json"], 2, "provider_missing"],
    ["an unknown provider", ["run", "x", "--provider", "abacus", "--json"], 2, "provider_unknown"],
    ["a script that is not there", ["run", "x", "--script", "nope.yaml", "--json"], 2, "script_invalid"],
    ["a task that is not there", ["run", "--resume", "t-nope", "--json"], 2, "task_unknown"],
    ["a team file that is not there", ["run", "x", "--team", "no.yaml", "--json"], 2, "team_file_missing"],
    ["status of nothing", ["status", "nope", "--json"], 2, "task_unknown"],
    ["owner of a path outside", ["owner", "../x", "--json"], 2, "path_rejected"],
    ["a payload that is not JSON", ["signal", "send", "t", "{", "--json"], 2, "payload_invalid"],
    ["a topic with a blank", ["signal", "send", "a b", "1", "--json"], 2, "topic_rejected"],
    [
      "an agent name that is an option",
      ["branch", "allocate", "--agent=-x", "--json"],
      2,
      "branch_name_rejected",
    ],
  ])("%s", async (_name, args, exit, code) => {
    using shop = makeShop();
    const refs = shop.git("for-each-ref");
    const before = shop.fingerprint();
    const ended = await oxbow(args, { cwd: shop.dir });
    const error = errorOf(ended);
    expect([ended.code, error.code]).toEqual([exit, code]);
    expect(error.message.length).toBeGreaterThan(10);
    expect(error.hint.length).toBeGreaterThan(10);
    expect(ended.stdout).toBe("");
    expect(shop.git("for-each-ref")).toBe(refs);
    expect(shop.fingerprint()).toBe(before);
    expect(JSON.parse((await oxbow(["status", "--json"], { cwd: shop.dir })).stdout)).toEqual([]);
  });

  it("names the three ways to go on without a key", async () => {
    using shop = makeShop();
    const { stderr, code } = await oxbow(["run", "Do it"], { cwd: shop.dir });
    expect(code).toBe(2);
    expect(stderr).toContain("OPENAI_API_KEY");
    expect(stderr).toContain("--command");
    expect(stderr).toContain("--script");
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it("not a repository", async () => {
    const dir = mkdtempSync(join(tmpdir(), "oxbow-none-"));
    try {
      const ended = await oxbow(["run", "x", ...OWNER], { cwd: dir });
      expect([ended.code, errorOf(ended).code]).toEqual([2, "not_a_repository"]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it("a repository without a commit", async () => {
    using shop = makeShop();
    shop.git("checkout", "--quiet", "--orphan", "fresh");
    const ended = await oxbow(["run", "x", ...OWNER], { cwd: shop.dir });
    expect([ended.code, errorOf(ended).code]).toEqual([2, "unborn_head"]);
  });

  it.each([
    ["syntax", "team: [\n", "team_file_invalid", /team\.yaml:\d+:\d+/],
    [
      "an unknown key",
      SHOP_TEAM.replace("responsibilities: [plan]", "responsibilties: [plan]"),
      "team_file_invalid",
      /team\.yaml:6:5.*responsibilities/s,
    ],
    [
      "a lead who is nobody",
      SHOP_TEAM.replace("lead: Lead", "lead: Boss"),
      "team_file_invalid",
      /team\.yaml:2:7.*Boss/s,
    ],
    [
      "two agents with one pattern",
      SHOP_TEAM.replace("src/web/**", "src/api/**"),
      "team_config",
      /Api.*Web|Web.*Api/s,
    ],
  ])("a broken team.yaml: %s", async (_name, team, code, message) => {
    using shop = makeShop({ team });
    const ended = await oxbow(["run", "x", ...OWNER], { cwd: shop.dir });
    expect([ended.code, errorOf(ended).code]).toEqual([2, code]);
    expect(errorOf(ended).message).toMatch(message);
  });

  it("an integration branch that is checked out somewhere", async () => {
    using shop = makeShop();
    shop.git("checkout", "--quiet", "-b", "integration/5");
    const ended = await oxbow(["run", "x", "--ticket", "5", ...OWNER], { cwd: shop.dir });
    expect([ended.code, errorOf(ended).code]).toEqual([2, "branch_checked_out"]);
    expect(shop.git("for-each-ref", "refs/heads/feature")).toBe("");
  });

  it("a ticket that a living task has", async () => {
    using shop = makeShop();
    const stuck = "node -e 'setInterval(() => {}, 1000)' {paths}";
    const { startOxbow } = await import("../support/cli.ts");
    const running = startOxbow(
      ["run", "Hang", "--ticket", "5", "--by", "owner", "--command", stuck, "--json"],
      { cwd: shop.dir },
    );
    await running.line((line) => line.event === "child_started");
    const ended = await oxbow(["run", "x", "--ticket", "5", ...OWNER], { cwd: shop.dir });
    expect([ended.code, errorOf(ended).code]).toEqual([2, "ticket_in_use"]);
    running.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
  });

  it("a branch that stands where the ticket's folder would be", async () => {
    using shop = makeShop();
    shop.git("branch", "integration");
    const ended = await oxbow(["run", "x", "--ticket", "5", ...OWNER], { cwd: shop.dir });
    expect([ended.code, errorOf(ended).code]).toEqual([2, "branch_conflict"]);
  });

  it("a payload over the cap, and a setting that is none", async () => {
    using shop = makeShop();
    const big = await oxbow(["signal", "send", "t", JSON.stringify("x".repeat(100)), "--json"], {
      cwd: shop.dir,
      env: { SIGNAL_PAYLOAD_MAX_BYTES: "64" },
    });
    expect([big.code, errorOf(big).code]).toEqual([2, "payload_too_large"]);
    const unknown = await oxbow(["env", "--json"], { cwd: shop.dir, env: { OXBOW_HOEM: "/x" } });
    expect([unknown.code, errorOf(unknown).code]).toEqual([2, "setting_unknown"]);
    const malformed = await oxbow(["env", "--json"], { cwd: shop.dir, env: { ENABLE_FILE_TOOLS: "maybe" } });
    expect([malformed.code, errorOf(malformed).code]).toEqual([2, "setting_invalid"]);
    expect(errorOf(malformed).message).toContain("ENABLE_FILE_TOOLS");
  });
});
