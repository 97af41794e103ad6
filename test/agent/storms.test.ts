/** A team against a provider that refuses, fails and comes back: whole runs over the three wire formats, side by side. */
import { describe, expect, it } from "vitest";
import { createLimiter } from "../../src/agent/limiter.ts";
import type { RunnerEvent, RunResult } from "../../src/agent/contract.ts";
import { createModelSource } from "../../src/agent/providers.ts";
import { AgentRunner } from "../../src/agent/runner.ts";
import { fileTools, serversOfTests } from "../support/agent-servers.ts";
import { createMemoryContext } from "../support/memory-context.ts";
import {
  type ModelHandler,
  type ModelReply,
  type ModelServer,
  startModelServer,
} from "../support/model-server.ts";
import { tokenBucket } from "../support/rate-limits.ts";

const servers = serversOfTests();

interface Played {
  readonly results: readonly RunResult[];
  readonly events: readonly RunnerEvent[];
  readonly server: ModelServer;
}

/** Each run lists its files once, and says that it has. */
const plain: ModelHandler = ({ turn }) =>
  turn === 1 ? { calls: [{ name: "list_files" }] } : { text: "Listed." };

async function play(
  wire: string,
  runs: number,
  handler: ModelHandler,
  breaker = { failures: 10, cooldownS: 0.1 },
  maxRetries = 4,
): Promise<Played> {
  const server = await startModelServer(handler);
  servers.push(server);
  const events: RunnerEvent[] = [];
  const models = createModelSource({
    provider: wire,
    apiKey: "sk-test-1234567890",
    baseUrl: wire === "anthropic" ? server.origin : server.url,
    limiter: createLimiter({ breaker }),
  });
  const run = (n: number): Promise<RunResult> =>
    new AgentRunner({ runtime: "openai_agents", retryBaseMs: 2 }).run({
      agent: `Agent${n}`,
      instructions: `You are Agent${n}.`,
      input: "List.",
      model: "m",
      models,
      tools: fileTools,
      context: createMemoryContext(),
      maxTurns: 4,
      timeoutMs: 60_000,
      maxRetries,
      onEvent: (event) => events.push(event),
    });
  return { results: await Promise.all(Array.from({ length: runs }, (_, n) => run(n))), events, server };
}

const failures = (results: readonly RunResult[]) =>
  results.flatMap(({ error }) => (error ? [error.message] : []));

describe.each(["openai", "openai_chat", "anthropic"])("twenty agents over %s", (wire) => {
  it("all finish under a rate limit, with whatever it says about waiting", async () => {
    const says: ((waitMs: number) => Record<string, string>)[] = [
      (ms) => ({ "retry-after-ms": String(Math.ceil(ms)) }),
      (ms) => ({ "retry-after": (ms / 1000).toFixed(3) }),
      (ms) => ({ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": `${Math.ceil(ms)}ms` }),
    ];
    const limit = tokenBucket(200, 5);
    let [asked, refused] = [0, 0];
    const { results, server, events } = await play(wire, 20, (call): ModelReply | Promise<ModelReply> => {
      // The first ten are too many, however slow this machine is.
      const wait = asked++ < 10 ? 20 : limit(performance.now());
      if (wait === null) return plain(call);
      const headers = says[refused++ % says.length]?.(wait) ?? {};
      return { status: 429, message: "Slow down", headers };
    });
    expect(failures(results)).toEqual([]);
    expect(results.every(({ output, usage }) => output === "Listed." && usage.requests === 2)).toBe(true);
    expect(refused).toBeGreaterThanOrEqual(10);
    expect(server.requests).toHaveLength(40 + refused);
    expect(events.filter(({ kind }) => kind === "retry")).toHaveLength(refused);
  });

  it("outlive a provider that is down for a while, which one request finds out for all", async () => {
    let down = 22;
    const { results, events, server } = await play(wire, 20, (call) =>
      down-- > 0 ? { status: 500, message: "Broken" } : plain(call),
    );
    expect(failures(results)).toEqual([]);
    expect(server.requests).toHaveLength(40 + 22);
    const states = events.flatMap((event) => (event.kind === "breaker" ? [event.state] : []));
    // One at a time: whoever is let through comes back with the answer before another is.
    expect(states.join(" ")).toMatch(/^open (?:half_open open )*half_open closed$/);
    expect(events.find(({ kind }) => kind === "breaker")).toMatchObject({
      provider: wire,
      reason: expect.stringContaining("Broken"),
    });
  });

  it("fail, each with the reason, when a provider stays down, without hammering it", async () => {
    const { results, server } = await play(
      wire,
      20,
      () => ({ status: 503, message: "Gone" }),
      { failures: 5, cooldownS: 0.02 },
      2,
    );
    expect(new Set(results.map(({ error }) => error?.code))).toEqual(new Set(["provider_failed"]));
    expect(
      failures(results).every((message) => message.includes("Gone") && message.includes("3 tries")),
    ).toBe(true);
    expect(server.requests.length).toBeLessThan(20 * 3);
  });
});
