import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { BranchTree, Repository, Workspace } from "../../src/git/contract.ts";
import { bytes, NO_ABORT, openRepo, openTree, readText } from "../support/branch-trees.ts";
import { checkoutDigest, commitFiles, emptyRepo, git, gitBytes, sampleRepo } from "../support/repos.ts";

async function lend(
  dir: string,
  agent = "Api",
): Promise<{ repo: Repository; tree: BranchTree; workspace: Workspace; at: (name: string) => string }> {
  const repo = await openRepo(dir);
  const tree = await openTree(repo, agent);
  const workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
  return { repo, tree, workspace, at: (name) => path.join(workspace.dir, name) };
}

const shown = async (tree: BranchTree) => (await tree.pending()).map((one) => `${one.status} ${one.path}`);

test("a program sees its branch as a plain checkout, and its changes come back", async () => {
  const dir = sampleRepo();
  const before = checkoutDigest(dir);
  const { tree, workspace, at } = await lend(dir);
  expect(workspace.dir.startsWith(path.join(dir, ".git", "oxbow", "workspaces"))).toBe(true);
  expect(git(workspace.dir, "symbolic-ref", "HEAD")).toBe("refs/heads/feature/7/Api");
  expect(git(workspace.dir, "status", "--porcelain")).toBe("");
  expect(git(workspace.dir, "remote")).toBe("");
  expect(git(workspace.dir, "log", "--format=%s")).toBe("Start");
  expect(readFileSync(at("docs/guide.md"), "utf8")).toBe("Line one\r\nLine two\r\n");
  expect(readlinkSync(at("link"))).toBe("src/api/server.ts");
  expect(lstatSync(at("bin/run.sh")).mode & 0o111).not.toBe(0);
  expect(await workspace.collect(tree)).toEqual({ files: 0, refused: [] });

  writeFileSync(at("README.md"), "# From the program\r\n");
  mkdirSync(at("deep/er"), { recursive: true });
  writeFileSync(at("deep/er/ünï.bin"), Buffer.from([0, 255, 10, 13]));
  rmSync(at("docs/guide.md"));
  chmodSync(at("bin/run.sh"), 0o644);
  chmodSync(at("src/ui/page.ts"), 0o755);
  rmSync(at("link"));
  symlinkSync("README.md", at("link"));
  symlinkSync("../README.md", at("docs/link"));
  renameSync(at("src/api"), at("src/server"));
  expect(await workspace.collect(tree)).toEqual({ files: 11, refused: [] });
  expect(await shown(tree)).toEqual([
    "modified README.md",
    "mode bin/run.sh",
    "added deep/er/ünï.bin",
    "deleted docs/guide.md",
    "added docs/link",
    "modified link",
    "deleted src/api/routes.ts",
    "deleted src/api/server.ts",
    "added src/server/routes.ts",
    "added src/server/server.ts",
    "mode src/ui/page.ts",
  ]);
  await tree.commit("Program", NO_ABORT);
  expect(git(dir, "show", "feature/7/Api:README.md")).toBe("# From the program\r");
  expect(gitBytes(dir, "show", "feature/7/Api:deep/er/ünï.bin")).toEqual(Buffer.from([0, 255, 10, 13]));
  const home = path.dirname(workspace.dir);
  await workspace[Symbol.asyncDispose]();
  expect(existsSync(home)).toBe(false);
  expect(checkoutDigest(dir)).toBe(before);
  expect(git(dir, "worktree", "list").split("\n")).toHaveLength(1);
});

test("files become directories, directories become files, links become files", async () => {
  const { tree, workspace, at } = await lend(sampleRepo());
  rmSync(at("README.md"));
  mkdirSync(at("README.md"));
  writeFileSync(at("README.md/part"), "x");
  rmSync(at("src/api"), { recursive: true });
  writeFileSync(at("src/api"), "file");
  rmSync(at("link"));
  writeFileSync(at("link"), "plain");
  await workspace.collect(tree);
  const done = await tree.commit("Swap", NO_ABORT);
  expect(done?.files).toBe(6);
  expect(await readText(tree, "README.md/part")).toBe("x");
  expect(await readText(tree, "src/api")).toBe("file");
  expect((await tree.list("link"))[0]?.mode).toBe("100644");
  await workspace[Symbol.asyncDispose]();
});

test("an edit that keeps size and time is still found", async () => {
  const { tree, workspace, at } = await lend(sampleRepo());
  const { atime, mtime } = lstatSync(at("README.md"));
  writeFileSync(at("README.md"), "# Sample\n\nA repository for TESTS.\n");
  utimesSync(at("README.md"), atime, mtime);
  expect(await workspace.collect(tree)).toEqual({ files: 1, refused: [] });
  await workspace[Symbol.asyncDispose]();
});

test("the base's ignore rules decide, not those the program wrote; tracked files always come back", async () => {
  const dir = emptyRepo();
  commitFiles(dir, {
    ".gitignore": "node_modules/\n*.log\n!keep.log\n/out/*\n!/out/kept\n",
    "sub/.gitignore": "local\n",
    "a.txt": "a",
  });
  writeFileSync(path.join(dir, "tracked.log"), "1");
  git(dir, "add", "-f", "tracked.log");
  git(dir, "commit", "-q", "-m", "log");
  const { tree, workspace, at } = await lend(dir);
  writeFileSync(at(".gitignore"), "a.txt\nnew.txt\n");
  writeFileSync(at("tracked.log"), "2");
  mkdirSync(at("pkg/node_modules/x/.git"), { recursive: true });
  mkdirSync(at("out/kept"), { recursive: true });
  mkdirSync(at("nested/.git"), { recursive: true });
  for (const name of [
    "new.txt",
    ":(top)odd*[x]",
    "b.log",
    "keep.log",
    "pkg/node_modules/x/i.js",
    "pkg/ok.js",
    "sub/local",
    "local",
    "out/no",
    "out/kept/yes",
    "nested/.git/config",
    "nested/in.txt",
  ]) {
    writeFileSync(at(name), "x");
  }
  await workspace.collect(tree);
  expect(await shown(tree)).toEqual([
    "modified .gitignore",
    "added :(top)odd*[x]",
    "added keep.log",
    "added local",
    "added nested/in.txt",
    "added new.txt",
    "added out/kept/yes",
    "added pkg/ok.js",
    "modified tracked.log",
  ]);
  await workspace[Symbol.asyncDispose]();
});

test.each([
  [
    "a name that is not UTF-8",
    (dir: string) => writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x63, 0xe9])]), "x"),
  ],
  [
    "a Git directory in disguise",
    (dir: string) =>
      mkdirSync(path.join(dir, ".GIT", "hooks"), { recursive: true }) ??
      writeFileSync(path.join(dir, ".GIT", "config"), "x"),
  ],
  ["a backslash", (dir: string) => writeFileSync(path.join(dir, "a\\b"), "x")],
  [
    "a link out of the repository",
    (dir: string) => symlinkSync("../../../../etc/passwd", path.join(dir, "out")),
  ],
  ["an absolute link", (dir: string) => symlinkSync("/etc/passwd", path.join(dir, "out"))],
  [
    "a tracked file that became a pipe",
    (dir: string) => (
      rmSync(path.join(dir, "README.md")), execFileSync("mkfifo", [path.join(dir, "README.md")])
    ),
  ],
])("%s is refused by name, and the rest comes back", async (_what, make) => {
  const { tree, workspace, at } = await lend(sampleRepo());
  writeFileSync(at("fine.txt"), "x");
  make(workspace.dir);
  if (existsSync(at(".GIT"))) writeFileSync(at(".GIT/config"), "x");
  const { refused } = await workspace.collect(tree);
  expect(refused).toHaveLength(1);
  expect(refused[0]?.path).not.toBe("");
  expect(await shown(tree)).toEqual(["added fine.txt"]);
  await workspace[Symbol.asyncDispose]();
});

test("links to directories are not followed, sockets and new pipes stay out", async () => {
  const { tree, workspace, at } = await lend(sampleRepo());
  symlinkSync("src", at("alias"));
  execFileSync("mkfifo", [at("pipe")]);
  await workspace.collect(tree);
  expect(await shown(tree)).toEqual(["added alias"]);
  await workspace[Symbol.asyncDispose]();
});

test("submodules are empty directories and stay what they are", async () => {
  const dir = sampleRepo();
  const commit = git(dir, "rev-parse", "HEAD");
  git(dir, "update-index", "--add", "--cacheinfo", `160000,${commit},vendor/lib`);
  git(dir, "commit", "-q", "-m", "submodule");
  const { tree, workspace, at } = await lend(dir);
  expect(readdirSync(at("vendor/lib"))).toEqual([]);
  writeFileSync(at("vendor/lib/dropped.txt"), "x");
  expect(await workspace.collect(tree)).toEqual({ files: 0, refused: [] });
  rmSync(at("vendor"), { recursive: true });
  expect(await workspace.collect(tree)).toEqual({ files: 0, refused: [] });
  await tree.write("x.txt", bytes("x"));
  await tree.commit("X", NO_ABORT);
  expect(git(dir, "ls-tree", tree.tip, "vendor/lib")).toContain(`160000 commit ${commit}`);
  await expect(tree.write("vendor/lib/x", bytes("x"))).rejects.toMatchObject({ code: "path_rejected" });
  await workspace[Symbol.asyncDispose]();
});

test("what the program does to its own .git changes nothing in the repository", async () => {
  const dir = sampleRepo();
  const { tree, workspace, at } = await lend(dir);
  writeFileSync(
    at(".git/config"),
    '[core]\n\tfsmonitor = "touch pwned"\n\thooksPath = .git/hooks\n[alias]\n\tx = !false\n',
  );
  mkdirSync(at(".git/hooks"), { recursive: true });
  writeFileSync(at(".git/hooks/post-index-change"), "#!/bin/sh\ntouch pwned\n", { mode: 0o755 });
  rmSync(at(".git/index"));
  writeFileSync(at("new.txt"), "x");
  expect(await workspace.collect(tree)).toEqual({ files: 1, refused: [] });
  expect(existsSync(at("pwned"))).toBe(false);
  rmSync(at(".git"), { recursive: true });
  expect(await workspace.collect(tree)).toEqual({ files: 1, refused: [] });
  await workspace[Symbol.asyncDispose]();
});

test("a directory that the program made read-only is removed all the same", async () => {
  const { workspace, at } = await lend(sampleRepo());
  mkdirSync(at("locked/in"), { recursive: true });
  writeFileSync(at("locked/in/x"), "x");
  chmodSync(at("locked/in"), 0o500);
  await workspace[Symbol.asyncDispose]();
  expect(existsSync(workspace.dir)).toBe(false);
});

test("sweep removes what dead processes left, never a live one's", async () => {
  const dir = sampleRepo();
  const { repo, workspace } = await lend(dir);
  const workspaces = path.dirname(path.dirname(workspace.dir));
  const [, birth = "", host = ""] = path.basename(path.dirname(workspace.dir)).split(".");
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await once(child, "exit");
  const dead = path.join(workspaces, `${child.pid}.1.${host}.w_1`);
  const reused = path.join(workspaces, `${process.pid}.${Number(birth) + 1}.${host}.w_2`);
  const elsewhere = path.join(workspaces, "1.1.some-other-host.w_3");
  for (const one of [dead, reused, elsewhere]) mkdirSync(path.join(one, "tree"), { recursive: true });
  expect(await repo.sweep()).toEqual({ removed: 2, saved: [] });
  expect([dead, reused, elsewhere, workspace.dir].map(existsSync)).toEqual([false, false, true, true]);
  expect(await repo.sweep()).toEqual({ removed: 0, saved: [] });
  await workspace[Symbol.asyncDispose]();
});

test("a commit that is not there, and a cancelled start, leave no directory", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const commit = await repo.resolve("HEAD");
  await expect(repo.workspace({ commit: "0".repeat(40), branch: "x" })).rejects.toMatchObject({
    code: "rev_not_found",
  });
  await expect(repo.workspace({ commit, branch: "x" }, AbortSignal.abort())).rejects.toMatchObject({
    code: "cancelled",
  });
  const workspaces = path.join(repo.stateDir, "workspaces");
  expect(existsSync(workspaces) ? readdirSync(workspaces) : []).toEqual([]);
});
