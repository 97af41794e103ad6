import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkCommand } from "../../src/core/check-command.ts";
import type { PathFs } from "../../src/core/check-path.ts";
import { checkCommand as checkOnDisk } from "../../src/library-paths.ts";

const NAMES = ["a", "b", "c", "d", "x"];

let top = "";
let root = "";
beforeAll(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-command-")));
  root = join(top, "repo");
  for (const folder of ["repo/a/b/c", "repo/b/d", "repo/.git/hooks", "repo-evil", "out/a"]) {
    mkdirSync(join(top, folder), { recursive: true });
  }
  for (const file of [
    "repo/x",
    "repo/a/x",
    "repo/b/.env",
    "repo/.env.example",
    "repo-evil/x",
    "out/x",
    "repo/.git/config",
  ]) {
    writeFileSync(join(top, file), file);
  }
  const links: Record<string, string> = {
    "repo/c": "a/b",
    "repo/d": "..",
    "repo/a/d": "../b",
    "repo/a/b/x": "../../x",
    "repo/a/b/d": "../../../out",
    "repo/a/b/a": join(top, "repo/b"),
    "repo/a/b/b": join(top, "repo-evil"),
    "repo/b/a": "a",
    "repo/b/b": "missing/../x",
    "repo/b/c": "d/../../../out",
    "repo/b/d/x": "../.env",
    "repo/b/d/c": "/etc/passwd",
    "repo/b/d/b": "../../.git",
    "repo/b/x": "missing",
    "out/b": "../repo",
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(top, name));
  execFileSync("mkfifo", [join(root, "fifo")]);
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

const judge = (path: string) => checkOnDisk(`cat '${path}'`, { allow: ["cat"], root }).code;

/** Where the kernel would end up, or null when it would find nothing. */
function kernel(path: string): string | null {
  try {
    return realpathSync.native(path.startsWith("/") ? path : `${root}/${path}`);
  } catch {
    return null;
  }
}

describe("a path among the arguments", () => {
  it("that is allowed never leads the kernel out, into .git or to a secret", () => {
    const name = fc.constantFrom(...NAMES, "..", ".", "", "missing");
    const path = fc.array(name, { minLength: 1, maxLength: 7 }).map((names) => names.join("/"));
    let inside = 0;
    fc.assert(
      fc.property(path, fc.boolean(), (drawn, absolute) => {
        const written = absolute ? `${root}/${drawn}` : drawn;
        if (judge(written) !== "ok") return;
        const found = kernel(written);
        if (found === null) return;
        inside++;
        expect(found === root || found.startsWith(`${root}/`)).toBe(true);
        expect(found).not.toMatch(/\/\.(?:git|env)(?:\/|$)/);
      }),
      { numRuns: 20_000 },
    );
    expect(inside).toBeGreaterThan(500);
  });

  it("that needs no symlink and stays inside is allowed", () => {
    const path = fc.array(fc.constantFrom("a", "b", "c", "new"), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(path, (names) => {
        const verdict = checkCommand(`cat ${names.join("/")}`, { allow: ["cat"], root: "/repo" });
        expect(verdict.allowed).toBe(true);
      }),
    );
  });

  it.each([
    ["x", "ok"],
    ["a/../x", "ok"],
    ["c/x", "ok"],
    ["a/b/a/d", "ok"],
    ["missing/x", "ok"],
    [".env.example", "ok"],
    ["-", "ok"],
    ["a/", "ok"],
    [".", "ok"],
    ["*.ts", "ok"],
    ["", "empty"],
    ["..", "traversal"],
    ["../repo/x", "traversal"],
    ["a/../../out/x", "traversal"],
    ["missing/../../out/x", "traversal"],
    ["/etc/passwd", "absolute"],
    ["//etc/passwd", "absolute"],
    ["/", "absolute"],
    ["/dev/null", "absolute"],
    ["d", "symlink_outside"],
    ["d/out/x", "symlink_outside"],
    ["c/../x", "ok"],
    ["c/d/x", "symlink_outside"],
    ["c/b/x", "symlink_outside"],
    ["b/c", "symlink_outside"],
    ["b/d/c", "symlink_outside"],
    ["b/a", "symlink_loop"],
    ["b/.env", "secret_file"],
    ["b/d/x", "secret_file"],
    ["b/d/b/config", "git_directory"],
    [".git", "git_directory"],
    [".git/../x", "git_directory"],
    ["a/.GIT/config", "git_directory"],
    ["git~1/config", "git_directory"],
    [".git /config", "git_directory"],
    [".git::$INDEX_ALLOCATION/config", "git_directory"],
    ["fifo", "special_file"],
    ["fifo/x", "special_file"],
    ["a\\b", "backslash"],
    ["C:/x", "absolute"],
    ["x".repeat(256), "too_long"],
    ["x/".repeat(2100), "too_long"],
  ])("%j: %s", (path, code) => {
    expect(judge(path)).toBe(code);
  });

  it("is refused as others would read it: a program that takes `..` away first ends somewhere else", () => {
    // The kernel goes to a/.., which is inside; Node goes from c to the root.
    expect(judge("c/../../x")).toBe("traversal");
    expect(judge("c/../.env")).toBe("secret_file");
  });

  it.each([
    ".env",
    ".env.local",
    ".ENV",
    ".env.production",
    ".envrc",
    "sub/.env",
    ".env/x",
    ".env.example.bak",
    ".env.",
  ])("%s is secret", (path) =>
    expect(checkCommand(`cat ${path}`, { allow: ["cat"], root: "/r" }).code).toBe("secret_file"),
  );
  it.each([
    ".env.example",
    "a/.env.sample",
    ".env.template",
    ".env.local.example",
    "env",
    "prod.env",
    ".github/x",
    ".gitignore",
  ])("%s is not", (path) =>
    expect(checkCommand(`cat ${path}`, { allow: ["cat"], root: "/r" }).allowed).toBe(true),
  );

  it("below a working directory starts there", () => {
    const at = (cwd: string, path: string) => checkOnDisk(`cat ${path}`, { allow: ["cat"], root, cwd }).code;
    expect(at("a", "../x")).toBe("ok");
    expect(at("a", "../../out/x")).toBe("traversal");
    expect(at("a/b", "d/x")).toBe("symlink_outside");
    expect(at("d", "x")).toBe("symlink_outside");
    expect(at(".git", "config")).toBe("git_directory");
  });

  it("cannot be looked at by a view that fails", () => {
    const broken: PathFs = {
      lstat: () => {
        throw new Error("EACCES");
      },
      readlink: () => "",
    };
    expect(checkCommand("cat x", { allow: ["cat"], root: "/r", fs: broken }).code).toBe("unreadable");
  });

  it("are not followed without end, however many and however long they are", () => {
    let looks = 0;
    const maze: PathFs = {
      lstat: (path) => {
        looks++;
        return { kind: path.endsWith("/l") ? "symlink" : "directory" };
      },
      readlink: () => `${"a/../".repeat(800)}b`,
    };
    const line = `cat ${"l/l/l/l/l/l/l/l ".repeat(500)}`;
    expect(checkCommand(line, { allow: ["cat"], root: "/r", fs: maze }).code).toBe("unreadable");
    expect(looks).toBeLessThanOrEqual(50_000);
  });

  it("must not be a socket", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(join(root, "socket"), done));
    expect(judge("socket")).toBe("special_file");
    await new Promise((done) => server.close(done));
  });
});
