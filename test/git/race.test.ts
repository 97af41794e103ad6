import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { hasCode } from "../../src/core/errors.ts";
import type { BranchTree } from "../../src/git/contract.ts";
import { inFolder, openFolder, removeAll } from "../../src/git/inside.ts";
import { bytes, openRepo, openTree } from "../support/branch-trees.ts";
import { commitFiles, emptyRepo, temporaryDir } from "../support/repos.ts";

const SECRET = "nothing of this may ever be taken";
const DIRECTORIES = ["d1", "d2"];

/** What stands outside, by path: it must be the same ever after. */
function snapshot(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    names.map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return [path.relative(dir, file), entry.isFile() ? readFileSync(file, "utf8") : "directory"];
    }),
  );
}

/** A folder outside with the names of the inside in it, where whatever goes astray arrives. */
function makeOutside(): string {
  const outside = path.join(temporaryDir(), "outside");
  for (const folder of ["sub", "sub/deep", "fresh"])
    mkdirSync(path.join(outside, folder), { recursive: true });
  for (const name of ["file", "sub/file", "sub/deep/file", "fresh/file"])
    writeFileSync(path.join(outside, name), SECRET);
  return outside;
}

/** A second process that swaps directories of `tree` for links to `outside`, until it is disposed of. */
async function swapping(tree: string, outside: string): Promise<AsyncDisposable> {
  const script = path.join(import.meta.dirname, "../support/swapper.cjs");
  const child = spawn(process.execPath, [script, tree, outside], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await once(child, "close");
    },
  };
}

async function contents(tree: BranchTree): Promise<string> {
  const files = (await tree.list()).filter((file) => file.mode.startsWith("100"));
  return (
    await Promise.all(files.map(async (file) => Buffer.from(await tree.read(file.path)).toString("utf8")))
  ).join();
}

/** The work is done as often as asked; what is refused because names change all the time counts as well. */
async function often(times: number, work: (n: number) => Promise<void>): Promise<number> {
  let done = 0;
  for (let n = 0; n < times; n++) {
    try {
      await work(n);
      done++;
    } catch (error) {
      if (!hasCode(error, "path_rejected")) throw error;
    }
  }
  return done;
}

test("a directory that is swapped for a link at full speed: nothing is written or taken outside", async () => {
  const dir = emptyRepo();
  const files = DIRECTORIES.flatMap((name) =>
    ["file", "sub/file", "sub/deep/file"].map((file) => `${name}/${file}`),
  );
  commitFiles(dir, Object.fromEntries(files.map((file) => [file, "inside\n"])));
  const outside = makeOutside();
  const before = snapshot(outside);
  const repo = await openRepo(dir);
  const tree = await openTree(repo, "Api");
  const workspace = await repo.workspace({ commit: tree.tip, branch: tree.branch });
  let written = 0;
  {
    await using _swapper = await swapping(workspace.dir, outside);
    written = await often(30, async (n) => {
      // What file tools do: an overlay that is put on the disk, folders and files coming and going.
      for (const file of files) await tree.write(file, bytes(`written ${n}\n`));
      for (const name of DIRECTORIES) {
        await tree.write(`${name}/fresh/file`, bytes(`fresh ${n}\n`));
        if (n % 2 === 1) await tree.delete(`${name}/fresh`);
      }
      await workspace.update(tree);
    });
    await often(20, async () => {
      await workspace.collect(tree);
      await workspace.settle(tree);
    });
    expect(snapshot(outside)).toEqual(before);
  }
  expect(written).toBeGreaterThan(0);
  expect(await contents(tree)).not.toContain(SECRET);
  await workspace[Symbol.asyncDispose]();
  expect(snapshot(outside)).toEqual(before);
}, 60_000);

test("what is removed below a swapped directory is removed inside alone", async () => {
  const home = temporaryDir();
  const tree = path.join(home, "tree");
  const full = path.join(home, "full");
  for (let i = 0; i < 15; i++) {
    mkdirSync(path.join(full, `n${i}`), { recursive: true });
    writeFileSync(path.join(full, `n${i}`, "file"), "x");
  }
  for (const name of DIRECTORIES) mkdirSync(path.join(tree, name, "sub"), { recursive: true });
  const outside = makeOutside();
  const before = snapshot(outside);
  await using _swapper = await swapping(tree, outside);
  let removed = 0;
  for (let n = 0; n < 10; n++)
    for (const name of DIRECTORIES) {
      try {
        using folder = openFolder(tree, `${name}/sub`, { make: true });
        cpSync(full, path.join(folder.self.toString(), "deep"), { recursive: true });
        await removeAll(folder, "deep");
        removed++;
        await inFolder(tree, name, {}, (above) => removeAll(above, "sub"));
      } catch (error) {
        // The other process was faster; what matters is where it was done.
        expect(error).toMatchObject({
          code: expect.stringMatching(/^(?:E[A-Z]+|path_rejected|ERR_FS_CP_.*)$/),
        });
      }
    }
  expect(removed).toBeGreaterThan(0);
  expect(snapshot(outside)).toEqual(before);
}, 60_000);
