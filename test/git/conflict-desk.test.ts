import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { ConflictDesk, MergePair } from "../../src/git/conflict-desk.ts";
import type { MergeSource, Repository } from "../../src/git/contract.ts";
import { bytes, openRepo } from "../support/branch-trees.ts";
import { checkoutDigest, commitFiles, emptyRepo, git } from "../support/repos.ts";

const LINES = ["1", "2", "3", "4", "5", "6", "7", "8", "9", ""].join("\n");
const BY = "Pat <pat@example.com>";

interface Case {
  readonly name: string;
  readonly path: string;
  readonly kind: string;
  readonly base?: Readonly<Record<string, string | Buffer>>;
  readonly ours: (dir: string) => void;
  readonly theirs: (dir: string) => void;
  /** The side that has all of the other's. */
  readonly whole?: "theirs";
  /** What the path and others are afterwards, by the side that is taken for every path. Null: gone. */
  readonly after: Readonly<Record<"ours" | "theirs", Readonly<Record<string, string | null>>>>;
}

const put = (dir: string, name: string, text: string | Buffer): void => {
  mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
  writeFileSync(path.join(dir, name), text);
};
const link = (dir: string, name: string, target: string): void => {
  rmSync(path.join(dir, name), { force: true });
  symlinkSync(target, path.join(dir, name));
};
const gitlink = (dir: string, commit: string) =>
  git(dir, "update-index", "--add", "--cacheinfo", `160000,${commit},lib`);

const cases: readonly Case[] = [
  {
    name: "content",
    path: "f.txt",
    kind: "content",
    ours: (dir) => put(dir, "f.txt", LINES.replace("5", "O")),
    theirs: (dir) => put(dir, "f.txt", LINES.replace("5", "T")),
    after: {
      ours: { "f.txt": LINES.replace("5", "O") },
      theirs: { "f.txt": LINES.replace("5", "T") },
    },
  },
  {
    name: "add/add",
    path: "new.txt",
    kind: "add_add",
    ours: (dir) => put(dir, "new.txt", "O\n"),
    theirs: (dir) => put(dir, "new.txt", "T\n"),
    after: { ours: { "new.txt": "O\n" }, theirs: { "new.txt": "T\n" } },
  },
  {
    name: "modify/delete",
    path: "f.txt",
    kind: "modify_delete",
    ours: (dir) => rmSync(path.join(dir, "f.txt")),
    theirs: (dir) => put(dir, "f.txt", LINES.replace("5", "T")),
    after: { ours: { "f.txt": null }, theirs: { "f.txt": LINES.replace("5", "T") } },
  },
  {
    name: "rename/delete",
    path: "f1.txt",
    kind: "rename_delete",
    ours: (dir) => git(dir, "mv", "f.txt", "f1.txt"),
    theirs: (dir) => rmSync(path.join(dir, "f.txt")),
    after: { ours: { "f1.txt": LINES, "f.txt": null }, theirs: { "f1.txt": null, "f.txt": null } },
  },
  {
    name: "rename/rename",
    path: "f1.txt",
    kind: "rename_rename",
    ours: (dir) => git(dir, "mv", "f.txt", "f1.txt"),
    theirs: (dir) => git(dir, "mv", "f.txt", "f2.txt"),
    after: {
      ours: { "f1.txt": LINES, "f2.txt": null, "f.txt": null },
      theirs: { "f1.txt": null, "f2.txt": LINES, "f.txt": null },
    },
  },
  {
    name: "binary",
    path: "b.bin",
    kind: "binary",
    base: { "b.bin": Buffer.from([0, 1, 2]) },
    ours: (dir) => put(dir, "b.bin", Buffer.from([0, 1, 3])),
    theirs: (dir) => put(dir, "b.bin", Buffer.from([0, 1, 4])),
    after: { ours: { "b.bin": "\0\x01\x03" }, theirs: { "b.bin": "\0\x01\x04" } },
  },
  {
    name: "a symlink against a file",
    path: "f.txt",
    kind: "mode",
    ours: (dir) => link(dir, "f.txt", "g.txt"),
    theirs: (dir) => put(dir, "f.txt", LINES.replace("5", "T")),
    after: { ours: { "f.txt": "g.txt" }, theirs: { "f.txt": LINES.replace("5", "T") } },
  },
  {
    name: "two targets of a symlink",
    path: "l",
    kind: "add_add",
    ours: (dir) => link(dir, "l", "O"),
    theirs: (dir) => link(dir, "l", "T"),
    after: { ours: { l: "O" }, theirs: { l: "T" } },
  },
  {
    name: "file/directory",
    path: "thing",
    kind: "directory_file",
    ours: (dir) => put(dir, "thing", "a file\n"),
    theirs: (dir) => put(dir, "thing/inside.txt", "inside\n"),
    after: {
      ours: { thing: "a file\n" },
      theirs: { "thing/inside.txt": "inside\n" },
    },
  },
  {
    name: "names that differ only in case",
    path: "docs/plan.md",
    kind: "case",
    ours: (dir) => put(dir, "docs/Plan.md", "O\n"),
    theirs: (dir) => put(dir, "docs/plan.md", "T\n"),
    after: {
      ours: { "docs/Plan.md": "O\n", "docs/plan.md": null },
      theirs: { "docs/plan.md": "T\n", "docs/Plan.md": null },
    },
  },
  {
    name: "submodule",
    path: "lib",
    kind: "submodule",
    ours: (dir) => gitlink(dir, "1".repeat(40)),
    theirs: (dir) => gitlink(dir, "2".repeat(40)),
    after: { ours: { lib: "1".repeat(40) }, theirs: { lib: "2".repeat(40) } },
  },
  {
    name: "text under a new name",
    path: "g1.txt",
    kind: "content",
    ours: (dir) => {
      git(dir, "mv", "f.txt", "g1.txt");
      put(dir, "g1.txt", LINES.replace("5", "O"));
    },
    theirs: (dir) => put(dir, "f.txt", LINES.replace("5", "T")),
    after: {
      ours: { "g1.txt": LINES.replace("5", "O"), "f.txt": null },
      theirs: { "g1.txt": LINES.replace("5", "T"), "f.txt": null },
    },
  },
  {
    name: "rename/add",
    path: "new.txt",
    kind: "add_add",
    ours: (dir) => git(dir, "mv", "f.txt", "new.txt"),
    theirs: (dir) => put(dir, "new.txt", "T\n"),
    after: { ours: { "new.txt": LINES, "f.txt": null }, theirs: { "new.txt": "T\n", "f.txt": null } },
  },
  {
    name: "a changed file renamed, against its removal",
    path: "f1.txt",
    kind: "rename_delete",
    ours: (dir) => rmSync(path.join(dir, "f.txt")),
    theirs: (dir) => {
      git(dir, "mv", "f.txt", "f1.txt");
      put(dir, "f1.txt", LINES.replace("5", "T"));
    },
    after: { ours: { "f1.txt": null, "f.txt": null }, theirs: { "f1.txt": LINES.replace("5", "T") } },
  },
  {
    name: "the executable bit of one new file",
    path: "run.sh",
    kind: "mode",
    ours: (dir) => put(dir, "run.sh", "x\n"),
    theirs: (dir) => {
      put(dir, "run.sh", "x\n");
      chmodSync(path.join(dir, "run.sh"), 0o755);
    },
    after: { ours: { "run.sh": "x\n" }, theirs: { "run.sh": "x\n" } },
    whole: "theirs",
  },
  {
    name: "a submodule against a file",
    path: "lib",
    kind: "mode",
    ours: (dir) => gitlink(dir, "1".repeat(40)),
    theirs: (dir) => {
      put(dir, "lib", "T\n");
      git(dir, "add", "lib");
    },
    after: { ours: { lib: "1".repeat(40) }, theirs: { lib: "T\n" } },
  },
  {
    name: "a merge attribute",
    path: "list.lock",
    kind: "merge_attribute",
    base: { "list.lock": LINES, ".gitattributes": "*.lock -merge\n" },
    ours: (dir) => put(dir, "list.lock", LINES.replace("1", "O")),
    theirs: (dir) => put(dir, "list.lock", LINES.replace("9", "T")),
    after: {
      ours: { "list.lock": LINES.replace("1", "O") },
      theirs: { "list.lock": LINES.replace("9", "T") },
    },
  },
];

interface Played {
  readonly dir: string;
  readonly repo: Repository;
  readonly desk: ConflictDesk;
  readonly pair: MergePair;
  readonly source: MergeSource;
}

async function play(one: Pick<Case, "base" | "ours" | "theirs">): Promise<Played> {
  const dir = emptyRepo();
  commitFiles(dir, { "f.txt": LINES, "g.txt": "g\n", ...one.base });
  const side = (name: string, edit: (dir: string) => void): string => {
    git(dir, "checkout", "-q", "-b", name, "main");
    edit(dir);
    // A submodule is in the index only.
    git(dir, "add", "-A", "--", ".", ":!lib");
    git(dir, "commit", "-q", "-m", name);
    const commit = git(dir, "rev-parse", "HEAD");
    git(dir, "checkout", "-q", "-f", "main");
    git(dir, "clean", "-q", "-fd");
    return commit;
  };
  const onto = side("integration/7", one.ours);
  const commit = side("feature/7/B", one.theirs);
  const repo = await openRepo(dir);
  const source = { branch: "feature/7/B", commit, agent: "B", subtaskId: "B::t::1", taskId: "t" };
  return { dir, repo, desk: await repo.conflictDesk(), pair: { onto, commit }, source };
}

/** Without its last newline; the commit of a submodule. */
async function content(repo: Repository, commit: string, name: string): Promise<string | null> {
  const entry = (await repo.listFiles(commit)).find((each) => each.path === name);
  if (entry?.mode === "160000") return entry.oid;
  const found = await repo.readBlob(commit, name);
  return found === null ? null : Buffer.from(found).toString("utf8").replace(/\n?$/, "");
}

test.each(cases)(
  "$name: a value with both sides, settled with either, only by giving up the other by name",
  async (one) => {
    const { desk, pair, repo, dir, source } = await play(one);
    const before = checkoutDigest(dir);
    const found = await desk.look(pair);
    expect(found.find((each) => each.path === one.path)?.kind).toBe(one.kind);
    const merged = await repo.merge({ target: "integration/7", start: pair.onto, source });
    if (merged.kind !== "conflict") throw new Error(merged.kind);
    expect(merged.conflicts).toEqual(found.map(({ hunks: _, ...value }) => value));
    expect(await desk.resolve(pair, "integration/7", source)).toMatchObject({ kind: "open" });
    for (const [side, other] of [
      ["ours", "theirs"],
      ["theirs", "ours"],
    ] as const) {
      const own = { ...source, subtaskId: side };
      const waived = [];
      for (const { path: name, ours, theirs } of found) {
        if (ours === null && theirs === null) continue;
        const made = await desk.settle(side, pair, { kind: "take", path: name, side }, BY);
        if (made.kind !== "settled") throw new Error(JSON.stringify(made));
        waived.push(...made.settled.waived);
      }
      expect(waived.every((each) => each.side === other)).toBe(true);
      const resolved = await desk.resolve(pair, "integration/7", own);
      if (resolved.kind !== "resolved") throw new Error(JSON.stringify(resolved));
      for (const [name, wanted] of Object.entries(one.after[side]))
        expect([name, await content(repo, resolved.commit, name)]).toEqual([
          name,
          wanted?.replace(/\n?$/, "") ?? null,
        ]);
      expect((await repo.listFiles(resolved.commit)).filter((each) => each.path.includes("~"))).toEqual([]);
      const told = git(
        dir,
        "log",
        "-1",
        "--format=%P%n%(trailers:key=Oxbow-Waived,valueonly)",
        resolved.commit,
      );
      expect(told).toContain(`${pair.onto} ${pair.commit}\n`);
      expect(told).toContain(`${other} of ${one.path}`);
      expect((await desk.check({ ...pair, resolved: resolved.commit, waived })).ok).toBe(true);
      expect((await desk.check({ ...pair, resolved: resolved.commit })).ok).toBe(side === one.whole);
      const landed = await repo.join([
        { ...source, commit: pair.onto },
        { ...own, commit: resolved.commit },
      ]);
      expect(landed).toEqual({ kind: "unchanged", commit: resolved.commit });
    }
    expect(checkoutDigest(dir)).toBe(before);
    git(dir, "fsck", "--full", "--strict");
  },
);

describe("both sides are kept", () => {
  const kindOf = (name: string): Case => cases.find((each) => each.name === name) ?? expect.fail(name);

  test.each([
    ["binary", "b.bin", "theirs", { "b.bin": "\0\x01\x03", "b-theirs.bin": "\0\x01\x04" }],
    ["file/directory", "thing", "ours", { "b-theirs.bin": "a file\n", "thing/inside.txt": "inside\n" }],
    [
      "names that differ only in case",
      "docs/plan.md",
      "theirs",
      { "docs/Plan.md": "O\n", "b-theirs.bin": "T\n" },
    ],
    [
      "names that differ only in case",
      "docs/plan.md",
      "ours",
      { "docs/plan.md": "T\n", "b-theirs.bin": "O\n" },
    ],
    [
      "a symlink against a file",
      "f.txt",
      "ours",
      { "f.txt": LINES.replace("5", "T"), "b-theirs.bin": "g.txt" },
    ],
    ["submodule", "lib", "theirs", { lib: "1".repeat(40), "b-theirs.bin": "2".repeat(40) }],
  ] as const)(
    "%s, one of them under another name, and nothing is given up",
    async (name, at, side, after) => {
      const { desk, pair, source, repo } = await play(kindOf(name));
      const made = await desk.settle(
        source.subtaskId,
        pair,
        { kind: "take", path: at, side, as: "b-theirs.bin" },
        BY,
      );
      expect(made).toMatchObject({ kind: "settled", settled: { how: "both", waived: [] } });
      const resolved = await desk.resolve(pair, "integration/7", source);
      if (resolved.kind !== "resolved") throw new Error(JSON.stringify(resolved));
      for (const [file, wanted] of Object.entries(after))
        expect([file, await content(repo, resolved.commit, file)]).toEqual([
          file,
          wanted?.replace(/\n?$/, "") ?? null,
        ]);
      expect((await desk.check({ ...pair, resolved: resolved.commit })).ok).toBe(true);
    },
  );

  test("of two names for one file, each is kept where each is taken", async () => {
    const { desk, pair, source, dir } = await play(kindOf("rename/rename"));
    for (const [file, side] of [
      ["f1.txt", "ours"],
      ["f2.txt", "theirs"],
    ] as const)
      await desk.settle(source.subtaskId, pair, { kind: "take", path: file, side }, BY);
    const resolved = await desk.resolve(pair, "integration/7", source);
    if (resolved.kind !== "resolved") throw new Error(JSON.stringify(resolved));
    expect(git(dir, "ls-tree", "--name-only", resolved.commit).split("\n")).toEqual([
      "f1.txt",
      "f2.txt",
      "g.txt",
    ]);
  });

  test("a text with the lines of both settles it; one that lacks some is refused and changes nothing", async () => {
    const { desk, pair, source, dir, repo } = await play(kindOf("content"));
    const settle = (text: string, waived: readonly { path: string; line?: string }[] = []) =>
      desk.settle(source.subtaskId, pair, { kind: "file", path: "f.txt", content: bytes(text), waived }, BY);
    expect(await settle(LINES.replace("5", "T"))).toEqual({
      kind: "refused",
      check: {
        ok: false,
        markers: [],
        dropped: [{ path: "f.txt", side: "ours", change: "added", line: 5, text: "O" }],
      },
    });
    expect(await settle(LINES.replace("5", "O\nT\n<<<<<<< x"))).toMatchObject({
      kind: "refused",
      check: { dropped: [], markers: [{ path: "f.txt", line: 7, text: "<<<<<<< x" }] },
    });
    expect(git(dir, "for-each-ref", "refs/oxbow")).toBe("");
    expect(await desk.settled(source.subtaskId, pair)).toEqual([]);
    expect(await settle(LINES.replace("5", "T"), [{ path: "f.txt", line: "O" }])).toMatchObject({
      kind: "settled",
    });
    expect(await settle(LINES.replace("5", "O\nT"))).toMatchObject({ kind: "settled" });
    expect(await desk.settled(source.subtaskId, pair)).toMatchObject([
      { path: "f.txt", how: "file", by: BY, waived: [] },
    ]);
    const resolved = await desk.resolve(pair, "integration/7", source);
    if (resolved.kind !== "resolved") throw new Error(JSON.stringify(resolved));
    expect(await content(repo, resolved.commit, "f.txt")).toBe(LINES.replace("5", "O\nT").trimEnd());
    await desk.forget(source.subtaskId);
    expect(git(dir, "for-each-ref", "refs/oxbow")).toBe("");
  });
});

test("a conflict shows the places where text meets, with both sides", async () => {
  const { desk, pair } = await play({
    ours: (dir) => put(dir, "f.txt", LINES.replace("2", "O\nO2").replace("8", "<<<<<<< not a mark")),
    theirs: (dir) => put(dir, "f.txt", LINES.replace("2", "T").replace("8\n", "")),
  });
  const [found] = await desk.look(pair);
  expect(found?.hunks).toEqual([
    { ours_line: 2, theirs_line: 2, ours: "O\nO2\n", theirs: "T\n" },
    { ours_line: 9, theirs_line: 8, ours: "<<<<<<< not a mark\n", theirs: "" },
  ]);
});

test("what was settled stays when the target moves, except where the conflict is another one then", async () => {
  const { desk, pair, source, dir, repo } = await play({
    base: { "a.txt": LINES, "b.txt": LINES },
    ours: (at) => {
      put(at, "a.txt", LINES.replace("5", "O"));
      put(at, "b.txt", LINES.replace("5", "O"));
    },
    theirs: (at) => {
      put(at, "a.txt", LINES.replace("5", "T"));
      put(at, "b.txt", LINES.replace("5", "T"));
    },
  });
  for (const file of ["a.txt", "b.txt"])
    await desk.settle(source.subtaskId, pair, { kind: "take", path: file, side: "theirs" }, BY);
  git(dir, "checkout", "-q", "integration/7");
  put(dir, "b.txt", LINES.replace("5", "O again"));
  git(dir, "commit", "-q", "-a", "-m", "moved");
  git(dir, "checkout", "-q", "main");
  const moved = { ...pair, onto: await repo.resolve("integration/7") };
  expect((await desk.settled(source.subtaskId, moved)).map((each) => each.path)).toEqual(["a.txt"]);
  expect(await desk.resolve(moved, "integration/7", source)).toMatchObject({
    kind: "open",
    conflicts: [{ path: "b.txt" }],
  });
});

test("a resolution is looked at as a whole: other paths, renames, files Git merged cleanly", async () => {
  const { desk, pair, dir } = await play({
    base: { "a.txt": LINES, "old.txt": LINES.replaceAll("\n", " old\n") },
    ours: (at) => {
      put(at, "f.txt", LINES.replace("5", "O"));
      put(at, "a.txt", LINES.replace("1", "O"));
      git(at, "mv", "old.txt", "new.txt");
    },
    theirs: (at) => {
      put(at, "f.txt", LINES.replace("5", "T"));
      put(at, "a.txt", LINES.replace("9", "T"));
      put(at, "old.txt", LINES.replaceAll("\n", " old\n").replace("4 old", "4 T"));
      put(at, "added.txt", "T\n");
    },
  });
  const made = (files: Readonly<Record<string, string | null>>): string => {
    git(dir, "checkout", "-q", "--detach", pair.onto);
    git(dir, "merge", "-q", "-s", "ours", "--no-commit", pair.commit);
    for (const [name, text] of Object.entries(files))
      if (text === null) rmSync(path.join(dir, name), { force: true });
      else put(dir, name, text);
    git(dir, "add", "-A");
    git(dir, "commit", "-q", "-m", "by hand");
    return git(dir, "rev-parse", "HEAD");
  };
  const whole = {
    "f.txt": LINES.replace("5", "O\nT"),
    "a.txt": LINES.replace("1", "O").replace("9", "T"),
    "new.txt": LINES.replaceAll("\n", " old\n").replace("4 old", "4 T"),
    "added.txt": "T\n",
  };
  const check = async (files: Readonly<Record<string, string | null>>) =>
    (await desk.check({ ...pair, resolved: made({ ...whole, ...files }) })).dropped.map(
      ({ path: at, side, change, text }) => [at, side, change, text].join(" "),
    );
  expect(await check({})).toEqual([]);
  expect(await check({ "beside.txt": "new\n" })).toEqual([]);
  expect(await check({ "f.txt": LINES.replace("5", "O") })).toEqual(["f.txt theirs added T"]);
  expect(await check({ "a.txt": LINES.replace("1", "O") })).toEqual([
    "a.txt theirs removed 9",
    "a.txt theirs added T",
  ]);
  expect(await check({ "new.txt": LINES.replaceAll("\n", " old\n") })).toEqual([
    "new.txt theirs removed 4 old",
    "new.txt theirs added 4 T",
  ]);
  expect(await check({ "added.txt": null })).toEqual(["added.txt theirs file "]);
  expect(await check({ "added.txt": null, "elsewhere.txt": "T\n" })).toEqual([]);
});

test("bad input is refused with a code, and settles nothing", async () => {
  const { desk, pair, source, dir } = await play(
    cases.find(({ name }) => name === "submodule") ?? expect.fail(),
  );
  const settle = (choice: Parameters<ConflictDesk["settle"]>[2]) =>
    desk.settle(source.subtaskId, pair, choice, BY);
  await expect(settle({ kind: "take", path: "no.txt", side: "ours" })).rejects.toMatchObject({
    code: "conflict_unknown",
    message: "There is no conflict at no.txt; these do: lib.",
  });
  await expect(settle({ kind: "take", path: "lib", side: "ours", as: "../x" })).rejects.toMatchObject({
    code: "path_rejected",
  });
  for (const as of ["f.txt", "f.txt/below"])
    await expect(settle({ kind: "take", path: "lib", side: "ours", as })).rejects.toMatchObject({
      code: "usage",
    });
  await expect(settle({ kind: "take", path: "lib", side: "ours", as: "F.txt" })).rejects.toMatchObject({
    code: "path_rejected",
  });
  await expect(settle({ kind: "file", path: "lib", content: bytes("x"), waived: [] })).rejects.toMatchObject({
    code: "usage",
  });
  expect(git(dir, "for-each-ref", "refs/oxbow")).toBe("");
});
