/**
 * Every setting that is read from the environment: one row each, which the README's table and `oxbow env` repeat.
 * Parsed by hand, because every command reads the settings and loading a schema library would double its start-up time.
 */
import { OxbowError } from "./errors.ts";
import {
  choice,
  flag,
  readBytes,
  readLease,
  readNames,
  readStoreUrl,
  readUrl,
  type Row,
  type SettingGroup,
  text,
  whole,
} from "./setting-rows.ts";
import { OBSERVE_ROWS, observeValues } from "./observe-settings.ts";
import { TERMINAL_ROWS, terminalValues } from "./terminal-settings.ts";
import { quoted, suggestion } from "./text.ts";

export type { SettingGroup } from "./setting-rows.ts";
export type { SandboxSetting } from "./terminal-settings.ts";
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";
export type ScopeReads = "read_paths" | "allowed_paths";

const STORE_URL: Row<string | undefined> = {
  ...text(
    "OXBOW_STORE_URL",
    "state",
    undefined,
    "Where tasks and signals are kept; by default in the state directory.",
  ),
  allowed: "sqlite:FILE or postgres://USER@HOST/DATABASE",
  parse: readStoreUrl,
};
const REDIS: Row<string | undefined> = {
  ...text(
    "REDIS_URL",
    "state",
    undefined,
    "A Redis that carries the signals; by default they go through the store.",
  ),
  allowed: "redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///SOCKET",
  parse: (t) => (/^(rediss?:\/\/[^/]|unix:\/\/\/.)/i.test(t) && URL.canParse(t) ? t : undefined),
};
const API_KEY: Row<string | undefined> = {
  ...text("OPENAI_API_KEY", "model", undefined, "The key of the providers `openai` and `openai_chat`."),
  secret: true,
};
const ANTHROPIC_KEY: Row<string | undefined> = {
  ...text("ANTHROPIC_API_KEY", "model", undefined, "The key of the provider `anthropic`."),
  secret: true,
};
const CREDENTIAL_HELPER: Row<string | undefined> = {
  ...text(
    "OXBOW_GIT_CREDENTIAL_HELPER",
    "state",
    undefined,
    "Git's credential helper for `repo.url`, such as `store --file=FILE`; no other is asked.",
  ),
  secret: true,
};
const BASE_URL: Row<string | undefined> = {
  ...text(
    "OPENAI_BASE_URL",
    "model",
    undefined,
    "A server that speaks the OpenAI API, instead of OpenAI's own.",
  ),
  allowed: "an http or https URL",
  parse: readUrl,
};
const ANTHROPIC_URL: Row<string | undefined> = {
  ...text(
    "ANTHROPIC_BASE_URL",
    "model",
    undefined,
    "A server that speaks the Messages API, instead of Anthropic's own.",
  ),
  allowed: "an http or https URL",
  parse: readUrl,
};
const TOOLS: Row<readonly string[] | undefined> = {
  name: "AGENT_TOOLS",
  group: "tools",
  description: "The only tools any agent gets, by name; by default every tool whose group is on.",
  allowed: "names of tools, separated by commas",
  fallback: undefined,
  secret: false,
  parse: readNames,
};
const LEASE: Row<number> = {
  name: "OXBOW_LEASE_MS",
  group: "state",
  description:
    "How long a process that says nothing keeps what it works on, milliseconds; then others take it.",
  allowed: "a whole number from 1000 to 600000",
  fallback: 15_000,
  secret: false,
  parse: readLease,
};
const PAYLOAD: Row<number> = {
  name: "SIGNAL_PAYLOAD_MAX_BYTES",
  group: "signals",
  description: "The largest payload of a signal, in bytes of JSON.",
  allowed: "a whole number from 1 to 16777216",
  fallback: 65_536,
  secret: false,
  parse: readBytes,
};

/** The order is the order of `oxbow env`. */
const TABLE = {
  oxbowHome: text(
    "OXBOW_HOME",
    "state",
    undefined,
    "State directory; by default `oxbow` in the repository's git directory.",
  ),
  oxbowStoreUrl: STORE_URL,
  oxbowLeaseMs: LEASE,
  oxbowDrainMs: whole(
    "OXBOW_DRAIN_MS",
    "state",
    [0, 600_000],
    5_000,
    "How long what is at work may go on after SIGTERM, milliseconds; then it is handed back.",
  ),
  redisUrl: REDIS,
  oxbowRedisAllowVolatile: flag(
    "OXBOW_REDIS_ALLOW_VOLATILE",
    "state",
    false,
    "Uses a Redis that evicts entries or keeps nothing on disk too.",
  ),
  oxbowLogFile: text(
    "OXBOW_LOG_FILE",
    "state",
    undefined,
    "Log file; by default logs/orchestrator.log in the state directory.",
  ),
  oxbowLogLevel: choice<LogLevel>(
    "OXBOW_LOG_LEVEL",
    "state",
    ["debug", "info", "warn", "error", "silent"],
    "info",
    "How much is logged.",
  ),
  ...OBSERVE_ROWS,
  oxbowGitSshCommand: text(
    "OXBOW_GIT_SSH_COMMAND",
    "state",
    undefined,
    "The ssh of fetches from and pushes to `repo.url`, such as `ssh -i FILE`; by default `ssh -o BatchMode=yes`.",
  ),
  oxbowGitCredentialHelper: CREDENTIAL_HELPER,
  openaiApiKey: API_KEY,
  openaiBaseUrl: BASE_URL,
  openaiModel: text(
    "OPENAI_MODEL",
    "model",
    "gpt-5-mini",
    "The model of agents for which neither --model nor the team file names one.",
  ),
  anthropicApiKey: ANTHROPIC_KEY,
  anthropicBaseUrl: ANTHROPIC_URL,
  anthropicModel: text(
    "ANTHROPIC_MODEL",
    "model",
    "claude-sonnet-5-5",
    "The same, of agents whose provider is `anthropic`.",
  ),
  orchestrateTargetAgent: text(
    "ORCHESTRATE_TARGET_AGENT",
    "team",
    undefined,
    "The agent that gets the children of a split that names none.",
  ),
  agentName: text(
    "AGENT_NAME",
    "team",
    undefined,
    "The same, where ORCHESTRATE_TARGET_AGENT is unset; then the team's first agent.",
  ),
  oxbowScheduleGraceMs: whole(
    "OXBOW_SCHEDULE_GRACE_MS",
    "team",
    [0, 604_800_000],
    3_600_000,
    "How late a firing of `schedule:` may be, milliseconds; what is later is skipped.",
  ),
  autoChildSignalDone: flag(
    "AUTO_CHILD_SIGNAL_DONE",
    "team",
    true,
    "The engine sends a child's done signal; 0 leaves it to the child.",
  ),
  scopeReads: choice<ScopeReads>(
    "SCOPE_READS",
    "team",
    ["read_paths", "allowed_paths"],
    "read_paths",
    "What an agent may read: its read_paths (everything when it has none), or only its allowed_paths.",
  ),
  enableFileTools: flag(
    "ENABLE_FILE_TOOLS",
    "tools",
    true,
    "Tools that read, edit and patch files, diff and commit.",
  ),
  enableSignalTools: flag("ENABLE_SIGNAL_TOOLS", "tools", true, "Tools that send signals and wait for them."),
  enableTeamTools: flag("ENABLE_TEAM_TOOLS", "tools", true, "Tools that look up owners."),
  enableChatTools: flag(
    "ENABLE_CHAT_TOOLS",
    "tools",
    true,
    "The tool chat_send: agents of a task write to each other.",
  ),
  enableTodoTools: flag(
    "ENABLE_TODO_TOOLS",
    "tools",
    true,
    "Tools for the todo list that the agents of a task share.",
  ),
  enableOrchestrateTool: flag(
    "ENABLE_ORCHESTRATE_TOOL",
    "tools",
    undefined,
    "The tool orchestrate_split. Unset: only the lead of a run has it; 0: nobody; 1: every agent.",
  ),
  enableBarrierTool: flag(
    "ENABLE_BARRIER_TOOL",
    "tools",
    false,
    "The tool barrier_run: the same question to several runs at once, and what their answers amount to.",
  ),
  enableMcpTools: flag("ENABLE_MCP_TOOLS", "tools", false, "The tools of the team file's `mcp_servers`."),
  agentTools: TOOLS,
  agentRequireExplicitTools: flag(
    "AGENT_REQUIRE_EXPLICIT_TOOLS",
    "tools",
    false,
    "An agent has no tool unless AGENT_TOOLS or its `tools:` names it.",
  ),
  ...TERMINAL_ROWS,
  signalPayloadMaxBytes: PAYLOAD,
  signalTopicPrefix: text(
    "SIGNAL_TOPIC_PREFIX",
    "signals",
    "",
    "Topics that agents may use must begin with this; empty allows all.",
  ),
  oxbowWebhookAllowPrivate: flag(
    "OXBOW_WEBHOOK_ALLOW_PRIVATE",
    "signals",
    false,
    "Webhooks may also go to private networks and, with http, to this machine.",
  ),
} as const;

type Table = typeof TABLE;
type Value<R> = R extends Row<infer T> ? T : never;

export type SettingSource = "default" | "environment";
export type Settings = { readonly [K in keyof Table]: Value<Table[K]> } & {
  /** By the name of the variable. */
  readonly sources: Readonly<Record<string, SettingSource>>;
};

/** What the launcher passes on to itself, and the mark of programs that agents run. */
const INTERNAL = new Set(["OXBOW_LAUNCHER_PID", "OXBOW_PROGRAM"]);
/** Names that only Oxbow would use. The user's AGENT_ID or SIGNAL_CLI are none of its business. */
const OURS =
  /^(OXBOW_|ORCHESTRATE_|AUTO_CHILD_|SIGNAL_(PAYLOAD|TOPIC)|AGENT_(TOOL|REQUIRE_)|SCOPE_READ|TERMINAL_(ALLOW|DENY|TIMEOUT|OUTPUT|FUNCTION|REDACT|SANDBOX))|^ENABLE_([A-Z0-9]+_)+TOOLS?$/;

/**
 * An empty value counts as unset. Throws setting_unknown for a variable that looks like one of ours and is none, and
 * setting_invalid for a value that is not allowed.
 */
export function parseSettings(env: Readonly<Record<string, string>>): Settings {
  refuseUnknown(env);
  const sources: Record<string, SettingSource> = {};
  function value<T>(row: Row<T>): T {
    const written = (env[row.name] ?? "").trim();
    sources[row.name] = written === "" ? "default" : "environment";
    return written === "" ? row.fallback : parsed(row, written);
  }
  return {
    oxbowHome: value(TABLE.oxbowHome),
    oxbowStoreUrl: value(TABLE.oxbowStoreUrl),
    oxbowLeaseMs: value(TABLE.oxbowLeaseMs),
    oxbowDrainMs: value(TABLE.oxbowDrainMs),
    redisUrl: value(TABLE.redisUrl),
    oxbowRedisAllowVolatile: value(TABLE.oxbowRedisAllowVolatile),
    oxbowLogFile: value(TABLE.oxbowLogFile),
    oxbowLogLevel: value(TABLE.oxbowLogLevel),
    ...observeValues(value),
    oxbowGitSshCommand: value(TABLE.oxbowGitSshCommand),
    oxbowGitCredentialHelper: value(TABLE.oxbowGitCredentialHelper),
    openaiApiKey: value(TABLE.openaiApiKey),
    openaiBaseUrl: value(TABLE.openaiBaseUrl),
    openaiModel: value(TABLE.openaiModel),
    anthropicApiKey: value(TABLE.anthropicApiKey),
    anthropicBaseUrl: value(TABLE.anthropicBaseUrl),
    anthropicModel: value(TABLE.anthropicModel),
    orchestrateTargetAgent: value(TABLE.orchestrateTargetAgent),
    agentName: value(TABLE.agentName),
    oxbowScheduleGraceMs: value(TABLE.oxbowScheduleGraceMs),
    autoChildSignalDone: value(TABLE.autoChildSignalDone),
    scopeReads: value(TABLE.scopeReads),
    enableFileTools: value(TABLE.enableFileTools),
    enableSignalTools: value(TABLE.enableSignalTools),
    enableTeamTools: value(TABLE.enableTeamTools),
    enableChatTools: value(TABLE.enableChatTools),
    enableTodoTools: value(TABLE.enableTodoTools),
    enableOrchestrateTool: value(TABLE.enableOrchestrateTool),
    enableBarrierTool: value(TABLE.enableBarrierTool),
    enableMcpTools: value(TABLE.enableMcpTools),
    agentTools: value(TABLE.agentTools),
    agentRequireExplicitTools: value(TABLE.agentRequireExplicitTools),
    ...terminalValues(value),
    signalPayloadMaxBytes: value(TABLE.signalPayloadMaxBytes),
    signalTopicPrefix: value(TABLE.signalTopicPrefix),
    oxbowWebhookAllowPrivate: value(TABLE.oxbowWebhookAllowPrivate),
    sources,
  };
}

function parsed<T>(row: Row<T>, written: string): T {
  const value = /\p{Cc}/u.test(written) ? undefined : row.parse(written);
  if (value !== undefined) return value;
  const shown = row.secret ? "" : `${quoted(withoutPassword(written))}, `;
  throw new OxbowError("setting_invalid", `${row.name} is ${shown}but must be ${row.allowed}.`, {
    details: { name: row.name, allowed: row.allowed },
  });
}

function refuseUnknown(env: Readonly<Record<string, string>>): void {
  const known = new Set<string>(Object.values(TABLE).map((row) => row.name));
  for (const name of Object.keys(env).sort()) {
    if (known.has(name) || INTERNAL.has(name) || !OURS.test(name)) continue;
    const why = `${name} is not a setting of Oxbow.${suggestion(name, known)}`;
    throw new OxbowError("setting_unknown", why, { details: { name } });
  }
}

/** One line of `oxbow env`. A secret's value is only ever `set` or `unset`. */
export interface SettingLine {
  readonly name: string;
  readonly value: string;
  readonly source: SettingSource;
  readonly group: SettingGroup;
  readonly default: string;
  readonly allowed: string;
  readonly description: string;
}

type Key = keyof Table;
const KEYS = Object.keys(TABLE).filter((key): key is Key => key in TABLE);

export function describeSettings(settings: Settings): readonly SettingLine[] {
  return KEYS.map((key) => {
    const { name, group, description, allowed, fallback, secret } = TABLE[key];
    const value = settings[key];
    return {
      name,
      value: secret ? (value === undefined ? "unset" : "set") : shown(value),
      source: settings.sources[name] ?? "default",
      group,
      default: shown(fallback),
      allowed,
      description,
    };
  });
}

function shown(value: string | number | boolean | readonly string[] | undefined): string {
  if (value === undefined) return "unset";
  if (typeof value === "boolean") return value ? "1" : "0";
  if (typeof value === "string") return withoutPassword(value);
  return typeof value === "number" ? String(value) : value.join(",");
}

/** A URL for showing it; also one that was written wrongly hides all that may be a password. */
export function withoutPassword(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/).*@/is, "$1***@")
    .replace(/([?&](?:ssl)?password=)[^&#]*/gi, "$1***");
}
