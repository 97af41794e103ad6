import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createMcpTools, type McpTools, type NameFilter } from "../../src/agent/mcp-tools.ts";
import { toolSchema, parseToolInput } from "../../src/agent/tool-input.ts";
import { shapeServers } from "../../src/core/mcp-server.ts";
import type { RawTeam } from "../../src/core/team-schema.ts";
import type { ToolDef } from "../../src/core/tool.ts";
import { processBirth } from "../../src/host/process.ts";
import { createSecrets } from "../../src/secrets.ts";
import { plainEnvironment } from "../support/cli.ts";
import { startMcpServer } from "../support/mcp-server.ts";
import { createMemoryContext } from "../support/memory-context.ts";

const MAIN = join(import.meta.dirname, "../support/mcp-server-main.ts");
const program = (how?: string) => [process.execPath, MAIN, ...(how === undefined ? [] : [how])];
type RawServer = NonNullable<RawTeam["mcp_servers"]>[number];
const SECRET = "super-secret-0123456789";
const everything: NameFilter = { allows: () => true, allowsSome: () => true };
const { signal } = new AbortController();

const open: McpTools[] = [];
afterAll(async () => {
  await Promise.all(open.map((each) => each.close()));
});

function servers(
  raw: readonly RawServer[],
  env: Readonly<Record<string, string>> = {},
): { readonly mcp: McpTools; readonly failures: string[] } {
  const failures: string[] = [];
  const mcp = createMcpTools({
    servers: shapeServers([...raw]),
    place: { cwd: import.meta.dirname, environment: plainEnvironment({ API_TOKEN: SECRET, ...env }) },
    clean: createSecrets({ API_TOKEN: SECRET }).value,
    failed: (server) => failures.push(server),
  });
  open.push(mcp);
  return { mcp, failures };
}

/** As the runner does it: checked arguments in, a value or an error's code out. */
async function call(tools: readonly ToolDef[], name: string, input: unknown = {}): Promise<unknown> {
  const tool = tools.find((each) => each.name === name);
  if (tool === undefined) throw new Error(`no ${name} among ${tools.map((each) => each.name).join(", ")}`);
  try {
    return await tool.run(parseToolInput(tool, input), createMemoryContext());
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message };
  }
}

describe("the tools of a server", () => {
  const { mcp } = servers([{ name: "My-Test", command: program(), env: ["API_TOKEN"], timeout_ms: 20_000 }]);
  const given = () => mcp.toolsFor("Api", everything, new Set(), signal);

  it("have names that providers take and the server's own schema", async () => {
    const tools = await given();
    expect(tools.map(({ name }) => name)).toContain("my_test_echo_it");
    const echo = tools.find(({ name }) => name === "my_test_echo_it");
    expect(echo && toolSchema(echo)).toMatchObject({
      type: "object",
      properties: { said: { type: "string" }, times: { type: "integer" } },
      required: ["said"],
    });
    expect(await call(tools, "my_test_echo_it", { said: "ho", times: 2 })).toEqual({ text: "hoho" });
  });

  it("are called with arguments that fit; null is left out", async () => {
    const tools = await given();
    expect(await call(tools, "my_test_echo_it", { said: "ho", times: null })).toEqual({ text: "ho" });
    expect(await call(tools, "my_test_echo_it", { said: "ho", times: 9 })).toMatchObject({
      code: "tool_input",
    });
    expect(await call(tools, "my_test_echo_it", {})).toMatchObject({ code: "tool_input" });
  });

  it("give text, data, and notes of what is neither; an error of theirs is one", async () => {
    const tools = await given();
    expect(await call(tools, "my_test_picture")).toEqual({ text: "here", left_out: ["image/png, 3 bytes"] });
    expect(await call(tools, "my_test_data")).toEqual({ data: { n: 1 } });
    expect(await call(tools, "my_test_fail")).toEqual({
      code: "mcp_tool_failed",
      message: "My-Test: fail failed: no such luck",
    });
    expect(await call(tools, "my_test_noise")).toEqual({ text: "after the noise" });
  });

  it("see no variables but those that are named, and say no secrets", async () => {
    const tools = await given();
    const { text } = (await call(tools, "my_test_variables")) as { text: string };
    expect(
      text.split(" ").filter((name) => !/^(?:PATH|HOME|LANG|LC_ALL|TZ|OXBOW_PROGRAM)$/.test(name)),
    ).toEqual(["API_TOKEN"]);
    const said = await call(tools, "my_test_variable", { name: "API_TOKEN" });
    expect(JSON.stringify(said)).not.toContain(SECRET);
  });

  it("end with a server that dies, and are back with the next call", async () => {
    const tools = await given();
    const before = await call(tools, "my_test_pid");
    expect(await call(tools, "my_test_die")).toMatchObject({
      code: "mcp_unavailable",
      message: expect.stringContaining("out of luck"),
    });
    const after = await call(tools, "my_test_pid");
    expect(after).toHaveProperty("text");
    expect(after).not.toEqual(before);
  });

  it("end with a server that says too much at once", async () => {
    const tools = await given();
    expect(await call(tools, "my_test_huge")).toMatchObject({ code: "mcp_unavailable" });
    expect(await call(tools, "my_test_echo_it", { said: "ho" })).toEqual({ text: "ho" });
  });

  it("that are taken away are unknown, to this run and to the next", async () => {
    const tools = await given();
    expect(await call(tools, "my_test_later")).toEqual({ text: "there" });
    await call(tools, "my_test_forget");
    expect(await call(tools, "my_test_later")).toMatchObject({ code: "tool_unknown" });
    expect((await given()).map(({ name }) => name)).not.toContain("my_test_later");
  });

  it("are ended by the run's own signal, and the server goes on", async () => {
    const tools = await given();
    const stop = new AbortController();
    const hang = tools.find(({ name }) => name === "my_test_hang");
    const waiting = hang?.run({}, createMemoryContext({ signal: stop.signal }));
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(await call(tools, "my_test_echo_it", { said: "ho" })).toEqual({ text: "ho" });
  });
});

describe("who may call what", () => {
  const names = async (mcp: McpTools, agent: string, filter = everything) =>
    (await mcp.toolsFor(agent, filter, new Set(["t_pid"]), signal)).map(({ name }) => name);

  it("follows the lists of the server, of the agent, and of tools by name", async () => {
    const { mcp } = servers([
      {
        name: "t",
        command: program(),
        agents: ["Api", { name: "Docs", allow: ["data", "fail"], block: ["fail"] }],
        allow: ["data", "fail", "pid"],
        block: ["hang"],
      },
    ]);
    const [api, docs, web] = await Promise.all(["Api", "Docs", "Web"].map((agent) => names(mcp, agent)));
    expect(api).toEqual(["t_fail", "t_data", expect.stringMatching(/^t_pid_[0-9a-f]{8}$/)]);
    expect(docs).toEqual(["t_data"]);
    expect(web).toEqual([]);
    const only = { allows: (name: string) => name === "t_data", allowsSome: () => true };
    expect(await names(mcp, "Api", only)).toEqual(["t_data"]);
    expect(mcp.mayExist("t_anything")).toBe(true);
    expect(mcp.mayExist("u_anything")).toBe(false);
  });
});

describe("a server that is not there", () => {
  it.each<[string, Omit<RawServer, "name">, RegExp]>([
    ["does not exist", { command: ["no-such-program-of-anybody"] }, /is no program here/],
    ["ends at once", { command: program("broken") }, /has ended; it said: the token \S+ is no good/],
    ["never answers", { command: program("silent"), timeout_ms: 300 }, /did not answer/],
    ["misses a variable", { command: program(), env: ["NOT_SET_HERE"] }, /NOT_SET_HERE/],
    ["is a URL where nobody listens", { url: "http://127.0.0.1:9/mcp" }, /cannot be used/],
  ])("and %s: the agent is told, by the one tool it gets", async (_what, raw, message) => {
    const { mcp, failures } = servers([{ name: "t", ...raw }]);
    const tools = await mcp.toolsFor("Api", everything, new Set(), signal);
    expect(tools.map(({ name }) => name)).toEqual(["t_call"]);
    const told = await call(tools, "t_call", { tool: "pid" });
    expect(told).toMatchObject({ code: "mcp_unavailable", message: expect.stringMatching(message) });
    expect(JSON.stringify(told)).not.toContain(SECRET);
    expect(failures).toEqual(["t"]);
  });
});

describe("a server at a URL", () => {
  it("is sent the token and the headers that variables hold, and begins a session anew when it has lost it", async () => {
    await using server = await startMcpServer();
    const { mcp } = servers(
      [
        {
          name: "t",
          url: server.url,
          token_env: "API_TOKEN",
          headers_env: { "X-Team": "TEAM_NAME" },
          timeout_ms: 20_000,
        },
      ],
      { TEAM_NAME: "shop" },
    );
    const tools = await mcp.toolsFor("Api", everything, new Set(), signal);
    expect(await call(tools, "t_echo_it", { said: "ho" })).toEqual({ text: "ho" });
    expect(server.headers.every((each) => each.authorization === `Bearer ${SECRET}`)).toBe(true);
    expect(server.headers.every((each) => each["x-team"] === "shop")).toBe(true);
    await server.forgetSessions();
    expect(await call(tools, "t_echo_it", { said: "ho" })).toMatchObject({ code: "mcp_unavailable" });
    expect(await call(tools, "t_echo_it", { said: "ho" })).toEqual({ text: "ho" });
    expect(await call(tools, "t_huge")).toMatchObject({ code: "mcp_unavailable" });
    expect(await call(tools, "t_echo_it", { said: "ho" })).toEqual({ text: "ho" });
    const before = server.sessions();
    await mcp.close();
    expect(server.sessions()).toBe(before - 1);
  });

  it.each([
    [401, /cannot be used/],
    [500, /cannot be used/],
  ])("that answers %s is not available", async (status, message) => {
    await using server = await startMcpServer(() => new Response("no", { status }));
    const { mcp } = servers([{ name: "t", url: server.url, token_env: "API_TOKEN" }]);
    const tools = await mcp.toolsFor("Api", everything, new Set(), signal);
    const told = await call(tools, "t_call", { tool: "pid" });
    expect(told).toMatchObject({ code: "mcp_unavailable", message: expect.stringMatching(message) });
  });

  it("does not get its token sent elsewhere by a redirect", async () => {
    await using other = await startMcpServer();
    await using server = await startMcpServer(
      () => new Response(null, { status: 307, headers: { location: other.url } }),
    );
    const { mcp } = servers([{ name: "t", url: server.url, headers_env: { "X-Key": "API_TOKEN" } }]);
    const tools = await mcp.toolsFor("Api", everything, new Set(), signal);
    expect(tools.map(({ name }) => name)).toEqual(["t_call"]);
    expect(other.headers).toEqual([]);
  });
});

describe("the end", () => {
  it("leaves no process, also none that a server has started", async () => {
    const { mcp } = servers([{ name: "t", command: program("sleeper") }]);
    const tools = await mcp.toolsFor("Api", everything, new Set(), signal);
    const { text: pid } = (await call(tools, "t_pid")) as { text: string };
    const { text: sleeper } = (await call(tools, "t_variable", { name: "SLEEPER" })) as { text: string };
    expect(processBirth(Number(sleeper))).not.toBeNull();
    await mcp.close();
    await expect.poll(() => [pid, sleeper].map((each) => processBirth(Number(each)))).toEqual([null, null]);
    expect(await call(tools, "t_pid")).toMatchObject({ code: "mcp_unavailable" });
  });

  it("comes also while a server does not answer", async () => {
    const { mcp } = servers([{ name: "t", command: program("silent") }]);
    const asked = mcp.toolsFor("Api", everything, new Set(), signal);
    await mcp.close();
    expect((await asked).map(({ name }) => name)).toEqual(["t_call"]);
  });
});
