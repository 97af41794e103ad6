import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openApp } from "oxbow";
import { examine } from "../../src/doctor.ts";
import { processBirth } from "../../src/host/process.ts";
import { plainEnvironment } from "../support/cli.ts";
import { findLeaks } from "../support/leaks.ts";
import { startModelServer } from "../support/model-server.ts";
import { makeShop, type Shop } from "../support/shop.ts";
import { SOLO_TEAM } from "../support/team-runs.ts";

const MAIN = join(import.meta.dirname, "../support/mcp-server-main.ts");
const SECRET = "Tk-0123456789abcdefghij";
const server = (...args: string[]) =>
  `mcp_servers:\n  - { name: t, command: ${JSON.stringify([process.execPath, MAIN, ...args])}, env: [API_TOKEN] }\n`;
const ON = { ENABLE_MCP_TOOLS: "1", API_TOKEN: SECRET };
const open = (shop: Shop, env: Readonly<Record<string, string>> = ON) =>
  openApp({ repo: shop.dir, env: plainEnvironment(env) });

function script(shop: Shop, steps: readonly unknown[]): string {
  const file = join(shop.dir, ".git", "script.json");
  writeFileSync(file, JSON.stringify({ default: steps }));
  return file;
}

/** Calls a tool, and puts a field of what it gave into a file. */
const keep = (tool: string, path: string, field: string, args: unknown = {}) => [
  { tool, arguments: args },
  { tool: "write_file", arguments: { path, content: `$last.${field}` } },
];

describe("agents with an MCP server", () => {
  it("call its tools; all of them one server, which is gone when the app is closed; no secret is kept", async () => {
    using shop = makeShop({
      team: `team: Two
agents:
  - { name: One, allowed_paths: ["one/**"] }
  - { name: Two, allowed_paths: ["two/**"] }
${server()}`,
      files: { "one/a.txt": "1\n", "two/a.txt": "2\n" },
    });
    const pids: string[] = [];
    const said: string[] = [];
    {
      await using app = open(shop);
      const steps = [
        ...keep("t_pid", "{{agent}}.txt", "text"),
        { tool: "t_variable", arguments: { name: "API_TOKEN" } },
        { say: "$last" },
      ];
      const own = (folder: string) =>
        JSON.parse(JSON.stringify(steps).replaceAll("{{agent}}", `${folder}/pid`));
      const file = script(shop, []);
      writeFileSync(file, JSON.stringify({ agents: { One: own("one"), Two: own("two") } }));
      const report = await app.run("Work", {
        by: "owner",
        ticket: "T1",
        provider: "scripted",
        script: file,
        onEvent: (event) => said.push(JSON.stringify(event)),
      });
      expect(report.children.map(({ outcome }) => outcome)).toEqual(["completed", "completed"]);
      for (const [agent, folder] of [
        ["One", "one"],
        ["Two", "two"],
      ] as const)
        pids.push(shop.at(`feature/T1/${agent}`, `${folder}/pid.txt`).trim());
      expect(pids[0]).toBe(pids[1]);
      expect(processBirth(Number(pids[0]))).not.toBeNull();
    }
    await expect.poll(() => processBirth(Number(pids[0]))).toBeNull();
    expect(findLeaks(shop.dir, { token: SECRET }, { events: said.join("\n") })).toEqual([]);
  });

  it("are told of one that is not there, and finish", async () => {
    using shop = makeShop({ team: SOLO_TEAM + server("broken") });
    await using app = open(shop);
    const steps = keep("t_call", "said.txt", "error.code", { tool: "pid" });
    const report = await app.run("Work", {
      ticket: "T1",
      provider: "scripted",
      script: script(shop, [...steps, { say: "Done." }]),
    });
    expect(report.lead?.outcome).toBe("completed");
    expect(shop.at("feature/T1/Solo", "said.txt")).toBe("mcp_unavailable");
  });

  it("have, with the flag off, the very schema that they have without any server, and nothing is started", async () => {
    await using models = await startModelServer(() => ({ text: "Done." }));
    const schema = async (team: string, env: Readonly<Record<string, string>>) => {
      using shop = makeShop({ team });
      await using app = open(shop, { OPENAI_BASE_URL: models.url, OPENAI_API_KEY: "k", ...env });
      await app.run("Work", { ticket: "T1" });
      return JSON.stringify(models.requests.at(-1)?.body["tools"]);
    };
    const without = await schema(SOLO_TEAM, {});
    // A server that could not even be tried: nobody tries.
    expect(await schema(SOLO_TEAM + server("silent"), {})).toBe(without);
    const names = await schema(SOLO_TEAM + server(), ON);
    expect(names).toContain('"t_echo_it"');
    expect(names.startsWith(without.slice(0, -1))).toBe(true);
    const listed = await schema(SOLO_TEAM + server(), { ...ON, AGENT_TOOLS: "t_pid,read_file" });
    expect([...listed.matchAll(/"name":"(\w+)"/g)].map((match) => match[1])).toEqual(["read_file", "t_pid"]);
  });
});

describe("oxbow doctor", () => {
  it("tells of plugins and servers, and with --live how many tools there are", async () => {
    using shop = makeShop({
      team: `${SOLO_TEAM}plugins: ["./p.mjs", "./gone.mjs"]\n${server()}`,
      files: { "p.mjs": "export default () => {};\n" },
    });
    const rows = async (env: Readonly<Record<string, string>>, live = false) =>
      (await examine({ repo: shop.dir, env: plainEnvironment(env), live }))
        .filter(({ check }) => check === "mcp" || check === "plugins")
        .map(({ check, state, found }) => `${check} ${state}: ${found}`);
    expect(await rows({})).toEqual([
      expect.stringMatching(/^plugins error: The plugin \.\/gone\.mjs is not in HEAD/),
      expect.stringMatching(/^mcp warning: t \(.*\) is not used$/),
    ]);
    shop.write("gone.mjs", "export default () => {};\n");
    shop.git("add", "gone.mjs");
    shop.git("commit", "--quiet", "--message", "Plug");
    expect(await rows({ ENABLE_MCP_TOOLS: "1" })).toEqual([
      "plugins ok: ./p.mjs, ./gone.mjs, from HEAD",
      expect.stringMatching(/^mcp error: t \(.*\) needs API_TOKEN$/),
    ]);
    expect((await rows(ON, true))[1]).toMatch(/^mcp ok: t \(.*\) has \d\d tools$/);
  });
});
