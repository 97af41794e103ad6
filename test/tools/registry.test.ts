import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createModelSource } from "../../src/agent/providers.ts";
import { AgentRunner } from "../../src/agent/runner.ts";
import { toolSchema } from "../../src/agent/tool-input.ts";
import { defineTool, type ToolDef } from "../../src/core/tool.ts";
import { builtinTools } from "../../tools/index.ts";
import { createToolRegistry } from "../../tools/registry.ts";
import { createMemoryContext } from "../support/memory-context.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";

const GROUPS = [
  "ENABLE_FILE_TOOLS",
  "ENABLE_SIGNAL_TOOLS",
  "ENABLE_TEAM_TOOLS",
  "ENABLE_CHAT_TOOLS",
  "ENABLE_TODO_TOOLS",
  "ENABLE_ORCHESTRATE_TOOL",
] as const;
const ALL_ON = Object.fromEntries(GROUPS.map((group) => [group, true]));
const code = (expected: string) => expect.objectContaining({ code: expected });

let server: ModelServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** The bytes that a provider gets from an agent with these tools. */
async function requestBytes(provider: string, tools: readonly ToolDef[]): Promise<string> {
  server ??= await startModelServer(() => ({ text: "ok" }));
  const result = await new AgentRunner({ runtime: "openai_agents" }).run({
    agent: "Api",
    instructions: "You are Api.",
    input: "Go.",
    model: "m",
    models: createModelSource({ provider, baseUrl: server.url }),
    tools,
    context: createMemoryContext(),
    maxTurns: 2,
    timeoutMs: 10_000,
  });
  expect(result.error).toBeUndefined();
  return server.requests.at(-1)?.raw ?? "";
}

describe("a tool group whose flag is off", () => {
  it.each(GROUPS.flatMap((group) => [[group, "openai"] as const, [group, "openai_chat"] as const]))(
    "%s leaves the request to %s byte for byte as if the tools did not exist",
    async (group, provider) => {
      const off = createToolRegistry(builtinTools).select({ flags: { ...ALL_ON, [group]: false } });
      const absent = createToolRegistry(builtinTools.filter((tool) => tool.flag !== group)).select({
        flags: ALL_ON,
      });
      const on = createToolRegistry(builtinTools).select({ flags: ALL_ON });
      const bytes = await requestBytes(provider, off);
      expect(bytes).toBe(await requestBytes(provider, absent));
      expect(bytes).not.toBe(await requestBytes(provider, on));
    },
  );

  it("sends no list of tools at all when none is left", async () => {
    const body = JSON.parse(await requestBytes("openai", [])) as { tools?: unknown[] };
    expect(body.tools ?? []).toEqual([]);
  });
});

describe("the built-in tools", () => {
  it("have the public names and parameters", () => {
    const shown = builtinTools.map((tool) => {
      const parameters = Object.entries(tool.parameters.shape).map(([name, type]) =>
        type instanceof z.ZodOptional ? `${name}?` : name,
      );
      return `${tool.name}(${parameters.join(", ")})`;
    });
    expect(shown).toEqual([
      "list_files(glob?)",
      "read_file(path, offset?, limit?)",
      "search_files(pattern, glob?)",
      "write_file(path, content)",
      "edit_file(path, old_string, new_string, replace_all?)",
      "apply_patch(patch)",
      "move_file(from, to)",
      "delete_file(path)",
      "diff()",
      "commit(message)",
      "terminal_run(command, cwd?, timeout_ms?)",
      "orchestrate_split(task, num_children?, responsibilities?, allowed_paths?, wait?, target_agent?, timeout_ms?, children?, by?, ticket?)",
      "barrier_run(agent, input, schema, k, agents?, epsilon?, min_runs?, max_parallel?, timeout_ms?, match_by?, checks?)",
      "signal_send(topic, payload)",
      "signal_wait(topic, last_id?, timeout_ms?)",
      "signal_wait_any(topics, last_ids?, timeout_ms?)",
      "signal_wait_all(topics, last_ids?, timeout_ms?)",
      "team_owner(path)",
      "scope_request(paths, reason)",
      "chat_send(recipient, content)",
      "todo_create(title, details?, owner?, state?)",
      "todo_get(todo_id)",
      "todo_list(state?, owner?)",
      "todo_update(todo_id, title?, details?, owner?, state?)",
      "todo_delete(todo_id)",
    ]);
  });
});

describe("a tool's schema", () => {
  it.each(builtinTools)("of $name is plain, self-contained and closed", (tool) => {
    const schema = toolSchema(tool);
    expect(JSON.stringify(schema)).not.toContain("$ref");
    expect(schema.additionalProperties).toBe(false);
    expect(Object.keys(schema.properties)).toEqual(Object.keys(tool.parameters.shape));
    const needed = Object.entries(tool.parameters.shape).filter(
      ([, type]) => !(type instanceof z.ZodOptional),
    );
    expect(schema.required).toEqual(needed.map(([name]) => name));
  });
});

describe("the registry", () => {
  const tool = (name: string, flag: ToolDef["flag"] = null) =>
    defineTool({ name, description: name, parameters: z.strictObject({}), flag, run: async () => null });
  const names = (tools: readonly ToolDef[]) => tools.map(({ name }) => name);

  it("refuses a name that is taken or cannot be called", () => {
    const registry = createToolRegistry([tool("one")]);
    for (const name of ["one", "", "Two", "two-three", "2", "a b", "x".repeat(65), "é"]) {
      expect(() => registry.register(tool(name)), name).toThrow(code("usage"));
    }
    registry.register(tool("two"));
    expect(names(registry.all())).toEqual(["one", "two"]);
  });

  it("selects by flag, by AGENT_TOOLS and by the agent's own list, in the order of registration", () => {
    const registry = createToolRegistry([
      tool("a"),
      tool("b", "ENABLE_FILE_TOOLS"),
      tool("c", "ENABLE_CHAT_TOOLS"),
      tool("d"),
    ]);
    const flags = { ENABLE_FILE_TOOLS: true };
    expect(names(registry.select({ flags }))).toEqual(["a", "b", "d"]);
    expect(names(registry.select({ flags, allow: ["d", "c", "b"] }))).toEqual(["b", "d"]);
    expect(names(registry.select({ flags, allow: ["d", "b"], agentTools: ["b", "a"] }))).toEqual(["b"]);
    expect(names(registry.select({ flags, requireExplicit: true }))).toEqual([]);
    expect(names(registry.select({ flags, requireExplicit: true, agentTools: ["a"] }))).toEqual(["a"]);
    expect(names(registry.select({ flags, allow: [] }))).toEqual([]);
  });

  it("names a tool that does not exist and where it was asked for", () => {
    const registry = createToolRegistry([tool("a")]);
    expect(() => registry.select({ flags: {}, allow: ["a", "raed_file"] })).toThrow(code("setting_invalid"));
    expect(() => registry.select({ flags: {}, agentTools: ["raed_file"] })).toThrow(code("team_config"));
  });
});
