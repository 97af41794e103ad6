import { describe, expect, it } from "vitest";
import type { RunnerEvent, RunRequest, RunResult } from "../../src/agent/contract.ts";
import { createModelSource } from "../../src/agent/providers.ts";
import { AgentRunner } from "../../src/agent/runner.ts";
import { OxbowError } from "../../src/core/errors.ts";
import { defineTool, type ToolDef } from "../../src/core/tool.ts";
import { z } from "zod";
import { fileTools, serversOfTests } from "../support/agent-servers.ts";
import { createMemoryContext, type MemoryContext, type MemoryOptions } from "../support/memory-context.ts";
import {
  type ModelHandler,
  type ModelServer,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";

const servers = serversOfTests();

interface Play extends MemoryOptions {
  readonly wire?: string;
  readonly tools?: readonly ToolDef[];
  readonly request?: Partial<RunRequest>;
  readonly abort?: (server: ModelServer, controller: AbortController) => Promise<void> | void;
}

interface Played {
  readonly result: RunResult;
  readonly events: RunnerEvent[];
  readonly server: ModelServer;
  readonly context: MemoryContext;
}

async function play(replies: readonly ScriptedReply[] | ModelHandler, options: Play = {}): Promise<Played> {
  const handler = typeof replies === "function" ? replies : scriptByAgent({ Api: replies });
  const server = await startModelServer(handler);
  servers.push(server);
  const models = createModelSource({
    provider: options.wire ?? "openai",
    apiKey: "sk-test-1234567890",
    baseUrl: server.url,
  });
  const context = createMemoryContext(options);
  const events: RunnerEvent[] = [];
  const controller = new AbortController();
  const running = new AgentRunner({ runtime: "openai_agents", retryBaseMs: 2 }).run(
    {
      agent: "Api",
      instructions: "You are Api, an agent.",
      input: "Write a file.",
      model: "gpt-4.1",
      models,
      tools: options.tools ?? fileTools,
      context,
      maxTurns: 10,
      timeoutMs: 20_000,
      onEvent: (event) => events.push(event),
      ...options.request,
    },
    controller.signal,
  );
  await options.abort?.(server, controller);
  return { result: await running, events, server, context };
}

const kinds = (events: readonly RunnerEvent[], kind: RunnerEvent["kind"]) =>
  events.filter((event) => event.kind === kind);

describe.each(["openai", "openai_chat", "anthropic"])("a run over %s", (wire) => {
  it("reads, writes and commits, and ends with the model's text", async () => {
    const { result, events, server, context } = await play(
      [
        { calls: [{ name: "read_file", arguments: { path: "a.txt" } }] },
        { calls: [{ name: "write_file", arguments: { path: "b.txt", content: "$last.content" } }] },
        { calls: [{ name: "commit", arguments: { message: "Copy a" } }] },
        { text: "Copied a.txt to b.txt." },
      ],
      { wire, files: { "a.txt": "hello\n" } },
    );
    expect(result.error).toBeUndefined();
    expect(result.output).toBe("Copied a.txt to b.txt.");
    expect(context.commits).toEqual([
      { message: "Copy a", files: { "a.txt": "hello\n", "b.txt": "hello\n" } },
    ]);
    expect(result.usage).toEqual({ requests: 4, input_tokens: 400, output_tokens: 80, total_tokens: 480 });
    expect(server.requests.map(({ turn }) => turn)).toEqual([1, 2, 3, 4]);
    expect(server.requests.every((call) => call.body.stream === true)).toBe(true);
    expect(kinds(events, "turn")).toHaveLength(4);
    expect(kinds(events, "tool_result").map((event) => event.kind === "tool_result" && event.ok)).toEqual([
      true,
      true,
      true,
    ]);
    const said = kinds(events, "text_delta").map((event) => (event.kind === "text_delta" ? event.text : ""));
    expect(said.length).toBeGreaterThan(1);
    expect(said.join("")).toBe(result.output);
    expect(new Set(events.map((event) => event.source))).toEqual(new Set(["Api"]));
  });

  it("runs calls of one turn in their order, so that parallel edits and a commit lose nothing", async () => {
    const edit = (from: string, to: string) => ({
      name: "edit_file",
      arguments: { path: "a.txt", old_string: from, new_string: to },
    });
    const { result, context, server } = await play(
      [
        { calls: [edit("one", "1"), edit("two", "2"), { name: "commit", arguments: { message: "Count" } }] },
        { text: "ok" },
      ],
      { wire, files: { "a.txt": "one two" }, delay: () => new Promise((resolve) => setImmediate(resolve)) },
    );
    expect(result.error).toBeUndefined();
    expect(context.commits[0]?.files).toEqual({ "a.txt": "1 2" });
    expect(server.requests[1]?.lastOutputs).toHaveLength(3);
  });

  it("tells the model about malformed arguments, wrong arguments and unknown tools, and goes on", async () => {
    const { result, server, events } = await play(
      [
        {
          calls: [
            { name: "read_file", arguments: '{"path": "a.t' },
            { name: "read_file", arguments: { file: "a.txt" } },
            { name: "launch", arguments: {} },
            { name: "read_file", arguments: { path: "missing.txt" } },
            { name: "read_file", arguments: '"a.txt"' },
          ],
        },
        { text: "Sorry." },
      ],
      { wire },
    );
    expect(result.output).toBe("Sorry.");
    const codes = server.requests[1]?.lastOutputs.map(
      (output) => (output as { error: { code: string } }).error.code,
    );
    expect(codes?.sort()).toEqual([
      "file_not_found",
      "tool_input",
      "tool_input",
      "tool_input",
      "tool_unknown",
    ]);
    expect(kinds(events, "tool_called")).toHaveLength(5);
    const results = kinds(events, "tool_result");
    expect(results).toHaveLength(5);
    expect(new Set(results.map((event) => event.kind === "tool_result" && event.call_id)).size).toBe(5);
  });

  it("waits as long as a 429 says, tells of it, and goes on", async () => {
    const { result, events } = await play(
      [{ status: 429, message: "Slow down", headers: { "retry-after": "0.05" }, times: 2 }, { text: "done" }],
      { wire },
    );
    expect(result.output).toBe("done");
    expect(result.usage.requests).toBe(1);
    const retries = kinds(events, "retry");
    expect(retries).toHaveLength(2);
    for (const event of retries) {
      if (event.kind !== "retry") throw new Error("unreachable");
      expect(event.delay_ms).toBeGreaterThanOrEqual(50);
      expect(event.reason).toContain("429");
      expect(event.reason).toContain("Slow down");
    }
  });

  it("gives up after its retries, with the status, the vendor's message and the usage so far", async () => {
    const { result, server } = await play(
      [{ calls: [{ name: "list_files" }] }, { status: 503, message: "Overloaded by sk-test-1234567890" }],
      { wire, request: { maxRetries: 2 } },
    );
    expect(result.error?.code).toBe("provider_failed");
    expect(result.error?.message).toContain("503");
    expect(result.error?.message).toContain("Overloaded");
    expect(JSON.stringify(result)).not.toContain("sk-test-1234567890");
    expect(result.usage.requests).toBe(1);
    expect(server.requests).toHaveLength(4);
  });

  it("does not retry what no waiting can help", async () => {
    for (const reply of [
      { status: 401, message: "Incorrect API key provided: sk-test-1234567890." },
      { status: 429, message: "No money", code: "insufficient_quota" },
    ]) {
      const { result, server } = await play([reply], { wire });
      expect(result.error?.code).toBe("provider_failed");
      expect(result.error?.message).not.toContain("sk-test");
      expect(server.requests).toHaveLength(1);
    }
  });

  it("runs no half of a tool call when the answer breaks off, however it does", async () => {
    for (const cut of ["hang_up", "end"] as const) {
      const { result, context, events } = await play(
        [{ calls: [{ name: "delete_file", arguments: { path: "a.txt" } }], cut }],
        { wire, files: { "a.txt": "keep" } },
      );
      expect(result.error?.code).toBe("provider_failed");
      expect(context.text("a.txt")).toBe("keep");
      expect(kinds(events, "tool_called")).toEqual([]);
    }
  });

  it("ends a run whose model never answers when its time is up", async () => {
    for (const reply of [{ hang: true } as const, { text: "half of this", cut: "stall" } as const]) {
      const { result } = await play([{ calls: [{ name: "list_files" }] }, reply], {
        wire,
        request: { timeoutMs: 1000 },
      });
      expect(result.error?.code).toBe("timed_out");
      expect(result.usage.requests).toBe(1);
      expect(result.elapsed_ms).toBeLessThan(5000);
    }
  });

  it("stops at once when it is cancelled, and keeps the usage so far", async () => {
    const { result } = await play([{ calls: [{ name: "list_files" }] }, { hang: true }], {
      wire,
      abort: async (server, controller) => {
        await server.received(2);
        controller.abort();
      },
    });
    expect(result.error?.code).toBe("cancelled");
    expect(result.usage).toMatchObject({ requests: 1, total_tokens: 120 });
    expect(result.elapsed_ms).toBeLessThan(10_000);
  });

  it("ends after max_turns", async () => {
    const { result, server } = await play(() => ({ calls: [{ name: "list_files" }] }), {
      wire,
      request: { maxTurns: 3 },
    });
    expect(result.error?.code).toBe("max_turns");
    expect(server.requests).toHaveLength(3);
    expect(result.usage.requests).toBe(3);
  });

  it("tells calls apart although the server repeats or omits their ids", async () => {
    const call = (path: string, id: string) => ({
      name: "write_file",
      id,
      arguments: { path, content: path },
    });
    const { result, context, server } = await play(
      [
        { calls: [call("a", "call_0"), call("b", "call_0")] },
        { calls: [call("c", "call_0"), { name: "list_files", id: "call_1", arguments: "" }] },
        { text: "ok" },
      ],
      { wire },
    );
    expect(result.error).toBeUndefined();
    expect([...context.contents.keys()].sort()).toEqual(["a", "b", "c"]);
    expect(server.requests[2]?.outputs).toHaveLength(4);
  });
});

describe("a run", () => {
  it("awaits onTurn after the tools of a turn and before the next model call", async () => {
    const order: string[] = [];
    const note = defineTool({
      name: "note",
      description: "Note.",
      parameters: z.strictObject({}),
      flag: null,
      run: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push("tool");
        return null;
      },
    });
    await play(
      (call) => {
        order.push(`model ${call.turn}`);
        return call.turn < 3 ? { calls: [{ name: "note" }] } : { text: "ok" };
      },
      {
        tools: [note],
        request: {
          onTurn: async (turn) => {
            order.push(`turn ${turn} begins`);
            await new Promise((resolve) => setTimeout(resolve, 5));
            order.push(`turn ${turn} ends`);
          },
        },
      },
    );
    const round = (turn: number, tools: string[]) => [
      `model ${turn}`,
      ...tools,
      `turn ${turn} begins`,
      `turn ${turn} ends`,
    ];
    expect(order).toEqual([round(1, ["tool"]), round(2, ["tool"]), round(3, [])].flat());
  });

  it("tells of the last turn too when the turns are used up or the model fails", async () => {
    for (const last of [{ calls: [{ name: "list_files" }] }, { status: 400, message: "No." }]) {
      const turns: number[] = [];
      await play([{ calls: [{ name: "list_files" }] }, last], {
        request: { maxTurns: 2, onTurn: async (turn) => void turns.push(turn) },
      });
      expect(turns).toEqual("status" in last ? [1] : [1, 2]);
    }
  });

  it("passes on why the provider gave up, and tries again when that can help", async () => {
    const { result, server } = await play([
      { failed: { code: "server_error", message: "Try again" }, times: 1 },
      { failed: { code: "invalid_prompt", message: "Too rude" } },
    ]);
    expect(result.error?.code).toBe("provider_failed");
    expect(result.error?.message).toContain("Too rude");
    expect(server.requests).toHaveLength(2);
  });

  it("ends with the error of onTurn, and calls the model no more", async () => {
    const { result, server } = await play(() => ({ calls: [{ name: "list_files" }] }), {
      request: {
        onTurn: async () => {
          throw new OxbowError("store_failed", "The disk is full.");
        },
      },
    });
    expect(result.error).toMatchObject({ code: "store_failed", message: "The disk is full." });
    expect(server.requests).toHaveLength(1);
  });

  it("ends when a tool learns that somebody else has taken the work over", async () => {
    const { result, server } = await play(
      () => ({ calls: [{ name: "commit", arguments: { message: "x" } }] }),
      {
        overrides: {
          commit: async () => {
            throw new OxbowError("fenced", "A newer attempt has taken this work over.");
          },
        },
      },
    );
    expect(result.error?.code).toBe("fenced");
    expect(server.requests).toHaveLength(1);
  });

  it("stops its tools when the time is up, and waits until they have ended", async () => {
    let ended = false;
    const slow = defineTool({
      name: "slow",
      description: "Slow.",
      parameters: z.strictObject({}),
      flag: null,
      run: (_input, ctx) =>
        new Promise((_resolve, reject) => {
          ctx.signal.addEventListener("abort", () =>
            setTimeout(() => {
              ended = true;
              reject(new Error("stopped"));
            }, 20),
          );
        }),
    });
    const { result } = await play(() => ({ calls: [{ name: "slow" }] }), {
      tools: [slow],
      request: { timeoutMs: 1000 },
    });
    expect(result.error?.code).toBe("timed_out");
    expect(ended).toBe(true);
  });

  it("gives up at once when the server asks for more time than there is", async () => {
    const { result } = await play([{ status: 429, message: "Later", headers: { "retry-after": "3600" } }]);
    expect(result.error?.code).toBe("provider_failed");
    expect(result.error?.message).toContain("3600 s");
    expect(result.elapsed_ms).toBeLessThan(10_000);
  });

  it("cuts a huge tool result with a mark that says so", async () => {
    const huge = defineTool({
      name: "huge",
      description: "Huge.",
      parameters: z.strictObject({}),
      flag: null,
      run: async () => ({ text: "é".repeat(100_000) }),
    });
    const { server } = await play([{ calls: [{ name: "huge" }] }, { text: "ok" }], { tools: [huge] });
    const [output] = server.requests[1]?.lastOutputs ?? [];
    expect(output).toMatch(/\[truncated: the first 60000 of 200011 bytes; ask for less\]$/);
    expect(Buffer.byteLength(String(output))).toBeLessThan(60_100);
    expect(output).not.toContain("\uFFFD");
  });

  it("never throws for a bad provider, and reports an error of the table", async () => {
    const models = {
      name: "broken",
      simulated: false,
      model: () => Promise.reject(new OxbowError("provider_missing", "No key.")),
    };
    const { result } = await play([], { request: { models } });
    expect(result).toMatchObject({ output: "", usage: { requests: 0 }, error: { code: "provider_missing" } });
    expect(result.trace_id).toMatch(/^trace_[0-9a-f]{32}$/);
  });

  it("reports a server that is not there as provider_failed after its retries", async () => {
    const models = createModelSource({ provider: "openai", baseUrl: "http://127.0.0.1:1/v1" });
    const { result, events } = await play([], { request: { models, maxRetries: 1 } });
    expect(result.error?.code).toBe("provider_failed");
    expect(result.error?.message).toContain("could not be reached");
    expect(kinds(events, "retry")).toHaveLength(1);
  });

  it("refuses a runtime that it is not", () => {
    expect(() => new AgentRunner({ runtime: "acp" })).toThrow(
      expect.objectContaining({ code: "runtime_not_available" }),
    );
  });
});
