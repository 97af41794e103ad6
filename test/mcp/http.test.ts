/** `/mcp` of `oxbow serve`: the same tools on a real port, as far as the token goes. */
import { describe, expect, it } from "vitest";
import type { App } from "../../src/app.ts";
import { createMcpMount, type McpMount } from "../../src/doors/mcp/http.ts";
import { type Era, errorIn, mcpOverHttp } from "../support/mcp-client.ts";
import { type ListeningService, startService } from "../support/service.ts";

interface Served extends AsyncDisposable {
  readonly service: ListeningService;
  readonly closing: AbortController;
  token(...scopes: ("read" | "submit" | "approve" | "admin")[]): Promise<string>;
}

async function serveMcp(options: { requireToken?: boolean } = {}): Promise<Served> {
  const closing = new AbortController();
  let mount: McpMount | null = null;
  const mounts = {
    "/mcp": (...call: Parameters<McpMount["handle"]>) => {
      if (!mount) throw new Error("nothing is mounted");
      return mount.handle(...call);
    },
  };
  const prepare = async (app: App) => {
    mount = createMcpMount(app, { version: "1.2.3", closing: closing.signal, failed: () => undefined });
    await app.createToken({ name: "first", scopes: ["read"], lifeMs: null });
  };
  const service = await startService({ ...options, mounts, prepare });
  let tokens = 0;
  return {
    service,
    closing,
    token: async (...scopes) =>
      (await service.app.createToken({ name: `test ${++tokens}`, scopes, lifeMs: null })).token,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await mount?.close();
      await service[Symbol.asyncDispose]();
    },
  };
}

const ERAS: readonly Era[] = ["legacy", "modern"];

describe.each(ERAS)("a %s client over HTTP", (era) => {
  it("is offered what its token allows, and nothing else can be called", async () => {
    await using served = await serveMcp({ requireToken: true });
    const { url } = served.service;
    const names = async (token: string) => {
      await using mcp = await mcpOverHttp(url, { era, token });
      return (await mcp.client.listTools()).tools.map(({ name }) => name);
    };
    const read = await served.token("read");
    const offered = await names(read);
    expect(offered).toContain("status");
    expect(offered.filter((name) => ["run", "merge", "create_agent", "signal_send"].includes(name))).toEqual(
      [],
    );
    expect(await names(await served.token("read", "submit"))).toContain("run");
    expect(await names(await served.token("approve"))).toEqual([
      "budget_set",
      "approvals_grant",
      "approvals_deny",
      "merge",
    ]);
    expect((await names(await served.token("admin"))).length).toBeGreaterThan(25);
    await using mcp = await mcpOverHttp(url, { era, token: read });
    await expect(mcp.client.callTool({ name: "create_agent", arguments: { name: "X" } })).rejects.toThrow(
      "not found",
    );
    await expect(mcpOverHttp(url, { era })).rejects.toThrow();
  });

  it("shares the work with another, and each gets its own answers", async () => {
    await using served = await serveMcp();
    const { url } = served.service;
    await using one = await mcpOverHttp(url, { era });
    await using two = await mcpOverHttp(url, { era });
    const waiting = one.call("signal_wait", { topic: "from:two", timeout_ms: 20_000 });
    expect((await two.call("signal_send", { topic: "from:two", payload: { n: 2 } })).value.ok).toBe(true);
    expect((await waiting).value).toMatchObject({ ok: true, message: { n: 2 } });
    await one.call("create_agent", { name: "Shared", skills: ["both"] });
    const { value } = await two.call("list_agents", { capability: "both" });
    expect(value.agents.map((each: any) => each.name)).toEqual(["Shared"]);
    expect(errorIn(await two.call("owner", {})).code).toBe("tool_input");
  });

  it("is told of progress, and its cancellation ends the wait at the server", async () => {
    await using served = await serveMcp();
    const ended = Promise.withResolvers<void>();
    const { app } = served.service;
    const { signalWait } = app;
    const watched: App["signalWait"] = (topic, options, signal) =>
      signalWait(topic, options, signal).finally(ended.resolve);
    Object.assign(app, { signalWait: watched });
    await using mcp = await mcpOverHttp(served.service.url, { era });
    const told: string[] = [];
    await mcp.call(
      "send_message",
      { agent: "Api", content: "Hello", wait_ms: 10_000 },
      { onprogress: ({ message = "" }) => told.push(message) },
    );
    expect(told[0]).toBe("Waiting for the answer of Api");
    const stop = new AbortController();
    const waiting = mcp.call("signal_wait", { topic: "never", timeout_ms: 600_000 }, { signal: stop.signal });
    await mcp.call("status");
    stop.abort();
    await expect(waiting).rejects.toThrow();
    await ended.promise;
    expect((await mcp.call("status")).isError).toBe(false);
  });

  it("has its waits ended when the service stops", async () => {
    await using served = await serveMcp();
    await using mcp = await mcpOverHttp(served.service.url, { era });
    const waiting = mcp.call("signal_wait", { topic: "never", timeout_ms: 600_000 });
    await mcp.call("status");
    served.closing.abort();
    expect((await waiting).isError).toBe(true);
    await served.service.stop();
  });
});

describe("what is no request of the protocol", () => {
  const post = (url: string, body: string, headers: Record<string, string> = {}) =>
    fetch(new URL("/mcp", url), {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
    });

  it("is answered, and the next one served", async () => {
    await using served = await serveMcp();
    const { url } = served.service;
    expect((await post(url, "nonsense")).status).toBe(400);
    expect((await post(url, "")).status).toBeGreaterThanOrEqual(400);
    expect((await post(url, "{}", { "content-type": "text/plain" })).status).toBe(415);
    const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
    expect((await post(url, ping, { "mcp-session-id": "none" })).status).toBe(404);
    expect((await fetch(new URL("/mcp", url), { method: "PUT" })).status).toBeGreaterThanOrEqual(400);
    const alone = await post(url, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }));
    expect(alone.status).toBe(200);
    expect(await alone.text()).toContain('"status"');
    await using mcp = await mcpOverHttp(url);
    expect((await mcp.call("status")).isError).toBe(false);
  });

  it("never reaches the session of somebody else", async () => {
    await using served = await serveMcp({ requireToken: true });
    const [mine, other] = [await served.token("admin"), await served.token("admin")];
    const { url } = served.service;
    const initialize = {
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "t", version: "1" },
      },
    };
    const begun = await post(url, JSON.stringify(initialize), { authorization: `Bearer ${mine}` });
    await begun.text();
    const session = begun.headers.get("mcp-session-id") ?? "";
    expect(session.length).toBeGreaterThan(20);
    const ping = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" });
    const as = (token: string) => ({
      authorization: `Bearer ${token}`,
      "mcp-session-id": session,
      "mcp-protocol-version": "2025-11-25",
    });
    expect((await post(url, ping, as(other))).status).toBe(404);
    expect((await post(url, ping, as(mine))).status).toBe(200);
  });
});
