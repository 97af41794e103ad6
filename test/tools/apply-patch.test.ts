import { describe, expect, it } from "vitest";
import type { Json } from "../../src/core/model.ts";
import { OxbowError } from "../../src/core/errors.ts";
import { parseToolInput } from "../../src/agent/tool-input.ts";
import type { BranchTree } from "../../src/git/contract.ts";
import { applyPatch } from "../../tools/apply_patch.ts";
import { bytes, NO_ABORT, openRepo, openTree, readText } from "../support/branch-trees.ts";
import { createMemoryContext } from "../support/memory-context.ts";
import { checkoutDigest, git, gitBytes, sampleRepo } from "../support/repos.ts";

/** Applies a patch to a branch as a model does. */
async function patch(tree: BranchTree, ...lines: string[]): Promise<Json> {
  const text = ["*** Begin Patch", ...lines, "*** End Patch"].join("\n");
  return applyPatch.run(parseToolInput(applyPatch, { patch: text }) as { patch: string }, {
    ...createMemoryContext(),
    files: tree,
  });
}

async function sampleTree(owns?: (path: string) => boolean): Promise<{ dir: string; tree: BranchTree }> {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const mayWrite = (path: string) => {
    if (owns?.(path) === false) throw new OxbowError("out_of_scope", `${path} belongs to Web.`);
  };
  return { dir, tree: await openTree(repo, "Api", { mayWrite }) };
}

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("apply_patch", () => {
  it("adds, changes, moves and deletes files in one go, and leaves the checkout as it was", async () => {
    const { dir, tree } = await sampleTree();
    const before = checkoutDigest(dir);
    const told = await patch(
      tree,
      "*** Add File: src/api/new.ts",
      "+export const a = 1;",
      "*** Update File: src/api/server.ts",
      "@@",
      "-export const port = 8000;",
      "+export const port = 9000;",
      " export const host = 'localhost';",
      "*** Update File: src/ui/page.ts",
      "*** Move to: src/web/home.ts",
      "@@",
      "-export const title = 'Sample';",
      "+export const title = 'Home';",
      "*** Delete File: assets/logo.bin",
    );
    expect(told).toEqual({
      ok: true,
      files: [
        { path: "src/api/new.ts", change: "added" },
        { path: "src/api/server.ts", change: "updated" },
        { path: "src/web/home.ts", change: "moved", from: "src/ui/page.ts" },
        { path: "assets/logo.bin", change: "deleted" },
      ],
    });
    await tree.commit("Patch", NO_ABORT);
    expect(git(dir, "diff", "--name-status", "--no-renames", "main", "feature/7/Api").split("\n")).toEqual([
      "D\tassets/logo.bin",
      "A\tsrc/api/new.ts",
      "M\tsrc/api/server.ts",
      "D\tsrc/ui/page.ts",
      "A\tsrc/web/home.ts",
    ]);
    expect(git(dir, "show", "feature/7/Api:src/api/server.ts")).toContain("port = 9000");
    expect(checkoutDigest(dir)).toBe(before);
  });

  it("keeps modes, CRLF and the rest of a file byte for byte", async () => {
    const { dir, tree } = await sampleTree();
    await patch(
      tree,
      "*** Update File: bin/run.sh",
      "*** Move to: bin/go.sh",
      "@@",
      " #!/bin/sh",
      "-echo run",
      "+echo go",
      "*** Update File: docs/guide.md",
      "@@",
      " Line one",
      "-Line two",
      "+Line 2",
      "*** Update File: docs/größe.md",
      "*** Move to: docs/name.md",
      "*** Add File: docs/guide.md",
      "+All new",
    );
    await tree.commit("Patch", NO_ABORT);
    expect(git(dir, "ls-tree", "feature/7/Api", "bin/")).toMatch(/^100755 blob \w+\tbin\/go\.sh$/);
    expect(gitBytes(dir, "show", "feature/7/Api:docs/guide.md").toString()).toBe("All new\r\n");
    expect(git(dir, "rev-parse", "feature/7/Api:docs/name.md")).toBe(
      git(dir, "rev-parse", "main:docs/größe.md"),
    );
  });

  it("sees in a later section what an earlier one made", async () => {
    const { tree } = await sampleTree();
    await patch(
      tree,
      "*** Add File: a.txt",
      "+one",
      "*** Update File: ./a.txt",
      "@@",
      "-one",
      "+two",
      "*** Update File: a.txt",
      "*** Move to: b.txt",
      "@@",
      "-two",
      "+three",
      "*** Delete File: README.md",
      "*** Add File: README.md/inner",
      "+x",
    );
    expect(await readText(tree, "b.txt")).toBe("three\n");
    expect(await readText(tree, "README.md/inner")).toBe("x\n");
    await expect(tree.read("a.txt")).rejects.toEqual(code("file_not_found"));
    await expect(
      patch(tree, "*** Delete File: b.txt", "*** Update File: b.txt", "@@", "-three", "+four"),
    ).rejects.toEqual(code("file_not_found"));
    expect(await readText(tree, "b.txt")).toBe("three\n");
  });

  it("replaces a file that is added again or moved to", async () => {
    const { tree } = await sampleTree();
    await patch(
      tree,
      "*** Add File: README.md",
      "+new",
      "*** Update File: src/ui/page.ts",
      "*** Move to: src/api/routes.ts",
    );
    expect(await readText(tree, "README.md")).toBe("new\n");
    expect(await readText(tree, "src/api/routes.ts")).toBe("export const title = 'Sample';\n");
  });

  it.each<[what: string, expected: string, ...lines: string[]]>([
    ["a hunk that does not fit", "patch_failed", "*** Update File: src/ui/page.ts", "@@", "-nothing", "+x"],
    ["a file that is not there", "file_not_found", "*** Update File: nothing.ts", "@@", "-a", "+x"],
    ["a deletion of what is not there", "file_not_found", "*** Delete File: nothing.ts"],
    ["a deletion of a directory", "file_not_found", "*** Delete File: src"],
    ["a move of a directory", "file_not_found", "*** Update File: src/ui", "*** Move to: ui"],
    ["an owner's file", "out_of_scope", "*** Update File: src/ui/page.ts", "@@", "+x"],
    ["a move out of the scope", "out_of_scope", "*** Update File: README.md", "*** Move to: src/ui/x.md"],
    ["a move from out of the scope", "out_of_scope", "*** Update File: src/ui/page.ts", "*** Move to: x.ts"],
    ["a binary file", "not_text", "*** Update File: assets/logo.bin", "@@", "+x"],
    ["a symbolic link", "path_rejected", "*** Update File: link", "@@", "+x"],
    ["a path out of the repository", "path_rejected", "*** Add File: ../x", "+x"],
    ["an absolute path", "path_rejected", "*** Add File: /etc/x", "+x"],
    ["Git's own directory", "path_rejected", "*** Add File: .git/hooks/post-commit", "+x"],
    ["a file below a file", "path_rejected", "*** Add File: README.md/x", "+x"],
    ["a file in place of a directory", "path_rejected", "*** Add File: src/api", "+x"],
    ["a patch of nothing", "patch_invalid", "*** Update File: README.md", "@@", " # Sample"],
    ["no patch", "patch_invalid", "*** Frobnicate"],
  ])("writes nothing of a patch that holds %s", async (_what, expected, ...lines) => {
    const { tree } = await sampleTree((path) => !path.startsWith("src/ui/"));
    await tree.write("mine.txt", bytes("mine\n"));
    const good = ["*** Delete File: mine.txt", "*** Update File: src/api/routes.ts", "@@", "+// end"];
    await expect(patch(tree, "*** Add File: a.txt", "+a", ...good, ...lines)).rejects.toEqual(code(expected));
    expect(await tree.pending()).toEqual([{ path: "mine.txt", status: "added" }]);
    expect(await readText(tree, "mine.txt")).toBe("mine\n");
    await patch(tree, "*** Add File: a.txt", "+a", ...good);
    expect(await tree.pending()).toEqual([
      { path: "a.txt", status: "added" },
      { path: "src/api/routes.ts", status: "modified" },
    ]);
  });

  it("names the file, the hunk and the lines that were not found", async () => {
    const { tree } = await sampleTree();
    const failed = patch(
      tree,
      "*** Update File: src/api/server.ts",
      "@@",
      " export const port = 8000;",
      "-export const host = 'example.com';",
      "+export const host = 'other';",
    );
    await expect(failed).rejects.toMatchObject({
      code: "patch_failed",
      details: { path: "src/api/server.ts", hunk: 1 },
    });
    await expect(failed).rejects.toThrow(
      /Hunk 1 of src\/api\/server\.ts[^]*example\.com[^]*line 2 is "export const host = 'localhost';"/,
    );
  });

  it("shows nobody half of a patch", async () => {
    const { tree } = await sampleTree((path) => path !== "z.txt");
    const seen: string[][] = [];
    const look = async () => void seen.push((await tree.list("*.txt")).map(({ path }) => path));
    const patching = patch(tree, "*** Add File: a.txt", "+a", "*** Add File: z.txt", "+z");
    await Promise.all([patching.catch(() => undefined), look(), look(), look()]);
    await look();
    expect(seen.flat()).toEqual([]);
  });
});
