/** The tools of a team's MCP servers, as the agents of one app are given them. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { hasCode, OxbowError } from "../core/errors.ts";
import { mayCall, mayUse, type McpServerSpec, serverPrefix } from "../core/mcp-server.ts";
import type { Json } from "../core/model.ts";
import type { ToolDef } from "../core/tool.ts";
import { createMcpConnection, type McpConnection, type McpTool } from "./mcp-connection.ts";
import { mcpResult } from "./mcp-result.ts";
import { type InputCheck, inputCheck, shownSchema } from "./mcp-schema.ts";
import type { McpPlace } from "./mcp-transport.ts";

/** Which names an agent's lists of tools let through. */
export interface NameFilter {
  allows(name: string): boolean;
  /** Could it let through any that begin so? */
  allowsSome(prefix: string): boolean;
}

export interface McpTools {
  /**
   * What the agent may call, in the order of the servers. A server that cannot be reached is one tool that calls by name. Throws
   * only the signal's reason.
   */
  toolsFor(
    agent: string,
    filter: NameFilter,
    taken: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly ToolDef[]>;
  /** Could a tool be named so? What a server offers is known only when it is asked. */
  mayExist(name: string): boolean;
  /** The servers' own names of what they offer, for `doctor`. Throws mcp_unavailable. */
  listed(server: string, signal: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface McpToolsOptions {
  readonly servers: readonly McpServerSpec[];
  readonly place: McpPlace;
  /** Results and errors go through it. */
  readonly clean: <T>(value: T) => T;
  /** Is told when a server cannot be reached as a run begins. */
  readonly failed: (server: string, error: unknown) => void;
}

const MOST_TOOLS = 200;
const MOST_DESCRIPTION = 4_000;
const MOST_NAME = 64;

export function createMcpTools({ servers, place, clean, failed }: McpToolsOptions): McpTools {
  const connections = new Map<string, McpConnection>(
    servers.map((server) => [server.name, createMcpConnection(server, place)]),
  );
  const checks = new WeakMap<McpTool, Promise<InputCheck>>();
  const connectionOf = (name: string): McpConnection => {
    const found = connections.get(name);
    if (found) return found;
    throw new OxbowError("mcp_unavailable", `There is no MCP server ${name}.`);
  };

  /** By the tool's own name, with what the server says of it now. */
  const call = async (
    server: McpServerSpec,
    tool: string,
    input: Record<string, unknown>,
    agent: string,
    signal: AbortSignal,
  ): Promise<Json> => {
    try {
      const connection = connectionOf(server.name);
      const offered = (await connection.tools(signal)).filter(({ name }) => mayCall(server, agent, name));
      const found = offered.find(({ name }) => name === tool);
      if (found === undefined)
        throw new OxbowError(
          "tool_unknown",
          `The MCP server ${server.name} has no tool ${tool} (any more).`,
          {
            hint: `It has: ${
              offered
                .map(({ name }) => name)
                .join(", ")
                .slice(0, MOST_DESCRIPTION) || "none"
            }.`,
          },
        );
      let check = checks.get(found);
      if (check === undefined) checks.set(found, (check = inputCheck(tool, found)));
      const answer = await connection.call(found, (await check)(input), signal);
      return clean(mcpResult(answer, `${server.name}: ${tool}`));
    } catch (error) {
      if (!hasCode(error)) throw error;
      throw new OxbowError(error.code, clean(error.message), { hint: clean(error.hint), cause: error });
    }
  };

  const toolOf = (server: McpServerSpec, tool: McpTool, name: string): ToolDef | null => {
    const shown = shownSchema(tool);
    if (shown === null) return null;
    const description = (tool.description ?? tool.title ?? tool.name).slice(0, MOST_DESCRIPTION);
    return {
      name,
      description: clean(description),
      flag: "ENABLE_MCP_TOOLS",
      parameters: ANYTHING,
      shownSchema: shown,
      run: (input, ctx) => call(server, tool.name, input, ctx.agent, ctx.signal),
    };
  };

  const ask = async (server: McpServerSpec, signal: AbortSignal): Promise<readonly McpTool[] | null> => {
    try {
      return await connectionOf(server.name).tools(signal);
    } catch (error) {
      signal.throwIfAborted();
      failed(server.name, error);
      return null;
    }
  };

  return {
    async toolsFor(agent, filter, taken, signal) {
      const own = servers.filter((server) => mayUse(server, agent) && filter.allowsSome(prefixOf(server)));
      const lists = await Promise.all(own.map((server) => ask(server, signal)));
      const names = new Set(taken);
      return own.flatMap((server, i) => {
        const list = lists[i] ?? null;
        if (list === null) return [standIn(server, filter, call)];
        const offered = list.flatMap((tool) => {
          const name = freeName(prefixOf(server), tool.name, names);
          if (!mayCall(server, agent, tool.name) || !filter.allows(name)) return [];
          return toolOf(server, tool, name) ?? [];
        });
        return offered.slice(0, MOST_TOOLS);
      });
    },
    mayExist: (name) => servers.some((server) => name.startsWith(prefixOf(server))),
    listed: async (server, signal) => (await connectionOf(server).tools(signal)).map(({ name }) => name),
    async close() {
      await Promise.all([...connections.values()].map((each) => each.close()));
    },
  };
}

/** Checked by the tool itself, against the server's schema. */
const ANYTHING = z.looseObject({});

/** In place of tools that nobody knows, because their server could not be asked when the run began. */
function standIn(
  server: McpServerSpec,
  filter: NameFilter,
  call: (
    server: McpServerSpec,
    tool: string,
    input: Record<string, unknown>,
    agent: string,
    signal: AbortSignal,
  ) => Promise<Json>,
): ToolDef {
  const prefix = prefixOf(server);
  return {
    name: `${prefix}call`,
    description: `Calls a tool of the MCP server ${server.name} by name. The server could not be reached when this run began, so its tools are not listed; it may be back.`,
    flag: "ENABLE_MCP_TOOLS",
    parameters: z.object({
      tool: z.string().describe("The tool's name, as the server itself has it."),
      arguments: z.record(z.string(), z.unknown()).optional().describe("What the tool is given."),
    }),
    async run(input, ctx) {
      const { tool, arguments: given = {} } = CALL.parse(input);
      if (!filter.allows(nameOf(prefix, tool)))
        throw new OxbowError("tool_disabled", `${tool} is not among the tools of ${ctx.agent}.`);
      return call(server, tool, { ...given }, ctx.agent, ctx.signal);
    },
  };
}

const CALL = z.object({ tool: z.string(), arguments: z.record(z.string(), z.unknown()).optional() });

function prefixOf(server: McpServerSpec): string {
  return `${serverPrefix(server.name)}_`;
}

/** As providers take it. */
function nameOf(prefix: string, tool: string): string {
  return `${prefix}${tool.toLowerCase().replace(/[^a-z0-9_]/g, "_")}`;
}

function freeName(prefix: string, tool: string, taken: Set<string>): string {
  const plain = nameOf(prefix, tool);
  const hash = createHash("sha256").update(`${prefix}\0${tool}`).digest("hex").slice(0, 8);
  const name =
    plain.length <= MOST_NAME && !taken.has(plain) ? plain : `${plain.slice(0, MOST_NAME - 9)}_${hash}`;
  taken.add(name);
  return name;
}
