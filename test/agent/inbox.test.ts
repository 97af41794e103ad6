import { describe, expect, it, onTestFinished } from "vitest";
import type { Inbox, RunnerEvent, RunRequest } from "../../src/agent/contract.ts";
import { createModelSource } from "../../src/agent/providers.ts";
import { AgentRunner } from "../../src/agent/runner.ts";
import { builtinTools } from "../../tools/index.ts";
import { createMemoryContext } from "../support/memory-context.ts";
import {
  type ModelCall,
  type ScriptedReply,
  scriptByAgent,
  startModelServer,
} from "../support/model-server.ts";

interface Post {
  /** The messages that are there when the inbox is asked for the n-th time, from 1. */
  readonly [asked: number]: readonly string[];
}

function createPost(post: Post): Inbox & { readonly closed: boolean; asked: string[] } {
  let count = 0;
  let closed = false;
  const asked: string[] = [];
  return {
    asked,
    get closed() {
      return closed;
    },
    async take() {
      asked.push("take");
      return post[++count] ?? [];
    },
    async takeOrClose() {
      asked.push("close");
      const texts = post[++count] ?? [];
      closed = texts.length === 0;
      return texts;
    },
  };
}

const READ: ScriptedReply = { calls: [{ name: "list_files", arguments: {} }] };

async function play(
  replies: readonly ScriptedReply[],
  inbox: Inbox,
  options: Partial<RunRequest> & { wire?: string } = {},
) {
  const server = await startModelServer(scriptByAgent({ Api: replies }));
  onTestFinished(() => server.close());
  const events: RunnerEvent[] = [];
  const { wire = "openai", ...request } = options;
  const result = await new AgentRunner({ runtime: "openai_agents", retryBaseMs: 2 }).run({
    agent: "Api",
    instructions: "You are Api.",
    input: "Go.",
    model: "m",
    models: createModelSource({ provider: wire, apiKey: "k", baseUrl: server.url }),
    tools: builtinTools.filter((tool) => tool.flag === "ENABLE_FILE_TOOLS"),
    context: createMemoryContext(),
    maxTurns: 10,
    timeoutMs: 10_000,
    inbox,
    onEvent: (event) => events.push(event),
    ...request,
  });
  return { result, events, requests: server.requests };
}

/** What a model was told, in its order: a user's text, or the kind of what it is. */
function told(call: ModelCall): string[] {
  const items = (call.body["input"] ?? call.body["messages"]) as Record<string, any>[];
  return items
    .filter((item) => item["role"] !== "system" && item["role"] !== "developer")
    .map((item) => {
      if (item["role"] === "user") return textOf(item["content"]);
      if (item["role"] === "tool" || item["type"] === "function_call_output") return "<result>";
      if (item["type"] === "function_call" || item["tool_calls"]) return "<call>";
      return `<answer ${textOf(item["content"])}>`;
    });
}

function textOf(content: any): string {
  return typeof content === "string" ? content : content.map((part: any) => part.text).join("");
}

const AGAIN = expect.stringContaining("final answer again in full");

describe.each(["openai", "openai_chat"])("messages to an agent over %s", (wire) => {
  it("come before the next call of the model, once, and stay where they came", async () => {
    const inbox = createPost({ 1: ["early"], 3: ["one", "two"] });
    const { result, requests } = await play([READ, READ, READ, { text: "Done." }], inbox, { wire });
    expect(result).toMatchObject({ output: "Done." });
    expect(requests.map(told)).toEqual([
      ["Go.", "early"],
      ["Go.", "early", "<call>", "<result>"],
      ["Go.", "early", "<call>", "<result>", "<call>", "<result>", "one", "two"],
      ["Go.", "early", "<call>", "<result>", "<call>", "<result>", "one", "two", "<call>", "<result>"],
    ]);
    expect(inbox.closed).toBe(true);
  });

  it("that come while it gives its last answer are read in another turn", async () => {
    const inbox = createPost({ 2: ["wait!"], 5: ["and this"] });
    const replies: ScriptedReply[] = [{ text: "Done." }, READ, { text: "Done again." }, { text: "Really." }];
    const { result, requests, events } = await play(replies, inbox, { wire });
    expect(result).toMatchObject({ output: "Really.", usage: { requests: 4 } });
    expect(requests.map(told)).toEqual([
      ["Go."],
      ["Go.", "<answer Done.>", "wait!", AGAIN],
      ["Go.", "<answer Done.>", "wait!", AGAIN, "<call>", "<result>"],
      [
        "Go.",
        "<answer Done.>",
        "wait!",
        AGAIN,
        "<call>",
        "<result>",
        "<answer Done again.>",
        "and this",
        AGAIN,
      ],
    ]);
    expect(inbox.asked).toEqual(["take", "close", "take", "take", "close", "take", "close"]);
    expect(events.flatMap((event) => (event.kind === "turn" ? [event.turn] : []))).toEqual([1, 2, 3, 4]);
  });
});

describe("an inbox", () => {
  it("never makes a run longer than its turns", async () => {
    const endless: Inbox = { take: async () => [], takeOrClose: async () => ["more"] };
    const { result, requests } = await play(
      Array.from({ length: 9 }, () => ({ text: "Done." })),
      endless,
      { maxTurns: 3 },
    );
    expect([result.error, result.output, requests.length]).toEqual([undefined, "Done.", 3]);
    const late = createPost({ 2: ["again"] });
    const cut = await play([{ text: "Done." }, READ, READ, READ], late, { maxTurns: 3 });
    expect(cut.result.error).toMatchObject({ code: "max_turns" });
    expect(cut.requests).toHaveLength(3);
  });

  it("that fails ends the run with its error", async () => {
    const broken: Inbox = { take: () => Promise.reject(new Error("no disk")), takeOrClose: async () => [] };
    const { result, requests } = await play([{ text: "Done." }], broken);
    expect(result.error).toMatchObject({ message: "no disk" });
    expect(requests).toHaveLength(0);
  });

  it("that is never filled leaves the requests byte for byte as they are without one", async () => {
    const replies = [READ, { text: "Done." }];
    const fill = (raw: string) => raw.replace(/call_[\w-]+|fc_[\w-]+/g, "ID");
    const without = await play(replies, createPost({}), { inbox: undefined });
    const empty = await play(replies, createPost({}));
    expect(empty.requests.map(({ raw }) => fill(raw))).toEqual(without.requests.map(({ raw }) => fill(raw)));
  });
});
