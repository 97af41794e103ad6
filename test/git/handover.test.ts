import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import type { Repository } from "../../src/git/contract.ts";
import { openRepo } from "../support/branch-trees.ts";
import { checkoutDigest, commitFiles, emptyRepo, git, temporaryDir } from "../support/repos.ts";

const TEXT = "1\n2\n3\n4\n5\n";

/** `main` with a file, and `work` that changes it. */
function pair(): string {
  const dir = emptyRepo();
  commitFiles(dir, { "a.txt": TEXT, "b.txt": TEXT, ".gitignore": "*.log\n" });
  git(dir, "checkout", "-q", "-b", "work");
  commitFiles(dir, { "a.txt": TEXT.replace("1", "one") });
  git(dir, "checkout", "-q", "main");
  return dir;
}

const at = (dir: string, rev: string) => git(dir, "rev-parse", rev);
const move = async (repo: Repository, dir: string) =>
  (await repo.handover()).advance({ ref: "refs/heads/main", old: at(dir, "main"), new: at(dir, "work") });
const integrate = async (repo: Repository, dir: string, squash: boolean) =>
  (await repo.handover()).integrate({
    onto: at(dir, "main"),
    commit: at(dir, "work"),
    message: "Take the work",
    trailers: [["Co-authored-by", "Api <api@oxbow.localhost>"]],
    squash,
  });

test("a difference is git's own, names binary files and renames, and runs nothing that a configuration names", async () => {
  const dir = emptyRepo();
  const before = commitFiles(dir, {
    "a.txt": TEXT,
    "old name.txt": `${TEXT}6\n7\n`,
    "logo.bin": Buffer.from([0, 1]),
  });
  git(dir, "mv", "old name.txt", "new\tname.txt");
  chmodSync(path.join(dir, "a.txt"), 0o755);
  git(dir, "add", "a.txt");
  git(dir, "commit", "-q", "-m", "rename");
  const after = commitFiles(dir, { "logo.bin": Buffer.from([0, 2]), "größe.txt": "neu\n" });
  git(dir, "config", "diff.external", "touch ran-external");
  git(dir, "config", "diff.spy.textconv", "touch ran-textconv; cat");
  mkdirSync(path.join(dir, ".git", "info"), { recursive: true });
  writeFileSync(path.join(dir, ".git", "info", "attributes"), "* diff=spy\n");
  const repo = await openRepo(dir);
  const { files, text, truncated } = await (await repo.handover()).diff(before, after);
  expect(truncated).toBe(false);
  expect(files).toEqual([
    { path: "a.txt", status: "mode", from: null, additions: 0, deletions: 0, binary: false },
    { path: "größe.txt", status: "added", from: null, additions: 1, deletions: 0, binary: false },
    { path: "logo.bin", status: "modified", from: null, additions: null, deletions: null, binary: true },
    {
      path: "new\tname.txt",
      status: "renamed",
      from: "old name.txt",
      additions: 0,
      deletions: 0,
      binary: false,
    },
  ]);
  expect(text).toContain("+neu");
  expect(text).toContain("Binary files a/logo.bin and b/logo.bin differ");
  expect(text).toContain("rename from old name.txt");
  expect(git(dir, "status", "--porcelain")).not.toContain("ran-");
  expect(await (await repo.handover()).diffStat(before, after)).toContain("4 files changed");
});

test("two branches become one commit with both parents, or one with one, and a squash is known the next time", async () => {
  const dir = pair();
  commitFiles(dir, { "b.txt": TEXT.replace("5", "five") });
  const repo = await openRepo(dir);
  const merged = await integrate(repo, dir, false);
  if (merged.kind !== "merged") throw new Error(merged.kind);
  expect(git(dir, "log", "-1", "--format=%P|%an|%s", merged.commit)).toBe(
    `${at(dir, "main")} ${at(dir, "work")}|Test Person|Take the work`,
  );
  const squashed = await integrate(repo, dir, true);
  if (squashed.kind !== "merged") throw new Error(squashed.kind);
  expect(git(dir, "log", "-1", "--format=%P", squashed.commit)).toBe(at(dir, "main"));
  expect(
    git(dir, "log", "-1", "--format=%(trailers:key=Co-authored-by,valueonly)", squashed.commit),
  ).toContain("Api <api@oxbow.localhost>");
  expect(at(dir, `${squashed.commit}^{tree}`)).toBe(at(dir, `${merged.commit}^{tree}`));

  git(dir, "reset", "-q", "--hard", squashed.commit);
  expect(await integrate(repo, dir, true)).toEqual({ kind: "unchanged", commit: squashed.commit });
  // Plain git would meet the first line a second time here.
  git(dir, "checkout", "-q", "work");
  commitFiles(dir, { "a.txt": TEXT.replace("1", "uno") });
  git(dir, "checkout", "-q", "main");
  const next = await integrate(repo, dir, true);
  if (next.kind !== "merged") throw new Error(JSON.stringify(next));
  expect(git(dir, "show", `${next.commit}:a.txt`)).toBe(TEXT.replace("1", "uno").trim());
});

test("conflicts are values, and nothing moves", async () => {
  const dir = pair();
  commitFiles(dir, { "a.txt": TEXT.replace("1", "eins") });
  const before = checkoutDigest(dir);
  const found = await integrate(await openRepo(dir), dir, false);
  expect(found).toMatchObject({ kind: "conflict", conflicts: [{ path: "a.txt", kind: "content" }] });
  expect(checkoutDigest(dir)).toBe(before);
});

test("a clean checkout follows its branch; what a person has there is never written over", async () => {
  const dir = pair();
  const repo = await openRepo(dir);
  const start = at(dir, "main");
  const back = () => git(dir, "reset", "-q", "--hard", start);

  writeFileSync(path.join(dir, "b.txt"), "mine\n");
  await expect(move(repo, dir)).rejects.toMatchObject({ code: "dirty_tree" });
  expect(at(dir, "main")).toBe(start);
  back();

  writeFileSync(path.join(dir, "note.txt"), "new, and nobody's business\n");
  expect(await move(repo, dir)).toEqual({ checkout: dir });
  expect(readFileSync(path.join(dir, "a.txt"), "utf8")).toContain("one");
  expect(git(dir, "status", "--porcelain")).toBe("?? note.txt");
  back();

  git(dir, "checkout", "-q", "work");
  commitFiles(dir, { "note.txt": "theirs\n" });
  writeFileSync(path.join(dir, "kept.log"), "theirs\n");
  git(dir, "add", "-f", "kept.log");
  git(dir, "commit", "-q", "-m", "log");
  git(dir, "checkout", "-q", "-f", "main");
  for (const name of ["note.txt", "kept.log"]) {
    writeFileSync(path.join(dir, name), "mine\n");
    await expect(move(repo, dir)).rejects.toMatchObject({
      code: "dirty_tree",
      message: expect.stringContaining(name),
    });
    expect(readFileSync(path.join(dir, name), "utf8")).toBe("mine\n");
    rmSync(path.join(dir, name));
  }
  expect(at(dir, "main")).toBe(start);
});

test("a branch that is checked out elsewhere does not move; one that is checked out nowhere does, and files stay", async () => {
  const dir = pair();
  const other = path.join(temporaryDir(), "other");
  git(dir, "checkout", "-q", "-b", "mine");
  git(dir, "worktree", "add", "-q", other, "main");
  const repo = await openRepo(dir);
  await expect(move(repo, dir)).rejects.toMatchObject({
    code: "branch_checked_out",
    message: `main is checked out in ${other}.`,
  });
  git(dir, "worktree", "remove", other);
  const before = checkoutDigest(dir);
  expect(await move(repo, dir)).toEqual({ checkout: null });
  expect(at(dir, "main")).toBe(at(dir, "work"));
  expect(checkoutDigest(dir)).toBe(before);
});

test("a push goes to the remote that git would push to, and knows when that one is ahead", async () => {
  const dir = pair();
  const bare = path.join(temporaryDir(), "bare.git");
  git(dir, "init", "-q", "--bare", bare);
  git(dir, "remote", "add", "origin", bare);
  const repo = await openRepo(dir);
  const handover = await repo.handover();
  expect(await handover.pushUrl("origin")).toBe(bare);
  expect(await handover.pushUrl("nobody")).toBeNull();
  expect(await handover.pushUrl("--all")).toBeNull();
  const remote = handover.connect({
    url: pathToFileURL(bare).href,
    identity: bare,
    sshCommand: undefined,
    credentialHelper: undefined,
  });
  try {
    const ref = "refs/heads/main";
    expect((await remote.fetch([ref])).get(ref)).toBeUndefined();
    expect(await remote.push([{ ref, old: null, new: at(dir, "main") }])).toEqual({
      kind: "pushed",
      same: [],
    });
    expect((await remote.fetch([ref])).get(ref)).toBe(at(dir, "main"));
  } finally {
    await remote.close();
  }
});
