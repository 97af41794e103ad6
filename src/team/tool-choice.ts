/** Which tools an agent's model sees. */
import type { AgentSpec } from "../core/team-file.ts";
import type { Subtask } from "../core/model.ts";
import type { ToolDef, ToolFlag } from "../core/tool.ts";
import type { Engine, RunOptions } from "./engine.ts";

export function toolsFor(
  engine: Engine,
  agent: AgentSpec,
  subtask: Subtask,
  options: RunOptions,
): readonly ToolDef[] {
  const { settings } = engine;
  const flags: Partial<Record<Exclude<ToolFlag, null>, boolean>> = {
    ENABLE_FILE_TOOLS: settings.enableFileTools,
    ENABLE_SIGNAL_TOOLS: settings.enableSignalTools,
    ENABLE_TEAM_TOOLS: settings.enableTeamTools,
    ENABLE_CHAT_TOOLS: settings.enableChatTools,
    ENABLE_TODO_TOOLS: settings.enableTodoTools,
    ENABLE_TERMINAL_TOOL: settings.enableTerminalTool,
    ENABLE_BARRIER_TOOL: settings.enableBarrierTool,
    ENABLE_ORCHESTRATE_TOOL: maySplit(engine, subtask, options),
  };
  return engine.tools.select({
    flags,
    allow: settings.agentTools,
    requireExplicit: settings.agentRequireExplicitTools,
    agentTools: agent.tools,
    mayExist: engine.mcp.mayExist,
  });
}

/** What MCP servers have for the agent; servers are asked, at most as long as they may take. Throws the signal's reason. */
export async function mcpToolsFor(
  engine: Engine,
  agent: AgentSpec,
  signal: AbortSignal,
): Promise<readonly ToolDef[]> {
  const { settings, team, tools, mcp } = engine;
  if (!settings.enableMcpTools || team.mcpServers.length === 0) return [];
  const lists = [settings.agentTools, agent.tools].filter((list) => list != null);
  if (settings.agentRequireExplicitTools && lists.length === 0) return [];
  const filter = {
    allows: (name: string) => lists.every((list) => list.includes(name)),
    allowsSome: (prefix: string) => lists.every((list) => list.some((name) => name.startsWith(prefix))),
  };
  return mcp.toolsFor(agent.name, filter, new Set(tools.all().map(({ name }) => name)), signal);
}

/** Off unless ENABLE_ORCHESTRATE_TOOL says otherwise; on for the lead of a run without `--by`, unless it is set to 0. */
function maySplit(engine: Engine, subtask: Subtask, options: RunOptions): boolean {
  return engine.settings.enableOrchestrateTool ?? (subtask.root && options.by === null);
}
