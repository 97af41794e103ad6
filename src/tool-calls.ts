/**
 * Tools of the agents' models that need no task (`standalone`), as operations that a network door offers besides a
 * person's own: only while their flag is on (SPEC A12).
 */
import { z } from "zod";
import type { App } from "./app.ts";
import type { Json } from "./core/model.ts";
import type { Settings } from "./core/settings.ts";
import type { ToolContext, ToolDef, ToolFlag } from "./core/tool.ts";
import type { CallContext, PersonCall } from "./person-call.ts";
import { OxbowError } from "./core/errors.ts";
import { splitHere } from "./person-work-calls.ts";

/** `taken`: names that are somebody else's. */
export async function standaloneCalls(app: App, taken: ReadonlySet<string>): Promise<readonly PersonCall[]> {
  const { agentTools } = app.settings;
  return (await app.tools())
    .filter(({ standalone, flag }) => standalone === true && (flag === null || isOn(app.settings, flag)))
    .filter(({ name }) => !taken.has(name) && (agentTools === undefined || agentTools.includes(name)))
    .map((tool) => asCall(tool));
}

function isOn(settings: Settings, flag: Exclude<ToolFlag, null>): boolean {
  const flags: Record<Exclude<ToolFlag, null>, boolean> = {
    ENABLE_FILE_TOOLS: settings.enableFileTools,
    ENABLE_SIGNAL_TOOLS: settings.enableSignalTools,
    ENABLE_TEAM_TOOLS: settings.enableTeamTools,
    ENABLE_CHAT_TOOLS: settings.enableChatTools,
    ENABLE_TODO_TOOLS: settings.enableTodoTools,
    ENABLE_ORCHESTRATE_TOOL: settings.enableOrchestrateTool === true,
    ENABLE_TERMINAL_TOOL: settings.enableTerminalTool,
    ENABLE_BARRIER_TOOL: settings.enableBarrierTool,
    ENABLE_MCP_TOOLS: settings.enableMcpTools,
  };
  return flags[flag];
}

const anything = z.looseObject({});

function asCall({ name, description, parameters, run }: ToolDef): PersonCall {
  return {
    name,
    description,
    parameters,
    result: anything,
    scope: "submit",
    readOnly: false,
    destructive: false,
    async run(app, input, context) {
      const result = await run(input, await contextOf(app, context));
      return isRecord(result) ? { ...result } : { result };
    },
  };
}

function isRecord(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What of a model's tools' world there is without a task. */
async function contextOf(app: App, context: CallContext): Promise<ToolContext> {
  const { signal } = context;
  const registry = await app.registry();
  const refuse = () =>
    Promise.reject(
      new OxbowError("tool_disabled", "This tool needs the branch of a task.", {
        hint: "Give the team a task.",
      }),
    );
  const files = { list: refuse, read: refuse, search: refuse, write: refuse, move: refuse, delete: refuse };
  return {
    agent: "person",
    taskId: "",
    conversationId: "",
    files: { ...files, apply: refuse, diff: refuse, commit: refuse },
    signals: await app.signals(),
    chat: { send: refuse },
    todos: { create: refuse, get: refuse, list: refuse, update: refuse, delete: refuse },
    terminal: { run: refuse },
    split: (request) => splitHere(app, request, context),
    owner: (path) => {
      const owner = registry.findOwner(path);
      return { path, owner: owner && { ...owner, window_person: registry.windowPerson(owner.team) } };
    },
    barrier: refuse,
    requestScope: refuse,
    signal,
  };
}
