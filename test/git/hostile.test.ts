import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { bytes, NO_ABORT, openRepo, openTree } from "../support/branch-trees.ts";
import { checkoutDigest, commitFiles, emptyRepo, git, gitBytes } from "../support/repos.ts";

const HOOKS = [
  "pre-commit",
  "post-commit",
  "post-checkout",
  "post-merge",
  "pre-auto-gc",
  "reference-transaction",
  "post-index-change",
  "post-rewrite",
];

/** A repository whose configuration and attributes name programs: each would leave a file behind if it ever ran. */
function hostileRepo(): { dir: string; trap: string } {
  const dir = emptyRepo();
  commitFiles(dir, {
    "a.txt": "one\ntwo\nthree\n",
    "crlf.txt": "one\r\ntwo\r\n",
    "b.lock": "1\n2\n3\n4\n5\n6\n7\n8\n",
    "img.bin": "x",
    "wide.u16": Buffer.from("wide\n", "utf16le"),
  });
  commitFiles(dir, {
    ".gitattributes":
      "*.txt filter=evil diff=evil text eol=crlf ident\n*.u16 working-tree-encoding=UTF-16LE\n*.lock merge=evil\n*.bin diff=evil\n",
  });
  const trap = path.join(path.dirname(dir), "trap");
  const program = path.join(path.dirname(dir), "evil.sh");
  writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> '${trap}'\ncat\n`);
  chmodSync(program, 0o755);
  for (const key of [
    "core.fsmonitor",
    "filter.evil.clean",
    "filter.evil.smudge",
    "filter.evil.process",
    "diff.evil.command",
    "diff.evil.textconv",
    "diff.external",
    "core.pager",
    "gpg.program",
    "core.sshCommand",
    "uploadpack.packObjectsHook",
    "core.alternateRefsCommand",
  ]) {
    git(dir, "config", key, program);
  }
  git(dir, "config", "merge.evil.driver", `${program} %O %A %B`);
  git(dir, "config", "core.autocrlf", "true");
  git(dir, "config", "core.safecrlf", "true");
  git(dir, "config", "commit.gpgSign", "true");
  git(dir, "config", "merge.default", "evil");
  git(dir, "config", "alias.cat-file", `!${program}`);
  mkdirSync(path.join(dir, ".git", "hooks"), { recursive: true });
  for (const hook of HOOKS) {
    writeFileSync(path.join(dir, ".git", "hooks", hook), `#!/bin/sh\necho ${hook} >> '${trap}'\nexit 1\n`);
    chmodSync(path.join(dir, ".git", "hooks", hook), 0o755);
  }
  mkdirSync(path.join(dir, ".git", "info"), { recursive: true });
  writeFileSync(path.join(dir, ".git", "info", "attributes"), "* filter=evil merge=evil diff=evil\n");
  return { dir, trap };
}

test("hooks, filters, drivers and monitors of the repository never run; HEAD, index, files and config stay as they are", async () => {
  const { dir, trap } = hostileRepo();
  const before = checkoutDigest(dir);
  const head = readFileSync(path.join(dir, ".git", "HEAD"), "utf8");
  const repo = await openRepo(dir);
  const a = await openTree(repo, "A");
  const b = await openTree(repo, "B");
  await a.write("a.txt", bytes("one\r\ntwo\nchanged $Id$\n"));
  await a.write("b.lock", bytes("A\n2\n3\n4\n5\n6\n7\n8\n"));
  await b.write("b.lock", bytes("1\n2\n3\n4\n5\n6\n7\nB\n"));
  expect((await a.search("changed", { limit: 5 }, NO_ABORT)).hits).toHaveLength(1);
  expect(await a.diff(NO_ABORT)).toContain("+changed $Id$");
  await a.saveWork();
  await a.commit("A", NO_ABORT);
  await b.commit("B", NO_ABORT);
  const source = (tree: typeof a, agent: string) => ({
    branch: tree.branch,
    commit: tree.tip,
    agent,
    subtaskId: agent,
    taskId: "t",
  });
  const start = a.base;
  expect((await repo.merge({ target: "integration/7", start, source: source(a, "A") })).kind).toBe("merged");
  expect(await repo.merge({ target: "integration/7", start, source: source(b, "B") })).toMatchObject({
    kind: "conflict",
    conflicts: [{ path: "b.lock", kind: "merge_attribute" }],
  });
  const workspace = await repo.workspace({ commit: a.tip, branch: a.branch });
  expect(readFileSync(path.join(workspace.dir, "a.txt"), "utf8")).toBe("one\r\ntwo\nchanged $Id$\n");
  expect(readFileSync(path.join(workspace.dir, "crlf.txt"), "utf8")).toBe(
    gitBytes(dir, "show", "main:crlf.txt").toString(),
  );
  expect(readFileSync(path.join(workspace.dir, "wide.u16"))).toEqual(gitBytes(dir, "show", "main:wide.u16"));
  expect(git(workspace.dir, "status", "--porcelain")).toBe("");
  writeFileSync(path.join(workspace.dir, "new.txt"), "raw\r\n$Id$\n");
  expect(await workspace.collect(a)).toEqual({ files: 1, refused: [] });
  await a.commit("New", NO_ABORT);
  expect(gitBytes(dir, "show", `${a.branch}:new.txt`).toString()).toBe("raw\r\n$Id$\n");
  await workspace[Symbol.asyncDispose]();
  await repo.head();
  await repo.refs("refs/heads/");
  await repo.sweep();
  expect(existsSync(trap) ? readFileSync(trap, "utf8") : "").toBe("");
  expect(checkoutDigest(dir)).toBe(before);
  expect(readFileSync(path.join(dir, ".git", "HEAD"), "utf8")).toBe(head);
  expect(git(dir, "worktree", "list").split("\n")).toHaveLength(1);
});

test("an uncommitted .gitattributes of the checkout has no say in a merge", async () => {
  const { dir, trap } = hostileRepo();
  const repo = await openRepo(dir);
  const a = await openTree(repo, "A");
  const b = await openTree(repo, "B");
  await a.write("plain", bytes("A"));
  await b.write("img.bin", bytes("B"));
  await a.commit("A", NO_ABORT);
  await b.commit("B", NO_ABORT);
  writeFileSync(path.join(dir, ".gitattributes"), "* merge=evil\n");
  for (const tree of [a, b]) {
    const source = { branch: tree.branch, commit: tree.tip, agent: "A", subtaskId: "s", taskId: "t" };
    expect((await repo.merge({ target: "integration/7", start: a.base, source })).kind).toBe("merged");
  }
  expect(existsSync(trap)).toBe(false);
});

test("a checkout with names that lead into .git cannot be materialised, and says which", async () => {
  const dir = emptyRepo();
  const inner = git(dir, "mktree", "--missing", "-z").slice(0, 0);
  expect(inner).toBe("");
  commitFiles(dir, { "x.txt": "x" });
  const blob = git(dir, "rev-parse", "HEAD:x.txt");
  const { execFileSync } = await import("node:child_process");
  const tree = execFileSync("git", ["mktree"], {
    cwd: dir,
    input: `100644 blob ${blob}\tgit~1\n`,
    encoding: "utf8",
  }).trim();
  const commit = git(dir, "commit-tree", "-m", "bad", tree);
  const repo = await openRepo(dir);
  await expect(repo.workspace({ commit, branch: "bad" })).rejects.toMatchObject({ code: "path_rejected" });
});
