/** team.yaml, read and checked; every error names its line and column. The team's words as types live here too. */
import { type BudgetAsk, readAsk } from "./budget-saved.ts";
import { type ErrorCode, OxbowError } from "./errors.ts";
import { checkTeam, type Fail, type Path } from "./team-checks.ts";
import { type ScheduleEntry, shapeSchedule } from "./schedule.ts";
import { type McpServerSpec, shapeServers } from "./mcp-server.ts";
import { type GroupSpec, shapeGroup } from "./team-groups.ts";
import { normalisePath } from "./paths.ts";
import { explainIssues } from "./team-issues.ts";
import { CLAUDE_CODE } from "./providers.ts";
import { NOT_YET, type RawAgent, type RawTeam, TEAM_DEFAULTS, teamSchema } from "./team-schema.ts";
import { dotted, readYaml, type YamlSource } from "./yaml-source.ts";

/** An agent is data. Times in milliseconds; null where the team file says nothing. */
export interface AgentSpec {
  readonly name: string;
  readonly team: string;
  readonly instructions: string | null;
  readonly model: string | null;
  readonly provider: string | null;
  readonly runtime: "openai_agents" | "command";
  /** The program of runtime `command` and its arguments; null for the provider `claude-code`. `{task}`, `{branch}`, `{paths}` are filled in later. */
  readonly command: readonly string[] | null;
  /** The only tools it gets; null: every tool whose group is on. */
  readonly tools: readonly string[] | null;
  readonly skills: readonly string[];
  readonly responsibilities: readonly string[];
  readonly allowedPaths: readonly string[];
  /** Who stands for it on GitHub: `@user`, `@org/team` or an address. */
  readonly codeOwners: readonly string[];
  /** The team file gives no allowed_paths: it owns nothing, and may write whatever is not protected. */
  readonly unbounded: boolean;
  /** Null: it may read everything. */
  readonly readPaths: readonly string[] | null;
  readonly group: string | null;
  readonly domain: string | null;
  readonly slaMs: number | null;
  readonly timeoutMs: number | null;
  readonly responseTimeoutMs: number | null;
  readonly maxTurns: number | null;
  readonly recovery: "resume" | "clean";
  readonly sandbox: {
    readonly network: boolean;
    /** Names of variables passed to its programs. */
    readonly env: readonly string[];
    /** `private`: an empty one. A list: an empty one with these of the user's in it. `user`: the user's own. */
    readonly home: "private" | "user" | readonly string[];
  };
}

export interface Limits {
  /** Children running at once. */
  readonly maxParallel: number;
  /** A child of the first split has depth 1. */
  readonly maxDepth: number;
  readonly maxChildrenPerSplit: number;
  /** Children of one task, all splits together. */
  readonly maxChildren: number;
}

export interface TeamDefaults {
  readonly provider: string | null;
  readonly model: string | null;
  readonly maxTurns: number;
  readonly timeoutMs: number;
}

/** The clones in which programs run. */
export interface WorkspaceSpec {
  /** At once, over all processes; null: as many as are asked for. */
  readonly pool: number | null;
  /** How many stay when nobody uses them. */
  readonly keep: number;
  readonly setup: readonly string[];
  /** Normalised paths. */
  readonly link: readonly string[];
}

/** What becomes of a finished branch that does not land. */
export interface MergePolicy {
  readonly conflicts: "rework" | "owner" | "escalate";
  readonly squash: boolean;
  /** New subtasks for one branch. */
  readonly maxReworks: number;
}

/** Something in the file that is valid but has no effect yet. */
export interface TeamNotice {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface TeamFile {
  readonly file: string;
  readonly team: string;
  readonly lead: string | null;
  readonly windowPerson: string | null;
  readonly repo: { readonly base: string | null; readonly url: string | null };
  readonly workspace: WorkspaceSpec;
  readonly verify: readonly string[];
  readonly verifyNetwork: boolean;
  readonly merge: MergePolicy;
  readonly defaults: TeamDefaults;
  readonly limits: Limits;
  /** What one task may use; null: no limit. */
  readonly budget: BudgetAsk | null;
  readonly groups: readonly GroupSpec[];
  readonly agents: readonly AgentSpec[];
  readonly schedule: readonly ScheduleEntry[];
  /** As they are written. */
  readonly plugins: readonly string[];
  readonly mcpServers: readonly McpServerSpec[];
  readonly notices: readonly TeamNotice[];
}

/**
 * Throws team_file_invalid (not YAML, an unknown key, a wrong value), team_config (two agents with one pattern, a bad
 * pattern) and runtime_not_available, each with `details: { file, line, column, path }`. `file` is only for messages.
 */
export function parseTeamFile(text: string, file: string): TeamFile {
  const read = readYaml(text);
  if (!read.ok) {
    const { line, column, message } = read.problem;
    const details = { file, line, column, path: "" };
    throw new OxbowError("team_file_invalid", `${file}:${line}:${column}: ${message}`, { details });
  }
  const { source } = read;
  const result = teamSchema.safeParse(source.value);
  if (!result.success) throw explainIssues(result.error.issues, source, file);
  const raw = result.data;
  const fail: Fail = (code, path, message) => {
    throw located(code, source, file, path, message);
  };
  checkTeam(raw, fail);
  return shape(raw, file, notYet(raw, source));
}

function located(code: ErrorCode, source: YamlSource, file: string, path: Path, message: string): OxbowError {
  const { line, column } = source.position(path);
  const name = dotted(path);
  return new OxbowError(code, `${file}:${line}:${column}: ${name}: ${message}`, {
    details: { file, line, column, path: name },
  });
}

/** Silence about keys that are checked but that nothing obeys yet would be a lie. */
function notYet(raw: RawTeam, source: YamlSource): TeamNotice[] {
  const notice = (path: Path, key: string): TeamNotice => ({
    ...source.keyPosition(path, key),
    message: `\`${dotted([...path, key])}:\` is read but not acted on yet`,
  });
  const isSaid = (value: unknown): boolean =>
    value !== undefined && !(Array.isArray(value) && value.length === 0);
  return [
    ...NOT_YET.team.filter((key) => isSaid(raw[key])).map((key) => notice([], key)),
    ...NOT_YET.repo.filter((key) => isSaid(raw.repo?.[key])).map((key) => notice(["repo"], key)),
    ...raw.agents.flatMap((agent, i) =>
      NOT_YET.agents.filter((key) => isSaid(agent[key])).map((key) => notice(["agents", i], key)),
    ),
    ...raw.agents.flatMap((agent, i) =>
      NOT_YET.sandbox
        .filter((key) => isSaid(agent.sandbox?.[key]))
        .map((key) => notice(["agents", i, "sandbox"], key)),
    ),
  ].sort((a, b) => a.line - b.line || a.column - b.column);
}

function shape(raw: RawTeam, file: string, notices: readonly TeamNotice[]): TeamFile {
  const { defaults, limits } = raw;
  return {
    file,
    team: raw.team,
    lead: raw.lead ?? null,
    windowPerson: raw.window_person ?? null,
    repo: { base: raw.repo?.base ?? null, url: raw.repo?.url ?? null },
    workspace: shapeWorkspace(raw.workspace),
    verify: raw.verify ?? [],
    verifyNetwork: raw.verify_network ?? false,
    merge: {
      conflicts: raw.merge?.conflicts ?? "rework",
      squash: raw.merge?.squash ?? false,
      maxReworks: raw.merge?.max_reworks ?? TEAM_DEFAULTS.maxReworks,
    },
    defaults: {
      provider: defaults?.provider ?? null,
      model: defaults?.model ?? null,
      maxTurns: defaults?.max_turns ?? TEAM_DEFAULTS.maxTurns,
      timeoutMs: defaults?.timeout_ms ?? TEAM_DEFAULTS.timeoutMs,
    },
    limits: {
      maxParallel: limits?.max_parallel ?? TEAM_DEFAULTS.limits.maxParallel,
      maxDepth: limits?.max_depth ?? TEAM_DEFAULTS.limits.maxDepth,
      maxChildrenPerSplit: limits?.max_children_per_split ?? TEAM_DEFAULTS.limits.maxChildrenPerSplit,
      maxChildren: limits?.max_children ?? TEAM_DEFAULTS.limits.maxChildren,
    },
    budget: readAsk(raw.budget),
    groups: (raw.groups ?? []).map(shapeGroup),
    agents: raw.agents.map((agent) => shapeAgent(agent, raw)),
    schedule: shapeSchedule(raw.schedule),
    plugins: raw.plugins ?? [],
    mcpServers: shapeServers(raw.mcp_servers),
    notices,
  };
}

function shapeWorkspace(raw: RawTeam["workspace"]): WorkspaceSpec {
  return {
    pool: raw?.pool ?? null,
    keep: raw === undefined ? 0 : (raw.pool ?? TEAM_DEFAULTS.workspacesKept),
    setup: raw?.setup ?? [],
    link: [...new Set((raw?.link ?? []).map(normalisePath))],
  };
}

function shapeAgent(raw: RawAgent, { team, defaults }: RawTeam): AgentSpec {
  const isOwn = raw.provider === CLAUDE_CODE;
  const isClaude =
    isOwn || (raw.provider === undefined && raw.runtime === undefined && defaults?.provider === CLAUDE_CODE);
  return {
    name: raw.name,
    team,
    instructions: raw.instructions ?? null,
    // A default model is one of the default provider's.
    model: raw.model ?? (isClaude && !isOwn ? (defaults?.model ?? null) : null),
    provider: isClaude ? CLAUDE_CODE : (raw.provider ?? null),
    runtime: raw.runtime === "command" || isClaude ? "command" : "openai_agents",
    command: raw.command ?? null,
    tools: raw.tools ?? null,
    skills: raw.skills ?? [],
    responsibilities: raw.responsibilities ?? [],
    allowedPaths: raw.allowed_paths ?? [],
    codeOwners: raw.code_owners ?? [],
    unbounded: raw.allowed_paths === undefined,
    readPaths: raw.read_paths ?? null,
    group: raw.group ?? null,
    domain: raw.domain ?? null,
    slaMs: raw.sla_ms ?? null,
    timeoutMs: raw.timeout_ms ?? null,
    responseTimeoutMs: raw.response_timeout_ms ?? null,
    maxTurns: raw.max_turns ?? null,
    recovery: raw.recovery ?? "resume",
    sandbox: {
      network: raw.sandbox?.network ?? false,
      env: raw.sandbox?.env ?? [],
      home: raw.sandbox?.home ?? "private",
    },
  };
}
