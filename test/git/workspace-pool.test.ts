import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Repository } from "../../src/git/contract.ts";
import { openRepo, openTree } from "../support/branch-trees.ts";
import { commitFiles, git, sampleRepo, temporaryDir } from "../support/repos.ts";
import { contentOf, gitDirOf, poolRequest } from "../support/workspace-pool.ts";

/** A name that the clone gives up is one less for what it shares with others. */
const unlinked = (line: string) => line.replace(" linked ", " ");
const places = (repo: Repository) => path.join(repo.stateDir, "workspaces");
const clones = (repo: Repository) =>
  existsSync(places(repo)) ? readdirSync(places(repo)).filter((name) => /-\d+$/.test(name)) : [];

test("the next one gets the same clone, with its own branch's files and nothing of the last one", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  const pool = poolRequest({ most: 4 });
  const [api, ui] = [await openTree(repo, "Api"), await openTree(repo, "Ui")];
  const first = await repo.workspace({ commit: api.tip, branch: api.branch, pool });
  const inode = (name: string) => execFileSync("stat", ["-c", "%i", path.join(first.dir, name)]).toString();
  const kept = inode("src/ui/page.ts");
  writeFileSync(path.join(first.dir, "README.md"), "changed");
  writeFileSync(path.join(first.dir, "left.txt"), "left");
  mkdirSync(path.join(first.dir, ".git/hooks"), { recursive: true });
  writeFileSync(path.join(first.dir, ".git/hooks/pre-commit"), "#!/bin/sh\n");
  writeFileSync(path.join(first.dir, ".git/config"), "[core]\n\tfsmonitor = true\n");
  expect((await first.collect(api)).files).toBe(2);
  await first[Symbol.asyncDispose]();
  const second = await repo.workspace({ commit: ui.tip, branch: ui.branch, pool });
  expect(second.dir).toBe(first.dir);
  expect(second.name).not.toBe(first.name);
  expect(inode("src/ui/page.ts")).toBe(kept);
  expect(git(second.dir, "symbolic-ref", "HEAD")).toBe(`refs/heads/${ui.branch}`);
  expect(git(second.dir, "status", "--porcelain", "--ignored")).toBe("");
  expect(existsSync(path.join(second.dir, ".git/hooks"))).toBe(false);
  expect(readFileSync(path.join(second.dir, "README.md"), "utf8")).toContain("# Sample");
  expect(await second.collect(ui)).toEqual({ files: 0, refused: [] });
  await second[Symbol.asyncDispose]();
  expect(clones(repo)).toHaveLength(1);
  await repo[Symbol.asyncDispose]();
  expect(clones(repo)).toEqual([]);
});

type Mischief = (tree: string, outside: string) => void;
const at = (tree: string, name: string) => path.join(tree, name);
const MISCHIEF: Readonly<Record<string, Mischief>> = {
  "edits in place, times put back": (tree) => {
    writeFileSync(at(tree, "README.md"), "# Sample\n\nA repository for TESTS.\n");
    utimesSync(at(tree, "README.md"), 1, 1);
  },
  "a folder without rights": (tree) => {
    mkdirSync(at(tree, "locked/in"), { recursive: true });
    writeFileSync(at(tree, "locked/in/x"), "x");
    chmodSync(at(tree, "locked/in"), 0);
    chmodSync(at(tree, "locked"), 0);
  },
  "the branch's own folder without rights": (tree) => chmodSync(at(tree, "src/api"), 0),
  "a folder of the branch swapped for a link": (tree, outside) => {
    rmSync(at(tree, "docs"), { recursive: true, force: true });
    symlinkSync(outside, at(tree, "docs"));
  },
  "a file swapped for a link": (tree, outside) => {
    rmSync(at(tree, "README.md"), { recursive: true, force: true });
    symlinkSync(path.join(outside, "theirs"), at(tree, "README.md"));
  },
  "a hard link to a file of the branch": (tree, outside) => {
    rmSync(path.join(outside, "hard"), { force: true });
    linkSync(at(tree, "assets/logo.bin"), path.join(outside, "hard"));
  },
  "a hard link from outside": (tree, outside) => {
    rmSync(at(tree, "bin/run.sh"), { force: true });
    linkSync(path.join(outside, "theirs"), at(tree, "bin/run.sh"));
  },
  modes: (tree) => chmodSync(at(tree, "bin/run.sh"), 0o4644),
  "a nested .git": (tree) => {
    mkdirSync(at(tree, "src/.git/hooks"), { recursive: true });
    writeFileSync(at(tree, "src/.git/config"), "x");
  },
  "a pipe": (tree) => execFileSync("mkfifo", [at(tree, "pipe")]),
  "a pipe for a file": (tree) => {
    rmSync(at(tree, "src/ui/page.ts"), { force: true });
    execFileSync("mkfifo", [at(tree, "src/ui/page.ts")]);
  },
  "odd names": (tree) => {
    for (const bytes of [[0xff, 0xfe], [0x0a], [0x2d, 0x72, 0x66], [0x3a, 0x28, 0x74]])
      writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(bytes)]), "x");
  },
  "hooks, alternates and a false index": (tree) => {
    mkdirSync(at(tree, ".git/hooks"), { recursive: true });
    mkdirSync(at(tree, ".git/objects/info"), { recursive: true });
    writeFileSync(at(tree, ".git/objects/info/alternates"), "/nowhere\n");
    writeFileSync(at(tree, ".git/index"), "not an index");
    writeFileSync(at(tree, ".git/index.lock"), "");
  },
  "no .git, or a link for it": (tree, outside) => {
    rmSync(at(tree, ".git"), { recursive: true, force: true });
    symlinkSync(outside, at(tree, ".git"));
  },
  "an attributes file with filters": (tree) => {
    writeFileSync(at(tree, ".gitattributes"), "* text eol=crlf filter=x\n");
    mkdirSync(at(tree, ".git/info"), { recursive: true });
  },
  "everything is gone": (tree) => {
    for (const name of readdirSync(tree)) rmSync(at(tree, name), { recursive: true, force: true });
  },
  "the tree itself without rights": (tree) => chmodSync(tree, 0),
  "deeper than a path": (tree) => {
    execFileSync("perl", ["-e", 'for (1..30) { mkdir "d" x 200; chdir "d" x 200; } chmod 0, ".";'], {
      cwd: tree,
    });
  },
};

test("after any mischief the clone is to the byte what a new one is, for any commit", {
  timeout: 120_000,
}, async () => {
  const dir = sampleRepo();
  const head = git(dir, "rev-parse", "HEAD");
  const commits = [head];
  commits.push(commitFiles(dir, { "src/api/server.ts": "v2\n", "docs/new/deep.md": "n\n" }));
  git(dir, "rm", "-q", "-r", "docs", "src/ui");
  commits.push(commitFiles(dir, { "src/ui": "a file now\n", "left.txt": "tracked here\n" }));
  git(dir, "update-index", "--add", "--cacheinfo", `160000,${head},vendor/lib`);
  git(dir, "commit", "-q", "-m", "submodule");
  commits.push(git(dir, "rev-parse", "HEAD"));
  const repo = await openRepo(dir);
  const fresh = new Map<string, readonly string[]>();
  const wanted = async (commit: string) => {
    const known = fresh.get(commit);
    if (known) return known;
    await using one = await repo.workspace({ commit, branch: "b" });
    const content = [...contentOf(one.dir), ...gitDirOf(one.dir)];
    fresh.set(commit, content);
    return content;
  };
  const pool = poolRequest({ most: 1, keep: 1 });
  const step = fc.record({
    commit: fc.constantFrom(...commits),
    mischief: fc.uniqueArray(fc.constantFrom(...Object.keys(MISCHIEF)), { maxLength: 4 }),
    /** Another process has it next: nothing is remembered but what is on the disk. */
    other: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 4 }), async (steps) => {
      const outside = temporaryDir();
      try {
        writeFileSync(path.join(outside, "theirs"), "theirs");
        for (const { commit, mischief, other } of steps) {
          const user = other ? await openRepo(dir) : repo;
          const theirs = contentOf(outside);
          await using workspace = await user.workspace({ commit, branch: "b", pool });
          expect(contentOf(outside).map(unlinked)).toEqual(theirs.map(unlinked));
          expect([...contentOf(workspace.dir), ...gitDirOf(workspace.dir)]).toEqual(await wanted(commit));
          expect(git(workspace.dir, "status", "--porcelain", "--ignored")).toBe("");
          for (const name of mischief) {
            try {
              MISCHIEF[name]?.(workspace.dir, outside);
            } catch (error) {
              // What it wants to spoil is not in this commit, or an earlier one has spoilt it.
              if (
                !(error instanceof Error && "code" in error) &&
                !(error instanceof Error && "status" in error)
              )
                throw error;
            }
          }
        }
      } finally {
        rmSync(outside, { recursive: true, force: true });
      }
    }),
    { numRuns: 40, interruptAfterTimeLimit: 60_000 },
  );
});

test("who waits gets the next one in turn, over processes too; who is cancelled waits no longer", async () => {
  const dir = sampleRepo();
  const [here, there] = [await openRepo(dir), await openRepo(dir)];
  const commit = await here.resolve("HEAD");
  const order: string[] = [];
  let waits = 0;
  const pool = poolRequest({
    most: 1,
    keep: 1,
    waiting: (wait) => {
      waits += 1;
      return wait();
    },
  });
  const ask = async (repo: Repository, name: string, signal?: AbortSignal) => {
    const workspace = await repo.workspace({ commit, branch: name, pool }, signal);
    order.push(name);
    return workspace;
  };
  const first = await ask(here, "first");
  const second = ask(here, "second");
  await expect.poll(() => waits).toBe(1);
  const third = ask(there, "third");
  const stop = new AbortController();
  const never = ask(here, "never", stop.signal);
  await expect.poll(() => waits).toBe(3);
  stop.abort();
  await expect(never).rejects.toMatchObject({ code: "cancelled" });
  expect(order).toEqual(["first"]);
  await first[Symbol.asyncDispose]();
  await (await second)[Symbol.asyncDispose]();
  await (await third)[Symbol.asyncDispose]();
  expect(order).toEqual(["first", "second", "third"]);
  expect(clones(here)).toHaveLength(1);
  expect(readdirSync(places(here)).filter((name) => name.endsWith(".wait"))).toHaveLength(1);
  expect(
    readdirSync(
      path.join(places(here), readdirSync(places(here)).find((name) => name.endsWith(".wait")) ?? ""),
    ),
  ).toEqual([]);
});

test("a clone of a process that died is saved, then used again or removed", async () => {
  const dir = sampleRepo();
  const repo = await openRepo(dir);
  for (const keep of [0, 1]) {
    const tree = await openTree(repo, `Keep${keep}`, { subtaskId: `s-${keep}` });
    const owner = {
      ...tree,
      agent: "Api",
      taskId: "t",
      subtaskId: `s-${keep}`,
      conversationId: "c",
      attempt: 1,
    };
    const { branch, base, agent, taskId, subtaskId, conversationId, attempt } = owner;
    const request = {
      commit: tree.tip,
      branch,
      owner: { branch, base, agent, taskId, subtaskId, conversationId, attempt },
      pool: poolRequest({ most: 1, keep }),
    };
    if (keep === 1) await (await repo.workspace(request))[Symbol.asyncDispose]();
    const workspace = await repo.workspace(request);
    writeFileSync(path.join(workspace.dir, "half.txt"), "half");
    const home = path.dirname(workspace.dir);
    const [lease = ""] = readdirSync(home).filter((name) => name.startsWith("lease."));
    // As another process, long gone, would have it.
    const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await once(child, "exit");
    renameSync(path.join(home, lease), path.join(home, lease.replace(/^lease\.\d+/, `lease.${child.pid}`)));
    const { saved } = await repo.sweep();
    expect(saved).toHaveLength(1);
    expect(git(dir, "show", `${saved[0]?.commit}:half.txt`)).toBe("half");
    expect(clones(repo)).toHaveLength(keep);
    if (keep === 0) continue;
    const [known] = await repo.workspaces();
    expect(known).toMatchObject({ path: home, inUse: false, idle: true });
    await using again = await repo.workspace({ ...request, pool: poolRequest({ most: 1, keep }) });
    expect(readdirSync(again.dir)).not.toContain("half.txt");
  }
});

test("of a pool that became smaller the rest goes", async () => {
  const repo = await openRepo(sampleRepo());
  const commit = await repo.resolve("HEAD");
  const ask = (most: number) =>
    repo.workspace({ commit, branch: "b", pool: poolRequest({ most, keep: most }) });
  const three = await Promise.all([ask(3), ask(3), ask(3)]);
  for (const one of three) await one[Symbol.asyncDispose]();
  expect(clones(repo)).toHaveLength(3);
  await using one = await ask(1);
  expect(one.dir).toContain("-1/tree");
  expect(clones(repo)).toHaveLength(1);
});

test("what a process that died had not meant to keep goes with it", async () => {
  const repo = await openRepo(sampleRepo());
  const commit = await repo.resolve("HEAD");
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await once(child, "exit");
  for (const keep of [0, 1]) {
    const workspace = await repo.workspace({ commit, branch: "b", pool: poolRequest({ keep }) });
    await workspace[Symbol.asyncDispose]();
    expect((await repo.sweep()).removed).toBe(0);
    const home = path.dirname(workspace.dir);
    const [lease = ""] = readdirSync(home).filter((name) => name.startsWith("lease."));
    renameSync(path.join(home, lease), path.join(home, lease.replace(/idle\.\d+/, `idle.${child.pid}`)));
    await repo.sweep();
    expect(clones(repo)).toHaveLength(keep);
  }
});
