import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { bytes, NO_ABORT, openRepo, openTree, readText } from "../support/branch-trees.ts";
import { git, sampleRepo } from "../support/repos.ts";

async function lend() {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  const workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
  const at = (name: string) => path.join(workspace.dir, name);
  /** As a program is run: the edits to the disk, its changes to the branch. */
  const program = async (work: () => void) => {
    await workspace.update(tree);
    work();
    const result = await workspace.collect(tree);
    await workspace.settle(tree);
    return result;
  };
  return { dir, repo, tree, workspace, at, program };
}

test("edits go to the disk before a program, and its changes to the branch after it, to and fro", async () => {
  const { tree, at, program } = await lend();
  await tree.write("README.md", bytes("edited\n"));
  await tree.write("new/deep/file.txt", bytes("one"));
  await tree.delete("docs/guide.md");
  await tree.move("link", "docs/link");
  const ran = await program(() => {
    expect(readFileSync(at("README.md"), "utf8")).toBe("edited\n");
    expect(readFileSync(at("new/deep/file.txt"), "utf8")).toBe("one");
    expect(readlinkSync(at("docs/link"))).toBe("src/api/server.ts");
    expect(readdirSync(at("docs"))).not.toContain("guide.md");
    writeFileSync(at("new/deep/file.txt"), "two");
    writeFileSync(at("beside.txt"), "left by it");
  });
  expect(ran).toEqual({ files: 2, refused: [] });
  expect(await readText(tree, "new/deep/file.txt")).toBe("two");

  await tree.write("new/deep/file.txt", bytes("three"));
  await tree.delete("beside.txt");
  const times = statSync(at("README.md")).mtimeMs;
  expect(
    await program(() => {
      expect(readFileSync(at("new/deep/file.txt"), "utf8")).toBe("three");
      expect(lstatSync(at("beside.txt"), { throwIfNoEntry: false })).toBe(undefined);
      expect(statSync(at("README.md")).mtimeMs).toBe(times);
      writeFileSync(at("README.md"), readFileSync(at("README.md"), "utf8").replace("edited", "Project"));
    }),
  ).toEqual({ files: 1, refused: [] });
  expect(await readText(tree, "README.md")).toBe("Project\n");
});

test("what a program puts back as the branch began is a change too", async () => {
  const { tree, at, program } = await lend();
  const before = readFileSync(at("README.md"), "utf8");
  await tree.write("README.md", bytes("edited\n"));
  await program(() => writeFileSync(at("README.md"), before));
  expect(await readText(tree, "README.md")).toBe(before);
  expect(await tree.pending()).toEqual([]);
});

test("HEAD and the index follow commits, so that git in the workspace tells only what is new", async () => {
  const { tree, workspace, at, program } = await lend();
  await program(() => writeFileSync(at("made.txt"), "x"));
  await tree.commit("Make it", NO_ABORT);
  await tree.write("README.md", bytes("edited\n"));
  await workspace.update(tree);
  expect(git(workspace.dir, "log", "--format=%s", "-1")).toBe("Make it");
  expect(git(workspace.dir, "status", "--porcelain")).toMatch(/^ ?M README.md$/);
});

test("nothing is written through a symlink that a program left where the branch has a folder or a file", async () => {
  const outside = mkdtempSync(path.join(tmpdir(), "oxbow-outside-"));
  try {
    writeFileSync(path.join(outside, "guide.md"), "theirs");
    writeFileSync(path.join(outside, "server.ts"), "theirs");
    const { tree, at, program, workspace } = await lend();
    const { refused } = await program(() => {
      rmSync(at("docs"), { recursive: true });
      symlinkSync(outside, at("docs"));
      rmSync(at("src/api/server.ts"));
      symlinkSync(path.join(outside, "server.ts"), at("src/api/server.ts"));
    });
    expect(refused.map((one) => one.path)).toEqual(["docs", "src/api/server.ts"]);
    await tree.write("docs/more.md", bytes("ours"));
    await tree.write("src/api/server.ts", bytes("ours"));
    await workspace.update(tree);
    expect(readdirSync(outside).sort()).toEqual(["guide.md", "server.ts"]);
    expect(readFileSync(path.join(outside, "server.ts"), "utf8")).toBe("theirs");
    expect(readFileSync(at("docs/more.md"), "utf8")).toBe("ours");
    expect(lstatSync(at("docs")).isDirectory()).toBe(true);
    expect(readFileSync(at("src/api/server.ts"), "utf8")).toBe("ours");
  } finally {
    rmSync(outside, { recursive: true, force: true });
  }
});

test("modes, and a file where a folder was and the other way round, arrive as the branch has them", async () => {
  const { tree, at, program, workspace } = await lend();
  await program(() => {
    chmodSync(at("README.md"), 0o755);
    rmSync(at("bin"), { recursive: true });
    writeFileSync(at("bin"), "a file now");
  });
  expect(await tree.list("README.md")).toEqual([{ path: "README.md", mode: "100755" }]);
  await tree.delete("bin");
  await tree.write("bin/tool", bytes("again a folder"));
  mkdirSync(at("later.txt"));
  writeFileSync(at("later.txt/ignored.log"), "");
  await tree.write("later.txt", bytes("a file"));
  await workspace.update(tree);
  expect(readFileSync(at("bin/tool"), "utf8")).toBe("again a folder");
  expect(readFileSync(at("later.txt"), "utf8")).toBe("a file");
  expect(statSync(at("README.md")).mode & 0o111).not.toBe(0);
});

test("git in the workspace of a shallow clone ends its history where the clone does", async () => {
  const origin = sampleRepo();
  git(origin, "commit", "--quiet", "--allow-empty", "--message", "Second");
  const top = mkdtempSync(path.join(tmpdir(), "oxbow-shallow-"));
  try {
    const clone = path.join(top, "clone");
    git(top, "clone", "--quiet", "--depth", "1", `file://${origin}`, clone);
    const repo = await openRepo(clone);
    const tree = await openTree(repo, "Api");
    await using workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
    expect(git(workspace.dir, "log", "--format=%s")).toBe("Second");
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
});
