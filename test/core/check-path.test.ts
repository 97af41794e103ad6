import { execFileSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkPath, type PathFs, type PathOp } from "../../src/core/check-path.ts";
import { OxbowError } from "../../src/core/errors.ts";
import { isProtected, normalisePath, ownershipPath } from "../../src/core/paths.ts";

const OPS: PathOp[] = ["read", "write", "delete", "list", "mkdir", "rename_to", "create_symlink"];
const CHANGES = OPS.filter((op) => op !== "read" && op !== "list");

const disk: PathFs = {
  lstat(path) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return null;
    const kinds = [
      found.isFile() && "file",
      found.isDirectory() && "directory",
      found.isSymbolicLink() && "symlink",
    ] as const;
    return { kind: kinds.find((kind) => kind !== false) ?? "other", nlink: found.nlink, size: found.size };
  },
  readlink: (path) => readlinkSync(path, "utf8"),
};

function rejected(make: () => string): boolean {
  try {
    make();
    return false;
  } catch (error) {
    if (error instanceof OxbowError && error.code === "path_rejected") return true;
    throw error;
  }
}

const HOSTILE: [string, string][] = [
  ["", "empty"],
  ["/etc/passwd", "absolute"],
  ["C:/x", "absolute"],
  ["c:x", "absolute"],
  ["..", "traversal"],
  ["a/../b", "traversal"],
  ["a/..", "traversal"],
  [".. /x", "traversal"],
  ["a/.../b", "traversal"],
  ["a\\..\\b", "backslash"],
  ["a\0b", "nul"],
  ["a\nb", "control_character"],
  ["a\u0085b", "control_character"],
  ["a\uD800", "invalid_unicode"],
  [".git", "git_directory"],
  [".git/config", "git_directory"],
  ["sub/.git/hooks/x", "git_directory"],
  [".GIT/config", "git_directory"],
  [".Git", "git_directory"],
  ["git~1/config", "git_directory"],
  ["GIT~1", "git_directory"],
  [".git./config", "git_directory"],
  [".git /config", "git_directory"],
  [".git. . /config", "git_directory"],
  [".git::$INDEX_ALLOCATION/config", "git_directory"],
  [".git:x", "git_directory"],
  [".g\u200Cit/config", "git_directory"],
  ["\u202E.git", "git_directory"],
  [".git\uFEFF/x", "git_directory"],
  ["\uFF0Egit", "git_directory"],
  ["x".repeat(256), "too_long"],
  ["日".repeat(100), "too_long"],
  ["a/".repeat(3000), "too_long"],
];

describe("a path inside the repository", () => {
  it.each(HOSTILE)("%j is refused as %s, by every operation", (path, code) => {
    expect(rejected(() => normalisePath(path))).toBe(true);
    for (const op of OPS) {
      const verdict = checkPath(op, path, { root: "/repo", owns: ["**"] });
      expect(verdict).toMatchObject({ allowed: false, code });
      expect(verdict.reason).not.toBe("");
    }
  });

  it.each(["CON", "nul.txt", "a/com1", "LPT9.log", "aux .c", "prn", "conin$"])("%j is a device", (path) => {
    for (const op of OPS) expect(checkPath(op, path, { root: "/repo" }).code).toBe("device_name");
  });

  it.each([
    "src/a.ts",
    ".gitignore",
    "docs/.gitkeep",
    "-rf",
    "a b/ü.md",
    "com",
    "console.ts",
    "git~2",
    "x.git",
    ".github2/x",
    "日本.txt",
  ])("%j is fine, by every operation", (path) => {
    expect(normalisePath(path)).toBe(path);
    for (const op of OPS)
      expect(checkPath(op, path, { root: "/repo", owns: ["**"] })).toMatchObject({
        allowed: true,
        code: "ok",
      });
  });

  it("loses only what says nothing: the bytes of names stay", () => {
    expect(normalisePath("./a/./b//c/")).toBe("a/b/c");
    const nfd = "cafe\u0301.md";
    expect(normalisePath(`./${nfd}`)).toBe(nfd);
    expect(ownershipPath(nfd)).toBe("caf\u00e9.md");
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from("ab./ é\u0301-~")), maxLength: 12 }),
        (path) => {
          if (rejected(() => normalisePath(path))) return;
          const once = normalisePath(path);
          expect(normalisePath(once)).toBe(once);
          expect(once.split("/")).toEqual(path.split("/").filter((name) => name !== "" && name !== "."));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("may be the root only for a list", () => {
    expect(checkPath("list", ".", { root: "/repo" }).allowed).toBe(true);
    expect(checkPath("read", ".", { root: "/repo" })).toMatchObject({ allowed: false, code: "empty" });
  });

  it("does not end a new name in a dot or a blank", () => {
    expect(checkPath("write", "a./b", { root: "/repo" }).code).toBe("trailing_dot");
    expect(checkPath("rename_to", "a ", { root: "/repo" }).code).toBe("trailing_dot");
    expect(checkPath("read", "a.", { root: "/repo" }).allowed).toBe(true);
  });
});

describe("what an agent may change", () => {
  it("is its own paths; it may look at the others", () => {
    for (const op of CHANGES) {
      expect(checkPath(op, "src/web/a.ts", { root: "/r", owns: ["src/api/**"] })).toMatchObject({
        allowed: false,
        code: "out_of_scope",
      });
      expect(checkPath(op, "src/api/a.ts", { root: "/r", owns: ["src/api/**"] }).allowed).toBe(true);
    }
    expect(checkPath("read", "src/web/a.ts", { root: "/r", owns: ["src/api/**"] }).allowed).toBe(true);
    expect(checkPath("write", "a", { root: "/r", owns: [] }).code).toBe("out_of_scope");
  });

  it.each([".github/workflows/x.yml", "CLAUDE.md", "sub/.npmrc", "AGENTS.MD", "team.yaml", ".claude/x"])(
    "does not include %s without its name",
    (path) => {
      expect(isProtected(path)).toBe(true);
      for (const op of CHANGES) {
        expect(checkPath(op, path, { root: "/r", owns: ["**"] }).code).toBe("protected");
        expect(checkPath(op, path, { root: "/r" }).code).toBe("protected");
        expect(checkPath(op, path, { root: "/r", owns: [path] }).allowed).toBe(true);
      }
      expect(checkPath("read", path, { root: "/r" }).allowed).toBe(true);
    },
  );

  it.each(["sub/team.yaml", "docs/.github/x", "teams.yaml", "agents/a.md", "src/claude.ts"])(
    "%s is an ordinary file",
    (path) => {
      expect(isProtected(path)).toBe(false);
    },
  );
});

describe("on a real disk", () => {
  let top = "";
  let root = "";

  beforeAll(() => {
    top = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-paths-")));
    root = join(top, "repo");
    mkdirSync(join(root, "src/api"), { recursive: true });
    mkdirSync(join(root, ".git"));
    mkdirSync(join(top, "repo-evil"));
    writeFileSync(join(top, "secret"), "s");
    writeFileSync(join(root, "src/api/a.ts"), "a");
    writeFileSync(join(root, "AGENTS.md"), "a");
    writeFileSync(join(root, "big"), Buffer.alloc(11_000_000));
    linkSync(join(top, "secret"), join(root, "hard"));
    execFileSync("mkfifo", [join(root, "fifo")]);
    const links = {
      out: "..",
      outAbsolute: "/etc",
      sibling: "../repo-evil",
      siblingAbsolute: join(top, "repo-evil"),
      inside: "src/api",
      insideAbsolute: join(root, "src"),
      "src/up": "../src/api/a.ts",
      chain: "inside",
      loop: "loop",
      dangling: "nowhere",
      danglingOut: "../nowhere",
      gitLink: ".git",
      rules: "AGENTS.md",
      top: ".",
      windows: "C:\\Windows",
      roundTrip: "../repo/src",
      "src/deep": "api/../../../secret",
    };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
  });
  afterAll(() => rmSync(top, { recursive: true, force: true }));

  const check = (op: PathOp, path: string, owns = ["**"]) =>
    checkPath(op, path, { root, owns, fs: disk }).code;

  it.each([
    "out/secret",
    "outAbsolute/passwd",
    "sibling/x",
    "siblingAbsolute/x",
    "src/deep",
    "danglingOut",
    "roundTrip/a",
    "windows/x",
    "top/out/secret",
  ])("%s leads outside", (path) => {
    for (const op of ["read", "write", "list", "mkdir"] as const)
      expect(check(op, path)).toBe("symlink_outside");
    for (const op of OPS) expect(check(op, `${path}/x`)).toBe("symlink_outside");
  });

  it.each([
    "inside/a.ts",
    "insideAbsolute/api/a.ts",
    "src/up",
    "chain/a.ts",
    "dangling",
    "inside/new.ts",
    "top/src/x",
  ])("%s stays inside", (path) => {
    for (const op of ["read", "write", "list"] as const) expect(check(op, path)).toBe("ok");
  });

  it("removes or replaces a link itself, wherever it leads", () => {
    expect(check("delete", "out")).toBe("ok");
    expect(check("rename_to", "outAbsolute")).toBe("ok");
    expect(check("list", "top")).toBe("ok");
  });

  it("sees through a link to a file that is protected, owned by others, or Git's", () => {
    expect(check("write", "rules")).toBe("protected");
    expect(check("write", "inside/a.ts", ["inside/**"])).toBe("out_of_scope");
    expect(check("read", "gitLink/config")).toBe("git_directory");
  });

  it("refuses links without end, special files, other names of a file, and huge texts", () => {
    expect(check("read", "loop")).toBe("symlink_loop");
    for (const op of OPS) expect(check(op, "fifo")).toBe("special_file");
    expect(check("write", "hard")).toBe("hard_link");
    expect(check("read", "hard")).toBe("hard_link");
    expect(check("delete", "hard")).toBe("ok");
    expect(check("read", "big")).toBe("too_large");
    expect(check("write", "big")).toBe("ok");
  });

  it("makes a link only to the inside", () => {
    const link = (path: string, target: string) =>
      checkPath("create_symlink", path, { root, owns: ["**"], fs: disk, target }).code;
    expect(link("src/new", "api/a.ts")).toBe("ok");
    expect(link("src/new", "../AGENTS.md")).toBe("ok");
    expect(link("src/new", join(root, "src"))).toBe("ok");
    for (const target of ["../../secret", "/etc/passwd", "../out/secret", "..\\..\\x", "", "C:/x"]) {
      expect(link("src/new", target)).toBe("symlink_outside");
    }
    expect(link("src/new", "../.git/hooks")).toBe("git_directory");
    expect(link("inside/new", "../../secret")).toBe("ok");
    expect(link("inside/new", "../../../secret")).toBe("symlink_outside");
    expect(check("create_symlink", "danglingOut")).toBe("symlink_outside");
  });

  it("refuses what cannot be looked at, a submodule, and a view that lies", () => {
    const broken: PathFs = {
      lstat: () => {
        throw new Error("EACCES");
      },
      readlink: () => "",
    };
    expect(checkPath("read", "a", { root, fs: broken })).toMatchObject({
      allowed: false,
      code: "unreadable",
    });
    const submodule: PathFs = {
      lstat: (path) => (path === "/r/sub" ? { kind: "other" } : null),
      readlink: () => "",
    };
    expect(checkPath("read", "sub/a", { root: "/r", fs: submodule }).code).toBe("special_file");
    const endless: PathFs = { lstat: () => ({ kind: "symlink" }), readlink: () => "x/y" };
    expect(checkPath("read", "a", { root: "/r", fs: endless }).code).toBe("symlink_loop");
  });
});

it("refuses what plain JavaScript may hand over: an operation nobody knows, a path that is no text", () => {
  const any = checkPath as (op: unknown, path: unknown, options: unknown) => ReturnType<typeof checkPath>;
  expect(any("chmod", "a", { root: "/r" })).toMatchObject({ allowed: false, code: "unknown_operation" });
  expect(any(undefined, "a", { root: "/r" }).allowed).toBe(false);
  for (const path of [undefined, null, 5, {}, ["a"]])
    expect(any("read", path, { root: "/r" })).toMatchObject({ allowed: false, code: "empty" });
});
