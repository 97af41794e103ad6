/**
 * Real Git repositories for tests: made once per test file as a template, copied for each test, removed afterwards.
 * `git` here is plain git with a test's own identity and no configuration of the machine.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, onTestFinished } from "vitest";

export const TEST_IDENTITY = { name: "Test Person", email: "person@example.com" };

const env = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: TEST_IDENTITY.name,
  GIT_AUTHOR_EMAIL: TEST_IDENTITY.email,
  GIT_COMMITTER_NAME: TEST_IDENTITY.name,
  GIT_COMMITTER_EMAIL: TEST_IDENTITY.email,
  GIT_AUTHOR_DATE: "1700000000 +0000",
  GIT_COMMITTER_DATE: "1700000000 +0000",
};

/** Runs git and gives its stdout without the last line end. Throws with git's words. */
export function git(cwd: string, ...args: readonly string[]): string {
  return gitBytes(cwd, ...args)
    .toString("utf8")
    .replace(/\n$/, "");
}

export function gitBytes(cwd: string, ...args: readonly string[]): Buffer {
  return execFileSync("git", args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 28 });
}

/** A directory that is removed when the test has ended. */
export function temporaryDir(): string {
  const dir = realpathSync(mkdtempSync(path.join(tmpdir(), "oxbow-test-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

let template: string | null = null;
let templateHome: string | null = null;
afterAll(() => {
  if (templateHome !== null) rmSync(templateHome, { recursive: true, force: true });
});

/** A few files of every kind on `main`, one commit: text, nested, executable, symlink, CRLF, binary, unicode name. */
export function sampleRepo(): string {
  template ??= makeTemplate();
  const dir = path.join(temporaryDir(), "repo");
  cpSync(template, dir, { recursive: true, verbatimSymlinks: true });
  // The copies have new inodes and times: without this, the first `git status` would rewrite the index.
  git(dir, "update-index", "-q", "--refresh");
  return dir;
}

/** An empty repository without a commit. */
export function emptyRepo(...options: readonly string[]): string {
  const dir = path.join(temporaryDir(), "repo");
  mkdirSync(dir);
  git(dir, "init", "-q", "-b", "main", ...options);
  git(dir, "config", "user.name", TEST_IDENTITY.name);
  git(dir, "config", "user.email", TEST_IDENTITY.email);
  return dir;
}

/** Writes files (parents too) and commits everything; gives the commit. */
export function commitFiles(
  dir: string,
  files: Readonly<Record<string, string | Buffer>>,
  message = "files",
): string {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(dir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  git(dir, "add", "-A");
  git(dir, "commit", "-q", "-m", message);
  return git(dir, "rev-parse", "HEAD");
}

function makeTemplate(): string {
  const home = realpathSync(mkdtempSync(path.join(tmpdir(), "oxbow-template-")));
  templateHome = home;
  const dir = path.join(home, "repo");
  mkdirSync(dir);
  git(dir, "init", "-q", "-b", "main");
  git(dir, "config", "user.name", TEST_IDENTITY.name);
  git(dir, "config", "user.email", TEST_IDENTITY.email);
  const add = (name: string, content: string | Buffer): void => {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), content);
  };
  add("README.md", "# Sample\n\nA repository for tests.\n");
  add("src/api/server.ts", "export const port = 8000;\nexport const host = 'localhost';\n");
  add("src/api/routes.ts", "export const routes = ['/health'];\n");
  add("src/ui/page.ts", "export const title = 'Sample';\n");
  add("docs/guide.md", "Line one\r\nLine two\r\n");
  add("docs/größe.md", "Unicode names survive.\n");
  add("assets/logo.bin", Buffer.from([0, 1, 2, 255, 254, 10, 13, 10, 0]));
  add("bin/run.sh", "#!/bin/sh\necho run\n");
  git(dir, "-c", "core.autocrlf=false", "add", "-A");
  git(dir, "update-index", "--chmod=+x", "bin/run.sh");
  const link = execFileSync("git", ["hash-object", "-w", "--stdin"], {
    cwd: dir,
    env,
    input: "src/api/server.ts",
  });
  git(dir, "update-index", "--add", "--cacheinfo", `120000,${link.toString().trim()},link`);
  git(dir, "commit", "-q", "-m", "Start");
  git(dir, "reset", "-q", "--hard");
  return dir;
}

/**
 * A digest of everything a person would notice about a checkout: every file (bytes, mode, links), HEAD, index, config
 * and hooks. Equal digests: bit-identical.
 */
export function checkoutDigest(dir: string): string {
  const hash = createHash("sha256");
  const gitDir = path.join(dir, ".git");
  const visit = (file: string): void => {
    const stats = lstatSync(file);
    hash.update(`${path.relative(dir, file)}\0${stats.mode}\0`);
    if (stats.isSymbolicLink()) hash.update(readlinkSync(file));
    else if (stats.isFile()) hash.update(readFileSync(file));
    else if (stats.isDirectory()) {
      for (const name of readdirSync(file).sort())
        if (path.join(file, name) !== gitDir) visit(path.join(file, name));
    }
  };
  visit(dir);
  for (const name of ["HEAD", "index", "config", "hooks", "info"]) {
    if (readdirSync(gitDir).includes(name)) visit(path.join(gitDir, name));
  }
  return hash.digest("hex");
}
