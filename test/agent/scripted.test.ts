import { describe, expect, it } from "vitest";
import type { RunnerEvent, RunResult } from "../../src/agent/contract.ts";
import { createModelSource } from "../../src/agent/providers.ts";
import { AgentRunner } from "../../src/agent/runner.ts";
import { builtinTools } from "../../tools/index.ts";
import { createMemoryContext, type MemoryContext } from "../support/memory-context.ts";

async function play(
  text: string,
  options: {
    agent?: string;
    task?: string;
    context?: MemoryContext;
    timeoutMs?: number;
    signal?: AbortSignal;
  } = {},
): Promise<{ result: RunResult; events: RunnerEvent[]; context: MemoryContext }> {
  const models = createModelSource({ provider: "scripted", script: { file: "script.yaml", text } });
  expect(models.simulated).toBe(true);
  const context = options.context ?? createMemoryContext({ files: { "a.txt": "hello" } });
  const events: RunnerEvent[] = [];
  const result = await new AgentRunner({ runtime: "openai_agents", retryBaseMs: 1 }).run(
    {
      agent: options.agent ?? "Api",
      instructions: "",
      input: options.task ?? "Add a page",
      models,
      tools: builtinTools,
      context,
      maxTurns: 20,
      timeoutMs: options.timeoutMs ?? 10_000,
      onEvent: (event) => events.push(event),
    },
    options.signal,
  );
  return { result, events, context };
}

function invalid(text: string): { message: string; details: Record<string, unknown> } {
  try {
    createModelSource({ provider: "scripted", script: { file: "s.yaml", text } });
  } catch (error) {
    expect(error).toMatchObject({ code: "script_invalid" });
    return error as { message: string; details: Record<string, unknown> };
  }
  throw new Error("the script was accepted");
}

describe("a script", () => {
  it("calls tools, fills in the task and earlier results, and ends with what it says", async () => {
    const { result, context } = await play(`
agents:
  Api:
    - tool: orchestrate_split
      arguments: { task: "{{task}}, all of it" }
    - tools:
        - { tool: signal_wait_all, arguments: { topics: $last.topics } }
        - { tool: read_file, arguments: { path: a.txt } }
    - { tool: write_file, arguments: { path: b.txt, content: "$results[2].content" } }
    - { tool: write_file, arguments: { path: c.txt, content: "$results[0].topics[0]" } }
    - say: "{{agent}} did: {{task}}"
`);
    expect(result.error).toBeUndefined();
    expect(result.output).toBe("Api did: Add a page");
    expect(result.usage).toMatchObject({ requests: 5, total_tokens: 0 });
    expect(result.cost).toBe(0);
    expect(context.splits).toEqual([{ task: "Add a page, all of it" }]);
    expect(context.text("b.txt")).toBe("hello");
    expect(context.text("c.txt")).toBe("signal:c_2:done");
  });

  it("may be JSON, and chooses by the task: by a part of it, by a pattern, then whatever has no condition", async () => {
    const script = JSON.stringify({
      agents: {
        Api: [
          { when: "page", steps: [{ say: "a page" }] },
          { when: "/^fix\\b/i", steps: [{ say: "a fix" }] },
          { steps: [{ say: "other" }] },
        ],
      },
      default: [{ say: "default" }],
    });
    expect((await play(script, { task: "Add a page" })).result.output).toBe("a page");
    expect((await play(script, { task: "Fix it" })).result.output).toBe("a fix");
    expect((await play(script, { task: "Prefix it" })).result.output).toBe("other");
    expect((await play(script, { agent: "Docs" })).result.output).toBe("default");
  });

  it("starts anew for every run", async () => {
    const models = createModelSource({
      provider: "scripted",
      script: { file: "s", text: "default: [{ say: once }]" },
    });
    const request = {
      agent: "A",
      instructions: "",
      input: "x",
      models,
      tools: [],
      context: createMemoryContext(),
    };
    const runner = new AgentRunner({ runtime: "openai_agents" });
    const both = await Promise.all(
      [1, 2].map(() => runner.run({ ...request, maxTurns: 1, timeoutMs: 5000 })),
    );
    expect(both.map(({ output }) => output)).toEqual(["once", "once"]);
  });

  it("fails for good, or is retried, by the status", async () => {
    const bad = await play("default: [{ fail: Out of order }]");
    expect(bad.result.error).toMatchObject({ code: "provider_failed" });
    expect(bad.result.error?.message).toContain("Out of order");
    expect(bad.events.filter(({ kind }) => kind === "retry")).toHaveLength(0);
    const flaky = await play(
      "default: [{ fail: Busy, status: 503 }, { fail: Busy, status: 429 }, { say: fine }]",
    );
    expect(flaky.result.output).toBe("fine");
    expect(flaky.events.filter(({ kind }) => kind === "retry")).toHaveLength(2);
    const dead = await play("default: [{ fail: Busy, status: 500 }]");
    expect(dead.result.error?.code).toBe("provider_failed");
  });

  it("waits, and stops at once when it must", async () => {
    const controller = new AbortController();
    const running = play("default: [{ wait_ms: 600000 }, { say: late }]", { signal: controller.signal });
    controller.abort();
    expect((await running).result.error?.code).toBe("cancelled");
    const { result } = await play("default: [{ wait_ms: 600000 }, { say: late }]", { timeoutMs: 50 });
    expect(result.error?.code).toBe("timed_out");
    expect((await play("default: [{ wait_ms: 1 }, { say: now }]")).result.output).toBe("now");
  });

  it("may speak before it calls a tool, and ends silently when its steps are used up", async () => {
    const spoken = await play("default: [{ say: Looking. }, { tool: list_files }, { say: Done. }]");
    expect(spoken.events.flatMap((event) => (event.kind === "text" ? [event.text] : []))).toEqual([
      "Looking.",
      "Done.",
    ]);
    const silent = await play("default: [{ tool: list_files }]");
    expect(silent.result).toMatchObject({ output: "" });
    expect(silent.result.error).toBeUndefined();
  });

  it("says so when it names a result that is not there, or has nothing for an agent", async () => {
    const wrong = await play(
      "default: [{ tool: write_file, arguments: { path: x, content: $last.content } }]",
    );
    expect(wrong.result.error).toMatchObject({ code: "script_invalid" });
    expect(wrong.result.error?.message).toContain("$last.content");
    const nobody = await play("agents: { Docs: [{ say: hi }] }");
    expect(nobody.result.error?.message).toContain("no steps for Api");
  });

  it("that is wrong is refused with line and column", () => {
    expect(invalid("agents:\n  Api:\n    - { tol: x }\n")).toMatchObject({ details: { line: 3, column: 7 } });
    expect(invalid("agents:\n  Api:\n    - { tol: x }\n").message).toContain(
      "s.yaml:3:7: agents.Api.0: a step has one of tool",
    );
    expect(invalid("agents: [").details).toMatchObject({ line: 1 });
    expect(invalid("default: 3").details).toMatchObject({ line: 1, column: 10 });
    expect(invalid('agents:\n  A:\n    - when: "/(/"\n      steps: []\n').details).toMatchObject({
      line: 3,
      column: 13,
    });
    expect(invalid("agent: {}").message).toContain("agent");
    expect(invalid("- say: hi").message).toContain("s.yaml:1:1");
    expect(invalid("default: [{ fail: x, status: 200 }]").details).toMatchObject({ line: 1 });
  });
});
