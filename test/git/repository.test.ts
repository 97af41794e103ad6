import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { openRepository } from "../../src/git/repository.ts";
import { bytes, NO_ABORT, openRepo, openTree } from "../support/branch-trees.ts";
import { checkoutDigest, commitFiles, emptyRepo, git, sampleRepo, temporaryDir } from "../support/repos.ts";

describe("opening", () => {
  test("from a subdirectory, with the person's own identity", async () => {
    const dir = sampleRepo();
    const repo = await openRepo(path.join(dir, "src", "api"));
    expect(repo).toMatchObject({
      root: dir,
      gitDir: path.join(dir, ".git"),
      commonDir: path.join(dir, ".git"),
      stateDir: path.join(dir, ".git", "oxbow"),
      bare: false,
      identity: { name: "Test Person", email: "person@example.com" },
    });
    expect(await repo.gitVersion()).toMatch(/^\d+\.\d+/);
    expect(await repo.head()).toEqual({ ref: "refs/heads/main", commit: git(dir, "rev-parse", "HEAD") });
  });

  test("from inside the git dir", async () => {
    const dir = sampleRepo();
    expect((await openRepo(path.join(dir, ".git", "refs"))).root).toBe(dir);
  });

  test("a bare repository works like any other", async () => {
    const dir = path.join(temporaryDir(), "bare.git");
    git(temporaryDir(), "clone", "-q", "--bare", sampleRepo(), dir);
    const repo = await openRepo(dir);
    expect(repo).toMatchObject({ root: dir, bare: true });
    expect(await repo.isDirty()).toBe(false);
    const tree = await openTree(repo, "Api");
    await tree.write("a.txt", bytes("a"));
    const done = await tree.commit("A", NO_ABORT);
    const source = { branch: tree.branch, commit: tree.tip, agent: "Api", subtaskId: "s", taskId: "t" };
    // HEAD of a bare repository is not a checkout: even `main` may be merged into.
    const merged = await repo.merge({ target: "main", start: tree.base, source });
    expect(merged.kind).toBe("merged");
    expect(git(dir, "rev-parse", "main^2")).toBe(done?.commit);
    await using workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
    expect(existsSync(path.join(workspace.dir, "a.txt"))).toBe(true);
    await expect(repo.allocateBranch({ agentName: "X", switch: true })).rejects.toMatchObject({
      code: "usage",
    });
  });

  test("a linked work tree: state and branches live in the shared git dir, HEAD is its own", async () => {
    const dir = sampleRepo();
    const linked = path.join(temporaryDir(), "linked");
    git(dir, "worktree", "add", "-q", "-b", "side", linked);
    const repo = await openRepo(linked);
    expect(repo).toMatchObject({
      root: linked,
      commonDir: path.join(dir, ".git"),
      stateDir: path.join(dir, ".git", "oxbow"),
    });
    expect((await repo.head()).ref).toBe("refs/heads/side");
    expect(await repo.checkedOutAt("refs/heads/main")).toBe(dir);
    expect(await repo.checkedOutAt("refs/heads/side")).toBe(linked);
    expect(await repo.checkedOutAt("refs/heads/other")).toBe(null);
    const tree = await openTree(repo, "Api");
    await tree.write("a.txt", bytes("a"));
    expect(await tree.commit("A", NO_ABORT)).toMatchObject({ files: 1 });
    await expect(
      repo.merge({
        target: "main",
        start: tree.base,
        source: { branch: tree.branch, commit: tree.tip, agent: "Api", subtaskId: "s", taskId: "t" },
      }),
    ).rejects.toMatchObject({ code: "branch_checked_out" });
  });

  test("a SHA-256 repository", async () => {
    const dir = emptyRepo("--object-format=sha256");
    commitFiles(dir, { "a.txt": "a" });
    const repo = await openRepo(dir);
    const tree = await openTree(repo, "Api");
    await tree.write("b.txt", bytes("b"));
    expect((await tree.commit("B", NO_ABORT))?.commit).toHaveLength(64);
    await using workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
    writeFileSync(path.join(workspace.dir, "c.txt"), "c");
    expect(await workspace.collect(tree)).toEqual({ files: 1, refused: [] });
    git(dir, "fsck", "--full");
  });

  test("a shallow clone", async () => {
    const origin = sampleRepo();
    commitFiles(origin, { "a.txt": "a" });
    const dir = path.join(temporaryDir(), "shallow");
    git(temporaryDir(), "clone", "-q", "--depth=1", `file://${origin}`, dir);
    const repo = await openRepo(dir);
    const tree = await openTree(repo, "Api");
    await tree.write("b.txt", bytes("b"));
    await tree.commit("B", NO_ABORT);
    const source = { branch: tree.branch, commit: tree.tip, agent: "Api", subtaskId: "s", taskId: "t" };
    expect((await repo.merge({ target: "integration/7", start: tree.base, source })).kind).toBe("merged");
    expect(await repo.isAncestor(tree.base, tree.tip)).toBe(true);
  });

  test("with every write flushed to the disk", async () => {
    const dir = sampleRepo();
    await using repo = await openRepository({ path: dir, durable: true });
    const tree = await openTree(repo, "Api");
    await tree.write("a.txt", bytes("a"));
    expect(await tree.commit("A", NO_ABORT)).toMatchObject({ files: 1 });
    const source = { branch: tree.branch, commit: tree.tip, agent: "Api", subtaskId: "s", taskId: "t" };
    expect((await repo.merge({ target: "integration/7", start: tree.base, source })).kind).toBe("merged");
  });

  test("what is not a repository is said to be none", async () => {
    const dir = temporaryDir();
    await expect(openRepo(dir)).rejects.toMatchObject({ code: "not_a_repository" });
    await expect(openRepo(path.join(dir, "missing"))).rejects.toMatchObject({ code: "not_a_repository" });
  });

  test("state may live elsewhere, shared by two repositories", async () => {
    const state = path.join(temporaryDir(), "home");
    for (const dir of [sampleRepo(), sampleRepo()]) {
      const repo = await openRepo(dir, state);
      const tree = await openTree(repo, "Api");
      await tree.write("a.txt", bytes("a"));
      expect(await tree.commit("A", NO_ABORT)).toMatchObject({ files: 1 });
      expect(readdirSync(path.join(dir, ".git"))).not.toContain("oxbow");
    }
  });

  test("a repository without a commit, and revisions that name nothing", async () => {
    const empty = await openRepo(emptyRepo());
    await expect(empty.resolve("HEAD")).rejects.toMatchObject({ code: "unborn_head" });
    await expect(empty.allocateBranch({ agentName: "Api" })).rejects.toMatchObject({ code: "unborn_head" });
    expect(await empty.head()).toEqual({ ref: "refs/heads/main", commit: null });
    const repo = await openRepo(sampleRepo());
    for (const rev of ["nope", "--all", "", "main:README.md", "a\0b"]) {
      await expect(repo.resolve(rev), rev).rejects.toMatchObject({ code: "rev_not_found" });
    }
    expect(await repo.resolve("main~0")).toBe(await repo.resolve("HEAD"));
  });

  test("helpers that are killed come back, and closing twice is closing once", async () => {
    const dir = sampleRepo();
    const repo = await openRepo(dir);
    const tree = await openTree(repo, "Api");
    await tree.write("a.txt", bytes("a"));
    await tree.commit("A", NO_ABORT);
    const children = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(process.pid)], {
      encoding: "utf8",
    });
    const helpers = children.split("\n").filter((line) => line.includes(" git ") || /\d git /.test(line));
    expect(helpers.length).toBeGreaterThan(1);
    for (const line of helpers) process.kill(Number.parseInt(line, 10), "SIGKILL");
    await tree.write("b.txt", bytes("b"));
    expect(await tree.commit("B", NO_ABORT)).toMatchObject({ files: 1 });
    await repo[Symbol.asyncDispose]();
    await repo[Symbol.asyncDispose]();
  });
});

describe("branches", () => {
  test("allocation makes the branch once and never re-points it", async () => {
    const dir = sampleRepo();
    const before = checkoutDigest(dir);
    const repo = await openRepo(dir);
    const first = await repo.allocateBranch({ agentName: "DevAgent", ticket: "#146" });
    expect(first).toEqual({
      name: "feature/146/DevAgent",
      base: git(dir, "rev-parse", "main"),
      created: true,
    });
    commitFiles(dir, { "later.txt": "x" });
    expect(await repo.allocateBranch({ agentName: "DevAgent", ticket: "146" })).toEqual({
      ...first,
      created: false,
    });
    expect((await repo.allocateBranch({ agentName: "DevAgent" })).name).toBe("feature/task/DevAgent");
    git(dir, "reset", "-q", "--hard", "HEAD~1");
    expect(checkoutDigest(dir)).toBe(before);
    for (const ticket of ["--force", "-x", "a\u202eb"]) {
      await expect(repo.allocateBranch({ agentName: "A", ticket })).rejects.toMatchObject({
        code: "branch_name_rejected",
      });
    }
    await expect(repo.allocateBranch({ agentName: "B", base: "nope" })).rejects.toMatchObject({
      code: "rev_not_found",
    });
  });

  test("twenty allocators at once: one makes it, all agree", async () => {
    const dir = sampleRepo();
    const repos = await Promise.all([openRepo(dir), openRepo(dir)]);
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => repos[i % 2]?.allocateBranch({ agentName: "Api", ticket: "1" })),
    );
    expect(all.filter((one) => one?.created === true)).toHaveLength(1);
    expect(new Set(all.map((one) => one?.name)).size).toBe(1);
  });

  test("free branches are numbered; taken names are skipped", async () => {
    const dir = sampleRepo();
    const repos = await Promise.all([openRepo(dir), openRepo(dir)]);
    const commit = git(dir, "rev-parse", "main");
    const taken = new Set(["feature/1/Api-3"]);
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        repos[i % 2]?.createFreeBranch({ agentName: "Api", ticket: "1", commit, taken }),
      ),
    );
    expect(all.map((one) => one?.name).toSorted()).toEqual([
      "feature/1/Api",
      "feature/1/Api-2",
      "feature/1/Api-4",
      "feature/1/Api-5",
      "feature/1/Api-6",
      "feature/1/Api-7",
    ]);
  });

  test.each(["feature/146", "feature/146/Api/sub"])("a branch in the way (%s) is named", async (blocker) => {
    const dir = sampleRepo();
    git(dir, "branch", blocker);
    if (blocker.endsWith("sub")) git(dir, "pack-refs", "--all");
    const repo = await openRepo(dir);
    const conflict = { code: "branch_conflict", message: expect.stringContaining(blocker) };
    await expect(repo.allocateBranch({ agentName: "Api", ticket: "146" })).rejects.toMatchObject(conflict);
    await expect(
      repo.createFreeBranch({ agentName: "Api", ticket: "146", commit: git(dir, "rev-parse", "main") }),
    ).rejects.toMatchObject(conflict);
  });

  test("switch checks the branch out, and refuses on a dirty tree", async () => {
    const dir = sampleRepo();
    const repo = await openRepo(dir);
    writeFileSync(path.join(dir, "untracked.txt"), "x");
    expect(await repo.isDirty()).toBe(true);
    await expect(repo.allocateBranch({ agentName: "Api", switch: true })).rejects.toMatchObject({
      code: "dirty_tree",
    });
    expect(git(dir, "branch", "--list", "feature/*")).toBe("");
    git(dir, "clean", "-fq");
    expect(await repo.allocateBranch({ agentName: "Api", switch: true })).toMatchObject({ created: true });
    expect(git(dir, "symbolic-ref", "HEAD")).toBe("refs/heads/feature/task/Api");
    expect(await repo.allocateBranch({ agentName: "Api", switch: true })).toMatchObject({ created: false });
    git(dir, "worktree", "add", "-q", "-b", "feature/task/Other", path.join(temporaryDir(), "other"));
    await expect(repo.allocateBranch({ agentName: "Other", switch: true })).rejects.toMatchObject({
      code: "branch_checked_out",
    });
  });

  test("refs move by compare-and-swap, all or nothing; packed refs count", async () => {
    const dir = sampleRepo();
    const old = git(dir, "rev-parse", "main");
    const next = commitFiles(dir, { "a.txt": "a" });
    git(dir, "branch", "one", old);
    git(dir, "branch", "two", old);
    git(dir, "pack-refs", "--all");
    const repo = await openRepo(dir);
    const both = [
      { ref: "refs/heads/one", old, new: next },
      { ref: "refs/heads/two", old: next, new: old },
    ];
    await expect(repo.updateRefs(both)).rejects.toMatchObject({
      code: "branch_moved",
      details: { ref: "refs/heads/two" },
    });
    expect(git(dir, "rev-parse", "one")).toBe(old);
    await repo.updateRefs([
      { ref: "refs/heads/one", old, new: next },
      { ref: "refs/heads/two", old },
    ]);
    git(dir, "branch", "deep/er/one", next);
    expect(await repo.refs("refs/heads/deep/")).toEqual(new Map([["refs/heads/deep/er/one", next]]));
    git(dir, "branch", "-q", "-D", "deep/er/one");
    await repo.updateRefs([{ ref: "refs/heads/one", old: next, new: null }]);
    expect([...(await repo.refs("refs/heads/")).keys()]).toEqual(["refs/heads/main", "refs/heads/two"]);
    await expect(repo.updateRefs([{ ref: "HEAD", old: null, new: next }])).rejects.toMatchObject({
      code: "git_failed",
    });
  });

  test("of fifty updates of one ref at once exactly one wins", async () => {
    const dir = sampleRepo();
    const old = git(dir, "rev-parse", "main");
    const commits = Array.from({ length: 50 }, (_, i) =>
      git(dir, "commit-tree", "-p", old, "-m", String(i), `${old}^{tree}`),
    );
    git(dir, "branch", "hot");
    const repos = await Promise.all([openRepo(dir), openRepo(dir)]);
    const results = await Promise.allSettled(
      commits.map((commit, i) => repos[i % 2]?.updateRefs([{ ref: "refs/heads/hot", old, new: commit }])),
    );
    expect(results.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    for (const one of results)
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "branch_moved" });
  });
});

test("files, blobs and changes of commits", async () => {
  const dir = sampleRepo();
  const from = git(dir, "rev-parse", "main");
  mkdirSync(path.join(dir, "docs", "new"));
  git(dir, "mv", "docs/guide.md", "docs/new/guide.md");
  git(dir, "update-index", "--chmod=-x", "bin/run.sh");
  git(dir, "commit", "-q", "-m", "Move");
  const to = git(dir, "rev-parse", "main");
  const repo = await openRepo(dir);
  expect(await repo.changedPaths(from, to)).toEqual([
    { path: "bin/run.sh", status: "mode" },
    { path: "docs/guide.md", status: "deleted" },
    { path: "docs/new/guide.md", status: "added" },
  ]);
  const listed = (await repo.listFiles(to)).map((file) => `${file.mode} ${file.oid} ${file.path}`).join("\n");
  expect(listed).toBe(
    git(
      dir,
      "-c",
      "core.quotePath=false",
      "ls-tree",
      "-r",
      "--format=%(objectmode) %(objectname) %(path)",
      to,
    ),
  );
  expect(Buffer.from((await repo.readBlob(to, "docs/new/guide.md")) ?? []).toString()).toBe(
    "Line one\r\nLine two\r\n",
  );
  expect(await repo.readBlob(to, "docs")).toBe(null);
  expect(await repo.readBlob(to, "missing")).toBe(null);
  expect(await repo.isAncestor(from, to)).toBe(true);
  expect(await repo.isAncestor(to, from)).toBe(false);
});
