import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flagTable } from "../../src/core/command/grammar.ts";
import { PROGRAMS } from "../../src/core/command/programs.ts";
import { checkCommand } from "../../src/library-paths.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "oxbow-git-secrets-")));
const env = { PATH: process.env["PATH"] ?? "", HOME: root, GIT_CONFIG_NOSYSTEM: "1", GIT_PAGER: "cat" };
const git = (...args: string[]) => execFileSync("git", args, { cwd: root, env, encoding: "utf8" }).trim();
const SECRETS = [".env", ".ENV.local", "src/.env", "src/.env.d/x", "old/.env", ".env.example/.env"];
let [blob, before] = ["", ""];

/** Secrets that came, changed and went, in every place; and a folder that is there no more. */
beforeAll(() => {
  const put = (files: readonly string[], text: string) => {
    for (const file of files) {
      mkdirSync(join(root, file, ".."), { recursive: true });
      appendFileSync(join(root, file), text);
    }
    git("add", "--all", "--force");
  };
  const commit = (message: string) =>
    git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-m", message);
  git("init", "--quiet", "--initial-branch=main");
  writeFileSync(join(root, "a"), "text\n");
  mkdirSync(join(root, "src"));
  for (const file of ["src/b", "src/.env.sample", ".env.template"]) writeFileSync(join(root, file), "text\n");
  put(SECRETS, "SECRET \n");
  commit("one");
  put(SECRETS, "SECRET more\n");
  commit("two, only secrets");
  before = git("rev-parse", "HEAD");
  blob = git("rev-parse", "HEAD:.env");
  rmSync(join(root, "old"), { recursive: true });
  put(
    ["a", "src/b", "src/.env.sample", ".env.template", ...SECRETS.filter((file) => !file.startsWith("old"))],
    "text \nSECRET text\n".replace("SECRET ", ""),
  );
  put(SECRETS.slice(0, 4), "SECRET again \n");
  commit("three");
  put([".env", "src/.env"], "SECRET staged\n");
  writeFileSync(join(root, ".env"), "SECRET work\n");
  appendFileSync(join(root, "a"), "text work\n");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What an allowed line shows; null when it is refused. */
function shown(line: string, cwd = ""): string | null {
  const { argv } = checkCommand(line, { allow: ["git"], root, cwd });
  if (argv === undefined) return null;
  const [program = "", ...args] = argv;
  const { stdout, stderr } = spawnSync(program, args, { cwd: join(root, cwd), env, encoding: "utf8" });
  return stdout + stderr;
}

describe("git shows no tracked secret", () => {
  it.each([
    "diff",
    "diff HEAD~2",
    "diff HEAD~2 HEAD -- src",
    "diff HEAD~2 src",
    "diff --cached",
    "diff -- . ':!a'",
    "diff HEAD~2 HEAD -- old src/.env.sample",
    "diff --stat -p HEAD~2",
    "log -p",
    "log -p --all --full-history",
    "log -p -- src",
    "log -p -- '*'",
    "log -p src",
    "log --cc",
    "log -U1",
    "log -p --follow -- src",
    "log -p --follow -- old",
    "log --check",
    "show",
    "show HEAD~1",
    "show HEAD~2 -- src",
    "show --stat -p HEAD~2",
    "show HEAD~2:src",
    "whatchanged -p",
    "reflog -p",
    "diff-tree -p HEAD~2 HEAD",
    "diff-tree -p HEAD~2:src HEAD:src",
    "grep SECRET",
    "grep -h SECRET HEAD",
    "grep -h SECRET HEAD~1 -- src old",
    "grep --cached -a SECRET",
    "grep -h -e SECRET -- src",
    "grep -h -e SECRET --max-depth 5 -- . .env.example",
    "grep -- SECRET .env.example",
    "status -v",
    "status -vv",
  ])("git %s", (line) => {
    expect(shown(`git ${line}`) ?? "").not.toContain("SECRET");
    expect(shown(`git ${line}`, "src") ?? "").not.toContain("SECRET");
  });

  it("by the name of its object", () => {
    const forms = [
      blob,
      blob.slice(0, 7),
      blob.toUpperCase(),
      `x-1-g${blob}`,
      `${blob}^{}`,
      `${blob}^{object}`,
      `${blob}^{}^{blob}`,
    ];
    for (const form of forms) {
      expect(git("cat-file", "-p", form)).toContain("SECRET");
      for (const line of [
        `show ${form}`,
        `cat-file -p ${form}`,
        `cat-file blob ${form}`,
        `grep -h S ${form}`,
        `show HEAD ${form}`,
        `log -p ${form}`,
      ]) {
        expect(shown(`git '${line.split(" ").join("' '")}'`) ?? "", line).not.toContain("SECRET");
      }
      for (const range of [
        `${form} ${before}:a`,
        `${before}:a ${form}`,
        `${form}..HEAD:a`,
        `HEAD:a..${form}`,
        `${form} ${form}`,
      ]) {
        expect(shown(`git 'diff' '${range.split(" ").join("' '")}'`) ?? "", range).not.toContain("SECRET");
      }
      expect(shown(`git grep -h SECRET '${form}' -- a`) ?? "").not.toContain("SECRET");
      expect(shown(`git show '${form}' -- a`) ?? "").not.toContain("SECRET");
    }
  });

  it("whatever flag is given", () => {
    const { subcommands = {} } = PROGRAMS["git"] ?? {};
    const value: Record<string, string> = {
      number: "2",
      word: "default",
      pattern: "SECRE",
      text: "SECRE",
      path: "src",
      revision: "HEAD",
      git_format: "%H",
      line_range: "1,2:a",
    };
    for (const name of ["log", "show", "diff", "grep", "status"]) {
      const operands = { log: " HEAD", grep: " SECRET HEAD", status: "" }[name] ?? " HEAD~2 -- src";
      for (const flag of new Set(flagTable(subcommands[name] ?? {}).values())) {
        const [spelled = ""] = flag.names;
        const glue = spelled.startsWith("--") ? "=" : "";
        const given = flag.takes === "nothing" ? spelled : `${spelled}${glue}${value[flag.kind]}`;
        const line = `git ${name} ${given}${operands}`;
        expect(shown(line) ?? "", line).not.toMatch(/^(?!fatal:).*SECRET/m);
      }
    }
  });
});

describe("git still shows", () => {
  it.each([
    ["diff", "+text work"],
    ["diff HEAD~2 -- src/.env.sample", "+text"],
    ["diff HEAD~2 .env.template", "+text"],
    ["diff HEAD~2 HEAD src", "+text"],
    ["log -p --format=%s", "two, only secrets"],
    ["log -p -1 --format=%s HEAD~1 --", "two, only secrets"],
    ["log -p --follow -- src/b", "+text"],
    ["log -L1,2:src/b", "+text"],
    ["log --oneline --stat", ".env"],
    ["show HEAD~1", "two, only secrets"],
    ["show --name-only HEAD~1", ".env"],
    ["show HEAD:src/b", "text"],
    ["show HEAD:.env.template", "text"],
    ["grep -h text HEAD", "text"],
    ["grep -h text -- .env.template", "text"],
    ["grep -h text src/.env.sample", "text"],
    ["cat-file -p HEAD", "tree"],
    ["cat-file blob HEAD:a", "text"],
    ["status", "modified"],
  ])("git %s", (line, text) => {
    expect(shown(`git ${line}`)).toContain(text);
  });

  it("a commit by its object id, also where a file is named like one", () => {
    expect(shown(`git show -s --format=%s ${before}`)).toContain("two");
    expect(shown(`git show ${before.slice(0, 8)}`)).toContain("two");
    expect(shown(`git diff ${before}..HEAD`)).toContain("+text");
    expect(shown(`git diff ${before} HEAD -- src`)).toContain("+text");
    expect(shown(`git grep -c text ${before}`)).toContain(":1");
    expect(checkCommand("git show HEAD:src/x-gface", { allow: ["git"], root }).argv?.[2]).toBe(
      "HEAD:src/x-gface",
    );
    writeFileSync(join(root, "facade"), "text\n");
    git("add", "facade");
    expect(shown("git diff HEAD facade")).toContain("+text");
    expect(shown("git grep facade")).toBe("");
    git("rm", "--quiet", "--cached", "facade");
    rmSync(join(root, "facade"));
  });
});
