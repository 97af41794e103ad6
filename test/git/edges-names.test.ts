import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { bytes, NO_ABORT, openRepo, openTree } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, git, sampleRepo } from "../support/repos.ts";

const TWIN = { code: "path_rejected", message: expect.stringContaining("differs only in case from") };

test("a new name that differs only in case from another is refused on every system, with the other's name", async () => {
  const dir = sampleRepo();
  git(dir, "config", "core.ignoreCase", "false");
  const tree = await openTree(await openRepo(dir), "Api");
  await expect(tree.write("readme.MD", bytes("x"))).rejects.toMatchObject({
    ...TWIN,
    message: "readme.MD differs only in case from README.md: macOS and Windows cannot hold both.",
  });
  await expect(tree.write("SRC/new.ts", bytes("x"))).rejects.toMatchObject(TWIN);
  await expect(tree.write("docs/Größe.md", bytes("x"))).rejects.toMatchObject(TWIN);
  await expect(tree.write("docs/gro\u0308ße.md".normalize("NFD"), bytes("x"))).rejects.toMatchObject(TWIN);
  await expect(tree.move("src/api", "DOCS/api")).rejects.toMatchObject(TWIN);
  expect(await tree.pending()).toEqual([]);
});

test("a name may change its case, and one that is gone leaves room", async () => {
  const tree = await openTree(await openRepo(sampleRepo()), "Api");
  expect(await tree.move("README.md", "Readme.md")).toEqual({ moved: 1 });
  expect(await tree.move("docs", "Docs")).toEqual({ moved: 2 });
  await tree.delete("src/ui");
  expect(await tree.write("src/UI", bytes("now a file"))).toEqual({ created: true });
  await tree.commit("Rename", NO_ABORT);
  expect((await tree.list()).map((file) => file.path)).toEqual(
    expect.arrayContaining(["Readme.md", "Docs/guide.md", "src/UI"]),
  );
});

test("names that differ only in case and are there already can both be edited", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "net/xt_mark.c": "a\n", "net/xt_MARK.c": "b\n", "Inc/a.h": "1\n", "inc/b.h": "2\n" });
  const tree = await openTree(await openRepo(dir), "Api");
  expect(await tree.write("net/xt_MARK.c", bytes("c\n"))).toEqual({ created: false });
  expect(await tree.write("net/new.c", bytes("c\n"))).toEqual({ created: true });
  expect(await tree.write("Inc/new.h", bytes("c\n"))).toEqual({ created: true });
  await expect(tree.write("INC/new.h", bytes("c\n"))).rejects.toMatchObject(TWIN);
});

test("a program's new file that differs only in case is refused by name; its other changes come back", async () => {
  const repo = await openRepo(sampleRepo());
  const tree = await openTree(repo, "Api");
  await using workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
  const at = (name: string) => path.join(workspace.dir, name);
  mkdirSync(at("SRC"));
  writeFileSync(at("SRC/x.ts"), "x");
  writeFileSync(at("one.md"), "1");
  writeFileSync(at("ONE.md"), "2");
  renameSync(at("docs/guide.md"), at("docs/Guide.md"));
  expect(await workspace.collect(tree)).toEqual({
    files: 3,
    refused: [
      {
        path: "SRC/x.ts",
        reason: "SRC/x.ts differs only in case from src: macOS and Windows cannot hold both.",
      },
      {
        path: "one.md",
        reason: "one.md differs only in case from ONE.md: macOS and Windows cannot hold both.",
      },
    ],
  });
  expect((await tree.pending()).map((change) => `${change.status} ${change.path}`)).toEqual([
    "added ONE.md",
    "added docs/Guide.md",
    "deleted docs/guide.md",
  ]);
});

test("paths of 1,000 bytes work; one that no system can hold keeps programs out, with its name, and nothing is left", async () => {
  const dir = emptyRepo();
  const long = Array.from({ length: 5 }, () => "d".repeat(200)).join("/");
  commitFiles(dir, { "a.txt": "a", [`${long}/f.txt`]: "f" });
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  const workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
  writeFileSync(path.join(workspace.dir, long, "f.txt"), "g");
  expect(await workspace.collect(tree)).toEqual({ files: 1, refused: [] });
  await workspace[Symbol.asyncDispose]();

  const blob = git(dir, "rev-parse", "HEAD:a.txt");
  const tooLong = Array.from({ length: 20 }, () => "e".repeat(240)).join("/");
  git(dir, "update-index", "--add", "--cacheinfo", `100644,${blob},${tooLong}/f`);
  git(dir, "commit", "-q", "-m", "long");
  const commit = git(dir, "rev-parse", "HEAD");
  await expect(repo.workspace({ commit, branch: "b" })).rejects.toMatchObject({
    code: "path_rejected",
    message: expect.stringMatching(/^A workspace cannot hold eee.*a path of 4821 bytes/),
  });
  expect(readdirSync(path.join(repo.stateDir, "workspaces"))).toEqual([]);
});

test("a file deeper than any path reaches is refused by name, and its directories are removed", async () => {
  const repo = await openRepo(sampleRepo());
  const tree = await openTree(repo, "Api");
  const workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
  const nest = `const fs = require("fs"); const n = "n".repeat(250);
    for (let i = 0; i < 20; i++) { fs.mkdirSync(n); process.chdir(n); }
    fs.writeFileSync("f", "deep");`;
  execFileSync(process.execPath, ["-e", nest], { cwd: workspace.dir });
  writeFileSync(path.join(workspace.dir, "a.txt"), "a");
  const { files, refused } = await workspace.collect(tree);
  expect(files).toBe(1);
  expect(refused).toHaveLength(1);
  expect(refused[0]?.reason).toMatch(/more than 4096 bytes|ENAMETOOLONG/);
  await workspace[Symbol.asyncDispose]();
  expect(existsSync(path.dirname(workspace.dir))).toBe(false);
});
