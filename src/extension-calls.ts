/** The app's calls on what plugins have added. */
import type { BoundEngine } from "./bind.ts";
import type { ToolDef } from "./core/tool.ts";
import type { SubAgents, SubAgentsOptions } from "./sub-agents.ts";

export interface ExtensionCalls {
  /** As `createSubAgents`, with the merge strategies of this team's plugins. */
  subAgents(options: SubAgentsOptions): Promise<SubAgents>;
  /** Every tool that agents of this team may be given, those of plugins included; MCP servers are not asked. */
  tools(): Promise<readonly ToolDef[]>;
  /** What an MCP server of the team offers, by its own names. Throws mcp_unavailable. */
  serverTools(server: string, signal?: AbortSignal): Promise<readonly string[]>;
}

export function extensionCalls(engine: () => Promise<BoundEngine>): ExtensionCalls {
  return {
    async subAgents(options) {
      const { subAgentsWith } = await import("./sub-agents.ts");
      return subAgentsWith(options, (await engine()).strategies);
    },
    tools: async () => (await engine()).tools.all(),
    serverTools: async (server, signal = new AbortController().signal) =>
      (await engine()).mcp.listed(server, signal),
  };
}
