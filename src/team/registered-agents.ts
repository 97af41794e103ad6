/**
 * The team beyond its file: agents that were registered at run time, and those that were shut down. The rows say it, to
 * every process; a registry is brought up to date with them in place, so that whoever holds it sees the team as it is.
 */
import type { Json } from "../core/model.ts";
import type { StoredAgent } from "../store/agents.ts";
import type { AgentSpec } from "../core/team-file.ts";
import { type Engine, NO_OPTIONS } from "./engine.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { type AgentWords, readAgent } from "../core/new-agent.ts";
import { TeamRegistry } from "../core/registry.ts";
import { liveWorkers } from "./fleet.ts";

type TeamEngine = Pick<Engine, "store" | "team" | "registry" | "log">;

interface Laid {
  /** The rows that a registry has, as JSON. */
  rows: string;
  /** The agents that came with them: the others are the team file's, a plugin's or a program's. */
  readonly added: Set<string>;
}

const laid = new WeakMap<TeamRegistry, Laid>();

function laidOver(registry: TeamRegistry): Laid {
  const there = laid.get(registry);
  if (there) return there;
  const made = { rows: "[]", added: new Set<string>() };
  laid.set(registry, made);
  return made;
}

/** Brings the engine's registry up to date. True when that changed it. */
export async function followAgents(engine: TeamEngine): Promise<boolean> {
  const { store, team, registry, log } = engine;
  const rows = await store.people.agents.list(team.team);
  const over = laidOver(registry);
  const now = JSON.stringify(rows);
  if (now === over.rows) return false;
  over.rows = now;
  for (const row of inOrder(rows)) {
    try {
      apply(registry, over.added, team, row);
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
  let seen: { readonly engine: Engine; readonly rows: string } | null = null;
  let shown: Engine | null = null;
  return async () => {
    const engine = await current();
    await followAgents(engine);
    const { rows } = laidOver(engine.registry);
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

function apply(
  registry: TeamRegistry,
  added: Set<string>,
  team: Engine["team"],
  { name, words, state }: StoredAgent,
): void {
  const isOwn = registry.get(name) !== null && !added.has(name);
  if (isOwn) return state === "active" ? registry.bringBack(name) : registry.retire(name);
  if (words === null) return;
  const spec = readAgent(words, team);
  // At first without its patterns: they may be somebody else's by now.
  if (registry.get(name) === null) {
    registry.register({ ...spec, allowedPaths: [], unbounded: false });
    added.add(name);
  }
  registry.retire(name);
  // What it had begun is bounded by what it was given, also when it was shut down.
  registry.update(name, spec);
  if (state === "active") registry.bringBack(name);
}

/**
 * Registers an agent for all processes of the team, or brings one back that was shut down: a registered one with these
 * words, one of the team file as the file has it. Throws team_config, runtime_not_available, provider_unknown, branch_name_rejected.
 */
export async function createAgent(engine: Engine, words: AgentWords, by: string): Promise<AgentSpec> {
  const { store, team, registry } = engine;
  await followAgents(engine);
  const { name } = words;
  const own = laidOver(registry).added.has(name) ? null : registry.get(name);
  const spec = own ?? readAgent(words, team);
  refuseSecrets(engine, words);
  refuseUnknownProvider(engine, spec);
  const check = (rows: readonly StoredAgent[]): void => {
    const there = rows.find((row) => row.name === name);
    if (there?.state === "active" || (own && !there)) throw taken(name);
    if (own && Object.keys(words).length > 1)
      throw new OxbowError("team_config", `${name} is in the team file: it comes back as it is there.`, {
        hint: "Give its name alone, or change the team file.",
      });
    const trial = withOthers(engine, rows, name);
    if (own === null) trial.register(spec);
    else trial.bringBack(name);
  };
  const stored = own ? null : asJson(words);
  const event = { event: "agent_changed", agent: name, state: "active", by } as const;
  await store.people.agents.save(team.team, { name, words: stored }, check, [
    { ...event, task_id: streamOf(name), source: name },
  ]);
  await followAgents(engine);
  return spec;
}

/** A registry of its own, so that what is refused changes nothing: the team without this one agent of run time. */
function withOthers({ registry, team }: Engine, rows: readonly StoredAgent[], name: string): TeamRegistry {
  const { added } = laidOver(registry);
  const trial = new TeamRegistry();
  for (const agent of [...registry.list(), ...registry.retired()])
    if (!added.has(agent.name)) trial.register(agent);
  const own = trial.get(name) !== null;
  if (own) trial.retire(name);
  const laidHere = new Set<string>();
  for (const row of inOrder(rows.filter((each) => each.name !== name))) {
    try {
      apply(trial, laidHere, team, row);
    } catch (error) {
      // As where it is followed: it is no agent there either.
      if (!hasCode(error)) throw error;
    }
  }
  return trial;
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
