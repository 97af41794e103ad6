/** Binds the rooms into the engine that carries tasks: team, models, tools, redaction, this worker's name. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ModelSource } from "./agent/contract.ts";
import { type AgentSpec, parseTeamFile, type TeamFile } from "./core/team-file.ts";
import type { Settings } from "./core/settings.ts";
import { type Engine, providerOf, type RunOptions } from "./team/engine.ts";
import type { AppOptions } from "./app.ts";
import type { Rooms } from "./rooms.ts";
import type { PluginProviders } from "./core/plugin-provider.ts";
import { loadTeam, readTeamFile } from "./load-team.ts";
import { createPluginSource } from "./agent/plugin-provider.ts";
import { createModelSource } from "./agent/providers.ts";
import { credentialsOf } from "./agent/vendors.ts";
import { hasCode, OxbowError, toErrorValue } from "./core/errors.ts";
import { TeamRegistry } from "./library-team.ts";
import { createMcpServers, type McpServers } from "./mcp-servers.ts";
import { type Extensions, loadExtensions } from "./plugins.ts";
import { newId } from "./host/ids.ts";
import { openLog } from "./host/log.ts";
import { telemetryOf } from "./observe.ts";
import { pricesOf } from "./prices.ts";
import { createSandbox } from "./host/sandbox.ts";
import { workerIsDead, workerName } from "./host/worker.ts";

/** The engine, and what of its team's plugins only the app itself uses. */
export type BoundEngine = Engine & Pick<Extensions, "strategies"> & { readonly servers: McpServers };

/** `plugins: false`: without them, for what must work also when one of them is broken. */
export async function bindEngine(
  options: AppOptions,
  settings: Settings,
  env: Readonly<Record<string, string>>,
  rooms: Rooms,
  how: { readonly plugins?: boolean } = {},
): Promise<BoundEngine> {
  const written = await teamOf(options, rooms);
  const team = how.plugins === false ? { ...written, plugins: [] } : written;
  const servers = createMcpServers(rooms, env, (server, error) =>
    log.error({ server, error: toErrorValue(error) }, "mcp_unavailable"),
  );
  const parts = await teamParts(team, settings, env, { ...rooms, servers });
  const log = openLog({
    file:
      settings.oxbowLogFile === undefined
        ? join(rooms.repo.stateDir, "logs", "orchestrator.log")
        : resolve(settings.oxbowLogFile),
    level: settings.oxbowLogLevel,
    stderr: settings.oxbowLogStderr ?? options.logStderr ?? false,
    redact: (line) => bound.redact(line),
  });
  const bound: BoundEngine = {
    ...rooms,
    ...parts,
    servers,
    redact: rooms.secrets.redact,
    redactor: rooms.secrets,
    log,
    telemetry: await telemetryOf(settings, rooms.secrets, log),
    settings,
    workerId: workerName(),
    environment: env,
    sandbox: createSandbox({
      mode: settings.terminalSandbox,
      searchPath: env["PATH"] ?? "",
      folder: rooms.repo.stateDir,
    }),
    now: Date.now,
    newId,
    workerIsDead,
  };
  return bound;
}

/** What of the engine follows from the team file, its plugins included. Throws plugin_failed. */
async function teamParts(
  team: TeamFile,
  settings: Settings,
  env: Readonly<Record<string, string>>,
  { repo, secrets, servers }: Pick<Rooms, "repo" | "secrets"> & { readonly servers: McpServers },
) {
  const registry = TeamRegistry.fromTeamFile(team);
  const { tools, providers, strategies } = await loadExtensions(team, repo, registry);
  // What an agent's `sandbox.env` passes to its programs, they may print.
  secrets.know([
    settings.openaiApiKey,
    settings.anthropicApiKey,
    ...providers.keys().map((name) => env[name]),
    ...registry.list().flatMap(({ sandbox }) => sandbox.env.map((name) => env[name])),
  ]);
  return {
    team,
    registry,
    tools,
    providers,
    strategies,
    mcp: servers.use(team.mcpServers),
    models: modelSources(settings, team, providers, env),
  };
}

/**
 * The engine with the team as its file says it at each call; the same one while nothing has changed. A file that became
 * invalid is told once, by the error of its reading, and the team stays as it was. A bare repository's stays anyway.
 */
export function followTeamFile(
  bound: BoundEngine,
  options: AppOptions,
  settings: Settings,
  env: Readonly<Record<string, string>>,
  rooms: Pick<Rooms, "repo" | "secrets">,
): () => Promise<Engine> {
  if (bound.repo.bare && options.team === undefined && !inMirror(options, bound.repo))
    return () => Promise.resolve(bound);
  const read = () => readTeamFile({ team: options.team, repo: teamFolder(options, bound.repo) });
  let known: string | null = null;
  let engine = bound;
  return async () => {
    const { file, text } = read();
    if (text === known) return engine;
    const first = known === null;
    known = text;
    if (!first) {
      const team = parseTeamFile(text, options.team ?? file);
      engine = { ...engine, ...(await teamParts(team, settings, env, { ...rooms, servers: bound.servers })) };
    }
    return engine;
  };
}

/** A mirror is not where its team file is. */
function teamFolder(options: AppOptions, opened: Rooms["repo"]): string {
  return options.repo ?? (inMirror(options, opened) ? "." : opened.root);
}

function inMirror(options: AppOptions, { remote }: Rooms["repo"]): boolean {
  return options.mirror === true && remote !== null;
}

/** A bare repository has no files: its team.yaml is the one of HEAD, unless another is named. */
async function teamOf(options: AppOptions, { repo }: Rooms): Promise<TeamFile> {
  try {
    return (await loadTeam({ team: options.team, repo: teamFolder(options, repo) })).team;
  } catch (error) {
    if (!repo.bare || options.team !== undefined || !hasCode(error, "team_file_missing")) throw error;
    const bytes = await repo.readBlob(await repo.resolve("HEAD"), "team.yaml");
    if (bytes === null) throw error;
    return parseTeamFile(new TextDecoder().decode(bytes), "HEAD:team.yaml");
  }
}

/** One source per provider and script, so that its models are made once. */
function modelSources(
  settings: Settings,
  team: TeamFile,
  providers: PluginProviders,
  env: Readonly<Record<string, string>>,
) {
  const made = new Map<string, ModelSource>();
  const prices = pricesOf(settings);
  return (options: RunOptions, agent: AgentSpec): ModelSource => {
    const provider = providerOf(options, agent, team);
    const key = `${provider}\n${options.script ?? ""}`;
    const known = made.get(key);
    if (known) return known;
    const own = providers.get(provider);
    const source =
      own === null
        ? createModelSource({
            provider,
            ...credentialsOf(settings, provider),
            prices,
            script: options.script === null ? undefined : readScript(options.script),
          })
        : createPluginSource(own, env);
    made.set(key, source);
    return source;
  };
}

/** A scripted provider's file. Throws script_invalid. */
export function readScript(file: string): { file: string; text: string } {
  try {
    return { file, text: readFileSync(file, "utf8") };
  } catch (error) {
    throw new OxbowError(
      "script_invalid",
      `The script ${file} cannot be read: ${error instanceof Error ? error.message : "?"}`,
      {
        cause: error,
      },
    );
  }
}
