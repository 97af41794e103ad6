/** `oxbow mcp` as Claude Code, Codex and Cursor start it: a process of its own, over its stdin and stdout. */
import { describe, expect, it } from "vitest";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PERSON_CALLS } from "../../src/person-calls.ts";
import { LAUNCHER, plainEnvironment } from "../support/cli.ts";
import { errorIn, mcpOverStdio } from "../support/mcp-client.ts";
import { startModelServer } from "../support/model-server.ts";
import { makeShop } from "../support/shop.ts";

/** What a person sees in Claude Code, as `mcp__oxbow__<name>`. */
const TOOLS = [
  "run",
  "split",
  "cancel",
  "retry",
  "assign",
  "resume",
  "plan",
  "execute",
  "budget",
  "budget_set",
  "status",
  "owner",
  "diff",
  "report",
  "conflicts_list",
  "conflicts_show",
  "approvals_list",
  "approvals_grant",
  "approvals_deny",
  "merge",
  "signal_send",
  "signal_wait",
  "create_agent",
  "list_agents",
  "shutdown_agent",
  "send_message",
  "get_conversation",
  "list_conversations",
  "delete_conversation",
  "set_topology",
];
/** Of the agents' models, while their flags are on. */
const BY_FLAG = ["signal_wait_any", "signal_wait_all", "team_owner"];

const APPENDS = `["node", "-e", "for (const f of process.argv.slice(1)) require('fs').appendFileSync(f, '// seen\\\\n')", "{paths}"]`;
const PROGRAMS = `team: Shop
agents:
  - { name: Api, allowed_paths: ["src/api/**"], runtime: command, command: ${APPENDS} }
  - { name: Web, allowed_paths: ["src/web/**"], runtime: command, command: ${APPENDS} }
`;

describe("the tools that a client is offered", () => {
  it("are a person's operations, with schemas and hints, and a model's while its flag is on", async () => {
    using shop = makeShop();
    expect(PERSON_CALLS.map(({ name }) => name)).toEqual(TOOLS);
    await using legacy = await mcpOverStdio(shop.dir);
    const { tools } = await legacy.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([...TOOLS, ...BY_FLAG]);
    for (const tool of tools) {
      expect(tool.inputSchema.type, tool.name).toBe("object");
      expect(tool.outputSchema?.type, tool.name).toBe("object");
      expect(tool.description?.length, tool.name).toBeGreaterThan(20);
    }
    const hints = Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations]));
    expect(hints["status"]).toMatchObject({ readOnlyHint: true, destructiveHint: false });
    expect(hints["merge"]).toMatchObject({ readOnlyHint: false, destructiveHint: true });
    expect(legacy.client.getServerVersion()).toMatchObject({ name: "oxbow", title: "Oxbow" });
    expect(legacy.client.getInstructions()).toContain("integration/<ticket>");

    const env = { ENABLE_SIGNAL_TOOLS: "0", ENABLE_TEAM_TOOLS: "0", ENABLE_ORCHESTRATE_TOOL: "1" };
    await using modern = await mcpOverStdio(shop.dir, { era: "modern", env });
    const offered = (await modern.client.listTools()).tools.map(({ name }) => name);
    expect(offered).toEqual([...TOOLS, "orchestrate_split"]);
  });
});

describe("a client over stdio", () => {
  it("has a task done, told of what happens, and brings it home", async () => {
    using shop = makeShop({ team: PROGRAMS });
    await using mcp = await mcpOverStdio(shop.dir, { era: "modern" });
    const told: string[] = [];
    const ran = await mcp.call(
      "run",
      { task: "See every file", by: "owner", ticket: "146", wait_ms: 25_000 },
      { onprogress: ({ message = "" }) => told.push(message) },
    );
    expect(ran.value).toMatchObject({ ticket: "146", ended: true, state: "completed" });
    expect(ran.text).toContain("## See every file");
    expect(told).toContain("feature/146/Api is merged into integration/146");
    const status = await mcp.call("status", { task: 146 });
    expect(status.value.tasks[0].subtasks.map((each: any) => [each.agent, each.state])).toEqual([
      ["Api", "completed"],
      ["Web", "completed"],
    ]);
    const diff = await mcp.call("diff", { task: "146" });
    expect(diff.value.diffs[0].diff).toContain("+// seen");
    const merged = await mcp.call("merge", { task: "146" });
    expect(merged.value).toMatchObject({ ok: true, state: "landed", into: "main" });
    expect(shop.at("main", "src/api/users.js")).toContain("// seen");
    expect((await mcp.call("report", { task: "146" })).text).toContain("| Api |");
    expect(mcp.stderr()).toBe("");
  });

  it("plans, changes the plan, and has it carried out within a budget", async () => {
    using shop = makeShop({ team: PROGRAMS });
    await using mcp = await mcpOverStdio(shop.dir);
    const task = "See every file of src/api and of src/web";
    const { value: planned } = await mcp.call("plan", { task, planner: "rules" });
    expect(planned.plan.subtasks.map((each: any) => each.agent)).toEqual(["Api", "Web"]);
    expect(planned.files).toEqual([2, 1]);
    const { plan } = planned;
    const changed = { ...plan, subtasks: [{ ...plan.subtasks[0], approval: "It is the API" }] };
    const wrong = { ...plan, subtasks: [{ ...plan.subtasks[0], agent: "Nobody" }] };
    expect(errorIn(await mcp.call("run", { task, plan: wrong })).code).toBe("plan_invalid");
    const ran = await mcp.call("run", { task, plan: changed, ticket: 8, budget: { usd: 1 } });
    expect(ran.value).toMatchObject({ ended: false, ticket: "8" });
    expect((await mcp.call("budget", { task: 8 })).value.budget).toMatchObject({ ticket: "8" });
    const { value: waits } = await mcp.call("approvals_list");
    expect(waits.approvals).toMatchObject([{ agent: "Api", state: "open" }]);
    await mcp.call("approvals_grant", { id: waits.approvals[0].approval_id, reason: "Go on" });
    const done = await mcp.call("signal_wait", {
      topic: (await mcp.call("status", { task: 8 })).value.tasks[0].subtasks[0].done_topic,
      timeout_ms: 20_000,
    });
    expect(done.value.message.outcome).toBe("completed");
  });

  it("splits, and hears the children's results", async () => {
    using shop = makeShop({ team: PROGRAMS });
    await using mcp = await mcpOverStdio(shop.dir);
    const split = await mcp.call("split", {
      task: "See the files",
      children: [
        { task: "See the API", agent: "Api" },
        { task: "See the pages", agent: "Web", depends_on: [0] },
      ],
      wait: true,
      timeout_ms: 25_000,
    });
    expect(split.value.wait.results.map((each: any) => [each.agent, each.outcome])).toEqual([
      ["Api", "completed"],
      ["Web", "completed"],
    ]);
    const send = await mcp.call("signal_send", { topic: "build:done", payload: { ok: true } });
    expect(send.value.ok).toBe(true);
    const all = await mcp.call("signal_wait_all", {
      topics: ["build:done", split.value.topics[0]],
      timeout_ms: 5_000,
    });
    expect(all.value).toMatchObject({ ok: true, missing: [] });
  });

  it("gets a typed error for whatever is wrong, and goes on", async () => {
    using shop = makeShop();
    await using mcp = await mcpOverStdio(shop.dir);
    expect(errorIn(await mcp.call("owner", { paths: 3 }))).toMatchObject({
      code: "tool_input",
      details: { fields: [{ field: "paths" }] },
    });
    expect(errorIn(await mcp.call("owner", { paths: ["../x"] })).code).toBe("path_rejected");
    expect(errorIn(await mcp.call("status", { task: "none", more: 1 })).code).toBe("tool_input");
    expect(errorIn(await mcp.call("status", { task: "none" })).code).toBe("task_unknown");
    expect(errorIn(await mcp.call("run", { task: "Do it" })).code).toBe("provider_missing");
    expect(errorIn(await mcp.call("approvals_grant", { id: "a_none" })).code).toBe("approval_unknown");
    expect(errorIn(await mcp.call("merge", { task: "x", push: "https://evil.example/x" })).code).toBe(
      "tool_input",
    );
    expect(errorIn(await mcp.call("signal_send", { topic: "t", payload: "x".repeat(70_000) })).code).toBe(
      "payload_too_large",
    );
    await expect(mcp.client.callTool({ name: "no_such_tool", arguments: {} })).rejects.toThrow("not found");
    expect((await mcp.call("status")).value).toEqual({ tasks: [] });
    expect(shop.git("for-each-ref", "refs/heads").trim().split("\n")).toHaveLength(1);
  });

  it("makes an agent, talks with it, and shuts it down", async () => {
    using shop = makeShop();
    await using server = await startModelServer(() => ({ text: "Ask me anything." }));
    const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
    await using mcp = await mcpOverStdio(shop.dir, { env });
    const made = await mcp.call("create_agent", {
      name: "Helper",
      skills: ["talk"],
      instructions: "Be brief.",
    });
    expect(made.value).toMatchObject({ name: "Helper", team: "Shop" });
    const { value: said } = await mcp.call("send_message", {
      agent: "Helper",
      content: "Hello",
      wait_ms: 20_000,
    });
    expect(said.reply).toMatchObject({ type: "reply", sender: "Helper", content: "Ask me anything." });
    const { value: talk } = await mcp.call("get_conversation", { conversation_id: said.conversation_id });
    expect(talk.messages.map((each: any) => each.type)).toEqual(["message", "reply"]);
    expect((await mcp.call("list_conversations", { agent: "Helper" })).value.conversations).toHaveLength(1);
    expect((await mcp.call("set_topology", { topology: "filtered" })).value).toMatchObject({
      ok: false,
      available: ["broadcast"],
    });
    expect((await mcp.call("shutdown_agent", { name: "Helper" })).value.changed).toBe(true);
    const { value: list } = await mcp.call("list_agents", { capability: "talk" });
    expect(list.agents.map((each: any) => each.state)).toEqual(["terminated"]);
  });
});

describe("the end of a client over stdio", () => {
  it("cancels a wait, and the next call is answered", async () => {
    using shop = makeShop();
    await using mcp = await mcpOverStdio(shop.dir);
    const stop = new AbortController();
    const waiting = mcp.call("signal_wait", { topic: "never", timeout_ms: 600_000 }, { signal: stop.signal });
    await mcp.call("status");
    stop.abort();
    await expect(waiting).rejects.toThrow();
    expect((await mcp.call("status")).isError).toBe(false);
  });

  it("hands back what ran when stdin closes, for any other process to go on with", async () => {
    using shop = makeShop({
      team: PROGRAMS.replace(
        /runtime: command, command: \[.*?\] \}/,
        `runtime: command, command: ["node", "-e", "require('fs').existsSync('go') || setInterval(() => {}, 1000)"] }`,
      ),
    });
    const mcp = await mcpOverStdio(shop.dir);
    const told = Promise.withResolvers<void>();
    const running = mcp.call(
      "run",
      { task: "Wait for it", by: "owner", ticket: "9", wait_ms: 600_000 },
      { onprogress: ({ message = "" }) => message.startsWith("Api works") && told.resolve() },
    );
    running.catch(() => undefined);
    await told.promise;
    await mcp.client.close();
    expect(() => process.kill(mcp.pid ?? 0, 0)).toThrow("ESRCH");
    await using next = await mcpOverStdio(shop.dir);
    const status = await next.call("status", { task: "9" });
    expect(status.value.tasks[0]).toMatchObject({ state: "running", carried: false, workers: [] });
    await next.call("cancel", { id: "9" });
  });

  it("by kill -9 leaves a message to whoever comes next, who answers it once", async () => {
    using shop = makeShop();
    let hangs = true;
    await using server = await startModelServer(() => (hangs ? { hang: true } : { text: "Here I am." }));
    const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: "sk-test-0123456789abcdefghijkl" };
    const mcp = await mcpOverStdio(shop.dir, { env });
    const { value: sent } = await mcp.call("send_message", { agent: "Api", content: "Are you there?" });
    await server.received(1);
    hangs = false;
    const gone = Promise.withResolvers<void>();
    mcp.client.onclose = () => gone.resolve();
    process.kill(mcp.pid ?? 0, "SIGKILL");
    await gone.promise;
    await using next = await mcpOverStdio(shop.dir, { env });
    const { conversation_id } = sent;
    const again = await next.call("send_message", { conversation_id, content: "And now?", wait_ms: 20_000 });
    expect(again.value.reply.content).toBe("Here I am.");
    const { value: talk } = await next.call("get_conversation", { conversation_id });
    expect(talk.messages.map((each: any) => each.type)).toEqual(["message", "message", "reply", "reply"]);
    expect(talk.messages.map((each: any) => each.metadata.in_reply_to).slice(2)).toEqual([
      sent.message_id,
      again.value.message_id,
    ]);
  });

  it("keeps stdout for the protocol alone, survives nonsense, and ends by itself", async () => {
    using shop = makeShop();
    const child = spawn(process.execPath, [LAUNCHER, "mcp"], { cwd: shop.dir, env: plainEnvironment() });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    const first = once(child.stdout, "data");
    child.stdin.write("nonsense\n\xff\xfe{}\n[1,2\n");
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })}\n`);
    await first;
    child.stdin.end();
    const [code] = await once(child, "close");
    expect(code).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).jsonrpc)).toEqual(lines.map(() => "2.0"));
  });

  it("says why it cannot serve, on stderr", async () => {
    using shop = makeShop({ team: "team: Shop\nagents: []\n" });
    const child = spawn(process.execPath, [LAUNCHER, "mcp"], { cwd: shop.dir, env: plainEnvironment() });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, "close");
    expect([code, stderr.includes("team.yaml:2:")]).toEqual([2, true]);
  });
});
