import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commitFiles, emptyRepo, git } from "../support/repos.ts";
import { replay } from "../replay/replay.ts";

test("the merges of a history come out as Git makes them, and resolutions by hand are told by what they drop", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": "1\n2\n3\n" });
  const meet = (name: string, ours: string, theirs: string, resolved: string) => {
    git(dir, "checkout", "-q", "-b", name);
    commitFiles(dir, { "f.txt": theirs, [`${name}.txt`]: "new\n" });
    git(dir, "checkout", "-q", "main");
    commitFiles(dir, { "f.txt": ours, [`${name}-main.txt`]: "new\n" });
    git(dir, "merge", "-q", "--no-commit", "-s", "ours", name);
    git(dir, "checkout", name, "--", `${name}.txt`);
    writeFileSync(join(dir, "f.txt"), resolved);
    git(dir, "add", "-A");
    git(dir, "commit", "-q", "-m", `Merge ${name}`);
  };
  meet("clean", "1\n2\n3\n", "1\n2\n3\n4\n", "1\n2\n3\n4\n");
  meet("kept", "1\n2\n3\n4\nO\n", "1\n2\n3\n4\nT\n", "1\n2\n3\n4\nO\nT\n");
  meet("dropped", "1\n2\n3\n4\nO2\nT\n", "1\n2\n3\n4\nT2\nT\n", "1\n2\n3\n4\nT2\nT\n");
  const before = git(dir, "for-each-ref");
  expect(await replay(dir, 10)).toEqual({
    merges: 3,
    clean: 1,
    conflicts: 2,
    asCommitted: 1,
    stricter: 0,
    honoured: 1,
    kinds: new Map([["content", 2]]),
    wrong: [],
  });
  expect(git(dir, "for-each-ref")).toBe(before);
});
