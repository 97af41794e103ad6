import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { checkCommand } from "../../src/library-paths.ts";
import { lex } from "../../src/core/command/lex.ts";

const top = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-escapes-")));
const root = join(top, "repo");
const owned = join(top, "owned");

/** Each test begins with a small repository, a secret beside it and one in it, and a program that says it ran. */
beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(owned, { force: true });
  mkdirSync(join(root, "sub"), { recursive: true });
  mkdirSync(join(root, "other"));
  writeFileSync(join(top, "secret"), "outside-secret\n");
  for (const file of ["a", "b", "sub/x", "other/x"]) writeFileSync(join(root, file), `text of ${file}\n`);
  for (const file of [".env", "sub/.env", "other/.env", "sub/.ENV.local", "other/.ENV.local"])
    writeFileSync(join(root, file), `inside-secret ${file}\n`);
  writeFileSync(join(root, ".env.example"), "text of the example\n");
  symlinkSync("../../secret", join(root, "sub/link"));
  writeFileSync(join(root, "other/link"), "text\n");
  writeFileSync(join(root, "evil"), `#!/bin/sh\necho ran > ${owned}\n`, { mode: 0o755 });
  execFileSync("tar", ["cf", "t.tar", "a"], { cwd: root });
  execFileSync("git", ["init", "-q"], { cwd: root });
  execFileSync("git", ["add", "-f", "."], { cwd: root });
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

function words(line: string): string[] {
  const found = lex(line);
  return "code" in found ? [] : found.map((word) => word.text);
}

function run([program = "", ...args]: readonly string[]): string {
  const { stdout } = spawnSync(program, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { PATH: process.env["PATH"] ?? "", HOME: top, GIT_CONFIG_NOSYSTEM: "1" },
    timeout: 20_000,
  });
  return stdout;
}

function isInstalled(program = ""): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
}

const allow = "git ls cat head tail wc grep find sed sort uniq cut diff tar env xargs node make".split(" ");

describe("a known way out", () => {
  it.for([
    "find a -exec ./evil ;",
    "find a -execdir ../repo/evil ;",
    "find a -fprint ../owned",
    "find a -fls ../owned",
    "find a -fprintf ../owned x",
    "sed -n 'w ../owned' a",
    "sed 's/text/x/w ../owned' a",
    "sed '1e ./evil' a",
    "sed 's/.*/.\\/evil/e' a",
    "sed 's/[/b/;#]/x/;w ../owned' a",
    "sort -o ../owned a",
    "uniq a ../owned",
    "tar -cf ../owned a",
    "tar -tf t.tar --checkpoint=1 --checkpoint-action=exec=./evil",
    "tar -tf t.tar -I ./evil",
    "tar -xf t.tar --to-command=./evil",
    "tar -tvf t.tar --index-file=../owned",
    "env ./evil",
    "env -S ./evil",
    "xargs ./evil",
    "git -c alias.x=!./evil x",
    "git -c core.fsmonitor=./evil status",
    "git grep --open-files-in-pager=./evil text",
    "git grep -O./evil text",
    "git diff --output=../owned --no-index a b",
    'node -e \'require("fs").writeFileSync("../owned", "")\'',
    "make --eval=x:;./evil x",
  ])("%s does harm, and is refused", (line, { skip }) => {
    const argv = line.startsWith("make")
      ? ["make", "--eval=x:;./evil", "x"]
      : line.endsWith(" ;")
        ? line.split(" ")
        : words(line);
    if (!isInstalled(argv[0])) return skip(`SKIPPED: no ${argv[0]} on this machine`);
    run(argv);
    expect(existsSync(owned), "the real program did nothing").toBe(true);
    const written = line.replace(/ ;$/, " \\;").replace(/^make .*/, "make '--eval=x:;./evil' x");
    expect(checkCommand(written, { allow: [...allow, "make *"], root }).allowed).toBe(false);
  });

  it("find goes on after --, and is refused", () => {
    run(["find", "--", "b", "-delete"]);
    expect(existsSync(join(root, "b"))).toBe(false);
    expect(checkCommand("find -- b -delete", { allow, root }).allowed).toBe(false);
  });

  it.each([
    ["cat ../secret", "outside-secret"],
    ["cat sub/link", "outside-secret"],
    ["cat sub/../../secret", "outside-secret"],
    ["grep -R secret sub", "outside-secret"],
    ["grep '' sub/link", "outside-secret"],
    ["grep -f ../secret ../secret", "outside-secret"],
    ["wc --files0-from=../secret", ""],
    ["diff --from-file=../secret a", "outside-secret"],
    ["diff sub ../secret/..", ""],
    ["git diff --no-index a ../secret", "outside-secret"],
    ["git grep --no-index -h secret -- sub/link", ""],
    ["git show :.env", "inside-secret"],
    ["git show :sub/.env", "inside-secret"],
    ["git cat-file -p :.env", "inside-secret"],
    ["git grep -h secret -- '.en?'", "inside-secret"],
    ["git grep --untracked -h secret -- .env", "inside-secret"],
    ["cat .env", "inside-secret"],
    ["head -n1 sub/.env", "inside-secret"],
    ["grep secret .env", "inside-secret"],
    ["find -L sub -type f -name link", "sub/link"],
    ["cat .git/HEAD", "refs/heads"],
  ])("%s reads what it must not, and is refused", (line, shown) => {
    if (shown !== "") expect(run(words(line))).toContain(shown);
    expect(checkCommand(line, { allow, root }).allowed).toBe(false);
  });

  it.each([
    "grep -r secret .",
    "grep -r secret",
    "grep -rh secret --include=.env .",
    "grep -rh secret --include='.env*' --include='*' sub other",
    "grep -rh secret --include=.ENV.local .",
    "grep -rh secret -e secret -- . sub",
    "diff sub other",
    "diff -r sub other",
    "diff -rN -u sub other",
  ])("%s is allowed, and shows no secret", (line) => {
    const { argv } = checkCommand(line, { allow, root });
    expect(run(words(line))).toMatch(/(?:inside|outside)-secret/);
    expect(run(argv ?? [])).not.toMatch(/(?:inside|outside)-secret/);
  });

  it("does not cost the searches what they may find", () => {
    const found = (line: string) => run(checkCommand(line, { allow, root }).argv ?? []);
    expect(found("grep -rh text .")).toContain("text of sub/x");
    expect(found("grep -rh --include=x text .").split("\n").sort()).toEqual([
      "",
      "text of other/x",
      "text of sub/x",
    ]);
    expect(found("grep -h text .env.example")).toContain("text of the example");
    expect(found("diff sub other")).toContain("text of sub/x");
    expect(found("sed -n 1p a")).toBe("text of a\n");
    expect(found("tar tf t.tar")).toBe("a\n");
    expect(found("git ls-files sub")).toContain("sub/x");
  });
});
