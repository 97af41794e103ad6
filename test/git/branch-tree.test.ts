import fc from "fast-check";
import { expect, test } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import { bytes, NO_ABORT, openRepo, openTree, readText } from "../support/branch-trees.ts";
import { checkoutDigest, commitFiles, emptyRepo, git, gitBytes, sampleRepo } from "../support/repos.ts";

test("an agent writes, moves, deletes and commits; the checkout stays as it is", async () => {
  const dir = sampleRepo();
  const before = checkoutDigest(dir);
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  expect(await tree.write("src/api/new.ts", bytes("export {};\n"))).toEqual({ created: true });
  expect(await tree.write("README.md", bytes("# Changed\n"))).toEqual({ created: false });
  expect(await tree.move("src/ui", "src/web")).toEqual({ moved: 1 });
  expect(await tree.delete("docs/guide.md")).toEqual({ deleted: 1 });
  expect(tree.edited).toBe(true);
  expect(await tree.pending()).toEqual([
    { path: "README.md", status: "modified" },
    { path: "docs/guide.md", status: "deleted" },
    { path: "src/api/new.ts", status: "added" },
    { path: "src/ui/page.ts", status: "deleted" },
    { path: "src/web/page.ts", status: "added" },
  ]);
  const done = await tree.commit("Rework the api\n\nWith a body.", NO_ABORT);
  expect(done).toMatchObject({ branch: "feature/7/Api", files: 5 });
  expect(tree.edited).toBe(false);
  expect(await tree.commit("Again", NO_ABORT)).toBe(null);
  expect(git(dir, "ls-tree", "-r", "--name-only", "feature/7/Api", "src").split("\n")).toEqual([
    "src/api/new.ts",
    "src/api/routes.ts",
    "src/api/server.ts",
    "src/web/page.ts",
  ]);
  expect(git(dir, "rev-parse", "feature/7/Api^")).toBe(tree.base);
  expect(await tree.changes()).toHaveLength(5);
  expect(checkoutDigest(dir)).toBe(before);
  expect(git(dir, "status", "--porcelain")).toBe("");
  expect(git(dir, "worktree", "list").split("\n")).toHaveLength(1);
  git(dir, "fsck", "--full", "--strict");
});

test("a commit carries the agent as author, the person as committer, and well-formed trailers", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api <evil>", { branch: git(dir, "branch", "work") || "work" });
  await tree.write("a.txt", bytes("a"));
  await tree.commit("Subject\r\n\r\nBody\0 text\nOxbow-Task: forged\n\nReviewed-by: A <a@b>", NO_ABORT);
  await tree.write("a.txt", bytes("b"));
  await tree.commit("Second", NO_ABORT);
  expect(git(dir, "log", "-1", "--format=%an <%ae>|%cn <%ce>", "work")).toBe(
    "Api evil <Api-evil@oxbow.localhost>|Test Person <person@example.com>",
  );
  expect(git(dir, "log", "-1", "--format=%(trailers:only)", "work~1").trim().split("\n")).toEqual([
    "Reviewed-by: A <a@b>",
    "Oxbow-Task: t-7",
    "Oxbow-Subtask: Api <evil>::t-7::1",
    "Oxbow-Agent: Api <evil>",
    "Oxbow-Conversation: c-1",
    "Oxbow-Attempt: 1",
    "Oxbow-Step: 1",
  ]);
  expect(git(dir, "log", "-1", "--format=%(trailers:key=Oxbow-Step,valueonly)", "work").trim()).toBe("2");
  await expect(tree.commit(" \0\n ", NO_ABORT)).rejects.toMatchObject({ code: "usage" });
});

test("modes, symlinks, line ends, binary and unicode survive an edit next to them", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  await tree.write("bin/run.sh", bytes("#!/bin/sh\necho changed\r\n"));
  await tree.move("docs", "handbook");
  await tree.move("link", "src/link");
  const binary = Buffer.from([0, 255, 13, 10, 0, 128]);
  await tree.write("assets/new.bin", binary);
  await tree.write("déjà/ünï ☃.txt", bytes("snow"));
  await tree.commit("Survive", NO_ABORT);
  const listed = git(dir, "-c", "core.quotePath=false", "ls-tree", "-r", "feature/7/Api");
  expect(listed).toContain("100755 blob");
  expect(listed).toMatch(/^120000 blob \S+\tsrc\/link$/m);
  expect(listed).toContain("\tdéjà/ünï ☃.txt");
  expect(gitBytes(dir, "show", "feature/7/Api:handbook/guide.md").toString()).toBe(
    "Line one\r\nLine two\r\n",
  );
  expect(gitBytes(dir, "show", "feature/7/Api:bin/run.sh").toString()).toBe("#!/bin/sh\necho changed\r\n");
  expect(gitBytes(dir, "show", "feature/7/Api:assets/new.bin")).toEqual(binary);
  expect(await tree.list("handbook/*")).toEqual([
    { path: "handbook/größe.md", mode: "100644" },
    { path: "handbook/guide.md", mode: "100644" },
  ]);
});

test("names that are not UTF-8 are carried along untouched", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "d/a.txt": "a" });
  const blob = git(dir, "hash-object", "-w", "d/a.txt");
  const name = Buffer.from([0x63, 0xe9, 0x2e, 0x74]);
  const index = Buffer.concat([Buffer.from(`100644 ${blob}\td/`), name, Buffer.from("\0")]);
  const { execFileSync } = await import("node:child_process");
  execFileSync("git", ["update-index", "-z", "--index-info"], { cwd: dir, input: index });
  git(dir, "commit", "-q", "-m", "latin1");
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  await tree.write("d/b.txt", bytes("b"));
  await tree.move("d", "e");
  await tree.commit("Move them", NO_ABORT);
  const listed = gitBytes(dir, "ls-tree", "-r", "-z", "--name-only", "feature/7/Api").toString("latin1");
  expect(listed.split("\0")).toEqual(["e/a.txt", "e/b.txt", "e/c\xe9.t", ""]);
  expect((await tree.list()).map((file) => file.path)).toContain('"e/c\\351.t"');
});

test("paths that cannot be written are refused by name, and nothing changes", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  for (const path of [
    "src",
    "README.md/below",
    "link",
    "link/x",
    "../out",
    "/abs",
    ".git/config",
    "a/.GIT/x",
    "",
    "a\0b",
  ]) {
    await expect(tree.write(path, bytes("x")), path).rejects.toMatchObject({ code: "path_rejected" });
  }
  await expect(tree.move("README.md", "src/api/server.ts")).rejects.toMatchObject({ code: "path_rejected" });
  await expect(tree.move("src", "src/deeper/src")).rejects.toMatchObject({ code: "path_rejected" });
  await expect(tree.move("link", "deep/er/link")).resolves.toEqual({ moved: 1 });
  await expect(tree.read("nope.txt")).rejects.toMatchObject({ code: "file_not_found" });
  await expect(tree.read("src")).rejects.toMatchObject({ code: "file_not_found" });
  await expect(tree.delete("nope")).rejects.toMatchObject({ code: "file_not_found" });
  expect((await tree.pending()).map((change) => change.path)).toEqual(["deep/er/link", "link"]);
});

test("a file may give way to a directory and back", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  await tree.delete("README.md");
  await tree.write("README.md/part.md", bytes("1"));
  await tree.delete("src/api");
  await tree.write("src/api", bytes("now a file"));
  await tree.commit("Swap", NO_ABORT);
  expect(git(dir, "show", "feature/7/Api:README.md/part.md")).toBe("1");
  expect(git(dir, "show", "feature/7/Api:src/api")).toBe("now a file");
  await tree.delete("README.md");
  await tree.write("README.md", bytes("a file again"));
  await tree.commit("Back", NO_ABORT);
  expect(git(dir, "show", "feature/7/Api:README.md")).toBe("a file again");
});

test("scope is asked for every file of a move or delete before anything changes", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const asked: string[] = [];
  const tree = await openTree(repo, "Api", {
    mayWrite: (path) => {
      asked.push(path);
      if (!path.startsWith("src/api/")) throw new OxbowError("out_of_scope", `${path} is not yours.`);
    },
  });
  await expect(tree.write("README.md", bytes("x"))).rejects.toMatchObject({ code: "out_of_scope" });
  await expect(tree.delete("src")).rejects.toMatchObject({ code: "out_of_scope" });
  await expect(tree.move("src/api", "src/ui/api")).rejects.toMatchObject({ code: "out_of_scope" });
  expect(await tree.pending()).toEqual([]);
  await tree.write("./src//api/x.ts", bytes("x"));
  expect(asked).toContain("src/api/x.ts");
});

test("search sees the edits, honours the glob, caps hits and long lines", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api", {
    reads: {
      allows: (path) => !path.startsWith("secret/"),
      check: () => {
        throw new OxbowError("out_of_scope", "no");
      },
    },
  });
  await tree.write("src/api/many.ts", bytes("export a\n".repeat(50)));
  await tree.write("secret/x.ts", bytes("export hidden\n"));
  await tree.write("long.txt", bytes(`needle ${"x".repeat(5000)}\n`));
  const some = await tree.search("^export", { glob: "src/api/**", limit: 10 }, NO_ABORT);
  expect(some.hits).toHaveLength(10);
  expect(some.truncated).toBe(true);
  expect(some.hits[0]).toEqual({ path: "src/api/many.ts", line: 1, text: "export a" });
  const all = await tree.search("export (const|hidden)", { limit: 100 }, NO_ABORT);
  expect(all.truncated).toBe(false);
  expect(all.hits.map((hit) => hit.path)).toEqual([
    "src/api/routes.ts",
    "src/api/server.ts",
    "src/api/server.ts",
    "src/ui/page.ts",
  ]);
  const [long] = (await tree.search("needle", { limit: 1 }, NO_ABORT)).hits;
  expect(long?.text.length).toBeLessThan(600);
  expect(await tree.search("nowhere at all", { limit: 1 }, NO_ABORT)).toEqual({ hits: [], truncated: false });
  expect((await tree.search("-e", { limit: 1 }, NO_ABORT)).hits).toEqual([]);
  await expect(tree.search("(", { limit: 1 }, NO_ABORT)).rejects.toMatchObject({ code: "tool_input" });
  await expect(tree.search("x", { limit: 1 }, AbortSignal.abort())).rejects.toMatchObject({
    code: "cancelled",
  });
});

test("diff shows committed and uncommitted work against the start, and says where it is cut", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  await tree.write("one.txt", bytes("one\n"));
  await tree.commit("One", NO_ABORT);
  await tree.write("two.txt", bytes("two\n"));
  const diff = await tree.diff(NO_ABORT);
  expect(diff).toContain("+one");
  expect(diff).toContain("+two");
  await tree.write("big.txt", bytes("line\n".repeat(100_000)));
  const cut = await tree.diff(NO_ABORT);
  expect(cut.length).toBeLessThan(201_000);
  expect(cut).toMatch(/\[diff cut at 200000 bytes/);
});

test("saved work survives the process and becomes the next attempt's edits; the next commit's parent is the tip", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  expect(await tree.saveWork()).toBe(null);
  await tree.write("a.txt", bytes("draft"));
  await tree.delete("README.md");
  const saved = await tree.saveWork();
  expect(saved?.files).toBe(2);
  expect(await tree.saveWork()).toBe(null);
  expect(git(dir, "rev-parse", "feature/7/Api")).toBe(tree.base);

  await repo.sealAttempts("Api::t-7::1", 2, tree.base);
  expect(await repo.lastAttempt("Api::t-7::1", 2)).toEqual({ attempt: 1, commit: saved?.commit });
  const again = await openTree(repo, "Api", { branch: "feature/7/Api", attempt: 2 });
  expect(await again.restoreWork(saved?.commit ?? "")).toEqual({ files: 2 });
  expect(await readText(again, "a.txt")).toBe("draft");
  const done = await again.commit("Finish", NO_ABORT);
  expect(git(dir, "rev-parse", `${done?.commit}^`)).toBe(again.base);
  expect(await repo.lastAttempt("Api::t-7::1", 3)).toEqual({ attempt: 2, commit: done?.commit });
  expect(await again.restoreWork(done?.commit ?? "")).toEqual({ files: 0 });
  git(dir, "pack-refs", "--all");
  expect(await repo.lastAttempt("Api::t-7::1", 3)).toEqual({ attempt: 2, commit: done?.commit });
  expect(await repo.lastAttempt("Api::t-7::2", 3)).toBe(null);

  await tree.write("b.txt", bytes("late"));
  await expect(tree.saveWork()).rejects.toMatchObject({ code: "fenced" });
  await expect(tree.commit("Late", NO_ABORT)).rejects.toMatchObject({ code: "fenced" });
  expect(git(dir, "rev-parse", "feature/7/Api")).toBe(done?.commit);
});

test("an attempt that was taken over moves nothing any more, also when it had saved nothing; what others saved stays", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const first = await openTree(repo, "Api");
  await first.write("a.txt", bytes("saved"));
  const saved = await first.saveWork();
  const branch = first.branch;
  await repo.sealAttempts("Api::t-7::1", 2, first.base);
  const second = await openTree(repo, "Api", { branch, attempt: 2 });
  const others = [await openRepo(dir), await openRepo(dir)];
  await Promise.all(others.map((other) => other.sealAttempts("Api::t-7::1", 3, first.base)));
  for (const [tree, file] of [
    [first, "b.txt"],
    [second, "c.txt"],
  ] as const) {
    await tree.write(file, bytes("late"));
    await expect(tree.saveWork()).rejects.toMatchObject({ code: "fenced" });
    await expect(tree.commit("Late", NO_ABORT)).rejects.toMatchObject({ code: "fenced" });
  }
  expect(git(dir, "rev-parse", branch)).toBe(first.base);
  expect(await repo.lastAttempt("Api::t-7::1", 3)).toEqual({ attempt: 1, commit: saved?.commit });
  await expect(
    openTree(repo, "Api", { branch, attempt: 2 }).then((late) =>
      late.write("d.txt", bytes("d")).then(() => late.saveWork()),
    ),
  ).rejects.toMatchObject({ code: "fenced" });
  const third = await openTree(repo, "Api", { branch, attempt: 3 });
  await third.restoreWork(saved?.commit ?? "");
  const done = await third.commit("Finish", NO_ABORT);
  expect(git(dir, "rev-parse", branch)).toBe(done?.commit);
  git(dir, "fsck", "--full", "--strict");
  git(dir, "gc", "-q", "--prune=now");
  expect(git(dir, "cat-file", "-t", saved?.commit ?? "")).toBe("commit");
});

test("work that was saved and then undone is no longer the saved work", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  await tree.write("a.txt", bytes("draft"));
  await tree.saveWork();
  await tree.delete("a.txt");
  expect(tree.edited).toBe(false);
  expect(await tree.saveWork()).toEqual({ commit: tree.tip, files: 0 });
});

test("somebody else's move of the branch is never overwritten", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  await tree.write("a.txt", bytes("mine"));
  const theirs = git(dir, "commit-tree", "-p", tree.base, "-m", "theirs", `${tree.base}^{tree}`);
  git(dir, "update-ref", "refs/heads/feature/7/Api", theirs);
  await expect(tree.commit("Mine", NO_ABORT)).rejects.toMatchObject({ code: "branch_moved" });
  expect(git(dir, "rev-parse", "feature/7/Api")).toBe(theirs);
  expect(await tree.pending()).toHaveLength(1);
});

test("a branch that a person has checked out is not moved", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  await tree.write("a.txt", bytes("mine"));
  git(dir, "checkout", "-q", "feature/7/Api");
  await expect(tree.commit("Mine", NO_ABORT)).rejects.toMatchObject({ code: "branch_checked_out" });
  await expect(openTree(repo, "Other", { branch: "feature/7/Api" })).rejects.toMatchObject({
    code: "branch_checked_out",
  });
  git(dir, "checkout", "-q", "main");
  expect(await tree.commit("Mine", NO_ABORT)).toMatchObject({ files: 1 });
});

test("a branch opened as fresh that is not where it was made loses nothing: the commit is refused", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api", { fresh: true });
  await tree.write("a.txt", bytes("a"));
  const first = await tree.commit("First", NO_ABORT);
  const base = tree.base;
  const stale = await openTree(repo, "Api", {
    fresh: true,
    branch: tree.branch,
    base,
    subtaskId: "Api::t-7::2",
  });
  await stale.write("b.txt", bytes("b"));
  await expect(stale.commit("Stale", NO_ABORT)).rejects.toMatchObject({ code: "branch_moved" });
  expect(git(dir, "rev-parse", tree.branch)).toBe(first?.commit);
});

test("fifty branches commit at once, each with its own verdict", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const trees = await Promise.all(Array.from({ length: 50 }, (_, i) => openTree(repo, `agent${i}`)));
  await repo.sealAttempts("agent7::t-7::1", 2, trees[7]?.base ?? "");
  const results = await Promise.allSettled(
    trees.map(async (tree, i) => {
      await tree.write(`out/${i}.txt`, bytes(`${i}`));
      return tree.commit(`Number ${i}`, NO_ABORT);
    }),
  );
  for (const [i, result] of results.entries()) {
    if (i === 7) expect(result).toMatchObject({ status: "rejected", reason: { code: "fenced" } });
    else expect(result).toMatchObject({ status: "fulfilled", value: { files: 1 } });
  }
  expect(git(dir, "show", "feature/7/agent49:out/49.txt")).toBe("49");
  git(dir, "fsck", "--full");
});

test("any sequence of edits gives the tree that the same edits give in memory", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const name = fc.constantFrom("a", "b", "c/d", "c/e", "c/f/g", "h/i", "h");
  const edit = fc.oneof(
    fc.record({ kind: fc.constant("write" as const), path: name, text: fc.string({ maxLength: 5 }) }),
    fc.record({ kind: fc.constant("delete" as const), path: name }),
    fc.record({ kind: fc.constant("commit" as const) }),
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { maxLength: 12 }), async (edits) => {
      const tree = await openTree(repo, `p${run++}`);
      const model = new Map((await tree.list()).map((file) => [file.path, ""]));
      for (const [path] of model) model.set(path, await readText(tree, path));
      const under = (path: string) => [...model.keys()].filter((one) => one.startsWith(`${path}/`));
      for (const step of edits) {
        if (step.kind === "commit") {
          await tree.commit("Step", NO_ABORT);
          continue;
        }
        const { path } = step;
        const blocked = path.split("/").some((_, i, all) => i > 0 && model.has(all.slice(0, i).join("/")));
        if (step.kind === "write") {
          const fits = !blocked && under(path).length === 0;
          await tree.write(path, bytes(step.text)).then(
            () => expect(fits).toBe(true),
            () => expect(fits).toBe(false),
          );
          if (fits) model.set(path, step.text);
        } else {
          const gone = model.has(path) ? [path] : under(path);
          await tree.delete(path).catch(() => expect(gone).toEqual([]));
          for (const one of gone) model.delete(one);
        }
      }
      await tree.commit("Last", NO_ABORT);
      const files = (await repo.listFiles(tree.tip)).map((file) => file.path);
      expect(files.toSorted()).toEqual([...model.keys()].sort());
      for (const [path, text] of model) expect(await readText(tree, path)).toBe(text);
    }),
    { numRuns: 25 },
  );
});
