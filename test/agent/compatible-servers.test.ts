/** Servers that speak Chat Completions in their own way: what each sends, as it sends it, in a whole run. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createChatNormaliser } from "../../src/agent/chat-stream.ts";
import type { RunnerEvent, RunRequest, RunResult } from "../../src/agent/contract.ts";
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

const servers = serversOfTests();

interface Played {
  readonly result: RunResult;
  readonly events: readonly RunnerEvent[];
  readonly server: ModelServer;
  readonly context: MemoryContext;
}

async function play(
  replies: readonly ScriptedReply[],
  request: Partial<RunRequest> = {},
  wire = "openai_chat",
): Promise<Played> {
  const server = await startModelServer(scriptByAgent({ Api: replies }));
  servers.push(server);
  const context = createMemoryContext({ files: { "a.txt": "A", "b.txt": "B" } });
  const events: RunnerEvent[] = [];
  const baseUrl = wire === "anthropic" ? server.origin : server.url;
  const result = await new AgentRunner({ runtime: "openai_agents", retryBaseMs: 2 }).run({
    agent: "Api",
    instructions: "You are Api.",
    input: "Read both.",
    model: "m",
    models: createModelSource({ provider: wire, baseUrl, maxAnswerBytes: 1_000_000 }),
    tools: fileTools,
    context,
    maxTurns: 5,
    timeoutMs: 20_000,
    onEvent: (event) => events.push(event),
    ...request,
  });
  return { result, events, server, context };
}

const sse = (...chunks: readonly unknown[]): string =>
  chunks.map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`).join("");
const says = (delta: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const calls = (...tool_calls: readonly object[]) => says({ role: "assistant", content: "", tool_calls });
const read = (path: string, extra: object = {}) => ({
  type: "function",
  ...extra,
  function: { name: "read_file", arguments: JSON.stringify({ path }) },
});
const end = (reason: string) => says({}, reason);
const DONE = "[DONE]";

/** Each calls read_file for a.txt and b.txt. */
const SERVERS: Readonly<Record<string, string>> = {
  "Ollama: whole calls without an index, the reason is stop, no usage": sse(
    calls(read("a.txt", { id: "call_x1" })),
    calls(read("b.txt", { id: "call_x2" })),
    says({ role: "assistant", content: "" }, "stop"),
    DONE,
  ),
  "an older Ollama: arguments are an object, there is no id": sse(
    calls(
      { function: { name: "read_file", arguments: { path: "a.txt" } } },
      { function: { name: "read_file", arguments: { path: "b.txt" } } },
    ),
    end("stop"),
    DONE,
  ),
  "Gemini's: all calls have index 0": sse(
    calls(read("a.txt", { index: 0, id: "g1" }), read("b.txt", { index: 0, id: "g2" })),
    end("tool_calls"),
    DONE,
  ),
  "vLLM: reasoning_content first, then pieces with an index": sse(
    says({ role: "assistant", content: "" }),
    says({ reasoning_content: "Both, then." }),
    calls({ index: 0, id: "v1", type: "function", function: { name: "read_file" } }),
    calls({ index: 0, function: { arguments: '{"path":' } }),
    calls({ index: 0, function: { arguments: ' "a.txt"}' } }),
    calls({ index: 1, id: "v2", type: "function", function: { name: "read_file" } }),
    calls({ index: 1, function: { arguments: '{"path": "b.txt"}' } }),
    end("tool_calls"),
    { choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } },
    DONE,
  ),
  "a gateway that repeats id and name with every piece": sse(
    calls({ index: 0, id: "r1", function: { name: "read_file", arguments: '{"path":' } }),
    calls({ index: 0, id: "r1", function: { name: "read_file", arguments: '"a.txt"}' } }),
    calls({ index: 1, id: "r2", function: { name: "read_file", arguments: '{"path":' } }),
    calls({ index: 1, id: "r2", function: { name: "read_file", arguments: '"b.txt"}' } }),
    end("tool_calls"),
    DONE,
  ),
  "pieces without index and id": sse(
    calls({ function: { name: "read_file", arguments: "" } }),
    calls({ function: { arguments: '{"path":"a' } }),
    calls({ function: { arguments: '.txt"}' } }),
    calls({ function: { name: "read_file", arguments: '{"path":"b.txt"}' } }),
    end("function_call"),
    DONE,
  ),
  "OpenRouter: comments, empty choices, a foreign reason, no [DONE]": `: OPENROUTER PROCESSING\n\n${sse(
    { choices: [] },
    { id: "or", choices: [{ delta: { content: null, reasoning: "Hm." }, finish_reason: "" }] },
    calls(read("a.txt", { index: 0, id: "o1" }), read("b.txt", { index: 1, id: "o2" })),
    end("tool_use"),
  )}`,
  "one that gives no reason, only [DONE]": sse(
    calls(read("a.txt", { index: 0, id: "d1" }), read("b.txt", { index: 1, id: "d2" })),
    DONE,
  ),
  "one that does not stream": "",
};

const PLAIN = JSON.stringify({
  id: "x",
  choices: [
    {
      message: {
        role: "assistant",
        content: null,
        tool_calls: [read("a.txt", { id: "p1" }), read("b.txt", { id: "p2" })],
      },
      finish_reason: "tool_calls",
    },
  ],
  usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
});

describe("a run over a compatible server", () => {
  it.each(Object.entries(SERVERS))("%s", async (_name, stream) => {
    const first = stream === "" ? { body: PLAIN, type: "application/json; charset=utf-8" } : { body: stream };
    const { result, server } = await play([first, { text: "Read." }]);
    expect(result.error).toBeUndefined();
    expect(result.output).toBe("Read.");
    expect(server.requests[1]?.lastOutputs).toMatchObject([{ content: "A" }, { content: "B" }]);
    // What a server's model thought is no part of the conversation: other servers refuse such fields.
    expect(server.requests[1]?.raw).not.toMatch(/Hm\.|Both, then/);
  });

  it("counts what it is told, and nothing where it is told nothing", async () => {
    const { result } = await play([{ body: sse(says({ content: "Hi" }, "eos"), DONE) }]);
    expect(result).toMatchObject({ output: "Hi", usage: { requests: 1, total_tokens: 0 }, cost: null });
    const counted = await play([{ body: PLAIN, type: "application/json" }, { text: "Read." }]);
    expect(counted.result.usage).toMatchObject({ requests: 2, input_tokens: 105, output_tokens: 22 });
  });

  it("tries again when it gives up in the middle, and says why when that does not help", async () => {
    const broken = {
      body: sse(says({ content: "Half" }), { error: { code: 502, message: "Upstream is gone" } }),
    };
    const { result, events } = await play([{ ...broken, times: 1 }, { text: "Whole." }]);
    expect(result.output).toBe("Whole.");
    expect(events.filter(({ kind }) => kind === "retry")).toHaveLength(1);
    const refused = { body: sse({ error: { code: 400, message: "Too long for this model" } }) };
    expect((await play([refused])).result.error).toMatchObject({
      code: "provider_failed",
      message: expect.stringContaining("Too long for this model"),
    });
    const garbage = { body: "<html>gateway</html>", type: "application/json" };
    expect((await play([garbage], { maxRetries: 1 })).result.error?.message).toContain("not JSON");
  });

  it("ends with answer_truncated when text is cut off, and lets the model try a cut call again", async () => {
    expect((await play([{ text: "And so", stop: "length" }])).result.error?.code).toBe("answer_truncated");
    const cut = { calls: [{ name: "delete_file", arguments: '{"path": "a.t' }], stop: "max_tokens" };
    const { result, context, server } = await play([cut, { text: "Too long." }]);
    expect(result.output).toBe("Too long.");
    expect(server.requests[1]?.lastOutputs).toMatchObject([{ error: { code: "tool_input" } }]);
    expect(context.text("a.txt")).toBe("A");
  });
});

describe.each(["openai", "openai_chat", "anthropic"])("an answer over %s", (wire) => {
  it("that grows without end is given up, and not asked for again", async () => {
    const { result, server } = await play([{ text: "x".repeat(3_000_000) }], {}, wire);
    expect(result.error?.code).toBe("provider_failed");
    expect(result.error?.message).toContain("more than 1000000 bytes");
    expect(server.requests).toHaveLength(1);
  });

  it("that broke off half-way is asked for again, with the same key, and nothing is done twice", async () => {
    const call = { calls: [{ name: "write_file", arguments: { path: "c.txt", content: "C" } }] };
    const { result, context, server, events } = await play(
      [{ ...call, cut: "hang_up", times: 2 }, call, { text: "Written." }],
      {},
      wire,
    );
    expect(result.output).toBe("Written.");
    expect(context.text("c.txt")).toBe("C");
    expect(events.filter(({ kind }) => kind === "tool_called")).toHaveLength(1);
    const keys = server.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(keys[0]).toMatch(/^\S{10,}$/);
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(keys[3]).not.toBe(keys[0]);
  });
});

describe("calls in pieces", () => {
  const call = fc.record({
    name: fc.stringMatching(/^[a-z_]{1,12}$/),
    args: fc.stringMatching(/^[^\uD800-\uDFFF]{0,24}$/),
    cuts: fc.array(fc.nat(30), { maxLength: 4 }),
  });
  const style = fc.constantFrom("index", "id", "neither");

  it("come together as they were sent, whatever marks them", () => {
    fc.assert(
      fc.property(
        fc.array(call, { minLength: 1, maxLength: 4 }),
        style,
        fc.boolean(),
        (list, how, repeats) => {
          const plain = createChatNormaliser();
          const made = new Map<unknown, { name: string; args: string }>();
          const push = (piece: object) => {
            const { choices } = plain.push(calls(piece)) as { choices: { delta: { tool_calls: any[] } }[] };
            for (const { index, function: given } of choices[0]?.delta.tool_calls ?? []) {
              const at = made.get(index) ?? { name: "", args: "" };
              made.set(index, { name: at.name + (given.name ?? ""), args: at.args + given.arguments });
            }
          };
          list.forEach(({ name, args, cuts }, i) => {
            // A call without any arguments is no sign that the next one is another.
            const whole = how === "neither" && args === "" ? "{}" : args;
            const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
            const pieces = [0, ...at].map((from, n) => whole.slice(from, at[n] ?? whole.length));
            pieces.forEach((text, n) => {
              const names = n === 0 || (repeats && how !== "neither");
              push({
                ...(how === "index" ? { index: i } : {}),
                ...(how === "neither" ? {} : { id: `call_${i}` }),
                function: { ...(names ? { name } : {}), arguments: text },
              });
            });
            list[i] = { name, args: whole, cuts };
          });
          expect([...made.values()]).toEqual(list.map(({ name, args }) => ({ name, args })));
        },
      ),
    );
  });
});
