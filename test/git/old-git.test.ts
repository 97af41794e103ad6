import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { bytes, NO_ABORT, openRepo, openTree } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, git, sampleRepo, temporaryDir } from "../support/repos.ts";

const realGit = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();

/** A PATH with nothing but the given programs; put back when the test has ended. */
function onlyOnPath(programs: Readonly<Record<string, string>>): void {
  const bin = path.join(temporaryDir(), "bin");
  mkdirSync(bin);
  for (const [name, content] of Object.entries(programs)) {
    if (content.startsWith("/")) symlinkSync(content, path.join(bin, name));
    else {
      writeFileSync(path.join(bin, name), content);
      chmodSync(path.join(bin, name), 0o755);
    }
  }
  const before = process.env["PATH"] ?? "";
  process.env["PATH"] = bin;
  onTestFinished(() => {
    process.env["PATH"] = before;
  });
}

const claims = (version: string): string =>
  `#!/bin/sh\nfor a; do [ "$a" = version ] && echo "git version ${version}" && exit; done\nexec '${realGit}' "$@"\n`;

test("no git at all, and one that is too old, are said to be so", async () => {
  const dir = sampleRepo();
  onlyOnPath({});
  await expect(openRepo(dir)).rejects.toMatchObject({
    code: "git_too_old",
    message: expect.stringContaining("not installed"),
  });
  onlyOnPath({ git: claims("2.37.9") });
  const repo = await openRepo(dir);
  await expect(repo.checkReady(await repo.resolve("HEAD"), { files: false })).rejects.toMatchObject({
    code: "git_too_old",
    message: expect.stringContaining("2.37.9"),
  });
});

test.each([
  ["without stdbuf", "2.39.5"],
  ["with a git that has no merge-tree --stdin", "2.38.0"],
])("merging works %s: clean, conflicting and repeated", async (_how, version) => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": "1\n2\n3\n4\n5\n6\n7\n8\n" });
  onlyOnPath({ git: claims(version) });
  const repo = await openRepo(dir);
  const trees = await Promise.all(["A", "B", "C"].map((agent) => openTree(repo, agent)));
  const texts = ["A\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\n5\n6\n7\nB\n", "C\n2\n3\n4\n5\n6\n7\n8\n"];
  const kinds: string[] = [];
  for (const [i, tree] of trees.entries()) {
    await tree.write("f.txt", bytes(texts[i] ?? ""));
    await tree.commit("Edit", NO_ABORT);
    const source = { branch: tree.branch, commit: tree.tip, agent: "A", subtaskId: "s", taskId: "t" };
    for (let again = 0; again < 2; again++) {
      const result = await repo.merge({ target: "integration/7", start: tree.base, source });
      kinds.push(result.kind === "conflict" ? `${result.kind} ${result.conflicts[0]?.kind}` : result.kind);
    }
  }
  expect(kinds).toEqual([
    "merged",
    "unchanged",
    "merged",
    "unchanged",
    "conflict content",
    "conflict content",
  ]);
});

test("names that differ only in case are refused where the file system would fold them", async () => {
  const dir = sampleRepo();
  git(dir, "config", "core.ignoreCase", "true");
  const tree = await openTree(await openRepo(dir), "Api");
  await expect(tree.write("readme.MD", bytes("x"))).rejects.toMatchObject({ code: "path_rejected" });
  await expect(tree.write("SRC/new.ts", bytes("x"))).rejects.toMatchObject({ code: "path_rejected" });
  expect(await tree.write("src/new.ts", bytes("x"))).toEqual({ created: true });
  expect(await tree.write("README.md", bytes("x"))).toEqual({ created: false });
});
