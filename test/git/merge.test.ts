import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { MergeResult, MergeSource, Repository } from "../../src/git/contract.ts";
import { openRepo } from "../support/branch-trees.ts";
import { checkoutDigest, commitFiles, emptyRepo, git, sampleRepo } from "../support/repos.ts";

const LINES = ["1", "2", "3", "4", "5", "6", "7", "8", "9", ""].join("\n");

/** A branch made with plain git: `edit` works in the checkout, which is put back on `main`. */
function branch(dir: string, name: string, edit: () => void): MergeSource {
  git(dir, "checkout", "-q", "-b", name, "main");
  edit();
  git(dir, "add", "-A");
  git(dir, "commit", "-q", "-m", name);
  const commit = git(dir, "rev-parse", "HEAD");
  git(dir, "checkout", "-q", "main");
  return { branch: name, commit, agent: name, subtaskId: `${name}::t::1`, taskId: "t" };
}

const write = (dir: string, name: string, text: string | Buffer): void =>
  writeFileSync(path.join(dir, name), text);

/** Merges two branches into `integration/1`, in order; gives the second result. */
async function mergeBoth(repo: Repository, a: MergeSource, b: MergeSource): Promise<MergeResult> {
  const start = await repo.resolve("main");
  expect((await repo.merge({ target: "integration/1", start, source: a })).kind).toBe("merged");
  return repo.merge({ target: "integration/1", start, source: b });
}

test("branches meet in the integration branch as `git merge` would join them; the checkout stays", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES, "dir/g.txt": LINES });
  const a = branch(dir, "a", () => write(dir, "f.txt", LINES.replace("1", "one")));
  const b = branch(dir, "b", () => git(dir, "mv", "f.txt", "moved.txt"));
  const c = branch(dir, "c", () => write(dir, "new.txt", "new"));
  const before = checkoutDigest(dir);
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  for (const source of [a, b, c]) {
    const merged = await repo.merge({ target: "integration/1", start, source });
    expect(merged.kind).toBe("merged");
    const again = await repo.merge({ target: "integration/1", start, source });
    expect(again).toEqual({ kind: "unchanged", commit: git(dir, "rev-parse", "integration/1") });
  }
  expect(checkoutDigest(dir)).toBe(before);
  const ours = git(dir, "rev-parse", "integration/1^{tree}");
  expect(
    git(dir, "log", "-1", "--format=%s|%an|%(trailers:key=Oxbow-Subtask,valueonly)", "integration/1").trim(),
  ).toBe("Merge c into integration/1|Test Person|c::t::1");
  expect(
    git(dir, "log", "-1", "--format=%(trailers:key=Co-authored-by,valueonly)", "integration/1").trim(),
  ).toBe("c <c@oxbow.localhost>");
  git(dir, "checkout", "-q", "-b", "peer", "main");
  for (const source of [a, b, c]) git(dir, "merge", "-q", "--no-ff", "--no-edit", source.branch);
  expect(git(dir, "rev-parse", "peer^{tree}")).toBe(ours);
  git(dir, "fsck", "--full", "--strict");
});

test("what is contained already makes no commit, and a missing target is made", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  const source = { branch: "main", commit: start, agent: "A", subtaskId: "s", taskId: "t" };
  expect(await repo.merge({ target: "integration/2", start, source })).toEqual({
    kind: "unchanged",
    commit: start,
  });
  expect(git(dir, "rev-parse", "integration/2")).toBe(start);
});

test("a person's own commit on the target is merged onto, never overwritten", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES });
  const a = branch(dir, "a", () => write(dir, "a.txt", "a"));
  const b = branch(dir, "b", () => write(dir, "b.txt", "b"));
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  await repo.merge({ target: "integration/1", start, source: a });
  const tip = git(dir, "rev-parse", "integration/1");
  const theirs = git(dir, "commit-tree", "-p", tip, "-m", "by hand", `${tip}^{tree}`);
  git(dir, "update-ref", "refs/heads/integration/1", theirs);
  expect((await repo.merge({ target: "integration/1", start, source: b })).kind).toBe("merged");
  expect(git(dir, "rev-parse", "integration/1^1")).toBe(theirs);
  // Also when the person took everything back: the answer comes from the ref, not from memory.
  git(dir, "update-ref", "refs/heads/integration/1", start);
  expect((await repo.merge({ target: "integration/1", start, source: b })).kind).toBe("merged");
  git(dir, "update-ref", "-d", "refs/heads/integration/1");
  expect((await repo.merge({ target: "integration/1", start, source: b })).kind).toBe("merged");
});

test("two writers of one target lose nothing", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES });
  const sources = Array.from({ length: 8 }, (_, i) =>
    branch(dir, `n${i}`, () => write(dir, `n${i}.txt`, "x")),
  );
  const repos = await Promise.all([openRepo(dir), openRepo(dir)]);
  const start = git(dir, "rev-parse", "main");
  await Promise.all(
    sources.map((source, i) => repos[i % 2]?.merge({ target: "integration/1", start, source })),
  );
  expect(git(dir, "ls-tree", "--name-only", "integration/1").split("\n")).toHaveLength(9);
});

const kinds: readonly {
  readonly kind: string;
  readonly path: string;
  readonly base?: Readonly<Record<string, string | Buffer>>;
  readonly a: (dir: string) => void;
  readonly b: (dir: string) => void;
  readonly sides: readonly [boolean, boolean, boolean];
}[] = [
  {
    kind: "content",
    path: "f.txt",
    a: (dir) => write(dir, "f.txt", LINES.replace("5", "A")),
    b: (dir) => write(dir, "f.txt", LINES.replace("5", "B")),
    sides: [true, true, true],
  },
  {
    kind: "add_add",
    path: "new.txt",
    a: (dir) => write(dir, "new.txt", "A\n"),
    b: (dir) => write(dir, "new.txt", "B\n"),
    sides: [false, true, true],
  },
  {
    kind: "modify_delete",
    path: "f.txt",
    a: (dir) => git(dir, "rm", "-q", "f.txt"),
    b: (dir) => write(dir, "f.txt", LINES.replace("5", "B")),
    sides: [true, false, true],
  },
  {
    kind: "binary",
    path: "b.bin",
    base: { "b.bin": Buffer.from([0, 1, 2]) },
    a: (dir) => write(dir, "b.bin", Buffer.from([0, 1, 3])),
    b: (dir) => write(dir, "b.bin", Buffer.from([0, 1, 4])),
    sides: [true, true, true],
  },
  {
    kind: "directory_file",
    path: "thing",
    a: (dir) => write(dir, "thing", "a file\n"),
    b: (dir) => commitFilesOnly(dir, "thing/inside.txt"),
    sides: [false, true, false],
  },
  {
    kind: "rename_rename",
    path: "f.txt",
    a: (dir) => git(dir, "mv", "f.txt", "f1.txt"),
    b: (dir) => git(dir, "mv", "f.txt", "f2.txt"),
    sides: [true, false, false],
  },
  {
    kind: "rename_delete",
    path: "f1.txt",
    a: (dir) => git(dir, "mv", "f.txt", "f1.txt"),
    b: (dir) => git(dir, "rm", "-q", "f.txt"),
    sides: [true, true, false],
  },
  {
    kind: "mode",
    path: "f.txt",
    a: (dir) => {
      git(dir, "rm", "-q", "f.txt");
      git(dir, "update-index", "--add", "--cacheinfo", `120000,${git(dir, "rev-parse", "main:f.txt")},f.txt`);
      git(dir, "checkout", "-q", "--", ".");
    },
    b: (dir) => write(dir, "f.txt", LINES.replace("5", "B")),
    sides: [true, true, true],
  },
  {
    kind: "merge_attribute",
    path: "pkg/list.lock",
    base: { "pkg/list.lock": LINES, "pkg/.gitattributes": "*.lock -merge\n" },
    a: (dir) => write(dir, "pkg/list.lock", LINES.replace("1", "A")),
    b: (dir) => write(dir, "pkg/list.lock", LINES.replace("9", "B")),
    sides: [true, true, true],
  },
  {
    kind: "merge_attribute",
    path: "list.gen",
    base: { "list.gen": LINES, ".gitattributes": "[attr]gen merge=union\n*.gen gen\n" },
    a: (dir) => write(dir, "list.gen", LINES.replace("1", "A")),
    b: (dir) => write(dir, "list.gen", LINES.replace("9", "B")),
    sides: [true, true, true],
  },
];

function commitFilesOnly(dir: string, name: string): void {
  commitFiles(dir, { [name]: "inside\n" });
  git(dir, "commit", "-q", "--allow-empty", "-m", "more");
  write(dir, "extra.txt", "extra");
}

test.each(kinds)("a $kind conflict at $path is a value with its sides, and moves nothing", async (one) => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES, ...one.base });
  const a = branch(dir, "a", () => one.a(dir));
  const b = branch(dir, "b", () => one.b(dir));
  const repo = await openRepo(dir);
  const result = await mergeBoth(repo, a, b);
  if (result.kind !== "conflict") throw new Error(`expected a conflict, got ${result.kind}`);
  const found = result.conflicts.find((conflict) => conflict.path === one.path);
  expect(found?.kind).toBe(one.kind);
  expect([found?.base, found?.ours, found?.theirs].map((side) => side !== null)).toEqual(one.sides);
  expect(git(dir, "log", "-1", "--format=%s", "integration/1")).toBe("Merge a into integration/1");
  const joined = await repo.join([a, b]);
  expect(joined.kind).toBe("conflict");
});

test("a merge attribute is no matter when only one side changed the path", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "list.lock": LINES, ".gitattributes": "*.lock -merge\n", "f.txt": LINES });
  const a = branch(dir, "a", () => write(dir, "list.lock", "A"));
  const b = branch(dir, "b", () => write(dir, "f.txt", "B"));
  expect((await mergeBoth(await openRepo(dir), a, b)).kind).toBe("merged");
});

test("dependencies are joined on no branch", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES });
  const a = branch(dir, "a", () => write(dir, "a.txt", "a"));
  const b = branch(dir, "b", () => write(dir, "b.txt", "b"));
  const repo = await openRepo(dir);
  const before = git(dir, "for-each-ref");
  expect(await repo.join([a])).toEqual({ kind: "unchanged", commit: a.commit });
  const joined = await repo.join([a, b, a]);
  if (joined.kind !== "merged") throw new Error(joined.kind);
  expect(git(dir, "ls-tree", "--name-only", joined.commit).split("\n")).toEqual(["a.txt", "b.txt", "f.txt"]);
  const main = { ...a, commit: git(dir, "rev-parse", "main") };
  expect(await repo.join([main, a])).toEqual({ kind: "unchanged", commit: a.commit });
  expect(git(dir, "for-each-ref")).toBe(before);
});

test("unrelated histories and a cancelled merge are errors that move nothing", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES });
  const a = branch(dir, "a", () => write(dir, "a.txt", "a"));
  const orphan = git(dir, "commit-tree", "-m", "alone", "main^{tree}");
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  await expect(
    repo.merge({ target: "integration/1", start, source: { ...a, commit: orphan } }),
  ).rejects.toMatchObject({ code: "git_failed" });
  await expect(
    repo.merge({ target: "integration/1", start, source: a }, AbortSignal.abort()),
  ).rejects.toMatchObject({ code: "cancelled" });
  expect(git(dir, "branch", "--list", "integration/*")).toBe("");
  git(dir, "branch", "integration");
  await expect(repo.merge({ target: "integration/1", start, source: a })).rejects.toMatchObject({
    code: "branch_conflict",
  });
});
