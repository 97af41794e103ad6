import { execFileSync, execSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, LAUNCHER, oxbow, plainEnvironment, reportOf } from "../support/cli.ts";
import { nobodyCanRunUs } from "../support/confined.ts";
import { temporaryDir } from "../support/repos.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

/** Appends to every file it is given, once per owner, on a ticket. */
const SHOUT = `node -e 'for (const f of process.argv.slice(1)) fs.appendFileSync(f, "// seen\\n")' {paths}`;
const RUN = ["run", "See", "--by", "owner", "--ticket", "7", "--command", SHOUT, "--json"];

const git = (cwd: string, ...args: string[]) =>
  execFileSync("git", args, {
    cwd,
    env: plainEnvironment(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();

const merged = (report: Record<string, any>) => report.children.map((child: any) => child.merged);

async function doctorRow(
  cwd: string,
  check: string,
  env?: Record<string, string>,
): Promise<Record<string, any> | undefined> {
  const { stdout } = await oxbow(["doctor", "--json"], { cwd, ...(env ? { env } : {}) });
  return JSON.parse(stdout).find((row: { check: string }) => row.check === check);
}

describe("where the repository is", () => {
  it("a bare repository runs with the team.yaml of HEAD; init and --switch say why not", async () => {
    using shop = makeShop();
    const bare = join(temporaryDir(), "shop.git");
    git(shop.dir, "clone", "-q", "--bare", ".", bare);
    expect(merged(reportOf(await oxbow(RUN, { cwd: bare })))).toEqual([true, true, true]);
    expect(git(bare, "show", "integration/7:docs/guide.md")).toContain("// seen");
    const { stdout } = await oxbow(RUN.slice(0, -1), { cwd: bare });
    expect(stdout.trim().split("\n").at(-1)).toBe(
      "Review integration/7, and merge it in a clone:  git diff HEAD...integration/7",
    );
    expect(await doctorRow(bare, "team")).toMatchObject({ state: "ok", found: "4 agents (HEAD:team.yaml)" });
    const init = errorOf(await oxbow(["init", "--json"], { cwd: bare }));
    expect(init).toMatchObject({ code: "usage", hint: expect.stringContaining("in a clone") });
    expect(existsSync(join(bare, "team.yaml"))).toBe(false);
  });

  it("a linked work tree shares branches and state; a branch checked out in another one is named with its place", async () => {
    using shop = makeShop();
    const linked = join(temporaryDir(), "linked");
    shop.git("worktree", "add", "-q", linked, "-b", "side");
    expect(merged(reportOf(await oxbow(RUN, { cwd: linked })))).toEqual([true, true, true]);
    expect(existsSync(join(shop.dir, ".git/oxbow/oxbow.db"))).toBe(true);
    git(linked, "switch", "-q", "integration/7");
    const error = errorOf(await oxbow(RUN, { cwd: shop.dir }));
    expect(error).toMatchObject({ code: "branch_checked_out", message: expect.stringContaining(linked) });
    rmSync(linked, { recursive: true });
    const gone = errorOf(await oxbow(RUN, { cwd: shop.dir }));
    expect(gone.message).toContain("git worktree prune");
    shop.git("worktree", "prune");
    expect(merged(reportOf(await oxbow(RUN, { cwd: shop.dir })))).toEqual([true, true, true]);
  });

  it("core.worktree and a git dir elsewhere: the same run", async () => {
    using shop = makeShop();
    const away = temporaryDir();
    git(shop.dir, "init", "-q", "--separate-git-dir", join(away, "away.git"));
    mkdirSync(join(away, "files"));
    git(shop.dir, "config", "core.worktree", join(away, "files"));
    git(join(away, "files"), "--git-dir", join(away, "away.git"), "reset", "-q", "--hard");
    writeFileSync(join(away, "files/.git"), `gitdir: ${join(away, "away.git")}\n`);
    expect(merged(reportOf(await oxbow(RUN, { cwd: join(away, "files/src") })))).toEqual([true, true, true]);
    expect(git(join(away, "files"), "status", "--porcelain")).toBe("");
  });

  it("a sparse checkout: agents see the whole tree, the checkout stays as sparse as it was", async () => {
    using shop = makeShop();
    shop.git("sparse-checkout", "set", "src/api");
    expect(shop.git("config", "extensions.worktreeConfig").trim()).toBe("true");
    expect(existsSync(join(shop.dir, "docs"))).toBe(false);
    expect(merged(reportOf(await oxbow(RUN, { cwd: shop.dir })))).toEqual([true, true, true]);
    expect(shop.at("integration/7", "docs/guide.md")).toContain("// seen");
    expect(existsSync(join(shop.dir, "docs"))).toBe(false);
    expect(shop.git("status", "--porcelain")).toBe("");
  });

  it("GIT_DIR and its kin have no say: from a hook it works, and elsewhere the error says how to name the repository", async () => {
    using shop = makeShop();
    using other = makeShop();
    const env = {
      GIT_DIR: join(other.dir, ".git"),
      GIT_WORK_TREE: other.dir,
      GIT_INDEX_FILE: "/nonexistent/index",
    };
    const lost = errorOf(await oxbow(["run", "x", "--json"], { cwd: temporaryDir(), env }));
    expect(lost).toMatchObject({
      code: "not_a_repository",
      hint: expect.stringContaining(`--repo ${env.GIT_DIR}`),
    });
    writeFileSync(
      join(shop.dir, ".git/hooks/pre-commit"),
      `#!/bin/sh\nexec '${process.execPath}' '${LAUNCHER}' run See --by owner --ticket hook --command 'touch {paths}' --json > '${shop.dir}/.git/report'\n`,
      { mode: 0o755 },
    );
    shop.write("docs/guide.md", "# Staged\n");
    shop.git("commit", "-q", "-a", "-m", "With a hook");
    const report = JSON.parse(
      readFileSync(join(shop.dir, ".git/report"), "utf8").trim().split("\n").at(-1) ?? "",
    );
    expect(report).toMatchObject({ state: "completed", base: { ref: "main" } });
    expect(shop.git("status", "--porcelain")).toBe("");
    expect(git(other.dir, "for-each-ref", "refs/heads", "--format=%(refname)")).toBe("refs/heads/main");
  });
});

describe("where HEAD is", () => {
  it("no commit yet: a first one is asked for; detached HEAD works", async () => {
    const empty = temporaryDir();
    git(empty, "init", "-q");
    writeFileSync(join(empty, "team.yaml"), SHOP_TEAM);
    for (const args of [
      ["run", "x", "--by", "owner", "--command", "true {paths}"],
      ["init", "--force"],
      ["branch", "allocate", "--agent", "A"],
    ])
      expect(errorOf(await oxbow([...args, "--json"], { cwd: empty }))).toMatchObject({
        code: "unborn_head",
        hint: expect.stringContaining("first commit"),
      });
    using shop = makeShop();
    shop.git("switch", "-q", "--detach");
    expect(merged(reportOf(await oxbow(RUN, { cwd: shop.dir })))).toEqual([true, true, true]);
    expect(spawnSync("git", ["symbolic-ref", "-q", "HEAD"], { cwd: shop.dir }).status).toBe(1);
  });

  it("on the integration branch of the ticket, or on an agent's: nothing is moved under your feet", async () => {
    using shop = makeShop();
    await oxbow(RUN, { cwd: shop.dir });
    shop.git("switch", "-q", "integration/7");
    const before = shop.git("for-each-ref");
    expect(errorOf(await oxbow(RUN, { cwd: shop.dir }))).toMatchObject({
      code: "branch_checked_out",
      message: expect.stringContaining("integration/7"),
      hint: expect.stringContaining("another ticket"),
    });
    expect(shop.git("for-each-ref")).toBe(before);
    shop.git("switch", "-q", "feature/7/Api");
    const { children } = reportOf(await oxbow(RUN, { cwd: shop.dir }));
    expect(children.map((child: any) => child.branch)).toEqual([
      "feature/7/Api-2",
      "feature/7/Docs-2",
      "feature/7/Web-2",
    ]);
    expect(shop.git("status", "--porcelain")).toBe("");
  });

  it.each(["feature", "feature/146", "integration", "integration/146/x"])(
    "a branch called %s is in the way: it is named, with the command",
    async (name) => {
      using shop = makeShop();
      shop.git("branch", name);
      const run = RUN.map((word) => (word === "7" ? "146" : word));
      const error = errorOf(await oxbow(run, { cwd: shop.dir }));
      expect(error).toMatchObject({
        code: "branch_conflict",
        message: expect.stringContaining(`branch ${name}`),
      });
      expect(error.hint).toContain(`git branch -m ${name} ${name}-old`);
      expect(shop.git("for-each-ref", "refs/oxbow")).toBe("");
    },
  );
});

describe("what the repository asks for", () => {
  it("required signing: commits are unsigned, doctor says so and how to sign the merge", async () => {
    using shop = makeShop();
    for (const [key, value] of [
      ["commit.gpgSign", "true"],
      ["tag.gpgSign", "true"],
      ["gpg.format", "ssh"],
      ["user.signingKey", "/nonexistent/key"],
    ])
      shop.git("config", key ?? "", value ?? "");
    expect(merged(reportOf(await oxbow(RUN, { cwd: shop.dir })))).toEqual([true, true, true]);
    expect(shop.git("log", "-1", "--format=%G?", "integration/7").trim()).toBe("N");
    expect(await doctorRow(shop.dir, "signing")).toMatchObject({
      state: "warning",
      found: expect.stringContaining("unsigned"),
      hint: expect.stringContaining("git merge --no-ff -S"),
    });
  });

  it("no name and address: commits are by Oxbow, doctor says so", async () => {
    using shop = makeShop();
    shop.git("config", "--unset", "user.name");
    shop.git("config", "--unset", "user.email");
    const env = { HOME: "/nonexistent" };
    expect(merged(reportOf(await oxbow(RUN, { cwd: shop.dir, env })))).toEqual([true, true, true]);
    expect(shop.git("log", "-1", "--format=%cn <%ce>", "integration/7").trim()).toBe(
      "Oxbow <oxbow@localhost>",
    );
    expect(await doctorRow(shop.dir, "committer", env)).toMatchObject({
      state: "warning",
      hint: expect.stringContaining("git config user.name"),
    });
  });

  it("line ends: what an agent writes is stored as it is; a merge with attributes stays clean after renormalising", async () => {
    using shop = makeShop({ files: { ".gitattributes": "* text=auto\n*.js text eol=crlf\n" } });
    shop.git("config", "core.autocrlf", "true");
    const crlf = `node -e 'for (const f of process.argv.slice(1)) fs.writeFileSync(f, fs.readFileSync(f, "utf8").replace(/\\n/g, "\\r\\n"))' {paths}`;
    const args = RUN.map((word) => (word === SHOUT ? crlf : word));
    expect(merged(reportOf(await oxbow(args, { cwd: shop.dir })))).toEqual([true, true, true]);
    expect(shop.at("integration/7", "src/api/users.js")).toBe("export const users = [];\r\n");
    shop.git("merge", "-q", "integration/7");
    // Git itself calls files that are `text` and hold CRLF modified, until somebody stores them anew.
    shop.git("add", "--renormalize", ".");
    expect(shop.git("status", "--porcelain")).toContain("M  src/api/users.js");
    shop.git("commit", "-q", "-m", "Renormalise");
    expect(shop.at("HEAD", "src/api/users.js")).toBe("export const users = [];\n");
    expect(shop.git("status", "--porcelain")).toBe("");
  });

  it("Git LFS: pointers stay pointers, an edit of one is refused by name, no filter runs, doctor says so", async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"4d7a".repeat(16)}\nsize 12345\n`;
    using shop = makeShop({
      files: { ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "src/api/a.bin": pointer },
    });
    const trap = join(shop.dir, ".git/trap");
    for (const verb of ["clean", "smudge", "process"])
      shop.git("config", `filter.lfs.${verb}`, `touch '${trap}'; false`);
    shop.git("config", "filter.lfs.required", "true");
    // Git would look at the content again, through the filter.
    utimesSync(join(shop.dir, "src/api/a.bin"), 1, 1);
    const report = reportOf(await oxbow(RUN, { cwd: shop.dir }));
    const [api, ...others] = report.children;
    expect(api).toMatchObject({
      outcome: "failed",
      error: { message: expect.stringContaining("src/api/a.bin is a Git LFS pointer") },
    });
    expect(others.map((child: any) => child.merged)).toEqual([true, true]);
    const spare = RUN.map((word) =>
      word === SHOUT
        ? SHOUT.replace(
            "(const f of process.argv.slice(1))",
            '(const f of process.argv.slice(1)) if (!f.endsWith(".bin"))',
          )
        : word,
    );
    expect(merged(reportOf(await oxbow(spare, { cwd: shop.dir })))).toEqual([true, true, true]);
    expect(shop.at("integration/7", "src/api/a.bin")).toBe(pointer);
    expect(await doctorRow(shop.dir, "git lfs")).toMatchObject({
      state: "warning",
      found: expect.stringContaining("*.bin"),
    });
    expect(existsSync(trap)).toBe(false);
  });

  it("submodules: gitlinks survive, nobody writes inside, and a run needs none of their content", async () => {
    using shop = makeShop();
    using lib = makeShop();
    execFileSync(
      "git",
      ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib.dir, "src/api/lib"],
      { cwd: shop.dir, env: plainEnvironment() },
    );
    shop.git("commit", "-q", "-m", "A submodule");
    const link = shop.git("rev-parse", "HEAD:src/api/lib");
    writeFileSync(join(shop.dir, "src/api/lib/README.md"), "edited inside");
    expect(merged(reportOf(await oxbow(RUN, { cwd: shop.dir })))).toEqual([true, true, true]);
    expect(shop.git("rev-parse", "integration/7:src/api/lib")).toBe(link);
    const script = join(shop.dir, ".git/script.yaml");
    writeFileSync(
      script,
      JSON.stringify({
        default: [
          { tool: "write_file", arguments: { path: "src/api/lib/x.js", content: "x" } },
          { say: "Done." },
        ],
      }),
    );
    const model = [
      "run",
      "x",
      "--by",
      "owner",
      "--ticket",
      "8",
      "--provider",
      "scripted",
      "--script",
      script,
      "--json",
    ];
    const ended = await oxbow(model, { cwd: shop.dir });
    const refusals = ended.lines.filter((line) => line["event"] === "tool_result");
    expect(refusals.map((line) => `${line["source"]} ${line["code"]}`).sort()).toEqual([
      "Api path_rejected",
      "Docs out_of_scope",
      "Web out_of_scope",
    ]);
  });

  it("partial clone: what is missing is said before anything is made, and the command brings it", async () => {
    using shop = makeShop();
    shop.git("config", "uploadpack.allowFilter", "true");
    shop.git("config", "uploadpack.allowAnySHA1InWant", "true");
    shop.write("docs/guide.md", "# Newer\n");
    shop.git("commit", "-q", "-a", "-m", "Newer");
    const dir = join(temporaryDir(), "clone");
    git(shop.dir, "clone", "-q", "--filter=blob:none", `file://${shop.dir}`, dir);
    const old = [...RUN, "--base", "HEAD~1"];
    const error = errorOf(await oxbow(old, { cwd: dir }));
    expect(error).toMatchObject({ code: "objects_missing", message: expect.stringContaining("1 object of") });
    expect(git(dir, "for-each-ref", "refs/heads", "refs/oxbow", "--format=%(refname)")).toBe(
      "refs/heads/main",
    );
    execSync(error.hint.slice(error.hint.indexOf("git -C")), { env: plainEnvironment(), stdio: "ignore" });
    expect(merged(reportOf(await oxbow(old, { cwd: dir })))).toEqual([true, true, true]);
  });

  it("refs in a format that is not files: the extension is named", async () => {
    using shop = makeShop();
    shop.git("config", "core.repositoryFormatVersion", "1");
    shop.git("config", "extensions.refStorage", "reftable");
    const error = errorOf(await oxbow(RUN, { cwd: shop.dir }));
    expect(error).toMatchObject({
      code: "repository_unsupported",
      message: expect.stringContaining("extensions.refstorage"),
    });
    expect(error.hint).toContain("git refs migrate --ref-format=files");
  });
});

describe("who may do what", () => {
  it("a repository of somebody else: the exact command, and with it the run works", async () => {
    using shop = makeShop();
    const home = temporaryDir();
    const env: Record<string, string> = { HOME: home };
    if (process.getuid?.() === 0) {
      for (const name of ["", ".git"]) chownSync(join(shop.dir, name), 65534, 65534);
    } else {
      // Git's own way to have a test see a foreign owner.
      const bin = join(home, "bin");
      mkdirSync(bin);
      const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
      writeFileSync(join(bin, "git"), `#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec ${real} "$@"\n`);
      chmodSync(join(bin, "git"), 0o755);
      env["PATH"] = `${bin}:${process.env["PATH"] ?? ""}`;
    }
    const error = errorOf(await oxbow(RUN, { cwd: shop.dir, env }));
    expect(error.code).toBe("not_a_repository");
    const command = `git config --global --add safe.directory ${shop.dir}`;
    expect(error.hint).toContain(command);
    expect((await doctorRow(shop.dir, "repository", env))?.["hint"]).toContain(command);
    execSync(command, { env: plainEnvironment(env) });
    expect(merged(reportOf(await oxbow(RUN, { cwd: shop.dir, env })))).toEqual([true, true, true]);
  });

  it.skipIf(process.getuid?.() === 0 && !nobodyCanRunUs())(
    "a repository that may not be written: said before anything is made; looking around works",
    () => {
      using shop = makeShop();
      const state = temporaryDir();
      const root = process.getuid?.() === 0;
      const all = (mode: number) => {
        for (const entry of ["", ...readdirSync(shop.dir, { recursive: true, encoding: "utf8" })]) {
          const file = join(shop.dir, entry);
          if (root) chownSync(file, 65534, 65534);
          chmodSync(file, mode);
        }
      };
      all(0o555);
      chmodSync(dirname(state), 0o1777);
      if (root) chownSync(state, 65534, 65534);
      const as = (args: string[], env: Record<string, string> = {}) => {
        const { stdout, stderr } = spawnSync(process.execPath, [LAUNCHER, ...args], {
          cwd: shop.dir,
          env: plainEnvironment({ HOME: state, ...env }),
          encoding: "utf8",
          ...(root ? { uid: 65534, gid: 65534 } : {}),
        });
        return stdout + stderr;
      };
      try {
        expect(as(RUN)).toMatch(/"code":"store_failed".*OXBOW_HOME/);
        const run = as(RUN, { OXBOW_HOME: state });
        expect(run).toMatch(/"code":"repository_read_only".*objects cannot be written/);
        expect(run).not.toContain("task_submitted");
        expect(as(["branch", "allocate", "--agent", "A", "--json"], { OXBOW_HOME: state })).toContain(
          "repository_read_only",
        );
        expect(as(["owner", "README.md"], { OXBOW_HOME: state })).toContain("Docs");
        expect(as(["doctor"], { OXBOW_HOME: state })).toContain("cannot be written (EACCES)");
      } finally {
        all(0o755);
      }
    },
  );
});
