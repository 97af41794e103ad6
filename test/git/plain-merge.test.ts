/** Merges that Oxbow makes itself, held against `git merge-tree`: the same trees, or handed over to it. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MergeSource, Repository } from "../../src/git/contract.ts";
import { bytes, NO_ABORT, openRepo, openTree } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, git } from "../support/repos.ts";

type Step =
  | { readonly kind: "write"; readonly path: string; readonly text: string }
  | { readonly kind: "move"; readonly from: string; readonly to: string }
  | { readonly kind: "delete"; readonly path: string };

/** Long enough for git to see a rename where a file moved. */
const text = (name: string): string => Array.from({ length: 12 }, (_, i) => `${name} ${i}\n`).join("");

const START = ["a/one", "a/two", "a/deep/x", "a/deep/y", "b/one", "b-file", "top", "z/last"];

const anyPath = fc.constantFrom(
  ...START,
  "a/new",
  "a/deep/new",
  "b/new",
  "b",
  "b.txt",
  "c/d/e",
  "top/under",
  "z",
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("write" as const),
    path: anyPath,
    text: fc.constantFrom("1\n", "2\n", text("same")),
  }),
  fc.record({
    kind: fc.constant("move" as const),
    from: fc.constantFrom("a", "a/deep", ...START),
    to: anyPath,
  }),
  fc.record({ kind: fc.constant("delete" as const), path: fc.constantFrom("a/deep", ...START) }),
);

/** Steps that cannot be done (a file in the way, nothing there) are left out. */
async function branchWith(repo: Repository, agent: string, steps: readonly Step[]): Promise<MergeSource> {
  const tree = await openTree(repo, agent);
  for (const each of steps) {
    const done =
      each.kind === "write"
        ? tree.write(each.path, bytes(each.text))
        : each.kind === "move"
          ? tree.move(each.from, each.to)
          : tree.delete(each.path);
    await done.catch(() => undefined);
  }
  await tree.commit("Edit", NO_ABORT);
  return { branch: tree.branch, commit: tree.tip, agent, subtaskId: `${agent}::t-7::1`, taskId: "t-7" };
}

/** What merging one after another with git alone gives: each tree, or "conflict", or "same" where nothing is new. */
function mergeWithGit(dir: string, start: string, sources: readonly MergeSource[]): string[] {
  let onto = start;
  return sources.map(({ commit }) => {
    if (git(dir, "merge-base", onto, commit) === commit) return "same";
    let tree: string;
    try {
      tree = execFileSync("git", ["merge-tree", "--write-tree", onto, commit], {
        cwd: dir,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }).trim();
    } catch {
      return "conflict";
    }
    onto = git(dir, "commit-tree", "-p", onto, "-p", commit, "-m", "merge", tree);
    return tree;
  });
}

test("any branches give, in order, the trees and the conflicts of git's own merges", async () => {
  const dir = emptyRepo();
  commitFiles(dir, Object.fromEntries(START.map((name) => [name, text(name)])));
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 4 }),
      async (plans) => {
        const n = run++;
        const sources: MergeSource[] = [];
        for (const [i, steps] of plans.entries()) sources.push(await branchWith(repo, `r${n}-${i}`, steps));
        const results = await repo.mergeAll({ target: `integration/${n}`, start, sources });
        const got = results.map((result) => {
          if (result.kind === "conflict") return "conflict";
          return result.kind === "unchanged" ? "same" : git(dir, "rev-parse", `${result.commit}^{tree}`);
        });
        expect(got).toEqual(mergeWithGit(dir, start, sources));
      },
    ),
    { numRuns: 40 },
  );
  git(dir, "fsck", "--full", "--strict");
}, 120_000);

test("a branch that stands on another one of the batch is merged from there", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "a.txt": "a\n" });
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  const lower = await branchWith(repo, "Lower", [{ kind: "write", path: "lower.txt", text: "1\n" }]);
  const upperTree = await openTree(repo, "Upper", { base: lower.commit });
  await upperTree.write("upper.txt", bytes("2\n"));
  await upperTree.commit("Upper", NO_ABORT);
  const upper = { ...lower, branch: upperTree.branch, commit: upperTree.tip, agent: "Upper" };
  const side = await branchWith(repo, "Side", [{ kind: "write", path: "side.txt", text: "3\n" }]);
  const results = await repo.mergeAll({
    target: "integration/7",
    start,
    sources: [lower, side, upper, lower],
  });
  expect(results.map((result) => result.kind)).toEqual(["merged", "merged", "merged", "unchanged"]);
  expect(git(dir, "ls-tree", "--name-only", "integration/7").split("\n")).toEqual([
    "a.txt",
    "lower.txt",
    "side.txt",
    "upper.txt",
  ]);
  expect(git(dir, "log", "--format=%s", "--first-parent", "integration/7", "^main").split("\n")).toHaveLength(
    3,
  );
});
