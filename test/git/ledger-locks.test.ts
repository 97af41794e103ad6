import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openRepository } from "../../src/git/repository.ts";
import { git, sampleRepo, temporaryDir } from "../support/repos.ts";

const gitDir = (dir: string, ...names: string[]) => path.join(dir, ".git", ...names);
const notes = (dir: string) => gitDir(dir, "oxbow/git/sessions");

/** A git of somebody else that has prepared a transaction: it holds its locks until it is told to go on, or killed. */
async function gitThatHolds(dir: string, ...lines: string[]): Promise<ChildProcessWithoutNullStreams> {
  const child = spawn("git", ["update-ref", "--stdin"], { cwd: dir });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stdin.write(`start\n${lines.map((line) => `${line}\n`).join("")}prepare\n`);
  let said = "";
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (said.includes("prepare: ok")) break;
  }
  return child;
}

/**
 * A `git` first on PATH whose `update-ref` is killed, with `kill -9`, once in the middle of a transaction: prepared, with
 * its locks taken, and not committed.
 */
function gitThatDiesOnce(): { readonly died: () => boolean } {
  const bin = temporaryDir();
  const flag = path.join(bin, "died");
  const script = `#!${process.execPath}
const { spawn, execFileSync } = require("node:child_process");
const { existsSync, writeFileSync } = require("node:fs");
const args = process.argv.slice(2);
const env = { ...process.env, PATH: ${JSON.stringify(process.env["PATH"])} };
if (!args.includes("update-ref") || existsSync(${JSON.stringify(flag)})) {
  const child = spawn("git", args, { env, stdio: "inherit" });
  child.on("exit", (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code)));
} else {
  const child = spawn("git", args, { env, stdio: ["pipe", "pipe", "inherit"] });
  process.stdin.on("data", (bytes) => child.stdin.write(bytes.toString("latin1").replace("commit\\0", ""), "latin1"));
  child.stdout.on("data", (bytes) => {
    process.stdout.write(bytes);
    if (!bytes.includes("prepare: ok")) return;
    child.on("exit", () => {
      writeFileSync(${JSON.stringify(flag)}, "");
      process.kill(process.pid, "SIGKILL");
    });
    child.kill("SIGKILL");
  });
}
`;
  writeFileSync(path.join(bin, "git"), script);
  chmodSync(path.join(bin, "git"), 0o755);
  const before = process.env["PATH"];
  process.env["PATH"] = `${bin}${path.delimiter}${before}`;
  onTestFinished(() => {
    process.env["PATH"] = before;
  });
  return { died: () => existsSync(flag) };
}

describe.runIf(process.platform === "linux")("locks of git processes that died", () => {
  it("are cleared at once when they are ours: the refs move in the same call", async () => {
    const dir = sampleRepo();
    const head = git(dir, "rev-parse", "HEAD");
    const dying = gitThatDiesOnce();
    await using repo = await openRepository({ path: dir });
    await repo.updateRefs([
      { ref: "refs/heads/feature/1/Api", old: null, new: head },
      { ref: "refs/oxbow/attempts/one/1", old: null, new: head },
    ]);
    expect(dying.died()).toBe(true);
    expect(git(dir, "rev-parse", "refs/oxbow/attempts/one/1", "feature/1/Api")).toBe(`${head}\n${head}`);
    expect(await repo.locks()).toEqual([]);
  });

  it("are cleared when refs are deleted too, with what git was writing, while a git of another repository waits", async () => {
    const dir = sampleRepo();
    const env = { ...process.env, GIT_DIR: gitDir(sampleRepo()) };
    const elsewhere = spawn("git", ["update-ref", "--stdin"], { env, stdio: ["pipe", "ignore", "ignore"] });
    onTestFinished(() => void elsewhere.kill("SIGKILL"));
    const head = git(dir, "rev-parse", "HEAD");
    git(dir, "branch", "old");
    git(dir, "pack-refs", "--all");
    const dying = gitThatDiesOnce();
    await using repo = await openRepository({ path: dir });
    await repo.updateRefs([{ ref: "refs/heads/old", old: head, new: null }]);
    expect([dying.died(), await repo.readRef("refs/heads/old")]).toEqual([true, null]);
    expect(readdirSync(gitDir(dir)).filter((name) => /^packed-refs\./.test(name))).toEqual([]);
    expect(git(dir, "fsck")).toBe("");
  });

  it("are cleared by a sweep when nobody comes by them, and their notes go", async () => {
    const dir = sampleRepo();
    const head = git(dir, "rev-parse", "HEAD");
    const lock = gitDir(dir, "refs/heads/left.lock");
    await using repo = await openRepository({ path: dir });
    await repo.updateRefs([{ ref: "refs/heads/here", old: null, new: head }]);
    const [live = ""] = readdirSync(notes(dir));
    const place = live.split(".").slice(2).join(".");
    writeFileSync(
      path.join(notes(dir), `1.0.${place}`),
      JSON.stringify({ at: Date.now(), repository: gitDir(dir), locks: [["refs/heads/left", head]] }),
    );
    writeFileSync(lock, `${head}\n`);
    expect(await repo.locks()).toEqual([{ file: lock, at: expect.any(Number), dead: true }]);
    await repo.sweep();
    expect(existsSync(lock)).toBe(false);
    await repo.sweep();
    expect(readdirSync(notes(dir))).toEqual([live]);
  });

  it("are left alone while a live git holds them; the error names the file", async () => {
    const dir = sampleRepo();
    const head = git(dir, "rev-parse", "HEAD");
    const holder = await gitThatHolds(dir, `create refs/heads/shared ${head}`);
    const lock = gitDir(dir, "refs/heads/shared.lock");
    await using repo = await openRepository({ path: dir });
    await expect(repo.updateRefs([{ ref: "refs/heads/shared", old: null, new: head }])).rejects.toMatchObject(
      {
        code: "repository_locked",
        message: expect.stringContaining(lock),
        hint: expect.stringContaining(`rm '${lock}'`),
      },
    );
    expect(await repo.locks()).toMatchObject([{ file: lock, dead: false }]);
    holder.stdin.end("commit\n");
    await once(holder, "exit");
    expect(git(dir, "rev-parse", "shared")).toBe(head);
  }, 30_000);

  it("are left alone when a git of somebody else died over them, whatever we were doing then", async () => {
    const dir = sampleRepo();
    const head = git(dir, "rev-parse", "HEAD");
    const holder = await gitThatHolds(dir, `create refs/heads/theirs ${head}`);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    const lock = gitDir(dir, "refs/heads/theirs.lock");
    await using repo = await openRepository({ path: dir });
    await repo.sweep();
    await expect(repo.updateRefs([{ ref: "refs/heads/theirs", old: null, new: head }])).rejects.toMatchObject(
      {
        code: "repository_locked",
      },
    );
    expect(existsSync(lock)).toBe(true);
    rmSync(lock);
    await repo.updateRefs([{ ref: "refs/heads/theirs", old: null, new: head }]);
  }, 30_000);

  it("are left alone when their note is of another machine, of a live process, or says something else", async () => {
    const dir = sampleRepo();
    const head = git(dir, "rev-parse", "HEAD");
    await using repo = await openRepository({ path: dir });
    await repo.updateRefs([{ ref: "refs/heads/here", old: null, new: head }]);
    const [live = ""] = readdirSync(notes(dir));
    const place = live.split(".").slice(2).join(".");
    const at = Date.now();
    const write = (name: string, ref: string, over: Record<string, unknown> = {}) =>
      writeFileSync(
        path.join(notes(dir), name),
        JSON.stringify({ at, repository: gitDir(dir), locks: [[ref, head]], ...over }),
      );
    write("1.0.elsewhere", "refs/heads/a");
    write(live, "refs/heads/b");
    write(`1.1.${place}`, "refs/heads/c", { at: at + 60_000 });
    write(`1.2.${place}`, "refs/heads/d", { repository: "/elsewhere/.git" });
    writeFileSync(path.join(notes(dir), `1.3.${place}`), '{"at":1');
    mkdirSync(gitDir(dir, "refs/heads/f.lock"));
    write(`1.4.${place}`, "refs/heads/f");
    for (const name of ["a", "b", "c", "d", "e"])
      writeFileSync(gitDir(dir, `refs/heads/${name}.lock`), `${head}\n`);
    write(`1.5.${place}`, "refs/heads/g");
    writeFileSync(gitDir(dir, "refs/heads/g.lock"), `${"1".repeat(40)}\n`);
    await repo.sweep();
    expect(
      readdirSync(gitDir(dir, "refs/heads"))
        .filter((name) => name.endsWith(".lock"))
        .sort(),
    ).toEqual(["a", "b", "c", "d", "e", "f", "g"].map((name) => `${name}.lock`));
  });
});
