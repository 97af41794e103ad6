import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentRunner, createSubAgents, registerMergeStrategy, type SubAgentRunner } from "oxbow";
import { describe, expect, it } from "vitest";
import { temporaryDir } from "../support/repos.ts";

function scripted(script: string): AgentRunner {
  const file = join(temporaryDir(), "script.yaml");
  writeFileSync(file, script);
  return new AgentRunner({ runtime: "openai_agents", provider: "scripted", script: file, env: {} });
}

const TEAM = `agents:
  Fast: [{ say: fast }]
  Slow: [{ wait_ms: 20 }, { say: '{"risk":"low"}' }]
  Broken: [{ fail: Out of order }]
  Stuck: [{ wait_ms: 600000 }, { say: never }]
`;

/** What a run uses, without a model. */
function spending(tokens: number, cost: number | null): SubAgentRunner {
  return {
    run: async ({ agent, traceId = "" }) => ({
      output: agent,
      usage: { requests: 1, input_tokens: tokens, output_tokens: 0, total_tokens: tokens },
      cost,
      elapsed_ms: 1,
      request_id: "r",
      trace_id: traceId,
    }),
  };
}

const named = (...names: string[]) => names.map((name) => ({ name }));

describe("sub-agents", () => {
  it("run at once; texts are in order of the agents, JSON goes through, tokens and dollars add up", async () => {
    const agents = createSubAgents({ runner: scripted(TEAM), agents: named("Slow", "Fast") });
    const sources = new Set<string>();
    const result = await agents.run({ input: "How risky?", onEvent: ({ source }) => sources.add(source) });
    expect(result).toMatchObject({
      output: '{"risk":"low"}\n\nfast',
      json: { risk: "low" },
      usage: { requests: 2 },
      cost: 0,
      elapsed_ms: expect.any(Number),
      request_id: null,
      trace_id: expect.stringMatching(/^trace_/),
      errors: [],
    });
    expect(result).not.toHaveProperty("error");
    expect(result.agents.map(({ agent, started }) => [agent, started])).toEqual([
      ["Slow", true],
      ["Fast", true],
    ]);
    expect(new Set(result.agents.map(({ trace_id }) => trace_id))).toEqual(new Set([result.trace_id]));
    expect([...sources].sort()).toEqual(["Fast", "Slow"]);
  });

  it("fail one by one: the others' answers are there, and nobody takes a place", async () => {
    const agents = createSubAgents({ runner: scripted(TEAM), agents: named("Broken", "Fast") });
    const result = await agents.run({ input: "?" });
    expect(result).toMatchObject({
      output: "fast",
      error: { code: "provider_failed", message: expect.stringContaining("Broken") },
      errors: [{ agent: "Broken", code: "provider_failed" }],
      agents: [
        { agent: "Broken", error: { code: "provider_failed" } },
        { agent: "Fast", output: "fast" },
      ],
    });
  });

  it("have a time limit each, and all end when the caller gives up", async () => {
    const runner = scripted(TEAM);
    const timed = createSubAgents({ runner, agents: [{ name: "Stuck", timeoutMs: 30 }, { name: "Fast" }] });
    expect(await timed.run({ input: "?" })).toMatchObject({
      output: "fast",
      errors: [{ agent: "Stuck", code: "timed_out" }],
    });
    const stop = new AbortController();
    const stuck = createSubAgents({ runner, agents: named("Stuck", "Fast"), maxParallel: 1 });
    const running = stuck.run({ input: "?" }, stop.signal);
    stop.abort();
    expect(await running).toMatchObject({
      error: { code: "cancelled" },
      agents: [{ started: true }, { agent: "Fast", started: false, error: { code: "cancelled" } }],
    });
  });

  it("never run more at once than max_parallel", async () => {
    const at = { once: 0, most: 0 };
    const full = Promise.withResolvers<void>();
    const runner: SubAgentRunner = {
      async run(call) {
        at.once += 1;
        at.most = Math.max(at.most, at.once);
        if (at.once === 3) full.resolve();
        await full.promise;
        at.once -= 1;
        return spending(1, 0).run(call);
      },
    };
    const agents = createSubAgents({ runner, agents: named("A", "B", "C", "D", "E"), maxParallel: 3 });
    expect((await agents.run({ input: "?" })).output).toBe("A\n\nB\n\nC\n\nD\n\nE");
    expect(at.most).toBe(3);
  });

  it("keep a budget: of one run when it has ended, of all before the next one starts", async () => {
    const own = createSubAgents({
      runner: spending(100, 0.5),
      agents: [
        { name: "A", budget: { tokens: 99 } },
        { name: "B", budget: { tokens: 100, usd: 0.5 } },
      ],
    });
    expect(await own.run({ input: "?" })).toMatchObject({
      usage: { total_tokens: 200 },
      cost: 1,
      errors: [{ agent: "A", code: "budget_exceeded" }],
    });
    const all = createSubAgents({
      runner: spending(100, null),
      agents: named("A", "B", "C"),
      maxParallel: 1,
    });
    const result = await all.run({ input: "?", budget: { tokens: 150 } });
    expect(result.agents.map(({ started }) => started)).toEqual([true, true, false]);
    expect(result).toMatchObject({ cost: null, errors: [{ agent: "C", code: "budget_exceeded" }] });
    expect(await all.run({ input: "?", budget: { usd: 5 } })).toMatchObject({
      agents: [{ started: true }, { started: false, error: { code: "budget_exceeded" } }, { started: false }],
    });
  });

  it("may be some of them, each with an input of its own", async () => {
    const heard: string[] = [];
    const runner: SubAgentRunner = {
      run: (call) => {
        heard.push(`${call.agent}: ${call.input} (${call.instructions ?? ""})`);
        return spending(1, 0).run(call);
      },
    };
    const agents = createSubAgents({ runner, agents: [{ name: "A", instructions: "Be brief." }] });
    agents.register({ name: "B" });
    agents.register({ name: "C" });
    expect(agents.list().map(({ name }) => name)).toEqual(["A", "B", "C"]);
    expect(agents.get("A")?.instructions).toBe("Be brief.");
    await agents.run({ input: "all", inputs: { A: "yours" }, agents: ["C", "A"] });
    expect(heard).toEqual(["C: all ()", "A: yours (Be brief.)"]);
  });

  it("refuse what is wrong before anything starts", async () => {
    const agents = createSubAgents({ runner: spending(1, 0), agents: named("A") });
    await expect(agents.run({ input: "?", agents: ["Nobody"] })).rejects.toMatchObject({
      code: "agent_unknown",
    });
    await expect(agents.run({ input: "?", maxParallel: 0 })).rejects.toMatchObject({ code: "usage" });
    await expect(agents.run({ input: "?", merge: "none" })).rejects.toMatchObject({ code: "usage" });
    await expect(agents.run({ input: "?", budget: { usd: Number.NaN } })).rejects.toMatchObject({
      code: "usage",
    });
    expect(() => agents.register({ name: "A" })).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("registerMergeStrategy", () => {
  it("gives another way to make one of several answers; what it throws is an error of the result", async () => {
    registerMergeStrategy({
      name: "longest",
      merge: (outputs) => {
        const [longest] = outputs.toSorted((a, b) => b.output.length - a.output.length);
        if (!longest) throw new Error("There is nothing to choose from.");
        return { output: longest.output, json: { by: longest.agent } };
      },
    });
    const agents = createSubAgents({ runner: scripted(TEAM), agents: named("Fast", "Slow") });
    expect(await agents.run({ input: "?", merge: "longest" })).toMatchObject({
      output: '{"risk":"low"}',
      json: { by: "Slow" },
    });
    expect(await agents.run({ input: "?", merge: "longest", agents: [] })).toMatchObject({
      output: "",
      errors: [{ agent: null, code: "internal", message: "There is nothing to choose from." }],
    });
  });
});
