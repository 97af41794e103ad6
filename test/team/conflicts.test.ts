import { describe, expect, it } from "vitest";
import { openGc } from "../../src/gc.ts";
import { plainEnvironment } from "../support/cli.ts";
import {
  endsOf,
  LINES,
  makeMergeShop,
  open,
  type Part,
  runTeam,
  TARGET,
  TICKET,
  write,
} from "../support/merge-team.ts";

const ours = LINES.replace("three", "three by a");
const theirs = LINES.replace("three", "three by b");
const both = LINES.replace("three", "three by a\nthree by b");
const bytes = (text: string) => new TextEncoder().encode(text);

/** B conflicts with A in two files; C has nothing to do with it. */
const parts: Readonly<Record<string, Part>> = {
  A: { steps: [write("shared/x.txt", ours), write("shared/y.txt", "y by a\n")] },
  B: {
    steps: [write("shared/x.txt", theirs), write("shared/y.txt", "y by b\n"), write("b/new.txt", "b\n")],
    rework: [write("b/other.txt", "not what was asked\n")],
  },
  C: { steps: [write("c/new.txt", "c\n")] },
};
const shopOf = (policy = "merge: { conflicts: escalate }") => makeMergeShop({ parts, policy });

describe("a conflict that waits for a person", () => {
  it("is shown with both sides, whose they are, and where; a ticket without one shows nothing", async () => {
    using shop = shopOf();
    const { report } = await runTeam(shop);
    expect(endsOf(report)).toEqual(["A landed", "B escalated merge_conflict", "C landed"]);
    await using app = open(shop);
    const [found, ...others] = await app.conflicts.list();
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      ticket: TICKET,
      agent: "B",
      branch: "feature/7/B",
      target: TARGET,
      onto: shop.git("rev-parse", TARGET).trim(),
      person: "eve@example.com",
      reason: { code: "merge_conflict" },
      conflicts: [
        {
          path: "shared/x.txt",
          kind: "content",
          agents: ["A", "B"],
          owners: ["A"],
          settled: null,
          hunks: [{ ours: "three by a\n", theirs: "three by b\n", ours_line: 3, theirs_line: 3 }],
        },
        { path: "shared/y.txt", kind: "add_add", hunks: [{ ours: "y by a\n", theirs: "y by b\n" }] },
      ],
    });
    expect((await app.conflicts.list(TICKET, { path: "shared/y.txt" }))[0]?.conflicts).toHaveLength(1);
    expect(await app.conflicts.list(report.task_id)).toHaveLength(1);
  });

  it("lands once each path is settled, by a file or a side, with what was given up by name", async () => {
    using shop = shopOf();
    const before = shop.fingerprint();
    const { report } = await runTeam(shop);
    await using app = open(shop);
    const first = await app.conflicts.resolve(TICKET, { path: "shared/x.txt", content: bytes(both) });
    expect(first).toMatchObject({ how: "file", waived: [], open: ["shared/y.txt"], resolution: null });
    expect((await app.status(TICKET))[0]?.task.state).toBe("needs_review");
    const [half] = await app.conflicts.list(TICKET);
    expect(half?.conflicts[0]?.settled).toMatchObject({ how: "file", waived: [] });
    const last = await app.conflicts.take(TICKET, { path: "shared/y.txt", side: "theirs" });
    expect(last).toMatchObject({
      open: [],
      waived: [{ path: "shared/y.txt", side: "ours" }],
      carried: false,
    });
    const ended = await app.resume(report.task_id, { workers: "none" });
    expect([ended.state, endsOf(ended), ended.conflicts]).toEqual([
      "completed",
      ["A landed", "B landed", "C landed"],
      [],
    ]);
    expect((await app.status(TICKET))[0]?.task.state).toBe("completed");
    expect(await app.conflicts.list()).toEqual([]);
    expect([
      shop.at(TARGET, "shared/x.txt"),
      shop.at(TARGET, "shared/y.txt"),
      shop.at(TARGET, "b/new.txt"),
    ]).toEqual([both, "y by b\n", "b\n"]);
    const merge = shop.git("log", "-1", "--format=%s%n%P%n%(trailers)", last.resolution ?? "");
    expect(merge).toContain(`Merge feature/7/B into ${TARGET}, conflicts settled\n`);
    expect(merge).toContain("Oxbow-Waived: ours of shared/y.txt\n");
    expect(merge).toMatch(/Oxbow-Settled: shared\/x\.txt: file, by Ada/);
    expect(shop.git("merge-base", "--is-ancestor", report.merges[1]?.commit ?? "", TARGET)).toBe("");
    expect(shop.git("for-each-ref", "refs/oxbow/conflicts")).toBe("");
    expect(shop.fingerprint()).toBe(before);
    expect(shop.git("fsck", "--full", "--strict", "--no-dangling")).toBe("");
  });

  it("keeps what was settled until the branch has landed; then gc lets go of what is left of it", async () => {
    using shop = shopOf();
    const { report } = await runTeam(shop);
    await using app = open(shop);
    await app.conflicts.resolve(TICKET, { path: "shared/x.txt", content: bytes(both) });
    const [ref = "", oid = ""] = shop
      .git("for-each-ref", "--format=%(refname) %(objectname)", "refs/oxbow/conflicts")
      .trim()
      .split(" ");
    await using gc = await openGc({ repo: shop.dir, env: plainEnvironment() }, {});
    const found = async () => (await gc.look()).find(({ name }) => name === ref);
    expect(await found()).toMatchObject({
      kind: "ref",
      ticket: TICKET,
      safe: false,
      reason: "It says how conflicts of feature/7/B were settled.",
    });
    // Its branch is gone, but not its commits: they are on this ref alone.
    const branch = "refs/heads/feature/7/B";
    const tip = shop.git("rev-parse", branch).trim();
    shop.git("update-ref", "-d", branch);
    expect(await found()).toMatchObject({ safe: false, reason: expect.stringContaining("It is open") });
    shop.git("update-ref", branch, tip);
    await app.conflicts.take(TICKET, { path: "shared/y.txt", side: "theirs" });
    await app.resume(report.task_id, { workers: "none" });
    expect(await found()).toBeUndefined();
    // As one that died right after the branch had landed leaves it.
    shop.git("update-ref", ref, oid);
    expect(await found()).toMatchObject({
      safe: true,
      reason: `Merged: ${TARGET} reaches the branch that it settled.`,
    });
    const { gone } = await gc.collect();
    expect(gone).toContainEqual(expect.objectContaining({ name: ref, problem: null }));
    expect(shop.git("for-each-ref", "refs/oxbow/conflicts")).toBe("");
  });

  it("is not settled by a text that drops a side: the refusal names each line, and nothing changes", async () => {
    using shop = shopOf();
    await runTeam(shop);
    const tip = shop.git("rev-parse", TARGET);
    await using app = open(shop);
    const refused = app.conflicts.resolve(TICKET, { path: "shared/x.txt", content: bytes(theirs) });
    await expect(refused).rejects.toMatchObject({
      code: "side_dropped",
      message: "This does not settle shared/x.txt: shared/x.txt lacks what the target added: `three by a`.",
      details: {
        dropped: [{ path: "shared/x.txt", side: "ours", change: "added", line: 3, text: "three by a" }],
      },
    });
    const waived = [{ path: "shared/x.txt", line: "three by a" }];
    const made = await app.conflicts.resolve(TICKET, {
      path: "shared/x.txt",
      content: bytes(theirs),
      waived,
    });
    expect(made).toMatchObject({ waived, open: ["shared/y.txt"] });
    expect(shop.git("rev-parse", TARGET)).toBe(tip);
  });

  it("is the branch's own where a rework of it did not settle it", async () => {
    using shop = shopOf("merge: { conflicts: rework, max_reworks: 1 }");
    const { report } = await runTeam(shop);
    expect(endsOf(report).at(-1)).toBe("B escalated side_dropped");
    await using app = open(shop);
    const [found] = await app.conflicts.list(TICKET);
    expect(found?.conflicts.map(({ path }) => path)).toEqual(["shared/x.txt", "shared/y.txt"]);
    await app.conflicts.take(TICKET, { path: "shared/x.txt", side: "theirs" });
    await app.conflicts.take(TICKET, { path: "shared/y.txt", side: "ours" });
    const ended = await app.resume(report.task_id, { workers: "none" });
    expect([ended.state, endsOf(ended).at(-1)]).toEqual(["completed", "B landed"]);
    expect([shop.at(TARGET, "shared/x.txt"), shop.at(TARGET, "shared/y.txt")]).toEqual([theirs, "y by a\n"]);
  });

  it("is settled against the target as it is by then", async () => {
    using shop = shopOf();
    const { report } = await runTeam(shop);
    await using app = open(shop);
    await app.conflicts.take(TICKET, { path: "shared/x.txt", side: "theirs" });
    await app.conflicts.take(TICKET, { path: "shared/y.txt", side: "ours" });
    // A person commits to the target after that and before it lands: beside it, so that it still merges.
    const tree = shop.git("rev-parse", `${TARGET}^{tree}`).trim();
    const commit = shop.git("commit-tree", "-p", TARGET, "-m", "by hand", tree).trim();
    shop.git("update-ref", `refs/heads/${TARGET}`, commit);
    const ended = await app.resume(report.task_id, { workers: "none" });
    expect([ended.state, endsOf(ended)[1]]).toEqual(["completed", "B landed"]);
    expect(shop.git("merge-base", "--is-ancestor", commit, TARGET)).toBe("");
    expect(shop.at(TARGET, "shared/x.txt")).toBe(theirs);
  });

  it("refuses bad input with a code", async () => {
    using shop = shopOf();
    await runTeam(shop);
    await using app = open(shop);
    const codes = [
      app.conflicts.list("no-such-ticket"),
      app.conflicts.list(TICKET, { path: "a/a.txt" }),
      app.conflicts.take(TICKET, { path: "no.txt", side: "ours" }),
      app.conflicts.take("other", { path: "shared/x.txt", side: "ours" }),
      app.conflicts.take(TICKET, { path: "shared/x.txt", side: "ours", branch: "feature/7/A" }),
      app.conflicts.take(TICKET, { path: "shared/x.txt", side: "ours", as: "../out" }),
      app.conflicts.take(TICKET, { path: "shared/x.txt", side: "ours", as: "a/a.txt" }),
    ].map(async (call) =>
      call.then(
        () => "nothing",
        (error: { code?: string }) => error.code,
      ),
    );
    expect(await Promise.all(codes)).toEqual([
      "task_unknown",
      "conflict_unknown",
      "conflict_unknown",
      "task_unknown",
      "conflict_unknown",
      "path_rejected",
      "usage",
    ]);
  });
});
