import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, LAUNCHER, oxbow, plainEnvironment, reportOf, startOxbow } from "../support/cli.ts";
import { isAlive } from "../../src/host/process.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";

/** A program for `--command`: the given JavaScript, with the paths as `files`. */
function program(body: string): string {
  const script = `const fs = require("fs"); const files = process.argv.slice(1); ${body}`;
  return `node -e '${script}' {paths}`;
}
/** For programs that a test steers through a file of its own. */
const SEES_ALL = { TERMINAL_SANDBOX: "off" };
const SHOUT = program('for (const f of files) fs.appendFileSync(f, "// seen\\n");');

describe("oxbow run --by owner --runtime command", () => {
  it("runs the program once per owner on its files, and merges every branch without touching the checkout", async () => {
    using shop = makeShop();
    const before = shop.fingerprint();
    const args = [
      "run",
      "See every file",
      "--by",
      "owner",
      "--ticket",
      "7",
      "--runtime",
      "command",
      "--command",
      SHOUT,
    ];
    const ended = await oxbow([...args, "--json"], { cwd: shop.dir });
    const report = reportOf(ended);
    expect(report).toMatchObject({
      state: "completed",
      ticket: "7",
      conflicts: [],
      simulated: [],
      lead: null,
    });
    expect(
      report.children.map((child: any) => [child.agent, child.outcome, child.branch, child.merged]),
    ).toEqual([
      ["Api", "completed", "feature/7/Api", true],
      ["Docs", "completed", "feature/7/Docs", true],
      ["Web", "completed", "feature/7/Web", true],
    ]);
    expect(report.children[0].subtask_id).toBe(`Api::${report.task_id}::1`);
    expect(ended.code).toBe(0);
    expect(shop.at("integration/7", "src/api/users.js")).toBe("export const users = [];\n// seen\n");
    expect(shop.at("integration/7", "docs/guide.md")).toBe("# Guide\n// seen\n");
    expect(shop.at("integration/7", "LICENSE")).toBe("none\n");
    expect(shop.git("rev-parse", "integration/7").trim()).toBe(report.integration.commit);
    expect(shop.fingerprint()).toBe(before);
    expect(shop.git("worktree", "list").trim().split("\n")).toHaveLength(1);
    expect(shop.git("fsck", "--full", "--strict")).toBe("");
    expect(readdirSync(join(shop.dir, ".git/oxbow/workspaces"))).toEqual([]);
  });

  it("commits as the agent, with trailers that name task, subtask and attempt", async () => {
    using shop = makeShop();
    const args = ["run", "See", "--by", "owner", "--ticket", "7", "--command", SHOUT, "--json"];
    const { task_id } = reportOf(await oxbow(args, { cwd: shop.dir }));
    const shown = shop.git("show", "--no-patch", "--format=%an|%cn|%(trailers:only,unfold)", "feature/7/Api");
    expect(shown).toContain("Api|Ada|");
    for (const line of [
      `Oxbow-Task: ${task_id}`,
      `Oxbow-Subtask: Api::${task_id}::1`,
      "Oxbow-Agent: Api",
      "Oxbow-Attempt: 1",
      "Oxbow-Step: 1",
    ])
      expect(shown).toContain(line);
  });

  it("starts a second run on the ticket from integration/<ticket>, on new branches", async () => {
    using shop = makeShop();
    const args = ["run", "See", "--by", "owner", "--ticket", "7", "--command", SHOUT, "--json"];
    const first = reportOf(await oxbow(args, { cwd: shop.dir }));
    const second = reportOf(await oxbow(args, { cwd: shop.dir }));
    expect(second.base).toEqual({ ref: "integration/7", commit: first.integration.commit });
    expect(second.children[0].branch).toBe("feature/7/Api-2");
    expect(shop.at("integration/7", "src/api/users.js")).toBe("export const users = [];\n// seen\n// seen\n");
  });

  it("keeps the work of a program that left its scope, tells the files and owners, and merges the others", async () => {
    using shop = makeShop();
    const roam = program(
      'if (files[0].includes("api")) fs.writeFileSync("docs/stray.md", "x"); for (const f of files) fs.appendFileSync(f, "//\\n");',
    );
    const args = ["run", "Roam", "--by", "owner", "--ticket", "8", "--command", roam, "--json"];
    const ended = await oxbow(args, { cwd: shop.dir });
    const report = reportOf(ended);
    expect([ended.code, report.state]).toEqual([1, "partial"]);
    const [api, docs, web] = report.children;
    expect(api).toMatchObject({
      outcome: "failed",
      merged: false,
      commit: null,
      error: { code: "out_of_scope" },
    });
    expect(api.error.message).toContain("docs/stray.md (owner Docs)");
    expect([docs.merged, web.merged]).toEqual([true, true]);
    const saved = ended.lines.find((line) => line.event === "work_saved");
    expect(shop.at(saved?.commit, "docs/stray.md")).toBe("x");
    expect(shop.at(saved?.commit, "src/api/users.js")).toContain("//");
    expect(shop.git("for-each-ref", "--contains", saved?.commit, "refs/oxbow/attempts")).not.toBe("");
    expect(shop.git("ls-tree", "-r", "--name-only", "integration/8")).not.toContain("stray");
  });

  it("says a program's failure with its last words, and exits 1", async () => {
    using shop = makeShop();
    const fail = program(
      'if (files[0].includes("web")) { console.error("no such theme"); process.exit(3); }',
    );
    const ended = await oxbow(["run", "Fail", "--by", "owner", "--command", fail, "--json"], {
      cwd: shop.dir,
    });
    const web = reportOf(ended).children.find((child: any) => child.agent === "Web");
    expect(web).toMatchObject({ outcome: "failed", error: { code: "command_failed" } });
    expect(web.error.message).toContain("no such theme");
    expect(ended.code).toBe(1);
  });

  it("completes without a commit where an owner has no file", async () => {
    using shop = makeShop({ team: `${SHOP_TEAM}  - name: Empty\n    allowed_paths: ["nothing/**"]\n` });
    const script = ["run", "See", "--by", "owner", "--command", SHOUT, "--json"];
    const report = reportOf(await oxbow(script, { cwd: shop.dir }));
    expect(report.children.map((child: any) => child.agent)).toEqual(["Api", "Docs", "Web"]);
  });

  it("keeps the files of a program whose changes no branch can hold, and says where", async () => {
    using shop = makeShop();
    const odd = program(
      'fs.writeFileSync("src/api/fine.txt", "precious"); fs.writeFileSync(Buffer.from([0x73, 0x72, 0x63, 0x2f, 0xff]), "odd");',
    );
    const args = ["run", "Odd", "--by", "owner", "--command", odd, "--json"];
    const [api] = reportOf(await oxbow(args, { cwd: shop.dir })).children;
    expect(api).toMatchObject({
      outcome: "failed",
      branch: expect.stringContaining("/Api"),
      error: { code: "path_rejected" },
    });
    expect(api.error.message).toContain("src/\\377");
    const kept = / kept in (\S+?)\. /.exec(`${api.error.message} `)?.[1] ?? "";
    const names = readdirSync(join(kept, "src"), { encoding: "buffer" });
    expect(names.some((name) => name.equals(Buffer.from([0xff])))).toBe(true);
    const commit = / kept in commit (\w+)/.exec(api.error.message)?.[1] ?? "";
    expect(shop.at(commit, "src/api/fine.txt")).toBe("precious");
  });

  it("brings bytes, modes and links back as the program left them", async () => {
    using shop = makeShop({
      files: { "src/api/old.js": "old\n", ".gitignore": "*.log\n", ".gitattributes": "*.js text eol=crlf\n" },
    });
    const odd = program(
      'if (!files[0].includes("api")) process.exit(0); fs.writeFileSync("src/api/ä b\\u0001.bin", Buffer.from([0, 255, 13, 10])); fs.writeFileSync("src/api/run.sh", "#!/bin/sh\\r\\n", { mode: 0o755 }); fs.symlinkSync("users.js", "src/api/link"); fs.rmSync("src/api/old.js"); fs.writeFileSync("src/api/x.log", "noise"); if (fs.readFileSync("src/api/users.js", "utf8").includes("\\r")) process.exit(9);',
    );
    const name = odd.replace("\\u0001", "");
    const ended = await oxbow(["run", "Odd", "--by", "owner", "--ticket", "9", "--command", name, "--json"], {
      cwd: shop.dir,
    });
    expect(reportOf(ended).state).toBe("completed");
    const tree = shop.git("-c", "core.quotePath=false", "ls-tree", "-r", "integration/9", "src/api/");
    expect(tree).toContain("100644 blob");
    expect(tree).toContain("src/api/ä b.bin");
    expect(tree).toMatch(/100755 blob \w+\tsrc\/api\/run.sh/);
    expect(tree).toMatch(/120000 blob \w+\tsrc\/api\/link/);
    expect(tree).not.toMatch(/old\.js|x\.log/);
    expect(shop.at("integration/9", "src/api/run.sh")).toBe("#!/bin/sh\r\n");
    expect(shop.git("cat-file", "-s", "integration/9:src/api/ä b.bin").trim()).toBe("4");
  });

  it("reports a conflict as a value with both sides, agents and owners, drops neither, and exits 3", async () => {
    const writes = (text: string) => `[node, -e, "require('fs').writeFileSync('shared.txt', '${text}')"]`;
    const team = `team: Two
lead: Lead
agents:
  - { name: Lead, allowed_paths: [] }
  - { name: One, runtime: command, command: ${writes("one")}, allowed_paths: ["shared.txt"] }
  - { name: Two, runtime: command, command: ${writes("two")}, allowed_paths: ["shared.*"] }
`;
    const lead =
      "agents: { Lead: [{ tool: orchestrate_split, arguments: { task: t, wait: true, children: [{ task: a, agent: One }, { task: b, agent: Two }] } }, { say: done }] }\n";
    using shop = makeShop({ team, files: { "shared.txt": "base", "lead.yaml": lead } });
    const args = ["run", "Clash", "--script", "lead.yaml", "--ticket", "5", "--json"];
    const ended = await oxbow(args, { cwd: shop.dir });
    const report = reportOf(ended);
    expect([ended.code, report.state]).toEqual([3, "conflict"]);
    const [conflict] = report.conflicts;
    expect(conflict).toMatchObject({
      path: "shared.txt",
      kind: "content",
      agents: ["One", "Two"],
      owners: ["One"],
    });
    expect(shop.git("cat-file", "blob", conflict.base.oid)).toBe("base");
    expect(shop.git("cat-file", "blob", conflict.ours.oid)).toBe("one");
    expect(shop.git("cat-file", "blob", conflict.theirs.oid)).toBe("two");
    expect(shop.at("integration/5", "shared.txt")).toBe("one");
    expect(shop.at("feature/5/Two", "shared.txt")).toBe("two");
  });

  it("shows the plan and makes nothing with --dry-run", async () => {
    using shop = makeShop();
    const refs = shop.git("for-each-ref");
    const ended = await oxbow(["run", "See", "--by", "owner", "--command", SHOUT, "--dry-run", "--json"], {
      cwd: shop.dir,
    });
    expect(ended.code).toBe(0);
    expect(ended.lines[0]?.parts.map((part: any) => [part.agent, part.files])).toEqual([
      ["Api", 2],
      ["Docs", 2],
      ["Web", 1],
    ]);
    expect(ended.lines[0]?.leftovers).toEqual(["LICENSE", "team.yaml"]);
    expect(shop.git("for-each-ref")).toBe(refs);
    expect(JSON.parse((await oxbow(["status", "--json"], { cwd: shop.dir })).stdout)).toEqual([]);
  });
});

describe("where a repository and its state are", () => {
  const args = ["run", "See", "--by", "owner", "--ticket", "7", "--command", SHOUT, "--json"];

  it("works in a bare repository with the team.yaml of HEAD", async () => {
    using shop = makeShop();
    const bare = join(shop.dir, ".git", "bare.git");
    shop.git("clone", "--quiet", "--bare", ".", bare);
    const ended = await oxbow([...args, "--repo", bare], { cwd: shop.dir });
    expect(reportOf(ended)).toMatchObject({ state: "completed" });
    expect(shop.git("--git-dir", bare, "show", "integration/7:docs/guide.md")).toBe("# Guide\n// seen\n");
  });

  it("keeps the tasks of repositories that share an OXBOW_HOME apart", async () => {
    using one = makeShop();
    using two = makeShop();
    const env = { OXBOW_HOME: join(one.dir, ".git", "home") };
    expect((await oxbow(args, { cwd: one.dir, env })).code).toBe(0);
    expect(JSON.parse((await oxbow(["status", "--json"], { cwd: two.dir, env })).stdout)).toEqual([]);
    expect(JSON.parse((await oxbow(["status", "--json"], { cwd: one.dir, env })).stdout)).toHaveLength(1);
    expect(existsSync(join(one.dir, ".git", "oxbow"))).toBe(false);
  });

  it("hands the work back when nobody reads its output any more", async () => {
    using shop = makeShop();
    const stuck = "node -e 'setInterval(() => {}, 1000)' {paths}";
    const line = `"$0" "$1" run Hang --ticket 3 --by owner --command "$2" --json | head -n 2`;
    const piped = spawnSync("bash", ["-c", line, process.execPath, LAUNCHER, stuck], {
      cwd: shop.dir,
      env: plainEnvironment(),
      encoding: "utf8",
    });
    expect([piped.status, piped.stderr]).toEqual([0, ""]);
    const [status] = JSON.parse((await oxbow(["status", "--json"], { cwd: shop.dir })).stdout);
    expect(status).toMatchObject({ task: { state: "running", ticket: "3" }, workers: [] });
    expect(status.subtasks.map((subtask: any) => subtask.outcome)).toEqual([null, null, null]);
  });
});

describe("stopping a run", () => {
  const STUCK = "node -e 'console.log(42); setInterval(() => {}, 1000)' {paths}";

  it("ends with cancelled outcomes on Ctrl-C, keeps the task's rows, and exits 130", async () => {
    using shop = makeShop();
    const running = startOxbow(
      ["run", "Hang", "--by", "owner", "--ticket", "4", "--max-parallel", "1", "--command", STUCK, "--json"],
      { cwd: shop.dir },
    );
    await running.line((line) => line.event === "command_output");
    running.kill("SIGINT");
    const ended = await running.ended;
    const report = reportOf(ended);
    expect([ended.code, report.state]).toEqual([130, "cancelled"]);
    expect(report.children.map((child: any) => child.outcome)).toEqual([
      "cancelled",
      "cancelled",
      "cancelled",
    ]);
    const signals = report.children.map((child: any) =>
      oxbow(["signal", "wait", `signal:${child.conversation_id}:done`, "--timeout-ms", "0", "--json"], {
        cwd: shop.dir,
      }),
    );
    for (const signal of await Promise.all(signals))
      expect(signal.lines[0]).toMatchObject({ ok: true, message: { outcome: "cancelled" } });
    expect(readdirSync(join(shop.dir, ".git/oxbow/workspaces"))).toEqual([]);
  });

  it("goes on with --resume after kill -9, and gives each child one outcome and one signal", async () => {
    using shop = makeShop();
    const gate = join(shop.dir, ".git", "gate");
    const wait = `node -e 'const fs = require("fs"); fs.writeFileSync("half-" + process.pid, "half"); console.log(process.pid); const go = () => fs.existsSync(${JSON.stringify(gate)}) ? (fs.rmSync("half-" + process.pid), 0) || process.argv.slice(1).forEach((f) => fs.appendFileSync(f, "//\\n")) : setTimeout(go, 20); go();' {paths}`;
    const cli = { cwd: shop.dir, env: SEES_ALL };
    const die = ["run", "Die", "--by", "owner", "--ticket", "6", "--command", wait, "--json"];
    const running = startOxbow(die, cli);
    const { task_id, text } = await running.line((line) => line.event === "command_output");
    running.kill("SIGKILL");
    await running.ended;
    const again = startOxbow(["run", "--resume", task_id, "--json"], cli);
    const saved = await again.line((line) => line.event === "work_saved");
    expect(shop.git("ls-tree", "--name-only", saved.commit)).toContain("half-");
    await again.line((line) => line.event === "command_output");
    expect(isAlive(Number(text)), "the first program outlived its worker").toBe(false);
    shop.write(".git/gate", "");
    const ended = await again.ended;
    const report = reportOf(ended);
    expect([ended.code, report.state]).toEqual([0, "completed"]);
    expect(report.children.map((child: any) => [child.agent, child.outcome, child.merged])).toEqual([
      ["Api", "completed", true],
      ["Docs", "completed", true],
      ["Web", "completed", true],
    ]);
    expect(shop.at("integration/6", "src/api/users.js")).toBe("export const users = [];\n//\n");
    for (const { conversation_id } of report.children) {
      const topic = `signal:${conversation_id}:done`;
      const first = await oxbow(["signal", "wait", topic, "--timeout-ms", "0", "--json"], { cwd: shop.dir });
      const after = ["--last-id", first.lines[0]?.message_id];
      const second = await oxbow(["signal", "wait", topic, ...after, "--timeout-ms", "0", "--json"], {
        cwd: shop.dir,
      });
      expect([first.code, second.code]).toEqual([0, 1]);
    }
  });

  it("refuses to resume a task that a living process works on", async () => {
    using shop = makeShop();
    const running = startOxbow(["run", "Hang", "--by", "owner", "--command", STUCK, "--json"], {
      cwd: shop.dir,
    });
    const { task_id } = await running.line((line) => line.event === "command_output");
    const refused = await oxbow(["run", "--resume", task_id, "--json"], { cwd: shop.dir });
    expect([refused.code, errorOf(refused).code]).toEqual([2, "task_active"]);
    running.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
  });
});
