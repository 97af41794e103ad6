import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { ME, whyNot } from "../support/confined.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "../support/model-server.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const clones = (shop: Shop) => {
  try {
    return readdirSync(join(shop.dir, ".git/oxbow/workspaces")).filter((name) => !name.endsWith(".wait"));
  } catch {
    // None was ever made.
    return [];
  }
};

function team(workspace: string, names: readonly string[], program: string): string {
  const agents = names.map(
    (name) => `  - name: ${name}
    runtime: command
    command: [node, -e, ${JSON.stringify(program)}, "{task}"]
    allowed_paths: ["${name}/**"]
`,
  );
  return `team: Shop\n${workspace}agents:\n${agents.join("")}`;
}

const many = (count: number) => Array.from({ length: count }, (_, i) => `A${String(i + 1).padStart(2, "0")}`);
const filesOf = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [`${name}/file.txt`, "one\n"]));
/** Changes its own file, and leaves a mess; fails when it finds somebody else's. */
const WORK = `
const fs = require('fs');
const { execFileSync } = require('child_process');
const branch = execFileSync('git', ['symbolic-ref', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const me = branch.split('/').pop();
if (fs.existsSync('node_modules') || fs.existsSync('.git/hooks')) throw new Error('a mess was left');
for (const name of fs.readdirSync('.').filter((each) => /^A\\d+$/.test(each)))
  if (fs.readFileSync(name + '/file.txt', 'utf8') !== 'one\\n') throw new Error(name + ' is changed');
fs.writeFileSync(me + '/file.txt', me);
fs.mkdirSync('node_modules/x', { recursive: true });
fs.writeFileSync('node_modules/x/i.js', '');
fs.mkdirSync('.git/hooks');
`;

describe("workspaces", () => {
  it("fifty children share four clones", { timeout: 240_000 }, async () => {
    const names = many(50);
    using shop = makeShop({
      team: team("workspace: { pool: 4 }\nlimits: { max_parallel: 8 }\n", names, WORK),
      files: { ".gitignore": "node_modules/\n", ...filesOf(names) },
    });
    const before = shop.fingerprint();
    const ended = await oxbow(["run", "Work", "--ticket", "9", "--by", "owner", "--json"], { cwd: shop.dir });
    const report = reportOf(ended);
    const wrong = report["children"].filter((child: any) => child.outcome !== "completed");
    expect(wrong.map((child: any) => child.error)).toEqual([]);
    expect(report["state"]).toBe("completed");
    for (const name of names) expect(shop.at("integration/9", `${name}/file.txt`)).toBe(name);
    expect(clones(shop).length).toBeLessThanOrEqual(4);
    for (const clone of clones(shop))
      expect(readdirSync(join(shop.dir, ".git/oxbow/workspaces", clone, "tree"))).not.toContain(
        "node_modules",
      );
    expect(shop.fingerprint()).toBe(before);
    const gone = await oxbow(["gc", "--json", "--yes"], { cwd: shop.dir });
    expect(gone.code, gone.stderr).toBe(0);
    expect(clones(shop)).toEqual([]);
  });

  it("are set up once, on the base commit; what that made stays, is no change, and is made again when it was spoilt", async () => {
    const names = ["A01", "A02", "A03"];
    /** One after the other; the second spoils what it finds. */
    const program = `
const fs = require('fs');
const me = require('child_process').execFileSync('git', ['symbolic-ref', '--short', 'HEAD'], { encoding: 'utf8' }).trim().split('/').pop();
fs.writeFileSync(me + '/file.txt', require(process.cwd() + '/node_modules/dep').what + fs.readFileSync('made.txt', 'utf8') + fs.existsSync('node_modules/cache'));
fs.mkdirSync('node_modules/cache');
if (me === 'A02') fs.writeFileSync('node_modules/dep/index.js', 'exports.what = "spoilt "');
`;
    using shop = makeShop({
      team: team(
        'workspace: { pool: 1, setup: ["node scripts/set-up.js", "ls made.txt"] }\nlimits: { max_parallel: 1 }\n',
        names,
        program,
      ),
      files: {
        ".gitignore": "node_modules/\n",
        "package.json": "{}\n",
        "scripts/set-up.js": `
const fs = require('fs');
fs.mkdirSync('node_modules/dep', { recursive: true });
fs.writeFileSync('node_modules/dep/index.js', 'exports.what = "dep "');
fs.writeFileSync('made.txt', 'made ');
fs.writeFileSync('README.md', 'spoilt by the set-up');
console.log('this is the set-up');
`,
        ...filesOf(names),
      },
    });
    const logs = join(shop.dir, ".git/oxbow/logs");
    const times = () => {
      const [log = ""] = readdirSync(logs).filter((name) => name.startsWith("setup-"));
      return readFileSync(join(logs, log), "utf8").split("this is the set-up\n").length - 1;
    };
    const work = async (ticket: string) => {
      const args = ["run", "Work", "--ticket", ticket, "--by", "owner", "--json", "--base", "main"];
      const report = reportOf(await oxbow(args, { cwd: shop.dir }));
      expect(report["state"], JSON.stringify(report["children"])).toBe("completed");
      for (const name of names)
        expect(shop.at(`integration/${ticket}`, `${name}/file.txt`)).toBe("dep made false");
      const changed = shop.git("diff", "--name-only", "main", `integration/${ticket}`);
      expect(changed).toBe(names.map((name) => `${name}/file.txt\n`).join(""));
    };
    await work("1");
    expect(times()).toBe(2);
    await work("2");
    expect(times()).toBe(3);
    shop.write("package.json", '{ "private": true }\n');
    shop.git("commit", "--quiet", "--all", "--message", "Other inputs");
    await work("3");
    expect(times()).toBe(5);
  });

  it("end a child whose set-up fails, with the command, its words and its log", async () => {
    using shop = makeShop({
      team: team('workspace: { setup: ["node no-such-file.js"] }\n', ["A01"], ";"),
      files: filesOf(["A01"]),
    });
    const report = reportOf(await oxbow(["run", "Work", "--by", "owner", "--json"], { cwd: shop.dir }));
    const { error } = report["children"][0];
    expect(error).toMatchObject({ code: "setup_failed" });
    expect(error.message).toContain("`node no-such-file.js` ended with code 1");
    expect(error.message).toContain("Cannot find module");
    expect(readFileSync(/log is (\S+\.log)/.exec(error.hint)?.[1] ?? "", "utf8")).toContain(
      "Cannot find module",
    );
    expect(clones(shop)).toEqual([]);
  });

  describe.each(["auto", "off"])("with TERMINAL_SANDBOX=%s", (mode) => {
    it("have what is linked from the checkout, which nobody changes", async () => {
      const program = `
const fs = require('fs');
const read = [require(process.cwd() + '/node_modules/dep').what, fs.readFileSync('config/.env.test', 'utf8').trim()];
try {
  fs.writeFileSync('node_modules/dep/index.js', 'spoilt');
  fs.writeFileSync('node_modules/new.js', 'spoilt');
  read.push('written');
} catch (error) {
  read.push(error.code);
}
fs.writeFileSync('A01/file.txt', read.join(' '));
`;
      using shop = makeShop({
        team: team("workspace: { link: [node_modules, config/.env.test] }\n", ["A01"], program),
        files: { ".gitignore": "node_modules/\n", ...filesOf(["A01"]) },
      });
      mkdirSync(join(shop.dir, "node_modules/dep"), { recursive: true });
      mkdirSync(join(shop.dir, "config"));
      writeFileSync(join(shop.dir, "node_modules/dep/index.js"), "exports.what = 'dep';");
      writeFileSync(join(shop.dir, "config/.env.test"), "A=1\n");
      const bound = mode === "auto" && (await whyNot(ME)) === null;
      for (const ticket of ["1", "2"]) {
        const ended = await oxbow(
          ["run", "Work", "--ticket", ticket, "--by", "owner", "--json", "--base", "main"],
          { cwd: shop.dir, env: { TERMINAL_SANDBOX: mode } },
        );
        const report = reportOf(ended);
        expect(report["state"], JSON.stringify(report["children"])).toBe("completed");
        const read = shop.at(`integration/${ticket}`, "A01/file.txt");
        expect(read).toBe(bound ? "dep A=1 EROFS" : "dep A=1 written");
        expect(shop.git("diff", "--name-only", "main", `integration/${ticket}`)).toBe("A01/file.txt\n");
      }
      expect(readFileSync(join(shop.dir, "node_modules/dep/index.js"), "utf8")).toBe("exports.what = 'dep';");
      expect(readdirSync(join(shop.dir, "node_modules"))).toEqual(["dep"]);
    });
  });

  it.each(["auto", "off"])(
    "refuse before anything is made a link to what is not there, and a child one over the branch's files (TERMINAL_SANDBOX=%s)",
    async (mode) => {
      using shop = makeShop({
        team: team("workspace: { link: [node_modules] }\n", ["A01"], ";"),
        files: filesOf(["A01"]),
      });
      const args = ["run", "Work", "--by", "owner", "--json"];
      const env = { TERMINAL_SANDBOX: mode };
      const ended = await oxbow(args, { cwd: shop.dir, env });
      expect(ended.code).toBe(2);
      expect(errorOf(ended)).toMatchObject({ code: "workspace_link" });
      expect(errorOf(ended).message).toContain("node_modules");
      expect(shop.git("for-each-ref", "refs/oxbow", "refs/heads/feature")).toBe("");
      shop.write("team.yaml", team("workspace: { link: [A01] }\n", ["A01"], ";"));
      const report = reportOf(await oxbow(args, { cwd: shop.dir, env }));
      expect(report["children"][0].error).toMatchObject({ code: "workspace_link" });
    },
  );

  it("come back from a process that was killed, with its work saved", async () => {
    const program = `
const fs = require('fs');
const first = process.argv[1].includes('first');
fs.writeFileSync(first ? 'A01/first.txt' : 'A01/half.txt', 'half');
if (!first) setTimeout(() => {}, 5000);
`;
    using shop = makeShop({
      team: team(
        'workspace: { pool: 1, setup: ["mkdir -p node_modules/dep", "touch node_modules/dep/x"] }\n',
        ["A01"],
        program,
      ),
      files: { ".gitignore": "node_modules/\n", ...filesOf(["A01"]) },
    });
    const warm = await oxbow(["run", "first", "--ticket", "1", "--by", "owner", "--json"], { cwd: shop.dir });
    expect(reportOf(warm)["state"]).toBe("completed");
    const [clone = ""] = clones(shop);
    const tree = join(shop.dir, ".git/oxbow/workspaces", clone, "tree");
    const inode = statSync(join(tree, "README.md")).ino;
    const running = startOxbow(
      ["run", "Work", "--ticket", "9", "--by", "owner", "--json", "--base", "main"],
      {
        cwd: shop.dir,
      },
    );
    const { task_id } = await running.line((line) => line["event"] === "child_started");
    const files = () => readdirSync(join(tree, "A01")).join();
    await expect.poll(files, { timeout: 20_000 }).toBe("file.txt,half.txt");
    running.kill("SIGKILL");
    await running.ended;
    const resumed = startOxbow(["run", "--resume", String(task_id), "--json"], { cwd: shop.dir });
    const saved = await resumed.line((line) => line["event"] === "work_saved");
    expect(shop.at(saved["commit"], "A01/half.txt")).toBe("half");
    expect(reportOf(await resumed.ended)["state"]).toBe("completed");
    expect(clones(shop)).toEqual([clone]);
    expect(statSync(join(tree, "README.md")).ino).toBe(inode);
  });

  it("are given back by who waits: a lead with a terminal and its children need no more than one", async () => {
    using shop = makeShop({
      team: `team: Shop
workspace: { pool: 1 }
limits: { max_parallel: 2 }
lead: Lead
agents:
  - name: Lead
    allowed_paths: []
  - name: Api
    allowed_paths: ["src/api/**"]
  - name: Web
    allowed_paths: ["src/web/**"]
`,
    });
    const run = (command: string): ScriptedReply => ({
      calls: [{ name: "terminal_run", arguments: { command } }],
    });
    const children = [
      { task: "Look", agent: "Api" },
      { task: "Look", agent: "Web" },
    ];
    const split: ScriptedReply = {
      calls: [{ name: "orchestrate_split", arguments: { task: "Look", children } }],
    };
    await using server = await startModelServer(
      scriptByAgent({
        Lead: [
          run("ls src"),
          split,
          { calls: [{ name: "signal_wait_all", arguments: { topics: "$last.topics", timeout_ms: 20_000 } }] },
          run("cat README.md"),
          { text: "All done." },
        ],
        Api: [run("ls src/api"), { text: "Done." }],
        Web: [run("ls src/web"), { text: "Done." }],
      }),
    );
    const ended = await oxbow(["run", "Work", "--ticket", "9", "--json"], {
      cwd: shop.dir,
      env: {
        OPENAI_BASE_URL: server.url,
        OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
        ENABLE_TERMINAL_TOOL: "1",
        TERMINAL_ALLOWED_COMMANDS: "ls, cat",
      },
    });
    expect(reportOf(ended)["state"], ended.stdout.slice(-3000)).toBe("completed");
    const outputs = (agent: string) =>
      server.requests.filter((each) => each.agent === agent).at(-1)?.outputs ?? [];
    expect(outputs("Lead").at(-1)).toMatchObject({ output: "# Shop\n" });
    expect(outputs("Api").at(-1)).toMatchObject({ output: "orders.js\nusers.js\n" });
    expect(clones(shop)).toHaveLength(1);
  });
});
