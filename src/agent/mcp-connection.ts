/**
 * One connection to an MCP server, for all agents of a process: made when it is first needed, made again when it has broken.
 * A call is never repeated.
 */
import type { Client, Tool } from "@modelcontextprotocol/client";
import { hasCode, OxbowError } from "../core/errors.ts";
import type { McpServerSpec } from "../core/mcp-server.ts";
import { type McpPlace, type McpSdk, type McpWay, openWay } from "./mcp-transport.ts";
import { guard } from "./stop.ts";
import { field, numberField, textField } from "./wire-values.ts";

export type McpTool = Tool;

export interface McpConnection {
  /** What the server offers now. Throws mcp_unavailable. */
  tools(signal: AbortSignal): Promise<readonly McpTool[]>;
  /**
   * One call, as the server answers it. Throws mcp_unavailable, mcp_tool_failed (the server refuses it), timed_out, and
   * the signal's reason.
   */
  call(tool: McpTool, input: Record<string, unknown>, signal: AbortSignal): Promise<unknown>;
  /** Nothing of it is left then, and it is not made again. */
  close(): Promise<void>;
}

interface Live {
  readonly client: Client;
  readonly way: McpWay;
  tools: Promise<readonly McpTool[]> | null;
  broken: boolean;
}

const CONNECT_MS = 30_000;
/** How long a server that could not be reached is left alone. */
const LEFT_ALONE_MS = 10_000;
const MOST_PAGES = 20;

export function createMcpConnection(
  server: McpServerSpec,
  place: McpPlace,
  now: () => number = Date.now,
): McpConnection {
  let live: Promise<Live> | null = null;
  let failed: { readonly at: number; readonly error: unknown } | null = null;
  let closed = false;
  /** Whose end has not come yet. */
  const ways = new Set<McpWay>();

  const unavailable = (why: string, cause?: unknown): OxbowError =>
    new OxbowError(
      "mcp_unavailable",
      `The MCP server ${server.name} ${why}.`,
      cause === undefined ? {} : { cause },
    );

  const end = async (way: McpWay): Promise<void> => {
    await way.end();
    ways.delete(way);
  };

  const connect = async (): Promise<Live> => {
    const sdk: McpSdk = await import("@modelcontextprotocol/client");
    if (closed) throw unavailable("is not used any more");
    const way = openWay(sdk, server, place);
    ways.add(way);
    const client = new sdk.Client({ name: "oxbow", version: "1" }, { listMaxPages: MOST_PAGES });
    const made: Live = { client, way, tools: null, broken: false };
    client.onclose = () => {
      made.broken = true;
      void end(way).catch(() => undefined);
    };
    client.setNotificationHandler("notifications/tools/list_changed", () => {
      made.tools = null;
    });
    try {
      await client.connect(way.transport, { timeout: Math.min(CONNECT_MS, server.timeoutMs) });
      return made;
    } catch (error) {
      await end(way);
      throw failureOf(error, way);
    }
  };

  /** Shared by whoever asks meanwhile; a failure is, for a while, everybody's. */
  const connected = async (signal: AbortSignal): Promise<Live> => {
    for (let seen = live; seen !== null; seen = live) {
      const known = await guard(seen, signal);
      if (!known.broken) return known;
      if (live === seen) live = null;
    }
    if (closed) throw unavailable("is not used any more");
    if (failed !== null && now() - failed.at < LEFT_ALONE_MS) throw failed.error;
    failed = null;
    const making = connect();
    live = making;
    making.catch((error: unknown) => {
      failed = { at: now(), error };
      if (live === making) live = null;
    });
    return guard(making, signal);
  };

  /** What went wrong, in words for a model; the end of what the program said on stderr tells most. */
  const failureOf = (error: unknown, way: McpWay): unknown => {
    if (hasCode(error)) return error;
    const code = textField(error, "code");
    const message = error instanceof Error ? error.message : String(error);
    if (code === "REQUEST_TIMEOUT")
      return unavailable(`did not answer within ${Math.min(CONNECT_MS, server.timeoutMs)} ms`, error);
    const said = way.said().trim().split("\n").slice(-5).join("\n").slice(-1_000);
    const ended = code === "CONNECTION_CLOSED" || code === "NOT_CONNECTED";
    const why = ended ? "has ended" : `cannot be used: ${message.slice(0, 1_000)}`;
    return unavailable(said === "" ? why : `${why}; it said: ${said}`, error);
  };

  const callFailure = (error: unknown, tool: string, { way }: Live): unknown => {
    if (hasCode(error)) return error;
    const message = error instanceof Error ? error.message : String(error);
    const code = textField(error, "code");
    if (code === "REQUEST_TIMEOUT")
      return new OxbowError(
        "timed_out",
        `${server.name} did not answer ${tool} within ${server.timeoutMs} ms.`,
      );
    if (code === "INVALID_RESULT" || numberField(error, "code") !== null)
      return new OxbowError("mcp_tool_failed", `${server.name} refuses ${tool}: ${message.slice(0, 2_000)}`);
    return failureOf(error, way);
  };

  const tools = async (signal: AbortSignal): Promise<readonly McpTool[]> => {
    const at = await connected(signal);
    at.tools ??= listOf(at);
    return guard(at.tools, signal);
  };

  const listOf = async (at: Live): Promise<readonly McpTool[]> => {
    try {
      if (at.client.getServerCapabilities()?.tools === undefined) return [];
      const listed = await at.client.listTools(undefined, {
        timeout: server.timeoutMs,
        cacheMode: "refresh",
      });
      return listed.tools;
    } catch (error) {
      at.tools = null;
      throw failureOf(error, at.way);
    }
  };

  return {
    tools,
    async call(tool, input, signal) {
      const at = await connected(signal);
      try {
        // Its answer is not held against a schema of its own: a regular expression in it could keep the process busy.
        const { outputSchema: _, ...toolDefinition } = tool;
        const timeout = server.timeoutMs;
        const options = { signal, timeout, maxTotalTimeout: timeout, toolDefinition };
        return await at.client.callTool({ name: tool.name, arguments: input }, options);
      } catch (error) {
        signal.throwIfAborted();
        // The session is gone (the server was started anew): the next call begins another.
        const status = numberField(error, "status") ?? numberField(field(error, "data"), "status");
        if (status === 404 || status === 400) {
          at.broken = true;
          void end(at.way).catch(() => undefined);
        }
        throw callFailure(error, tool.name, at);
      }
    },
    async close() {
      closed = true;
      await Promise.all([...ways].map(end));
      // One that was just being opened has met the end of its way, or comes to it now.
      await (live ?? Promise.resolve(null)).catch(() => null);
      await Promise.all([...ways].map(end));
    },
  };
}
