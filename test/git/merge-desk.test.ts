import { expect, test } from "vitest";
import { openRepo } from "../support/branch-trees.ts";
import { branchWith } from "../support/merge-sources.ts";
import { commitFiles, emptyRepo, git } from "../support/repos.ts";

const INTO = "integration/1";
const LINES = Array.from({ length: 9 }, (_, i) => `${i}\n`).join("");

test("a stack moves nothing; landing moves the target from where it was looked at, or not at all", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES });
  const a = branchWith(dir, "a", { "a.txt": "a\n" });
  const b = branchWith(dir, "b", { "f.txt": LINES.replace("0", "zero") });
  const human = branchWith(dir, "human", { "by-hand.txt": "h\n" });
  const repo = await openRepo(dir);
  const desk = await repo.mergeDesk();
  const onto = await repo.resolve("main");
  const made = await desk.stack({ onto, into: INTO, sources: [a, b], squash: false });
  expect(made.results.map(({ kind }) => kind)).toEqual(["merged", "merged"]);
  expect(await desk.tip(INTO)).toBeNull();
  expect(git(dir, "rev-parse", `${made.tip}^{tree}`)).toBe(made.tree);

  const fence = (await desk.fence(INTO, "w1", onto)) ?? "";
  git(dir, "branch", INTO, human.commit);
  const move = { target: INTO, from: null, to: made.tip, fence };
  await expect(desk.land(move)).rejects.toMatchObject({ code: "branch_moved" });
  const again = await desk.stack({ onto: human.commit, into: INTO, sources: [a, b], squash: false });
  await desk.land({ target: INTO, from: human.commit, to: again.tip, fence });
  expect(git(dir, "ls-tree", "--name-only", INTO).split("\n")).toEqual(["a.txt", "by-hand.txt", "f.txt"]);
  await desk.unfence(INTO, fence);
  expect(git(dir, "for-each-ref", "refs/oxbow")).toBe("");
});

test("whoever landed with an earlier fence is refused, and nothing moves", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES });
  const a = branchWith(dir, "a", { "a.txt": "a\n" });
  const repo = await openRepo(dir);
  const desk = await repo.mergeDesk();
  const onto = await repo.resolve("main");
  const { tip } = await desk.stack({ onto, into: INTO, sources: [a], squash: false });
  const stale = (await desk.fence(INTO, "slow", onto)) ?? "";
  const fresh = (await desk.fence(INTO, "fast", onto)) ?? "";
  const move = { target: INTO, from: null, to: tip };
  await expect(desk.land({ ...move, fence: stale })).rejects.toMatchObject({ code: "fenced" });
  expect(await desk.tip(INTO)).toBeNull();
  await desk.unfence(INTO, stale);
  await desk.land({ ...move, fence: fresh });
  expect(await desk.tip(INTO)).toBe(tip);
});

test("squashed, each branch is one commit with one parent that names its agent and its commits", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES });
  const a = branchWith(dir, "a", { "a.txt": "a\n", "f.txt": LINES.replace("8", "eight") });
  const b = branchWith(dir, "b", { "b.txt": "b\n" });
  // Stands on `a`, and changes the same lines again.
  const c = branchWith(dir, "c", { "a.txt": "a, then c\n", "f.txt": LINES.replace("8", "8 by c") }, "a");
  const repo = await openRepo(dir);
  const desk = await repo.mergeDesk();
  const onto = await repo.resolve("main");
  const sources = [a, b, { ...c, base: a.commit, coAuthors: ["a"] }];
  const made = await desk.stack({ onto, into: INTO, sources, squash: true });
  expect(made.results.map(({ kind }) => kind)).toEqual(["merged", "merged", "merged"]);
  expect(git(dir, "log", "--format=%s", `${onto}..${made.tip}`).split("\n")).toEqual(
    ["c", "b", "a"].map((name) => `Squash ${name} into ${INTO}`),
  );
  expect(git(dir, "rev-list", "--merges", made.tip)).toBe("");
  expect(git(dir, "show", `${made.tip}:a.txt`)).toBe("a, then c");
  const body = git(dir, "log", "-1", "--format=%B", made.tip);
  expect(body).toContain("* c\n");
  expect(body).toContain("Oxbow-Subtask: c::t::1");
  expect(body).toContain("Co-authored-by: c <c@oxbow.localhost>\nCo-authored-by: a <a@oxbow.localhost>");
  const again = await desk.stack({ onto: made.tip, into: INTO, sources: [b], squash: true });
  expect(again.results).toEqual([{ kind: "unchanged", commit: made.tip }]);
});

test("a draft holds both sides: what merges merged, text between markers, else the target's", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES, "gone.txt": "g\n", "logo.bin": "\0a", "clean.txt": LINES });
  const target = branchWith(dir, "target", {
    "f.txt": LINES.replace("4", "four"),
    "gone.txt": "kept\n",
    "logo.bin": "\0target",
    "clean.txt": LINES.replace("0", "zero"),
  });
  const side = branchWith(dir, "side", {
    "f.txt": LINES.replace("4", "vier"),
    "gone.txt": null,
    "logo.bin": "\0side",
    "clean.txt": LINES.replace("8", "acht"),
    "new.txt": "n\n",
  });
  const repo = await openRepo(dir);
  const desk = await repo.mergeDesk();
  const draft = await desk.draft({ onto: target.commit, into: INTO, source: side });
  const at = (file: string) => git(dir, "show", `${draft.commit}:${file}`);
  expect(draft.conflicts.map(({ path, kind }) => [path, kind])).toEqual([
    ["f.txt", "content"],
    ["gone.txt", "modify_delete"],
    ["logo.bin", "binary"],
  ]);
  expect(git(dir, "rev-parse", `${draft.commit}^1`, `${draft.commit}^2`).split("\n")).toEqual([
    target.commit,
    side.commit,
  ]);
  expect(at("clean.txt")).toBe(LINES.replace("0", "zero").replace("8", "acht").trimEnd());
  expect([at("gone.txt"), at("logo.bin"), at("new.txt")]).toEqual(["kept", "\0target", "n"]);
  expect(at("f.txt")).toMatch(/3\n<{7} \w+\nfour\n={7}\nvier\n>{7} \w+\n5/);
  expect(draft.hunks).toEqual([
    { path: "f.txt", text: expect.stringMatching(/^<{7}[^]*four[^]*vier[^]*>{7}/) },
  ]);
  expect(git(dir, "fsck", "--full", "--strict", "--no-dangling")).toBe("");
  expect(git(dir, "for-each-ref", "--contains", draft.commit)).toBe("");
});

test("a note on what landed is Git's own, beside those of others, and replaces an earlier one", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": "f\n" });
  const commits = Array.from({ length: 3 }, (_, i) => branchWith(dir, `b${i}`, {}).commit);
  const repo = await openRepo(dir);
  const desk = await repo.mergeDesk();
  const [one = "", two = "", three = ""] = commits;
  await desk.note(one, "first");
  git(dir, "notes", "--ref=oxbow", "add", "-m", "by a person", two);
  await Promise.all([desk.note(one, "npm test: ok"), desk.note(three, "third")]);
  const shown = (commit: string) => git(dir, "notes", "--ref=oxbow", "show", commit);
  expect(commits.map(shown)).toEqual(["npm test: ok", "by a person", "third"]);
  expect(git(dir, "fsck", "--full", "--strict", "--no-dangling")).toBe("");
});
