import { execFile, execFileSync, execSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { bytes, NO_ABORT, openRepo, openTree, readText } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, git, sampleRepo, temporaryDir } from "../support/repos.ts";

const source = (tree: { branch: string; tip: string }, agent: string) => ({
  branch: tree.branch,
  commit: tree.tip,
  agent,
  subtaskId: agent,
  taskId: "t",
});

/** Cloned without the files of history: those of HEAD~1 that HEAD no longer has are not there. */
function partialClone(filter: string): { dir: string; old: string } {
  const origin = sampleRepo();
  git(origin, "config", "uploadpack.allowFilter", "true");
  git(origin, "config", "uploadpack.allowAnySHA1InWant", "true");
  const old = git(origin, "rev-parse", "HEAD");
  commitFiles(origin, { "README.md": "# Newer\n", "docs/guide.md": "Newer\n" });
  const dir = path.join(temporaryDir(), "partial");
  git(path.dirname(dir), "clone", "-q", `--filter=${filter}`, `file://${origin}`, dir);
  return { dir, old };
}

/** A hint ends with a command, which a person pastes. */
function paste(hint: string): void {
  execSync(hint.slice(hint.indexOf("git -C")), { stdio: "ignore" });
}

test("a partial clone: what is here can be edited and merged; what is not is named, with the command that brings it", async () => {
  const { dir, old } = partialClone("blob:none");
  const repo = await openRepo(dir);
  const head = await repo.resolve("HEAD");
  await repo.checkReady(head, { files: true });
  expect(await repo.notes()).toEqual([]);
  const [a, b] = [await openTree(repo, "A", { base: old }), await openTree(repo, "B")];
  await a.write("src/api/server.ts", bytes("new\n"));
  expect(await a.move("docs/guide.md", "docs/manual.md")).toEqual({ moved: 1 });
  await a.commit("A", NO_ABORT);
  await b.write("src/ui/page.ts", bytes("new\n"));
  await b.commit("B", NO_ABORT);
  const missing = { code: "objects_missing", hint: expect.stringContaining("--refetch --no-filter origin") };
  await expect(a.read("README.md")).rejects.toMatchObject(missing);
  await expect(a.search("Sample", { limit: 5 }, NO_ABORT)).rejects.toMatchObject({
    ...missing,
    message: expect.stringContaining("README.md"),
  });
  expect((await a.search("Sample", { glob: "src/**", limit: 5 }, NO_ABORT)).hits).toHaveLength(1);
  await expect(repo.workspace({ commit: old, branch: "b" })).rejects.toMatchObject(missing);
  const early = await repo.checkReady(old, { files: true }).catch((error: unknown) => error);
  expect(early).toMatchObject({
    code: "objects_missing",
    message: expect.stringContaining("2 objects of "),
    hint: expect.stringMatching(/^Bring them: git -C \S+ diff --shortstat 4b825dc\w+ \w+$/),
  });
  if (typeof early === "object" && early !== null && "hint" in early) paste(String(early.hint));
  await repo.checkReady(old, { files: true });
  expect(await readText(a, "README.md")).toContain("# Sample");
  expect((await repo.merge({ target: "integration/7", start: head, source: source(b, "B") })).kind).toBe(
    "merged",
  );
  git(dir, "fsck", "--connectivity-only");
});

test("a clone without trees: the first command brings everything", async () => {
  const { dir, old } = partialClone("tree:0");
  const repo = await openRepo(dir);
  const hint = await repo.listFiles(old).then(
    () => "",
    (error: { hint: string }) => error.hint,
  );
  expect(hint).toContain("This is a partial clone. Bring what it left out: git -C ");
  paste(hint);
  expect(await repo.listFiles(old)).toHaveLength(9);
});

test("objects that another repository keeps (git clone -s) are read there and written here", async () => {
  const origin = sampleRepo();
  const dir = path.join(temporaryDir(), "borrower");
  git(path.dirname(dir), "clone", "-q", "-s", origin, dir);
  const count = () => readdirSync(path.join(origin, ".git/objects"), { recursive: true }).length;
  const before = count();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "A");
  await tree.write("README.md", bytes("changed\n"));
  await tree.commit("A", NO_ABORT);
  await using workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
  expect(readFileSync(path.join(workspace.dir, "docs/größe.md"), "utf8")).toContain("Unicode");
  expect(git(workspace.dir, "status", "--porcelain")).toBe("");
  git(dir, "fsck", "--full");
  expect(count()).toBe(before);
});

test("replaced objects and grafts are not applied: agents work on what the commits say", async () => {
  const dir = sampleRepo();
  const first = git(dir, "rev-parse", "HEAD");
  const second = commitFiles(dir, { "README.md": "second\n" });
  const other = git(dir, "commit-tree", "-m", "other", git(dir, "mktree", "--missing"));
  git(dir, "replace", second, other);
  writeFileSync(path.join(dir, ".git/info/grafts"), `${second}\n`);
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "A");
  expect(await readText(tree, "README.md")).toBe("second\n");
  expect(await repo.isAncestor(first, second)).toBe(true);
  expect(await repo.notes()).toMatchObject([{ check: "replace refs", found: expect.stringMatching(/^1,/) }]);
});

test("packed refs, Oxbow's own too, are found, moved and deleted", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "A");
  await tree.write("a.txt", bytes("a"));
  await tree.saveWork();
  const pack = () => git(dir, "pack-refs", "--all", "--prune");
  pack();
  expect(existsSync(path.join(dir, ".git/refs/oxbow/attempts"))).toBe(false);
  expect(await tree.commit("A", NO_ABORT)).toMatchObject({ files: 1 });
  pack();
  await tree.write("b.txt", bytes("b"));
  expect(await tree.commit("B", NO_ABORT)).toMatchObject({ files: 1 });
  pack();
  const merge = { target: "integration/7", start: tree.base, source: source(tree, "A") };
  expect((await repo.merge(merge)).kind).toBe("merged");
  pack();
  expect((await repo.merge(merge)).kind).toBe("unchanged");
  expect((await openTree(repo, "A", { subtaskId: "A::t-7::2" })).branch).toBe("feature/7/A-2");
  await repo.updateRefs([{ ref: `refs/heads/${tree.branch}`, old: tree.tip, new: null }]);
  expect(await repo.readRef(`refs/heads/${tree.branch}`)).toBe(null);
});

test("git gc while agents work, even one that prunes at once, loses nothing", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "A");
  await tree.write("a.txt", bytes("only in a snapshot\n"));
  // A search writes the edits as objects that no ref holds.
  expect((await tree.search("snapshot", { limit: 5 }, NO_ABORT)).hits).toHaveLength(1);
  git(dir, "gc", "-q", "--prune=now");
  expect(await tree.saveWork()).toMatchObject({ files: 1 });
  git(dir, "gc", "-q", "--prune=now");
  expect(await tree.diff(NO_ABORT)).toContain("only in a snapshot");
  git(dir, "prune", "--expire=now");
  await tree.commit("A", NO_ABORT);
  const merging = ["B", "C", "D"].map(async (agent) => {
    const other = await openTree(repo, agent);
    for (let i = 0; i < 5; i++) {
      await other.write(`${agent}/${i}.txt`, bytes(`${agent} ${i}\n`));
      await other.commit(`${agent} ${i}`, NO_ABORT);
    }
    return repo.merge({ target: "integration/7", start: tree.base, source: source(other, agent) });
  });
  const collecting = promisify(execFile)("git", ["gc", "-q"], { cwd: dir });
  expect((await Promise.all(merging)).map((one) => one.kind)).toEqual(["merged", "merged", "merged"]);
  await collecting;
  git(dir, "gc", "-q", "--prune=now");
  git(dir, "fsck", "--full", "--strict");
  expect(git(dir, "ls-tree", "-r", "--name-only", "integration/7", "B", "C", "D").split("\n")).toHaveLength(
    15,
  );
  expect(git(dir, "show", `${tree.branch}:a.txt`)).toBe("only in a snapshot");
});

test("a repository that a group shares (core.sharedRepository) stays writable for the group", async () => {
  const dir = sampleRepo();
  git(dir, "config", "core.sharedRepository", "group");
  const mask = process.umask(0o077);
  try {
    const repo = await openRepo(dir);
    const tree = await openTree(repo, "A");
    await tree.write("a.txt", bytes("a"));
    await tree.commit("A", NO_ABORT);
    await repo.merge({ target: "integration/7", start: tree.base, source: source(tree, "A") });
    const blob = git(dir, "rev-parse", `${tree.branch}:a.txt`);
    const folder = path.join(dir, ".git/objects", blob.slice(0, 2));
    const mode = (file: string) => (statSync(file).mode & 0o070).toString(8);
    expect(mode(folder)).toBe("70");
    expect(mode(path.join(folder, blob.slice(2)))).toBe("40");
    expect(mode(path.join(dir, ".git/refs/heads/integration/7"))).toBe("60");
  } finally {
    process.umask(mask);
  }
});

test("a file of 50 MB is written, read back, shown as binary and merged", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "a.txt": "a" });
  const repo = await openRepo(dir);
  const [a, b] = [await openTree(repo, "A"), await openTree(repo, "B")];
  const large = Buffer.alloc(50 * 1024 * 1024, "0123456789abcdef\n\0");
  await a.write("large.bin", large);
  await a.commit("Large", NO_ABORT);
  await b.write("b.txt", bytes("b"));
  await b.commit("Small", NO_ABORT);
  for (const [tree, agent] of [
    [a, "A"],
    [b, "B"],
  ] as const)
    expect(
      (await repo.merge({ target: "integration/7", start: a.base, source: source(tree, agent) })).kind,
    ).toBe("merged");
  expect(Buffer.compare(await a.read("large.bin"), large)).toBe(0);
  expect(await a.diff(NO_ABORT)).toContain("Binary files /dev/null and b/large.bin differ");
  await using workspace = await repo.workspace({ commit: a.tip, branch: a.branch });
  appendFileSync(path.join(workspace.dir, "large.bin"), "x");
  expect(await workspace.collect(a)).toEqual({ files: 1, refused: [] });
  expect(git(dir, "cat-file", "-s", "integration/7:large.bin")).toBe(String(large.length));
});

test("100,000 files: listing, editing and merging read only what they need", async () => {
  const dir = emptyRepo();
  const lines = [
    "blob\nmark :1\ndata 2\nx\n\ncommit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 1\nx\n",
  ];
  for (let i = 0; i < 100_000; i++) lines.push(`M 100644 :1 p${i % 10}/d${i % 1000}/f${i}.txt\n`);
  execFileSync("git", ["fast-import", "--quiet"], {
    cwd: dir,
    input: lines.join(""),
    stdio: ["pipe", "ignore", "pipe"],
  });
  const repo = await openRepo(dir);
  expect(await repo.listFiles(await repo.resolve("HEAD"))).toHaveLength(100_000);
  const trees = await Promise.all(["A", "B", "C"].map((agent) => openTree(repo, agent)));
  for (const [i, tree] of trees.entries()) {
    await tree.write(`p${i}/d${i}/f${i}.txt`, bytes("edited\n"));
    await tree.write(`p${i}/d${i}/new.txt`, bytes("new\n"));
    await tree.commit("Edit", NO_ABORT);
    const merged = await repo.merge({
      target: "integration/7",
      start: tree.base,
      source: source(tree, tree.branch),
    });
    expect(merged.kind).toBe("merged");
  }
  expect((await trees[0]?.search("edited", { glob: "p0/**", limit: 3 }, NO_ABORT))?.hits).toHaveLength(1);
  expect(git(dir, "diff", "--name-only", "main", "integration/7").split("\n")).toHaveLength(6);
});
