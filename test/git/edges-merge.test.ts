import { expect, test } from "vitest";
import type { BranchTree, MergeSource, Repository } from "../../src/git/contract.ts";
import { bytes, NO_ABORT, openRepo, openTree } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, git, sampleRepo } from "../support/repos.ts";

async function committed(
  repo: Repository,
  agent: string,
  work: (tree: BranchTree) => Promise<unknown>,
): Promise<MergeSource & { base: string }> {
  const tree = await openTree(repo, agent);
  await work(tree);
  await tree.commit(agent, NO_ABORT);
  return { branch: tree.branch, commit: tree.tip, agent, subtaskId: agent, taskId: "t", base: tree.base };
}

test("two agents add names that differ only in case: a conflict that names both sides, one by one or many at once", async () => {
  const repo = await openRepo(sampleRepo());
  const sources = [
    await committed(repo, "A", (tree) => tree.write("docs/Plan.md", bytes("A\n"))),
    await committed(repo, "B", (tree) => tree.write("docs/plan.md", bytes("B\n"))),
    await committed(repo, "C", (tree) => tree.write("src/new.ts", bytes("C\n"))),
    await committed(repo, "D", (tree) => tree.write("src/New.ts/part.ts", bytes("D\n"))),
  ];
  const start = sources[0]?.base ?? "";
  const all = await repo.mergeAll({ target: "integration/7", start, sources });
  expect(all.map((result) => result.kind)).toEqual(["merged", "conflict", "merged", "conflict"]);
  const alone = [];
  for (const source of sources) alone.push(await repo.merge({ target: "integration/8", start, source }));
  expect(alone.map((result) => result.kind)).toEqual(all.map((result) => result.kind));
  for (const results of [all, alone]) {
    expect(results[1]).toMatchObject({
      conflicts: [
        {
          path: "docs/plan.md",
          kind: "case",
          base: null,
          ours: { mode: "100644" },
          theirs: { mode: "100644" },
        },
      ],
    });
    expect(results[3]).toMatchObject({ conflicts: [{ path: "src/New.ts/part.ts", kind: "case" }] });
  }
});

test("a change of case merges, also beside another agent's edits in the directory", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const sources = [
    await committed(repo, "A", (tree) => tree.move("README.md", "Readme.md")),
    await committed(repo, "B", (tree) => tree.write("docs/new.md", bytes("B\n"))),
    await committed(repo, "C", (tree) => tree.write("docs/NEWS.md", bytes("C\n"))),
  ];
  const start = sources[0]?.base ?? "";
  const all = await repo.mergeAll({ target: "integration/7", start, sources });
  expect(all.map((result) => result.kind)).toEqual(["merged", "merged", "merged"]);
  expect(git(dir, "ls-tree", "--name-only", "integration/7")).toContain("Readme.md");
  expect(git(dir, "ls-tree", "--name-only", "integration/7")).not.toContain("README.md");
});

test("submodules: one side's new commit is taken, two different ones are a conflict, an equal one is none", async () => {
  const dir = emptyRepo();
  const commits = ["1", "2", "3"].map((text) => commitFiles(dir, { "a.txt": text }));
  const link = (commit: string | undefined) =>
    git(dir, "update-index", "--add", "--cacheinfo", `160000,${commit},lib`);
  link(commits[0]);
  git(dir, "commit", "-q", "-m", "A submodule");
  const start = git(dir, "rev-parse", "HEAD");
  const moved = (branch: string, commit: string | undefined): MergeSource => {
    git(dir, "switch", "-q", "--detach", start);
    link(commit);
    git(dir, "commit", "-q", "-m", branch);
    git(dir, "branch", branch);
    return { branch, commit: git(dir, "rev-parse", "HEAD"), agent: branch, subtaskId: branch, taskId: "t" };
  };
  const sources = [moved("b1", commits[1]), moved("b2", commits[1]), moved("b3", commits[2])];
  const repo = await openRepo(dir);
  const results = [];
  for (const source of sources) results.push(await repo.merge({ target: "integration/7", start, source }));
  expect(results.map((result) => result.kind)).toEqual(["merged", "merged", "conflict"]);
  expect(results[2]).toMatchObject({
    conflicts: [{ path: "lib", kind: "submodule", theirs: { oid: commits[2], mode: "160000" } }],
  });
  expect(git(dir, "rev-parse", "integration/7:lib")).toBe(commits[1]);
});
