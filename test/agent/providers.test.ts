import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toModelFailure } from "../../src/agent/failure.ts";
import { openaiPrice, priceOf } from "../../src/agent/prices.ts";
import { createModelSource } from "../../src/agent/providers.ts";
import { startModelServer } from "../support/model-server.ts";

const root = join(import.meta.dirname, "..", "..");
const code = (expected: string) => expect.objectContaining({ code: expected });

/** Runs a module in a process of its own, as the command line would. */
async function inProcess(source: string, env: Record<string, string> = {}): Promise<string> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", source],
    { cwd: root, env: { PATH: process.env.PATH ?? "", ...env }, stdio: ["ignore", "pipe", "inherit"] },
  );
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  await once(child, "close");
  return out;
}

describe("a model source", () => {
  it("says how to go on when there is no key", () => {
    for (const provider of ["openai", "openai_chat"]) {
      const make = () => createModelSource({ provider, baseUrl: "https://api.example.com/v1" });
      expect(make).toThrow(code("provider_missing"));
      try {
        make();
      } catch (error) {
        const { hint } = error as { hint: string };
        for (const way of ["OPENAI_API_KEY", "--runtime command", "--script"]) expect(hint).toContain(way);
      }
    }
  });

  it("needs no key for a server on this machine", () => {
    for (const baseUrl of ["http://127.0.0.1:1/v1", "http://localhost:8080/v1/", "http://[::1]:9/v1"]) {
      expect(createModelSource({ provider: "openai_chat", baseUrl }).name).toBe("openai_chat");
    }
    for (const baseUrl of ["http://127.0.0.1.example.com/v1", "http://10.0.0.1/v1"]) {
      expect(() => createModelSource({ provider: "openai", baseUrl })).toThrow(code("provider_missing"));
    }
  });

  it("refuses what it does not know", () => {
    expect(() => createModelSource({ provider: "gpt" })).toThrow(code("provider_unknown"));
    expect(() => createModelSource({ provider: "openai", apiKey: "k", baseUrl: "example.com" })).toThrow(
      code("setting_invalid"),
    );
    expect(() => createModelSource({ provider: "scripted" })).toThrow(code("usage"));
  });

  it("keeps one model for all runs", async () => {
    const source = createModelSource({ provider: "openai", apiKey: "k" });
    const ask = (agent: string, model: string) => source.model({ agent, task: "t", model });
    expect(await ask("A", "m")).toBe(await ask("B", "m"));
    expect(await ask("A", "m")).not.toBe(await ask("A", "n"));
    await expect(
      createModelSource({ provider: "openai_chat", apiKey: "k" }).model({
        agent: "A",
        task: "t",
        model: undefined,
      }),
    ).rejects.toEqual(code("usage"));
  });

  it("knows prices only of the vendor's own models", () => {
    const vendor = createModelSource({ provider: "openai", apiKey: "k" });
    expect(vendor.price?.("gpt-4.1-2025-04-14")).toEqual(openaiPrice("gpt-4.1"));
    expect(vendor.price?.("constructor")).toBeNull();
    expect(vendor.price?.("no-such-model")).toBeNull();
    expect(
      createModelSource({ provider: "openai", baseUrl: "http://localhost/v1" }).price?.("gpt-4.1"),
    ).toBeNull();
    const price = { input: 2, cached_input: 0.5, output: 8 };
    expect(
      priceOf(price, { inputTokens: 1_000_000, cachedTokens: 500_000, outputTokens: 250_000 }),
    ).toBeCloseTo(3.25);
  });
});

describe("start-up", () => {
  it("loads no client library before a model is asked for", async () => {
    const out = await inProcess(`
      import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
      const { createModelSource } = await import("./src/agent/providers.ts");
      await import("./src/agent/runner.ts");
      await import("./tools/index.ts");
      createModelSource({ provider: "openai", apiKey: "k" });
      console.log(loaded.filter((url) => /node_modules.(@openai|openai)/.test(url)).length);
    `);
    expect(out.trim()).toBe("0");
  });
});

describe("privacy", () => {
  it("nothing but the model call leaves the process, even with a vendor's key in the environment", async () => {
    await using server = await startModelServer(() => ({ text: "ok" }));
    const out = await inProcess(
      `
      import { subscribe } from "node:diagnostics_channel";
      const seen = [];
      subscribe("undici:request:create", ({ request }) => seen.push(request.origin + request.path));
      subscribe("net.client.socket", () => undefined);
      const { createModelSource } = await import("./src/agent/providers.ts");
      const { AgentRunner } = await import("./src/agent/runner.ts");
      const models = createModelSource({ provider: "openai", apiKey: "sk-own", baseUrl: ${JSON.stringify(server.url)} });
      const result = await new AgentRunner({ runtime: "openai_agents" }).run({
        agent: "A", instructions: "You are A.", input: "x", model: "m", models, tools: [], maxTurns: 2, timeoutMs: 20000,
        context: { signal: new AbortController().signal },
      });
      const { getGlobalTraceProvider } = await import("@openai/agents");
      await getGlobalTraceProvider().forceFlush();
      console.log(JSON.stringify({ seen, output: result.output }));
      `,
      { OPENAI_API_KEY: "sk-environment", OPENAI_BASE_URL: "http://127.0.0.1:1/v1" },
    );
    expect(JSON.parse(out)).toEqual({ seen: [`${server.url}/responses`], output: "ok" });
    expect(server.requests[0]?.headers.authorization).toBe("Bearer sk-own");
  });
});

describe("a failure of a model call", () => {
  it("reads Retry-After in seconds, as a date and in milliseconds", () => {
    const told = (headers: Record<string, string>) =>
      toModelFailure(Object.assign(new Error("x"), { status: 429, headers: new Headers(headers) }))
        .retryAfterMs;
    expect(told({ "retry-after": "2" })).toBe(2000);
    expect(told({ "retry-after-ms": "15", "retry-after": "2" })).toBe(15);
    expect(told({ "retry-after": new Date(Date.now() + 60_000).toUTCString() })).toBeGreaterThan(50_000);
    expect(told({ "retry-after": "soon" })).toBeNull();
    expect(told({})).toBeNull();
  });

  it("reads when a limit that is used up is whole again, where nothing else is said", () => {
    const told = (headers: Record<string, string>, status = 429) =>
      toModelFailure(Object.assign(new Error("x"), { status, headers: new Headers(headers) })).retryAfterMs;
    const openai = {
      "x-ratelimit-remaining-requests": "12",
      "x-ratelimit-reset-requests": "6m0s",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "1.5s",
    };
    expect(told(openai)).toBe(1500);
    expect(told({ ...openai, "retry-after": "1" })).toBe(1000);
    expect(told(openai, 503)).toBeNull();
    expect(told({ "x-ratelimit-reset-requests": "20ms" })).toBe(20);
    expect(told({ "x-ratelimit-reset": "3" })).toBe(3000);
    expect(told({ "x-ratelimit-reset": String(Date.now() + 10_000) })).toBeGreaterThan(5000);
    expect(told({ "x-ratelimit-reset": String(Math.ceil(Date.now() / 1000) + 3600) })).toBe(60_000);
    const anthropic = new Date(Date.now() + 30_000).toISOString();
    expect(
      told({
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": anthropic,
      }),
    ).toBeGreaterThan(20_000);
    expect(told({ "x-ratelimit-reset": "soon" })).toBeNull();
  });

  it("is retryable by its status, unless the server or the account says otherwise", () => {
    const retryable = (facts: object) => toModelFailure(Object.assign(new Error("x"), facts)).retryable;
    expect([400, 401, 404, 408, 422, 429, 500, 503].filter((status) => retryable({ status }))).toEqual([
      408, 429, 500, 503,
    ]);
    expect(retryable({ status: 500, headers: new Headers({ "x-should-retry": "false" }) })).toBe(false);
    expect(retryable({ status: 429, code: "insufficient_quota" })).toBe(false);
    expect(retryable({ code: "ECONNRESET" })).toBe(true);
    expect(retryable({})).toBe(false);
  });

  it("never carries a key", () => {
    const error = Object.assign(new Error("401 bad key my-secret-key-1, or sk-proj-abcdef123456"), {
      status: 401,
    });
    const { message } = toModelFailure(error, ["my-secret-key-1"]);
    expect(message).toBe("The model provider answered HTTP 401: bad key [redacted], or [redacted]");
  });
});
