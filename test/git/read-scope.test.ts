import { expect, test } from "vitest";
import { OxbowError } from "../../src/core/errors.ts";
import type { BranchTree } from "../../src/git/contract.ts";
import { bytes, NO_ABORT, openRepo, openTree } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, git } from "../support/repos.ts";

/** A branch of an agent that may write everything and read nothing named "secret", in a repository that a person changed along. */
async function limited(): Promise<{ tree: BranchTree; dir: string }> {
  const dir = emptyRepo();
  commitFiles(dir, {
    "src/a.ts": "export const token = 1;\n",
    "src/secret.ts": "export const token = 'hush';\n",
    "secret/plan.md": "token: hush, a long enough text to be found again when it is moved\nsecond line\n",
    "mixed/open.md": "open token\n",
    "mixed/secret.md": "token hush\n",
  });
  const repo = await openRepo(dir);
  const allows = (path: string) => !/secret/.test(path);
  const check = (path: string) => {
    if (!allows(path)) throw new OxbowError("out_of_scope", `${path} may not be read.`);
  };
  return { tree: await openTree(repo, "Api", { reads: { allows, check } }), dir };
}

const LEAK = /hush|plan\.md|secret\.(?:ts|md)/;

test("files that may not be read are not listed, found, read or shown", async () => {
  const { tree } = await limited();
  expect((await tree.list()).map((file) => file.path)).toEqual(["mixed/open.md", "src/a.ts"]);
  expect(await tree.list("secret/**")).toEqual([]);
  const found = await tree.search("token", { limit: 50 }, NO_ABORT);
  expect(found).toMatchObject({ truncated: false });
  expect(found.hits.map((hit) => hit.path)).toEqual(["mixed/open.md", "src/a.ts"]);
  await expect(tree.read("src/secret.ts")).rejects.toMatchObject({ code: "out_of_scope" });
  await expect(tree.read("secret/nothing")).rejects.toMatchObject({ code: "out_of_scope" });
});

test("the diff shows no hidden file, not even as where another came from", async () => {
  const { tree, dir } = await limited();
  // As a program or a person might have done it: the tools would refuse the move.
  const plan = git(dir, "show", "main:secret/plan.md");
  await tree.stage("secret/plan.md", "100644", null);
  await tree.stage("plain.md", "100644", bytes(`${plan}\n`));
  await tree.stage("secret/new.md", "100644", bytes("hush\n"));
  await tree.write("src/a.ts", bytes("export const token = 2;\n"));
  const diff = await tree.diff(NO_ABORT);
  expect(diff).toContain("+export const token = 2;");
  expect(diff).toContain("new file mode");
  expect(diff).not.toMatch(/secret|rename/);
  expect((await tree.changes()).map((change) => change.path)).toContain("secret/new.md");
});

test("nothing is brought out of what may not be read, and errors do not say what is there", async () => {
  const { tree } = await limited();
  const refused = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: "out_of_scope" });
    return String(error);
  };
  await refused(tree.move("src/secret.ts", "src/open.ts"));
  await refused(tree.move("secret", "open"));
  expect(await refused(tree.move("mixed", "open"))).not.toMatch(LEAK);
  expect(await refused(tree.delete("mixed"))).not.toMatch(LEAK);
  const there = await refused(tree.delete("secret/plan.md"));
  const gone = await refused(tree.delete("secret/none.md"));
  expect(there.replace("plan", "none")).toBe(gone);
  await refused(tree.apply([{ kind: "delete", path: "src/secret.ts" }]));
  await refused(tree.apply([{ kind: "move", from: "src/secret.ts", to: "src/b.ts", content: null }]));
  expect(await tree.pending()).toEqual([]);
});

test("a move says nothing of what stands where one may not write", async () => {
  const dir = emptyRepo();
  commitFiles(dir, { "api/a.ts": "a\n", "web/there.ts": "b\n" });
  const tree = await openTree(await openRepo(dir), "Api", {
    mayWrite: (path) => {
      if (!path.startsWith("api/")) throw new OxbowError("out_of_scope", `${path} is not yours.`);
    },
  });
  for (const to of ["web/there.ts", "web/none.ts"]) {
    await expect(tree.move("api/a.ts", to)).rejects.toMatchObject({ code: "out_of_scope" });
    const moved = [{ kind: "move", from: "api/a.ts", to, content: null }] as const;
    await expect(tree.apply(moved)).rejects.toMatchObject({ code: "out_of_scope" });
  }
  await expect(tree.move("api", "web/api")).rejects.toMatchObject({ code: "out_of_scope" });
  expect(await tree.pending()).toEqual([]);
});
