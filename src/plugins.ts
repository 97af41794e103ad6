/**
 * The plugins of a team: modules of the user's own that add tools, providers, merge strategies and agents. They are read
 * from the base commit, `repo.base` or HEAD as it is when the process begins, and what they add belongs to one app.
 */
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { Repository } from "./git/contract.ts";
import type { MergeStrategies, MergeStrategy } from "./core/merge-strategy.ts";
import type { NewAgent, TeamRegistry } from "./core/registry.ts";
import type { TeamFile } from "./core/team-file.ts";
import type { ToolDef } from "./core/tool.ts";
import type { ToolRegistry } from "../tools/registry.ts";
import { hasCode, OxbowError } from "./core/errors.ts";
import { createMergeStrategies } from "./core/merge-strategy.ts";
import { readPluginName } from "./core/plugin-name.ts";
import { createPluginProviders, type NewProvider, type PluginProviders } from "./core/plugin-provider.ts";
import { createToolRegistry } from "../tools/registry.ts";
import { materialise, materialisePackage, type PluginSource } from "./plugin-files.ts";
import { strategies } from "./sub-agents.ts";
import { addTool, type NewTool, toolbox } from "./toolbox.ts";

/** What a plugin is handed; each call throws usage for what is malformed, or for a name that is taken. */
export interface PluginHost {
  /** A tool that this app's agents are given, as `registerTool` of the package does it for a whole process. */
  registerTool<P extends ToolDef["parameters"]>(tool: NewTool<P>): void;
  /** What `provider:` in the team file and `--provider` may name. */
  registerProvider(provider: NewProvider): void;
  /** What `merge` of `app.subAgents().run` may name. */
  registerMergeStrategy(strategy: MergeStrategy): void;
  /** An agent besides those of the team file, of the same team unless it says another. */
  registerAgent(agent: Omit<NewAgent, "team"> & Partial<Pick<NewAgent, "team">>): void;
  /** Oxbow's own zod, for the parameters of tools. */
  readonly z: typeof z;
}

/** The default export of a plugin. Called once for each app, before anything else of the team is looked at. */
export type OxbowPlugin = (oxbow: PluginHost) => void | Promise<void>;

/** What an app has besides its team file. */
export interface Extensions {
  readonly tools: ToolRegistry;
  readonly providers: PluginProviders;
  readonly strategies: MergeStrategies;
}

/** How long a plugin may take to be loaded, milliseconds. */
const LOAD_MS = 30_000;

/** Agents go to `registry`. Throws plugin_failed, naming the plugin. Without plugins nothing is read. */
export async function loadExtensions(
  team: TeamFile,
  repo: Repository,
  registry: TeamRegistry,
): Promise<Extensions> {
  const extensions = {
    tools: createToolRegistry([], toolbox),
    providers: createPluginProviders(),
    strategies: createMergeStrategies(strategies),
  };
  if (team.plugins.length === 0) return extensions;
  const rev = team.repo.base ?? "HEAD";
  const source = { repo, rev, commit: await repo.resolve(rev) };
  const host: PluginHost = {
    registerTool: (tool) => addTool(extensions.tools, tool),
    registerProvider: (provider) => extensions.providers.register(provider),
    registerMergeStrategy: (strategy) => extensions.strategies.register(strategy),
    registerAgent: (agent) => void registry.register({ team: team.team, ...agent }),
    z,
  };
  for (const name of team.plugins) await load(name, source, host);
  return extensions;
}

async function load(name: string, source: PluginSource, host: PluginHost): Promise<void> {
  let phase = "could not be loaded";
  try {
    await within(async () => {
      const module: unknown = await import(pathToFileURL(await fileOf(name, source)).href);
      const plugin = defaultOf(module);
      if (plugin === null)
        throw new OxbowError("plugin_failed", `The plugin ${name} has no function as its default export.`, {
          hint: "Write `export default (oxbow) => { … }`.",
        });
      phase = "failed";
      await plugin(host);
    }, name);
  } catch (error) {
    if (hasCode(error, "plugin_failed")) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("plugin_failed", `The plugin ${name} ${phase}: ${why}`, {
      cause: error,
      details: { plugin: name, commit: source.commit },
      ...hintOf(error),
    });
  }
}

function fileOf(text: string, source: PluginSource): Promise<string> {
  const name = readPluginName(text);
  switch (name.kind) {
    case "file":
      return materialise(source, name.path);
    case "package":
      return materialisePackage(source, name.name);
    case "refused":
      throw new OxbowError("plugin_failed", `The plugin ${text} ${name.why}.`);
  }
}

/** Of a CommonJS module the function itself, or what it calls its default. */
function defaultOf(module: unknown): OxbowPlugin | null {
  for (let at = module, depth = 0; depth < 3; depth++) {
    if (isPlugin(at)) return at;
    at = typeof at === "object" && at !== null && "default" in at ? at.default : null;
  }
  return null;
}

function isPlugin(value: unknown): value is OxbowPlugin {
  return typeof value === "function";
}

function hintOf(error: unknown): { hint?: string } {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (hasCode(error)) return { hint: error.hint };
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") return {};
  return {
    hint: "Commit the files that it imports, and write their whole names, such as ./prices.ts; packages must be installed in your checkout.",
  };
}

async function within(work: () => Promise<void>, name: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new OxbowError("plugin_failed", `The plugin ${name} was not loaded after ${LOAD_MS / 1000} s.`),
        ),
      LOAD_MS,
    );
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
