/** Objects that Oxbow writes, read back and checked by git itself. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newObject, createObjectStore, type NewObject } from "../../src/git/object-store.ts";
import { editTree, type TreeEdit } from "../../src/git/edit-tree.ts";
import { createObjectReader } from "../../src/git/objects.ts";
import { git, temporaryDir } from "../support/repos.ts";

function bareRepo(format: "sha1" | "sha256") {
  const dir = path.join(temporaryDir(), "repo.git");
  execFileSync("git", ["init", "-q", "--bare", `--object-format=${format}`, dir]);
  const zero = "0".repeat(format === "sha1" ? 40 : 64);
  const objectDir = path.join(dir, "objects");
  return {
    dir,
    zero,
    objectDir,
    store: createObjectStore({ objectDir, zero, durable: false, shared: null }),
  };
}

function contentOf(dir: string, object: NewObject): Buffer {
  return execFileSync("git", ["cat-file", object.type, object.oid], { cwd: dir, maxBuffer: 2 ** 30 });
}

const SIZES = [0, 1, 15, 16, 17, 2047, 2048, 2049, 40_000, 65_535, 65_536, 200_000, 5_000_000];

test.each([
  ["loose", "sha1", SIZES.length],
  ["packed", "sha1", 100],
  ["loose", "sha256", SIZES.length],
  ["packed", "sha256", 100],
] as const)("%s objects of every size in a %s repository are what git reads", async (how, format, count) => {
  const { dir, zero, objectDir, store } = bareRepo(format);
  const objects = Array.from({ length: count }, (_, i) => {
    const body = Buffer.alloc(SIZES[i % SIZES.length] ?? 0, `${i} some text `);
    return newObject("blob", body, zero);
  });
  await store.write([...objects, ...objects]);
  for (const object of objects) expect(contentOf(dir, object).equals(object.body)).toBe(true);
  const packs = readdirSync(path.join(objectDir, "pack"));
  expect(packs.filter((name) => name.endsWith(".pack"))).toHaveLength(how === "packed" ? 1 : 0);
  for (const pack of packs.filter((name) => name.endsWith(".idx")))
    git(dir, "verify-pack", path.join("objects", "pack", pack));
  git(dir, "fsck", "--full", "--strict", "--no-dangling");
  await store.write(objects);
  expect(readdirSync(path.join(objectDir, "pack"))).toEqual(packs);
  expect(
    readdirSync(objectDir)
      .flatMap((name) => (name.length === 2 ? readdirSync(path.join(objectDir, name)) : []))
      .filter((name) => name.startsWith("tmp")),
  ).toEqual([]);
});

test("a directory that cannot be written to is said so, and leaves nothing half-made", async () => {
  const { zero, objectDir } = bareRepo("sha1");
  const store = createObjectStore({
    objectDir: path.join(objectDir, "info", "exclude-me", "\0"),
    zero,
    durable: false,
    shared: null,
  });
  await expect(store.write([newObject("blob", Buffer.from("x"), zero)])).rejects.toMatchObject({
    code: "git_failed",
  });
});

test("any edits of any tree give the tree that git's index makes of them", async () => {
  const { dir, zero, store } = bareRepo("sha1");
  const name = fc.constantFrom("a", "a.b", "a-b", "a0", "A", "a/b", "a/c", "a.b/c", "a-b/d/e", "a0/x", "ü");
  const file = fc.tuple(name, fc.constantFrom("100644", "100755", "120000"), fc.constantFrom("1", "2"));
  const empty = newObject("tree", Buffer.alloc(0), zero);
  await store.write([empty, ...["1", "2"].map((text) => newObject("blob", Buffer.from(text), zero))]);
  const raw = (text: string) => Buffer.from(text).toString("latin1");
  const apply = (files: Map<string, string>, edit: TreeEdit) => {
    for (const path of files.keys())
      if (
        path === edit.path ||
        (edit.mode !== null && (path.startsWith(`${edit.path}/`) || edit.path.startsWith(`${path}/`)))
      )
        files.delete(path);
    if (edit.mode !== null) files.set(edit.path, `${edit.mode} ${edit.oid}`);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { maxLength: 6 }),
      fc.array(fc.tuple(file, fc.boolean()), { maxLength: 6 }),
      async (first, second) => {
        await using reader = closing(createObjectReader({ cwd: dir, gitDir: dir }));
        const files = new Map<string, string>();
        let root = empty.oid;
        for (const round of [first.map((one) => [one, false] as const), second]) {
          const edits = new Map<string, TreeEdit>();
          const next = new Map(files);
          for (const [[path, mode, text], remove] of round) {
            const oid = newObject("blob", Buffer.from(text), zero).oid;
            const edit: TreeEdit = remove
              ? { path: raw(path), mode: null }
              : { path: raw(path), mode, oid, content: null };
            const blocked = [...edits.values()].some(
              (one) => one.path.startsWith(`${edit.path}/`) || edit.path.startsWith(`${one.path}/`),
            );
            if (blocked || edits.has(edit.path)) continue;
            edits.set(edit.path, edit);
          }
          for (const edit of [...edits.values()].sort(
            (a, b) => Number(a.mode !== null) - Number(b.mode !== null),
          ))
            apply(next, edit);
          const made = await editTree(root, [...edits.values()], (oid) => reader.it.tree(oid), zero);
          await store.write(made.made.map((one) => one.object));
          root = made.root;
          files.clear();
          for (const [path, entry] of next) files.set(path, entry);
          const lines = [...files].map(
            ([path, entry]) => `${entry}\t${Buffer.from(path, "latin1").toString()}\0`,
          );
          expect(root).toBe(treeFromIndex(dir, lines));
        }
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);

function closing<T extends { close(): Promise<void> }>(it: T) {
  return { it, [Symbol.asyncDispose]: () => it.close() };
}

/** The tree of an index with these entries, made by git. */
function treeFromIndex(dir: string, lines: readonly string[]): string {
  const env = {
    ...process.env,
    GIT_DIR: dir,
    GIT_INDEX_FILE: path.join(dir, `index-${lines.length}-${Math.random()}`),
  };
  execFileSync("git", ["update-index", "-z", "--index-info"], { env, input: lines.join("") });
  return execFileSync("git", ["write-tree"], { env, encoding: "utf8" }).trim();
}
