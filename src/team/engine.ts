/** What every part of the team room works with; bound once by the composition root. */
import type { AgentSpec, TeamFile } from "../core/team-file.ts";
import type { EventBody } from "../core/events.ts";
import type { Log } from "../host/log.ts";
import type { ModelSource } from "../agent/contract.ts";
import type { McpTools } from "../agent/mcp-tools.ts";
import type { PluginProviders } from "../core/plugin-provider.ts";
import type { Redactor } from "../core/redact.ts";
import type { Repository } from "../git/contract.ts";
import type { Settings } from "../core/settings.ts";
import type { Sandbox } from "../host/sandbox.ts";
import type { Store } from "../store/contract.ts";
import type { Task } from "../core/model.ts";
import type { SplitRequest } from "../core/tool.ts";
import type { Telemetry } from "../host/telemetry.ts";
import type { TeamRegistry } from "../core/registry.ts";
import type { ToolRegistry } from "../../tools/registry.ts";
import { type BudgetAsk, readAsk } from "../core/budget-saved.ts";
import { defaultModel } from "../agent/vendors.ts";
import { OxbowError } from "../core/errors.ts";
import { CLAUDE_CODE } from "../core/providers.ts";
import { claudeCommand, claudeProblem, isClaudeCode } from "./claude-code.ts";

export interface Engine {
  readonly repo: Repository;
  readonly store: Store;
  readonly team: TeamFile;
  readonly registry: TeamRegistry;
  readonly settings: Settings;
  readonly tools: ToolRegistry;
  readonly mcp: McpTools;
  /** Those of plugins. */
  readonly providers: PluginProviders;
  /** `<host>:<pid>:<start>`; a lease's holder. */
  readonly workerId: string;
  /** The user's PATH, HOME and locale, for programs run as agents. */
  readonly environment: Readonly<Record<string, string>>;
  redact(text: string): string;
  /** The same, also for texts that come in pieces. */
  readonly redactor: Redactor;
  /** Where agents' programs run. */
  readonly sandbox: Sandbox;
  readonly log: Log;
  readonly telemetry: Telemetry;
  now(): number;
  newId(prefix: string): string;
  /** Throws provider_missing, provider_unknown, script_invalid. */
  models(options: RunOptions, agent: AgentSpec): ModelSource;
  /** True when the process that holds a lease is known to be dead (same host, no such process). */
  workerIsDead(workerId: string): boolean;
}

/** What of a `run` must be known again to resume it; kept on the task row. */
export interface RunOptions {
  readonly by: "owner" | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly runtime: "openai_agents" | "command" | null;
  readonly command: readonly string[] | null;
  /** Absolute path of a scripted provider's file. */
  readonly script: string | null;
  readonly maxParallel: number | null;
  /** Limits of the whole task, each in place of the team's own. */
  readonly budget?: BudgetAsk | undefined;
}

/** A run that was asked for without any, and a call outside of any run. */
export const NO_OPTIONS: RunOptions = {
  by: null,
  provider: null,
  model: null,
  runtime: null,
  command: null,
  script: null,
  maxParallel: null,
};

export function runOptions(task: Pick<Task, "options">): RunOptions {
  const read = (key: string) => task.options[key];
  const text = (key: string) => {
    const value = read(key);
    return typeof value === "string" ? value : null;
  };
  const runtime = text("runtime");
  const command = read("command");
  const parallel = read("maxParallel");
  const budget = readAsk(read("budget"));
  return {
    by: text("by") === "owner" ? "owner" : null,
    provider: text("provider"),
    model: text("model"),
    runtime: runtime === "command" || runtime === "openai_agents" ? runtime : null,
    command: Array.isArray(command) ? command.map(String) : null,
    script: text("script"),
    maxParallel: typeof parallel === "number" ? parallel : null,
    ...(budget === null ? {} : { budget }),
  };
}

/** The agent of that name. Throws agent_unknown. */
export function agentNamed(engine: Engine, name: string): AgentSpec {
  const found = engine.registry.get(name);
  if (found) return found;
  const names = engine.registry.list().map((agent) => agent.name);
  throw new OxbowError("agent_unknown", `There is no agent ${name} in the team; it has ${names.join(", ")}.`);
}

/** The same, of one that takes new work. Throws also agent_unavailable: a person has shut it down. */
export function agentAtWork(engine: Engine, name: string): AgentSpec {
  const agent = agentNamed(engine, name);
  if (engine.registry.isRetired(name))
    throw new OxbowError("agent_unavailable", `${name} was shut down.`, {
      hint: "Bring it back (`create_agent` with its name), or use another agent.",
    });
  return agent;
}

/** Of a split: those it names. Throws agent_unavailable. */
export function refuseShutDown(engine: Engine, { children = [], targetAgent }: SplitRequest): void {
  const named = [targetAgent, ...children.map(({ agent }) => agent)];
  for (const name of named)
    if (name !== undefined && engine.registry.isRetired(name)) agentAtWork(engine, name);
}

export function runtimeOf(options: RunOptions, agent: AgentSpec): "openai_agents" | "command" {
  if (options.runtime !== null) return options.runtime;
  const asked = options.provider ?? (options.script === null ? null : "scripted");
  if (asked === CLAUDE_CODE) return "command";
  return asked !== null && isClaudeCode(agent) ? "openai_agents" : agent.runtime;
}

/** The program of an agent whose runtime is `command`. Throws command_invalid when none is given. */
export function commandOf(options: RunOptions, agent: AgentSpec): readonly string[] {
  const argv = options.command ?? agent.command;
  if (argv && argv.length > 0) return argv;
  if (runsClaude(options, agent)) return claudeCommand(agent, options.model ?? agent.model);
  throw new OxbowError("command_invalid", `The agent ${agent.name} runs a command, but none is given.`, {
    hint: `Give --command '…', or \`command: [...]\` for ${agent.name} in the team file.`,
  });
}

function runsClaude(options: RunOptions, agent: AgentSpec): boolean {
  if (options.command !== null || agent.command !== null || runtimeOf(options, agent) !== "command")
    return false;
  return options.provider === CLAUDE_CODE || isClaudeCode(agent);
}

/**
 * Whether the agent's model or program can be started here. Throws provider_missing, provider_unknown, script_invalid,
 * command_invalid.
 */
export function checkStartable(engine: Engine, options: RunOptions, agent: AgentSpec): void {
  if (runtimeOf(options, agent) === "openai_agents") return void engine.models(options, agent);
  commandOf(options, agent);
  const problem = runsClaude(options, agent) ? claudeProblem(agent, engine.environment) : null;
  if (problem) throw problem;
}

/** `--provider`, else what a `--script` implies, else the agent's own, the team's, OpenAI. */
export function providerOf(options: RunOptions, agent: Pick<AgentSpec, "provider">, team: TeamFile): string {
  const scripted = options.script === null ? null : "scripted";
  return options.provider ?? scripted ?? agent.provider ?? team.defaults.provider ?? "openai";
}

/** `--model`, else the agent's own, the team's, the setting's for the provider. */
export function modelOf(
  options: RunOptions,
  agent: Pick<AgentSpec, "model" | "provider">,
  { team, settings, providers }: Pick<Engine, "team" | "settings" | "providers">,
): string {
  const provider = providerOf(options, agent, team);
  const said = options.model ?? agent.model ?? team.defaults.model;
  if (said !== null) return said;
  const own = providers.get(provider);
  if (own === null) return defaultModel(settings, provider);
  return own.defaultModel ?? ("wire" in own ? defaultModel(settings, own.wire) : own.name);
}

/** Events in the order they were emitted, a batch per turn of the event loop. What could not be written waits for the next try. */
export interface EventSink {
  emit(event: EventBody): void;
  /** Resolves when all of them are durable. Throws what the store throws: then some are not. */
  flush(): Promise<void>;
}

/** `failed` is told why events that nobody has flushed yet could not be written. */
export function createEventSink(store: Pick<Store, "append">, failed: (error: unknown) => void): EventSink {
  let waiting: EventBody[] = [];
  let writing: Promise<void> | null = null;
  const drain = async () => {
    await Promise.resolve();
    try {
      while (waiting.length > 0) {
        const batch = waiting;
        waiting = [];
        try {
          await store.append(batch);
        } catch (error) {
          waiting = [...batch, ...waiting];
          throw error;
        }
      }
    } finally {
      writing = null;
    }
  };
  return {
    emit(event) {
      waiting.push(event);
      if (writing !== null) return;
      writing = drain();
      writing.catch(failed);
    },
    async flush() {
      while (writing !== null || waiting.length > 0) await (writing ??= drain());
    },
  };
}
