import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { MergeSource } from "../../src/git/contract.ts";
import { openRepo } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, git } from "../support/repos.ts";

/** A branch off main that writes these files, made with plain git. */
function branch(dir: string, name: string, files: Readonly<Record<string, string>>): MergeSource {
  git(dir, "checkout", "-q", "-b", name, "main");
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), text);
  }
  git(dir, "add", "-A");
  git(dir, "commit", "-q", "-m", name);
  const commit = git(dir, "rev-parse", "HEAD");
  git(dir, "checkout", "-q", "main");
  return { branch: name, commit, agent: name, subtaskId: `${name}::t::1`, taskId: "t" };
}

test("many clean branches arrive as one pack, with the history and trees of merging them one by one", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "src/a.txt": "a\n", "src/b/c.txt": "c\n" });
  const names = Array.from({ length: 20 }, (_, i) => `agent${i}`);
  const sources = names.map((name) =>
    branch(dir, name, { [`src/${name}/x.txt`]: name, [`${name}.txt`]: name }),
  );
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  const packs = () =>
    readdirSync(path.join(dir, ".git/objects/pack")).filter((name) => name.endsWith(".pack"));
  const before = packs().length;
  const results = await repo.mergeAll({ target: "integration/1", start, sources });
  expect(results.map((result) => result.kind)).toEqual(names.map(() => "merged"));
  expect(packs().length).toBe(before + 1);
  for (const source of sources) await repo.merge({ target: "integration/2", start, source });
  const history = (target: string) => git(dir, "log", "--first-parent", "--format=%T %s", target);
  expect(history("integration/1").replaceAll("integration/1", "integration/2")).toBe(
    history("integration/2"),
  );
  const last = results.at(-1);
  expect(last?.kind !== "conflict" && last?.commit).toBe(git(dir, "rev-parse", "integration/1"));
  expect(git(dir, "fsck", "--full", "--strict", "--no-dangling")).toBe("");
  const again = await repo.mergeAll({ target: "integration/1", start, sources });
  expect(again.map((result) => result.kind)).toEqual(names.map(() => "unchanged"));
});

test("a conflict, a contained branch and a file both sides touched in the middle get their own verdicts", async () => {
  const dir = emptyRepo();
  const lines = Array.from({ length: 20 }, (_, i) => `${i}\n`);
  commitFiles(dir, { "f.txt": lines.join(""), "g.txt": "g\n" });
  const top = branch(dir, "top", { "f.txt": `first\n${lines.slice(1).join("")}` });
  const end = branch(dir, "end", { "f.txt": `${lines.slice(0, -1).join("")}last\n` });
  const one = branch(dir, "one", { "g.txt": "one\n" });
  const two = branch(dir, "two", { "g.txt": "two\n" });
  const more = ["u", "v", "w"].map((name) => branch(dir, name, { [`${name}.txt`]: name }));
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  const sources = [one, two, top, one, end, ...more];
  const results = await repo.mergeAll({ target: "integration/1", start, sources });
  const kinds = results.map((result) => result.kind);
  expect(kinds).toEqual([
    "merged",
    "conflict",
    "merged",
    "unchanged",
    "merged",
    "merged",
    "merged",
    "merged",
  ]);
  const [, conflict] = results;
  expect(conflict?.kind === "conflict" && conflict.conflicts[0]).toMatchObject({
    path: "g.txt",
    kind: "content",
  });
  expect(git(dir, "show", "integration/1:f.txt")).toBe(`first\n${lines.slice(1, -1).join("")}last`);
  expect(git(dir, "show", "integration/1:g.txt")).toBe("one");
  expect(git(dir, "show", "two:g.txt")).toBe("two");
  expect(git(dir, "fsck", "--full", "--strict", "--no-dangling")).toBe("");
});

test("somebody else's move of the target in between is merged onto, never overwritten", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "a.txt": "a\n" });
  const sources = ["p", "q", "r"].map((name) => branch(dir, name, { [`${name}.txt`]: name }));
  const human = branch(dir, "human", { "human.txt": "by hand" });
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  await repo.mergeAll({ target: "integration/1", start, sources: sources.slice(0, 1) });
  git(dir, "branch", "-f", "integration/1", human.commit);
  await repo.mergeAll({ target: "integration/1", start, sources });
  expect(git(dir, "ls-tree", "--name-only", "integration/1").split("\n").sort()).toEqual(
    ["a.txt", "human.txt", "p.txt", "q.txt", "r.txt"].sort(),
  );
});

test("a checked-out target is refused and nothing is made", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "a.txt": "a\n" });
  const sources = ["p", "q", "r"].map((name) => branch(dir, name, { [`${name}.txt`]: name }));
  git(dir, "checkout", "-q", "-b", "integration/1");
  const repo = await openRepo(dir);
  const start = await repo.resolve("main");
  await expect(repo.mergeAll({ target: "integration/1", start, sources })).rejects.toMatchObject({
    code: "branch_checked_out",
  });
  expect(git(dir, "rev-parse", "integration/1")).toBe(start);
});
