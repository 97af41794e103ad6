import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { oxbow, reportOf, startOxbow } from "../support/cli.ts";
import { type ScriptedReply, scriptByAgent, startModelServer } from "../support/model-server.ts";
import { processesWith } from "../support/confined.ts";
import { makeShop, type Shop } from "../support/shop.ts";

const TEAM = `team: Shop
agents:
  - name: Dev
    allowed_paths: ["src/**", "package.json"]
  - name: Docs
    allowed_paths: ["docs/**"]
`;
const FILES = {
  "package.json": '{ "name": "shop", "scripts": { "test": "node work.js", "noise": "yes" } }\n',
  "work.js": "require('./src/work.js');\n",
  "src/work.js": "console.log('nothing yet');\n",
};

const command = (line: string, more = {}): ScriptedReply => ({
  calls: [{ name: "terminal_run", arguments: { command: line, ...more } }],
});
const write = (path: string, content: string): ScriptedReply => ({
  calls: [{ name: "write_file", arguments: { path, content } }],
});

async function work(
  shop: Shop,
  replies: readonly ScriptedReply[],
  env: Record<string, string> = {},
  args: readonly string[] = [],
) {
  await using server = await startModelServer(scriptByAgent({ Dev: [...replies, { text: "Done." }] }));
  const ended = await oxbow(["run", "Work", "--ticket", "9", "--json", ...args], {
    cwd: shop.dir,
    env: {
      OPENAI_BASE_URL: server.url,
      OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
      ENABLE_TERMINAL_TOOL: "1",
      TERMINAL_ALLOWED_COMMANDS: "git, ls, cat, npm test, npm run noise, node",
      ...env,
    },
  });
  const outputs: readonly any[] = server.requests.at(-1)?.outputs ?? [];
  return { ended, report: reportOf(ended), requests: server.requests, outputs };
}

const shopWith = (files: Record<string, string> = {}) =>
  makeShop({ team: TEAM, files: { ...FILES, ...files } });

describe("terminal_run", () => {
  it("is no tool at all while its flag is off", async () => {
    using shop = shopWith();
    const off = await work(shop, [], { ENABLE_TERMINAL_TOOL: "0" });
    expect(off.requests[0]?.raw).not.toContain("terminal_run");
    expect(off.requests[0]?.raw).not.toContain("npm run noise");
  });

  it("runs in the branch's files with its edits, and what it changes is on the branch at once", async () => {
    using shop = shopWith();
    const before = shop.fingerprint();
    const { report, outputs, ended } = await work(shop, [
      command("cat src/work.js"),
      write("src/work.js", "require('fs').writeFileSync('src/made.txt', 'one'); console.log('made');\n"),
      command("npm test"),
      { calls: [{ name: "read_file", arguments: { path: "src/made.txt" } }] },
      write("src/made.txt", "two"),
      command("cat src/made.txt"),
      command("git status --short"),
      { calls: [{ name: "commit", arguments: { message: "Make it" } }] },
      command("git status --short"),
      command("git log --format=%s"),
      command("ls", { cwd: "src" }),
    ]);
    expect(report.state, ended.stderr).toBe("completed");
    expect(outputs[0]).toMatchObject({
      exit_code: 0,
      output: "console.log('nothing yet');\n",
      truncated: false,
      timed_out: false,
      changed: 0,
    });
    expect(outputs[2]).toMatchObject({ exit_code: 0, changed: 1 });
    expect(outputs[2].output).toContain("made\n");
    expect(outputs[3]).toMatchObject({ content: "one" });
    expect(outputs[5]).toMatchObject({ output: "two", changed: 0 });
    expect(outputs[6].output).toBe(" M src/work.js\n?? src/made.txt\n");
    expect(outputs[8].output).toBe("");
    expect(outputs[9].output).toBe("Make it\nOpen the shop\n");
    expect(outputs[10].output).toContain("made.txt");
    expect(shop.at("feature/9/Dev", "src/made.txt")).toBe("two");
    expect(shop.fingerprint()).toBe(before);
    expect(readdirSync(join(shop.dir, ".git/oxbow/workspaces"))).toEqual([]);
  });

  it("refuses what is not allowed with the reason, as an event too, and goes on", async () => {
    using shop = shopWith();
    const { outputs, report, ended } = await work(shop, [
      command("rm -rf src"),
      command("cat src/work.js | sh"),
      command("git -c core.pager=sh log"),
      command("cat ../../../config"),
      command("ls", { cwd: "../.." }),
      command("git log --format=%s -1"),
    ]);
    for (const output of outputs.slice(0, 4))
      expect(output).toMatchObject({ ok: false, error: { code: "command_rejected" } });
    expect(outputs[4]).toMatchObject({ ok: false, error: { code: "path_rejected" } });
    expect(outputs[5]).toMatchObject({ exit_code: 0 });
    const refused = ended.lines.filter((line) => line["event"] === "refused").map((line) => line["code"]);
    expect(refused).toEqual(["not_allowed", "operator", expect.any(String), "traversal", expect.any(String)]);
    expect(report.state).toBe("completed");
  });

  it("shows no tracked secret that the command does not name, and none that it names", async () => {
    using shop = shopWith({
      ".env": "KEY_OF=first\n",
      "src/.env.local": "KEY_OF=other\n",
      ".env.example": "KEY_OF=\n",
    });
    shop.write(".env", "KEY_OF=second\n");
    shop.git("commit", "--quiet", "--all", "--message", "Turn the key");
    const blob = shop.git("rev-parse", "HEAD:.env").trim();
    const { outputs } = await work(shop, [
      command("git grep KEY_OF"),
      command("git log -p --format=%s"),
      command("git show"),
      command(`git show ${blob}`),
      command("git show HEAD:.env"),
      command("git diff HEAD~1"),
      command("git grep KEY_OF -- .env.example"),
    ]);
    for (const output of outputs) expect(JSON.stringify(output)).not.toMatch(/first|other|second/);
    expect(outputs[0]).toMatchObject({ exit_code: 1, output: "" });
    expect(outputs[1].output).toContain("Turn the key\nOpen the shop\n");
    expect(outputs[2].output).toContain("Turn the key");
    expect(outputs[4]).toMatchObject({ ok: false, error: { code: "command_rejected" } });
    expect(outputs[6].output).toBe(".env.example:KEY_OF=\n");
  });

  it("leaves out what the agent may not write, and says whose it is", async () => {
    using shop = shopWith({
      "src/work.js":
        "require('fs').writeFileSync('docs/new.md', 'x'); require('fs').writeFileSync('src/new.js', 'x');\n",
    });
    const { outputs, report } = await work(shop, [command("npm test")]);
    expect(outputs[0]).toMatchObject({ exit_code: 0, changed: 1, left_out: [{ path: "docs/new.md" }] });
    expect(outputs[0].left_out[0].reason).toContain("belongs to Docs");
    expect(report.state).toBe("completed");
    expect(shop.git("ls-tree", "-r", "--name-only", "feature/9/Dev")).not.toContain("docs/new.md");
  });

  it("is not for an agent that may not read everything: a command would", async () => {
    const team = TEAM.replace('["src/**", "package.json"]', '["src/**"]\n    read_paths: ["src/**"]');
    using shop = makeShop({ team, files: FILES });
    const { outputs, ended } = await work(shop, [command("ls")]);
    expect(outputs[0]).toMatchObject({ ok: false, error: { code: "out_of_scope" } });
    expect(outputs[0].error.message).toContain("it has no terminal");
    expect(ended.lines.some((line) => line["event"] === "refused" && line["code"] === "read_scope")).toBe(
      true,
    );
  });

  it.each(["auto", "off"])("ends what a command leaves behind (TERMINAL_SANDBOX=%s)", async (mode) => {
    const token = `6${Date.now()}`;
    using shop = shopWith({
      "src/work.js": `require("child_process").spawn("setsid", ["sleep", "${token}"], { detached: true, stdio: "ignore" }).unref();\n`,
    });
    const { outputs } = await work(shop, [command("npm test")], { TERMINAL_SANDBOX: mode });
    expect(outputs[0]).toMatchObject({ exit_code: 0, ...(mode === "off" ? { sandbox: "none" } : {}) });
    expect(processesWith(token)).toEqual([]);
  });

  it("caps output as it streams, redacts it, and ends what takes too long", async () => {
    using shop = shopWith({
      "src/work.js":
        "console.log('token ghp_' + 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'); console.log('order 4711'); console.log(process.env.OPENAI_API_KEY)\n",
    });
    const { outputs } = await work(
      shop,
      [command("npm run noise", { timeout_ms: 5000 }), command("npm test")],
      {
        TERMINAL_OUTPUT_CAP_BYTES: "5000",
        TERMINAL_FUNCTION_OUTPUT_MAX_CHARS: "400",
        TERMINAL_REDACT_PATTERNS: "order \\d+",
      },
    );
    expect(outputs[0]).toMatchObject({ exit_code: null, timed_out: true, truncated: true });
    expect(outputs[0].output.length).toBeLessThan(500);
    expect(outputs[0].output).toContain("characters left out");
    expect(outputs[1].output).toContain("token [REDACTED]\n[REDACTED]\nundefined");
  });

  it("loses neither edits nor a command's changes when its process is killed", async () => {
    using shop = shopWith({
      "src/work.js":
        "require('fs').writeFileSync('src/half.txt', 'half'); console.log('up'); setInterval(() => {}, 1000);\n",
    });
    const script = { Dev: [write("src/edit.txt", "edited"), command("npm test"), { text: "Done." }] };
    const server = await startModelServer(scriptByAgent(script));
    const env = {
      OPENAI_BASE_URL: server.url,
      OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl",
      ENABLE_TERMINAL_TOOL: "1",
      TERMINAL_ALLOWED_COMMANDS: "npm test",
    };
    const running = startOxbow(["run", "Work", "--ticket", "9", "--json"], { cwd: shop.dir, env });
    const { task_id } = await running.line((line) => line["event"] === "tool_called");
    const workspaces = join(shop.dir, ".git/oxbow/workspaces");
    await expect
      .poll(
        () =>
          readdirSync(workspaces, { recursive: true, encoding: "utf8" }).some((name) =>
            name.endsWith("src/half.txt"),
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
    running.kill("SIGKILL");
    await running.ended;
    await server.close();
    await using again = await startModelServer(scriptByAgent(script));
    const ended = await oxbow(["run", "--resume", String(task_id), "--json"], {
      cwd: shop.dir,
      env: { ...env, OPENAI_BASE_URL: again.url },
    });
    expect(reportOf(ended).state).toBe("completed");
    expect(shop.at("feature/9/Dev", "src/edit.txt")).toBe("edited");
    expect(shop.at("feature/9/Dev", "src/half.txt")).toBe("half");
    expect(readdirSync(workspaces)).toEqual([]);
  });
});
