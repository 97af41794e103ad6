import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { oxbow } from "../support/cli.ts";
import {
  endsOf,
  LINES,
  makeMergeShop,
  type Part,
  remove,
  runTeam,
  say,
  TARGET,
  TICKET,
  write,
} from "../support/merge-team.ts";

const one: Part = { steps: [write("a/new.txt", "from a\n")] };
const two: Part = { steps: [write("b/new.txt", "from b\n")] };
const three: Part = { steps: [write("c/new.txt", "from c\n")] };

/** Fails where a file `bad` lies anywhere, and where a and b both have a `half`. */
const CHECK = `const fs = require("fs");
const has = (path) => fs.existsSync(path);
const bad = ["a", "b", "c"].find((each) => has(each + "/bad"));
console.log("looked at", process.cwd().length > 0);
if (bad) { console.error("there is something bad in " + bad); process.exit(3); }
if (has("a/half") && has("b/half")) { console.error("both halves"); process.exit(4); }
`;
const VERIFY = {
  policy: "verify: [node check.cjs, 'node -e \"process.exit(0)\"']",
  files: { "check.cjs": CHECK },
};
const branchesIn = (shop: { git(...args: string[]): string }) =>
  shop.git("log", "--merges", "--reverse", "--format=%s", TARGET).trim().split("\n").filter(Boolean);

describe("verify", () => {
  it("looks at the combined tree before it lands; the evidence is in events, report, log and a Git note", async () => {
    using shop = makeMergeShop({ parts: { A: one, B: two, C: three }, ...VERIFY });
    const before = shop.fingerprint();
    const { report, events } = await runTeam(shop);
    expect([report.state, endsOf(report)]).toEqual(["completed", ["A landed", "B landed", "C landed"]]);
    expect(report.verifications).toHaveLength(1);
    const [found] = report.verifications;
    expect(found).toMatchObject({
      ok: true,
      target: TARGET,
      branches: report.merges.map(({ branch }) => branch),
    });
    expect(found?.runs.map(({ command, ok, exit_code, tail }) => [command, ok, exit_code, tail])).toEqual([
      ["node check.cjs", true, 0, ""],
      ['node -e "process.exit(0)"', true, 0, ""],
    ]);
    // What was verified is what landed, to the byte.
    expect(shop.git("rev-parse", TARGET, `${TARGET}^{tree}`).trim().split("\n")).toEqual([
      found?.commit,
      found?.tree,
    ]);
    expect(readFileSync(found?.runs[0]?.log ?? "", "utf8")).toContain("looked at true");
    const note = JSON.parse(shop.git("notes", "--ref=oxbow", "show", TARGET));
    expect(note.verified).toMatchObject({
      tree: found?.tree,
      commands: [{ command: "node check.cjs", exit_code: 0 }, { exit_code: 0 }],
    });
    const told = events.map(({ event }) => event).filter((event) => /^(?:verify|merged)/.test(event));
    expect(told).toEqual(["verify_started", "verify_finished", "merged", "merged", "merged"]);
    expect(shop.fingerprint()).toBe(before);
    expect(shop.git("for-each-ref", "refs/oxbow/queues")).toBe("");
    expect(shop.git("fsck", "--full", "--strict", "--no-dangling")).toBe("");
  });

  it("finds the guilty one of three, lands the others, and has it reworked with the command's last words", async () => {
    const guilty: Part = {
      steps: [write("b/new.txt", "from b\n"), write("b/bad", "x\n")],
      rework: [remove("b/bad"), say("Took the bad part out.")],
    };
    using shop = makeMergeShop({ parts: { A: one, B: guilty, C: three }, ...VERIFY });
    const { report, events } = await runTeam(shop);
    expect([report.state, endsOf(report)]).toEqual([
      "completed",
      ["A landed", "B rework verify_failed", "C landed", "B landed"],
    ]);
    const rework = events.find(({ event }) => event === "merge_rework");
    expect(rework).toMatchObject({ source: "B", agent: "B", by: report.merges[3]?.subtask_id, round: 1 });
    const [, failed] = report.merges;
    expect(failed?.verification?.runs).toMatchObject([{ exit_code: 3, ok: false }]);
    const brief = events.flatMap((each) => (each.event === "child_announced" ? [each.brief] : [])).at(-1);
    expect(brief).toContain("node check.cjs ended with code 3");
    expect(brief).toContain("there is something bad in b");
    expect(brief).toContain("Part of B");
    const tree = shop.git("ls-tree", "-r", "--name-only", TARGET);
    expect(tree).toContain("b/new.txt");
    expect(tree).not.toContain("b/bad");
    const last = report.verifications.findLast(({ ok }) => ok);
    expect(shop.git("rev-parse", `${TARGET}^{tree}`).trim()).toBe(last?.tree);
    expect(report.superseded).toMatchObject([{ agent: "B", merged: false }]);
  });

  it("gives up after max_reworks: the others have landed, a person is to look, and nothing unverified lands", async () => {
    const guilty: Part = { steps: [write("b/bad", "x\n")], rework: [write("b/worse", "y\n")] };
    const policy = `${VERIFY.policy}\nmerge: { max_reworks: 1 }`;
    using shop = makeMergeShop({ parts: { A: one, B: guilty, C: three }, ...VERIFY, policy });
    const { report, state, events } = await runTeam(shop);
    expect([report.state, state, endsOf(report)]).toEqual([
      "partial",
      "needs_review",
      ["A landed", "B rework verify_failed", "C landed", "B escalated verify_failed"],
    ]);
    expect(events.find(({ event }) => event === "merge_escalated")).toMatchObject({
      person: "eve@example.com",
      reason: { message: expect.stringContaining("reworked 1 times already") },
    });
    expect(shop.git("ls-tree", "-r", "--name-only", TARGET)).not.toMatch(/b\/(?:bad|worse)/);
  });

  it("finds two that fail only together: the first lands, the second is blamed with what it does not go with", async () => {
    const half = (name: string): Part => ({ steps: [write(`${name}/half`, "x\n")] });
    const policy = `${VERIFY.policy}\nmerge: { conflicts: escalate }`;
    using shop = makeMergeShop({ parts: { A: half("a"), B: half("b"), C: three }, ...VERIFY, policy });
    const { report, state } = await runTeam(shop);
    expect([state, endsOf(report)]).toEqual([
      "needs_review",
      ["A landed", "B escalated verify_failed", "C landed"],
    ]);
    expect(report.merges[1]?.reason?.message).toMatch(/both halves|ended with code 4[^]*with feature\/7\/A/);
    expect(branchesIn(shop)).toEqual([
      `Merge feature/7/A into ${TARGET}`,
      `Merge feature/7/C into ${TARGET}`,
    ]);
  });

  it("blames no branch when the target fails by itself", async () => {
    const files = { ...VERIFY.files, "c/bad": "from the start\n" };
    using shop = makeMergeShop({ parts: { A: one, B: two }, ...VERIFY, files });
    const { report, state } = await runTeam(shop);
    expect([report.state, state]).toEqual(["partial", "needs_review"]);
    expect(endsOf(report)).toEqual(["A escalated verify_failed", "B escalated verify_failed"]);
    expect(report.merges[0]?.reason?.message).toContain("without any of the branches too");
    expect(report.integration).toBeNull();
  });
});

describe("a target that somebody else moves meanwhile", () => {
  it("is merged onto, and verified again as it is then; nothing of theirs is lost", async () => {
    // The first look at the tree takes so long that a person commits to the target meanwhile.
    const human = `const { execFileSync } = require("child_process"); const fs = require("fs");
const dir = process.env.SHOP || fs.readFileSync("where.txt", "utf8").trim();
const git = (...args) => execFileSync("git", args, { cwd: dir, encoding: "utf8" }).trim();
if (!fs.existsSync(dir + "/.git/by-hand")) {
  fs.writeFileSync(dir + "/.git/by-hand", "");
  const tree = git("rev-parse", "by-hand^{tree}");
  git("update-ref", "refs/heads/${TARGET}", git("rev-parse", "by-hand"));
}`;
    using shop = makeMergeShop({
      parts: { A: one, B: two },
      policy: "verify: [node human.cjs]",
      files: { "human.cjs": human },
    });
    shop.write("where.txt", shop.dir);
    shop.git("add", "--all");
    shop.git("commit", "--quiet", "--message", "Where");
    shop.git("checkout", "--quiet", "-b", "by-hand");
    shop.write("human.txt", "by hand\n");
    shop.git("add", "--all");
    shop.git("commit", "--quiet", "--message", "By hand");
    shop.git("checkout", "--quiet", "main");
    const { report } = await runTeam(shop, { TERMINAL_SANDBOX: "off" });
    expect(endsOf(report)).toEqual(["A landed", "B landed"]);
    expect(report.verifications.map(({ ok }) => ok)).toEqual([true, true]);
    expect(shop.at(TARGET, "human.txt")).toBe("by hand\n");
    expect(shop.git("merge-base", "--is-ancestor", "by-hand", TARGET)).toBe("");
    expect(shop.git("rev-parse", `${TARGET}^{tree}`).trim()).toBe(report.verifications[1]?.tree);
  });
});

describe("what verify may do", () => {
  it("is said before a run begins: no sandbox, and the network", async () => {
    using shop = makeMergeShop({
      parts: { A: one },
      policy: "verify: [node --version]\nverify_network: true",
    });
    const { report } = await runTeam(shop, { TERMINAL_SANDBOX: "off" });
    expect(report.notices).toContainEqual(expect.stringMatching(/`verify` may use the network/));
    expect(report.notices).toContainEqual(expect.stringMatching(/without a sandbox/));
    expect(endsOf(report)).toEqual(["A landed"]);
  });
});

describe("squash", () => {
  it("lands each branch as one commit by the user with the agent as co-author", async () => {
    const twice: Part = {
      steps: [
        write("a/1.txt", "1\n"),
        { tool: "commit", arguments: { message: "First" } },
        write("a/2.txt", "2\n"),
        { tool: "commit", arguments: { message: "Second" } },
      ],
    };
    using shop = makeMergeShop({ parts: { A: twice, B: two }, policy: "merge: { squash: true }" });
    const { report } = await runTeam(shop);
    expect(endsOf(report)).toEqual(["A landed", "B landed"]);
    expect(shop.git("rev-list", "--count", `main..${TARGET}`).trim()).toBe("2");
    const log = shop.git("log", "-1", "--format=%an%n%B", `${TARGET}^`);
    for (const part of [
      "Ada",
      "Squash feature/7/A",
      "* First\n* Second",
      "Co-authored-by: A <A@oxbow.localhost>",
    ])
      expect(log).toContain(part);
    expect(report.merges.map(({ landed_commit }) => landed_commit)).toEqual(
      shop.git("rev-list", "--reverse", `main..${TARGET}`).trim().split("\n"),
    );
  });
});

describe("a conflict", () => {
  const ours = LINES.replace("three", "three by a");
  const theirs = LINES.replace("three", "three by b");
  const clash = (rework: Part["rework"]): Readonly<Record<string, Part>> => ({
    A: { steps: [write("shared/x.txt", ours)] },
    B: { steps: [write("shared/x.txt", theirs), write("b/new.txt", "b\n")], ...(rework ? { rework } : {}) },
    C: three,
  });
  const both = LINES.replace("three", "three by a\nthree by b");

  it("becomes a rework of its agent, with both sides before it; what keeps both lands", async () => {
    using shop = makeMergeShop({ parts: clash([write("shared/x.txt", both), say("Kept both.")]) });
    const { report, events } = await runTeam(shop);
    expect([report.state, report.conflicts, endsOf(report)]).toEqual([
      "completed",
      [],
      ["A landed", "B rework merge_conflict", "C landed", "B landed"],
    ]);
    expect(shop.at(TARGET, "shared/x.txt")).toBe(both);
    expect(shop.at(TARGET, "b/new.txt")).toBe("b\n");
    const [, conflicted, , landed] = report.merges;
    expect(conflicted).toMatchObject({
      reworked_by: landed?.subtask_id,
      conflicts: [{ path: "shared/x.txt", kind: "content", agents: ["A", "B"], owners: ["A"] }],
    });
    const brief = events.flatMap((each) => (each.event === "child_announced" ? [each.brief] : [])).at(-1);
    expect(brief).toMatch(/shared\/x\.txt: both changed the same lines/);
    expect(brief).toMatch(/<{7}[^]*three by a\n={7}\nthree by b\n>{7}/);
    // What the agent did first is in the history of what landed.
    expect(shop.git("merge-base", "--is-ancestor", conflicted?.commit ?? "", TARGET)).toBe("");
    expect(shop.git("fsck", "--full", "--strict", "--no-dangling")).toBe("");
  });

  it("is refused as long as its resolution drops a side, or leaves a marker; then a person is to look", async () => {
    using shop = makeMergeShop({ parts: clash([write("shared/x.txt", theirs)]) });
    const { report, state } = await runTeam(shop);
    expect([report.state, state, endsOf(report)]).toEqual([
      "partial",
      "needs_review",
      [
        "A landed",
        "B rework merge_conflict",
        "C landed",
        "B rework side_dropped",
        "B escalated side_dropped",
      ],
    ]);
    expect(report.merges[3]?.reason?.message).toContain(
      "shared/x.txt lacks what the target added: `three by a`",
    );
    expect(shop.at(TARGET, "shared/x.txt")).toBe(ours);
  });

  it("may leave out what its agent waives by name, and that is said", async () => {
    const rework = [
      write("shared/x.txt", theirs),
      say("Mine says it better.\nWaive shared/x.txt: three by a"),
    ];
    using shop = makeMergeShop({ parts: clash(rework) });
    const { report } = await runTeam(shop);
    expect([report.state, endsOf(report).at(-1)]).toEqual(["completed", "B landed"]);
    expect(shop.at(TARGET, "shared/x.txt")).toBe(theirs);
    expect(report.notices).toContainEqual(
      'B waived in the conflicts of feature/7/B-2: shared/x.txt: "three by a".',
    );
  });

  it("goes to the owner of the files with `owner`, who may write no more than its own", async () => {
    const parts = clash([say("Not mine to do.")]);
    const owner: Part = { steps: parts["A"]?.steps ?? [], rework: [write("shared/x.txt", both)] };
    using shop = makeMergeShop({ parts: { ...parts, A: owner }, policy: "merge: { conflicts: owner }" });
    const { report } = await runTeam(shop);
    expect([report.state, endsOf(report)]).toEqual([
      "completed",
      ["A landed", "B rework merge_conflict", "C landed", "A landed"],
    ]);
    expect(shop.at(TARGET, "shared/x.txt")).toBe(both);
    expect(shop.at(TARGET, "b/new.txt")).toBe("b\n");
  });

  it("waits for the window person with `escalate`, with what stands on it; the rest lands", async () => {
    using shop = makeMergeShop({ parts: clash(undefined), policy: "merge: { conflicts: escalate }" });
    const { report, state } = await runTeam(shop);
    expect([report.state, state, endsOf(report)]).toEqual([
      "conflict",
      "needs_review",
      ["A landed", "B escalated merge_conflict", "C landed"],
    ]);
    expect(report.conflicts).toMatchObject([{ path: "shared/x.txt", kind: "content" }]);
    expect(report.merges[1]).toMatchObject({ onto: expect.any(String), draft: expect.any(String) });
    expect(shop.at(TARGET, "shared/x.txt")).toBe(ours);
    const listed = await oxbow(["approvals", "list"], { cwd: shop.dir });
    expect(listed.stdout).toMatch(
      /feature\/7\/B is not in integration\/7[^]*conflicts with integration\/7 in shared\/x.txt/,
    );
    const status = await oxbow(["status", TICKET], { cwd: shop.dir });
    expect(status.stdout).toContain("! feature/7/B escalated: It conflicts with integration/7");
  });
});
