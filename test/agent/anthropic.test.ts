/** What is special about Anthropic's Messages API; what holds for every provider is in runner.test.ts. */
import type { ModelRequest } from "@openai/agents";
import { describe, expect, it } from "vitest";
import { messagesRequest } from "../../src/agent/anthropic-request.ts";
import type { RunRequest, RunResult } from "../../src/agent/contract.ts";
import { anthropicPrice, priceOf } from "../../src/agent/prices.ts";
import { createModelSource } from "../../src/agent/providers.ts";
import { AgentRunner } from "../../src/agent/runner.ts";
import { fileTools, serversOfTests } from "../support/agent-servers.ts";
import { createMemoryContext, type MemoryContext } from "../support/memory-context.ts";
import {
  type ModelServer,
  scriptByAgent,
  type ScriptedReply,
  startModelServer,
} from "../support/model-server.ts";

const KEY = "sk-ant-test-1234567890";
const servers = serversOfTests();

interface Played {
  readonly result: RunResult;
  readonly server: ModelServer;
  readonly context: MemoryContext;
}

async function play(replies: readonly ScriptedReply[], request: Partial<RunRequest> = {}): Promise<Played> {
  const server = await startModelServer(scriptByAgent({ Api: replies }));
  servers.push(server);
  const context = createMemoryContext({ files: { "a.txt": "hello\n" } });
  const result = await new AgentRunner({ runtime: "openai_agents", retryBaseMs: 2 }).run({
    agent: "Api",
    instructions: "You are Api, an agent.",
    input: "Look at a file.",
    model: "claude-sonnet-5-5",
    models: createModelSource({ provider: "anthropic", apiKey: KEY, baseUrl: server.origin }),
    tools: fileTools,
    context,
    maxTurns: 10,
    timeoutMs: 20_000,
    ...request,
  });
  return { result, server, context };
}

const read = { calls: [{ name: "read_file", arguments: { path: "a.txt" } }] };

describe("a run over the Messages API", () => {
  it("sends key and version as headers, and marks what is to be cached", async () => {
    const { result, server } = await play([read, { text: "Seen." }]);
    expect(result.output).toBe("Seen.");
    const [first, second] = server.requests;
    expect(first?.headers).toMatchObject({ "x-api-key": KEY, "anthropic-version": "2023-06-01" });
    expect(first?.headers.authorization).toBeUndefined();
    expect(first?.body).toMatchObject({
      max_tokens: 32_000,
      stream: true,
      system: [{ type: "text", text: "You are Api, an agent.", cache_control: { type: "ephemeral" } }],
      messages: [
        {
          role: "user",
          content: [{ type: "text", text: "Look at a file.", cache_control: { type: "ephemeral" } }],
        },
      ],
    });
    const marks = (raw: string | undefined) => raw?.match(/cache_control/g)?.length;
    expect(marks(first?.raw)).toBe(3);
    expect(marks(second?.raw)).toBe(4);
    const tools = first?.body["tools"] as readonly Record<string, unknown>[];
    expect(tools.at(-1)).toMatchObject({
      cache_control: { type: "ephemeral" },
      input_schema: { type: "object" },
    });
  });

  it("gives back what the model thought as it came, with its signature, also when the text is kept from us", async () => {
    const signature = Buffer.from("a signature that nobody may touch".repeat(20)).toString("base64");
    const { server } = await play([
      { thinking: { text: "I should look.", signature }, text: "Looking.", ...read },
      { thinking: { text: "", signature }, ...read },
      { text: "Seen." },
    ]);
    const messages = server.requests[2]?.body["messages"] as { content: Record<string, unknown>[] }[];
    expect(messages[1]?.content.map(({ type }) => type)).toEqual(["thinking", "text", "tool_use"]);
    expect(messages[1]?.content[0]).toEqual({ type: "thinking", thinking: "I should look.", signature });
    expect(messages[3]?.content[0]).toEqual({ type: "thinking", thinking: "", signature });
  });

  it("tells the model which of its calls came to nothing", async () => {
    const { server } = await play([
      {
        calls: [
          ...read.calls,
          { name: "launch", arguments: {} },
          { name: "read_file", arguments: '{"path": "a' },
        ],
      },
      { text: "Sorry." },
    ]);
    const messages = server.requests[1]?.body["messages"] as { content: Record<string, unknown>[] }[];
    expect(messages[2]?.content.map(({ type, is_error }) => [type, is_error])).toEqual([
      ["tool_result", undefined],
      ["tool_result", true],
      ["tool_result", true],
    ]);
  });

  it("counts what was read from the cache and written to it, at their prices", async () => {
    const usage = { input: 100, cached: 1000, cacheWrite: 200, output: 20 };
    const { result } = await play([{ text: "Hi.", usage }]);
    expect(result.usage).toEqual({ requests: 1, input_tokens: 1300, output_tokens: 20, total_tokens: 1320 });
    // A server that is not the vendor's has prices of its own.
    expect(result.cost).toBeNull();
    const price = anthropicPrice("claude-sonnet-5-5-20260925");
    if (price === null) throw new Error("no price");
    const tokens = {
      inputTokens: 1_300_000,
      cachedTokens: 1_000_000,
      cacheWriteTokens: 200_000,
      outputTokens: 20_000,
    };
    expect(priceOf(price, tokens)).toBeCloseTo(0.1 * 2 + 1 * 0.1 + 0.2 * 2.5 + 0.02 * 10);
    expect(anthropicPrice("claude-unheard-of-9")).toBeNull();
  });

  it.each([
    ["max_tokens", "answer_truncated"],
    ["model_context_window_exceeded", "answer_truncated"],
    ["pause_turn", "answer_truncated"],
    ["refusal", "model_refused"],
    ["a_new_reason", "model_behaviour"],
  ])("ends with a code of its own when the model stops for %s", async (stop, code) => {
    const { result, server } = await play([{ text: "And so", stop }]);
    expect(result.error?.code).toBe(code);
    expect(result.error?.message).not.toContain("HTTP");
    expect(server.requests).toHaveLength(1);
  });

  it("makes no call whose arguments were cut off, and lets the model try again", async () => {
    for (const cut of ["", '{"path": "a.t']) {
      const { result, server, context } = await play([
        { calls: [{ name: "delete_file", arguments: cut }], stop: "max_tokens" },
        { text: "Too long." },
      ]);
      expect(result.output).toBe("Too long.");
      expect(server.requests[1]?.lastOutputs).toMatchObject([{ ok: false, error: { code: "tool_input" } }]);
      expect(context.text("a.txt")).toBe("hello\n");
    }
  });

  it("tries again when the provider gives up in the middle of its answer", async () => {
    const { result, server } = await play([
      { text: "Half of", failed: { code: "overloaded_error", message: "Overloaded" }, times: 2 },
      { text: "All of it." },
    ]);
    expect(result.output).toBe("All of it.");
    expect(server.requests).toHaveLength(3);
    const { result: refused } = await play([{ failed: { code: "invalid_request_error", message: "No." } }]);
    expect(refused.error).toMatchObject({ code: "provider_failed", message: expect.stringContaining("No.") });
  });

  it("names its own settings when the key or the model is refused, and never shows the key", async () => {
    const { result } = await play([{ status: 401, message: `invalid x-api-key ${KEY}` }]);
    expect(result.error?.hint).toContain("ANTHROPIC_API_KEY");
    expect(JSON.stringify(result)).not.toContain(KEY);
    const { result: unknown } = await play([{ status: 404, message: "model: claude-x" }]);
    expect(unknown.error?.hint).toContain("ANTHROPIC_BASE_URL");
    expect(() => createModelSource({ provider: "anthropic" })).toThrow(
      expect.objectContaining({
        code: "provider_missing",
        hint: expect.stringContaining("ANTHROPIC_API_KEY"),
      }),
    );
  });
});

describe("a request in the words of the Messages API", () => {
  const request = (input: ModelRequest["input"]): ModelRequest => ({
    input,
    modelSettings: {},
    tools: [],
    outputType: "text",
    handoffs: [],
    tracing: false,
  });
  const messages = (input: ModelRequest["input"]) => messagesRequest("m", request(input))["messages"];

  it("carries images, as bytes and as addresses", () => {
    const image = (at: string) => ({ type: "input_image" as const, image: at });
    expect(
      messages([
        {
          role: "user",
          content: [{ type: "input_text", text: "Look:" }, image("data:image/png;base64,AAAA")],
        },
        { role: "user", content: [image("https://example.com/a.jpg")] },
      ]),
    ).toMatchObject([
      {
        role: "user",
        content: [
          { type: "text", text: "Look:" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
          { type: "image", source: { type: "url", url: "https://example.com/a.jpg" } },
        ],
      },
    ]);
    expect(() => messages([{ role: "user", content: [{ type: "input_file", file: "x" }] }])).toThrow(
      "input_file",
    );
  });

  it("puts the results of calls before what else was said meanwhile", () => {
    const call = { type: "function_call" as const, callId: "call:1", name: "look", arguments: '{"at":1}' };
    const result = {
      type: "function_call_result" as const,
      callId: "call:1",
      name: "look",
      status: "completed" as const,
    };
    expect(
      messages([
        { role: "user", content: "Go." },
        call,
        { role: "user", content: "By the way." },
        { ...result, output: "seen" },
      ]),
    ).toMatchObject([
      { role: "user" },
      { role: "assistant", content: [{ type: "tool_use", id: "call_1", name: "look", input: { at: 1 } }] },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "call_1", content: [{ type: "text", text: "seen" }] },
          { type: "text", text: "By the way." },
        ],
      },
    ]);
  });

  it("leaves out what another provider's model thought, and thoughts that were redacted where they were kept", () => {
    const thought = (providerData: Record<string, unknown>) => ({
      type: "reasoning" as const,
      content: [],
      providerData,
    });
    expect(
      messages([
        { role: "user", content: "Go." },
        thought({ id: "rs_1" }),
        thought({ anthropic: { type: "thinking", thinking: "The key is [REDACTED]", signature: "s" } }),
        thought({ anthropic: { type: "redacted_thinking", data: "abc" } }),
      ]),
    ).toMatchObject([
      { role: "user" },
      { role: "assistant", content: [{ type: "redacted_thinking", data: "abc" }] },
    ]);
  });
});
