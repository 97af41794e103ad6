/**
 * The team beyond its file: agents that were registered at run time, and those that were shut down. The rows say it, to
 * every process; a registry is brought up to date with them in place, so that whoever holds it sees the team as it is.
 */
import type { Json } from "../core/model.ts";
import type { StoredAgent } from "../store/agents.ts";
import type { AgentSpec } from "../core/team-file.ts";
import type { Engine } from "./engine.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { type AgentWords, readAgent } from "../core/new-agent.ts";
import { TeamRegistry } from "../core/registry.ts";
import { liveWorkers } from "./fleet.ts";

type TeamEngine = Pick<Engine, "store" | "team" | "registry" | "log">;

/** What of the rows a registry has. */
const known = new WeakMap<TeamRegistry, string>();

/** Brings the engine's registry up to date. True when that changed it. */
export async function followAgents(engine: TeamEngine): Promise<boolean> {
  const { store, team, registry, log } = engine;
  const rows = await store.people.agents.list(team.team);
  const before = known.get(registry) ?? "[]";
  const now = JSON.stringify(rows);
  if (now === before) return false;
  known.set(registry, now);
  for (const row of inOrder(rows)) {
    try {
      apply(registry, team, row);
    } catch (error) {
      // The team file has changed since, and has no room for it any more.
      if (!hasCode(error)) throw error;
      log.error({ agent: row.name, error: error.message }, "agent_not_registered");
    }
  }
  return true;
}

/**
 * The engine with the team as its file and the rows say it at each call; the same one while nothing has changed. `current`
 * says what the file says.
 */
export function withRegistered(current: () => Promise<Engine>): () => Promise<Engine> {
  let seen: { readonly engine: Engine; readonly rows: string | undefined } | null = null;
  let shown: Engine | null = null;
  return async () => {
    const engine = await current();
    await followAgents(engine);
    const rows = known.get(engine.registry);
    if (shown === null || seen?.engine !== engine || seen.rows !== rows) shown = { ...engine };
    seen = { engine, rows };
    return shown;
  };
}

/** Who is shut down first: its patterns may belong to another by now. */
function inOrder(rows: readonly StoredAgent[]): readonly StoredAgent[] {
  const isDown = ({ state }: StoredAgent) => Number(state === "active");
  return rows.toSorted((a, b) => isDown(a) - isDown(b));
}

function apply(registry: TeamRegistry, team: Engine["team"], { name, words, state }: StoredAgent): void {
  const isOwn = team.agents.some((each) => each.name === name);
  if (state === "shut_down") {
    if (!isOwn && registry.get(name) === null && words !== null)
      registry.register({ ...readAgent(words, team), allowedPaths: [], unbounded: false });
    if (registry.get(name) !== null) registry.retire(name);
    // What it had begun is bounded by what it was given.
    if (!isOwn && words !== null) registry.update(name, readAgent(words, team));
    return;
  }
  if (isOwn) return registry.bringBack(name);
  if (words === null) return;
  const spec = readAgent(words, team);
  if (registry.get(name) === null) registry.register(spec);
  else {
    registry.retire(name);
    registry.update(name, spec);
    registry.bringBack(name);
  }
}

/**
 * Registers an agent for all processes of the team, or brings one back that was shut down: a registered one with these
 * words, one of the team file as the file has it. Throws team_config, runtime_not_available, provider_unknown, branch_name_rejected.
 */
export async function createAgent(engine: Engine, words: AgentWords, by: string): Promise<AgentSpec> {
  const { store, team } = engine;
  const own = team.agents.find(({ name }) => name === words.name);
  const spec = own ?? readAgent(words, team);
  refuseSecrets(engine, words);
  refuseUnknownProvider(engine, spec);
  const stored = own ? null : asJson(words);
  const check = (rows: readonly StoredAgent[]): void => {
    const there = rows.find(({ name }) => name === words.name);
    if (there?.state === "active" || (own && !there)) throw taken(words.name);
    if (own && Object.keys(words).length > 1)
      throw new OxbowError(
        "team_config",
        `${words.name} is in the team file: it comes back as it is there.`,
        {
          hint: "Give its name alone, or change the team file.",
        },
      );
    // A registry of its own: what is refused changes nothing.
    const trial = TeamRegistry.fromTeamFile(team);
    const others = rows.filter(({ name }) => name !== words.name);
    for (const row of inOrder(others)) applyIfItCan(trial, team, row);
    if (own) {
      trial.retire(words.name);
      trial.bringBack(words.name);
    } else trial.register(spec);
  };
  const event = { event: "agent_changed", agent: words.name, state: "active", by } as const;
  await store.people.agents.save(team.team, { name: words.name, words: stored }, check, [
    { ...event, task_id: streamOf(words.name), source: words.name },
  ]);
  await followAgents(engine);
  return spec;
}

function applyIfItCan(registry: TeamRegistry, team: Engine["team"], row: StoredAgent): void {
  try {
    apply(registry, team, row);
  } catch (error) {
    if (!hasCode(error)) throw error;
  }
}

function taken(name: string): OxbowError {
  return new OxbowError("team_config", `There is an agent ${name} already.`, {
    hint: "Use another name, or shut that one down first.",
    details: { agent: name },
  });
}

/** They would be kept, and told to a model. */
function refuseSecrets({ redact }: Engine, words: AgentWords): void {
  const json = JSON.stringify(words);
  if (redact(json) === json) return;
  throw new OxbowError("team_config", "The agent holds what looks like a secret; it would be kept.", {
    hint: "Leave it out; a team file's agent gets variables of the environment by `sandbox: { env: [...] }`.",
  });
}

/** That the key is missing here says nothing of other processes. */
function refuseUnknownProvider(engine: Engine, spec: AgentSpec): void {
  if (spec.runtime !== "openai_agents") return;
  try {
    engine.models(NO_OPTIONS, spec);
  } catch (error) {
    if (!hasCode(error, "provider_missing") && !hasCode(error, "script_invalid")) throw error;
  }
}

/** A call outside of any run. */
export const NO_OPTIONS = {
  by: null,
  provider: null,
  model: null,
  runtime: null,
  command: null,
  script: null,
  maxParallel: null,
} as const;

export function streamOf(agent: string): string {
  return `agent.${agent}`;
}

export interface ShutDown {
  readonly agent: string;
  /** False: it was shut down already. */
  readonly changed: boolean;
  /** Conversations it was at work on: they are handed back, and wait for `assign` or for the agent to come back. */
  readonly handed_back: readonly string[];
  /** With `cancel`: subtasks that were cancelled. */
  readonly cancelled: readonly string[];
}

/**
 * The agent takes no more work, in any process, until it is created again. What it has begun is handed back and blocked,
 * with an alert, or cancelled. Throws agent_unknown.
 */
export async function shutDownAgent(
  engine: Engine,
  name: string,
  options: { readonly cancel: boolean; readonly by: string },
): Promise<ShutDown> {
  const { store, team, registry } = engine;
  await followAgents(engine);
  if (registry.get(name) === null) {
    const names = registry.list().map((agent) => agent.name);
    throw new OxbowError(
      "agent_unknown",
      `There is no agent ${name} in the team; it has ${names.join(", ")}.`,
    );
  }
  const cancelled = options.cancel ? await cancelAll(engine, name) : [];
  const event = { event: "agent_changed", agent: name, state: "shut_down", by: options.by } as const;
  const { changed, working } = await store.people.agents.shutDown(team.team, name, [
    { ...event, task_id: streamOf(name), source: name },
  ]);
  await followAgents(engine);
  return { agent: name, changed, handed_back: working, cancelled };
}

/** Whatever of it is open in live tasks of the team. */
async function cancelAll(engine: Engine, name: string): Promise<readonly string[]> {
  const { cancel } = await import("./interventions.ts");
  const { store, team } = engine;
  const cancelled: string[] = [];
  for (const { task } of await store.liveTasks()) {
    if (task.team !== team.team) continue;
    const ended = new Set((await store.outcomes(task.task_id)).map(({ subtask_id }) => subtask_id));
    for (const { agent, subtask_id } of await store.subtasks(task.task_id))
      if (agent === name && !ended.has(subtask_id))
        cancelled.push(...(await cancel(engine, subtask_id, 0)).parts);
  }
  return cancelled;
}

/** Whether a live worker answers for the agent. */
export async function isServed(engine: Engine, agent: string): Promise<boolean> {
  const workers = await liveWorkers(engine);
  return workers.some((worker) => worker.team === engine.team.team && worker.agents.includes(agent));
}

function asJson(words: AgentWords): Json {
  return JSON.parse(JSON.stringify(words));
}
