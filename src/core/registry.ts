/** Who is in which team, what each agent owns, and the person a team escalates to. Agents may come and change at run time. */
import { branchName } from "./branch-name.ts";
import { codeownersTeam } from "./codeowners-agents.ts";
import { OxbowError } from "./errors.ts";
import { createOwnership, type Ownership } from "./ownership.ts";
import { pathProblem } from "./paths.ts";
import type { AgentSpec, TeamFile } from "./team-file.ts";

export interface RegisteredOwner {
  readonly agent: string;
  readonly team: string;
  /** As written in the team file. */
  readonly pattern: string;
}

/** An agent as a caller writes it; what is left out gets the default of team.yaml. */
export type NewAgent = Pick<AgentSpec, "name" | "team"> & Partial<AgentSpec>;

const DEFAULTS: Omit<AgentSpec, "name" | "team"> = {
  instructions: null,
  model: null,
  provider: null,
  runtime: "openai_agents",
  command: null,
  tools: null,
  skills: [],
  responsibilities: [],
  allowedPaths: [],
  codeOwners: [],
  unbounded: true,
  readPaths: null,
  group: null,
  domain: null,
  slaMs: null,
  timeoutMs: null,
  responseTimeoutMs: null,
  maxTurns: null,
  recovery: "resume",
  sandbox: { network: false, env: [], home: "private" },
};

export class TeamRegistry {
  readonly #agents = new Map<string, AgentSpec>();
  readonly #retired = new Set<string>();
  readonly #persons = new Map<string, string>();
  #ownership: Ownership = createOwnership({});

  static fromTeamFile<T extends TeamRegistry>(this: new () => T, file: TeamFile): T {
    const registry = new this();
    registry.#put(file.agents);
    if (file.windowPerson !== null) registry.setWindowPerson(file.team, file.windowPerson);
    return registry;
  }

  /**
   * One agent for each set of owners that a CODEOWNERS file names, all of one team. Files that become instructions or code
   * for others are owned only where a line names them. Throws codeowners_invalid, with the line that cannot be expressed.
   */
  static fromCodeowners<T extends TeamRegistry>(this: new () => T, text: string, team = "codeowners"): T {
    const registry = new this();
    const agents = codeownersTeam(text).agents.map((agent) => ({
      ...DEFAULTS,
      ...agent,
      team,
      unbounded: false,
    }));
    registry.#put(agents);
    return registry;
  }

  /**
   * Adds an agent. Throws team_config when the name is taken (also in another case) or a pattern is malformed or belongs
   * to another agent, branch_name_rejected for a name that cannot become a branch; then nothing was changed.
   */
  register(agent: NewAgent): AgentSpec {
    const key = branchKey(agent.name);
    const taken = [...this.#agents.keys()].find((name) => branchKey(name) === key);
    if (taken !== undefined) {
      throw new OxbowError("team_config", `There is an agent ${taken} already.`, {
        hint: "Use another name, or update the agent.",
        details: { agent: agent.name },
      });
    }
    const made: AgentSpec = { ...DEFAULTS, unbounded: agent.allowedPaths === undefined, ...agent };
    this.#put([made]);
    return made;
  }

  /** Changes an agent's fields. Throws agent_unknown, and team_config as `register` does; then nothing was changed. */
  update(name: string, change: Partial<Omit<AgentSpec, "name">>): AgentSpec {
    const known = this.#known(name);
    const bounded = change.allowedPaths === undefined ? {} : { unbounded: false };
    const made: AgentSpec = { ...known, ...bounded, ...change };
    this.#put([made]);
    return made;
  }

  /** It takes no more work and owns nothing; what it has begun still finds it by its name. Throws agent_unknown. */
  retire(name: string): void {
    const known = this.#known(name);
    this.#retired.add(name);
    this.#put([known]);
  }

  /** Takes that back. Throws agent_unknown, team_config (a pattern belongs to another by now); then nothing was changed. */
  bringBack(name: string): void {
    const known = this.#known(name);
    if (!this.#retired.delete(name)) return;
    try {
      this.#put([known]);
    } catch (error) {
      this.#retired.add(name);
      throw error;
    }
  }

  isRetired(name: string): boolean {
    return this.#retired.has(name);
  }

  get(name: string): AgentSpec | null {
    return this.#agents.get(name) ?? null;
  }

  /** The agents of a team, or of all teams, in the order they came; without those that are retired. */
  list(team?: string): readonly AgentSpec[] {
    const all = [...this.#agents.values()].filter(({ name }) => !this.#retired.has(name));
    return team === undefined ? all : all.filter((agent) => agent.team === team);
  }

  /** Those that are retired. */
  retired(): readonly AgentSpec[] {
    return [...this.#agents.values()].filter(({ name }) => this.#retired.has(name));
  }

  setWindowPerson(team: string, person: string): void {
    this.#persons.set(team, person);
  }

  /** The human a team escalates to, or null. */
  windowPerson(team: string): string | null {
    return this.#persons.get(team) ?? null;
  }

  /** The agent whose patterns match most specifically, or null. Throws path_rejected. */
  findOwner(path: string): RegisteredOwner | null {
    const found = this.#ownership.find(path);
    const team = found === null ? undefined : this.#agents.get(found.agent)?.team;
    return found === null || team === undefined ? null : { agent: found.agent, team, pattern: found.pattern };
  }

  /** As `findOwner`, but a text that is no path (a program may create any file) has no owner. */
  ownerIfAny(path: string): RegisteredOwner | null {
    return pathProblem(path) === null ? this.findOwner(path) : null;
  }

  /** The rules as they are now; a later `register` or `update` makes new ones. */
  ownership(): Ownership {
    return this.#ownership;
  }

  /** Throws agent_unknown. */
  #known(name: string): AgentSpec {
    const known = this.#agents.get(name);
    if (known !== undefined) return known;
    const names = [...this.#agents.keys()].join(", ");
    throw new OxbowError("agent_unknown", `There is no agent ${name}; there are ${names || "none"}.`);
  }

  /** Compiles first, so that a refused change leaves everything as it was. */
  #put(agents: readonly AgentSpec[]): void {
    const next = new Map(this.#agents);
    for (const agent of agents) next.set(agent.name, agent);
    this.#ownership = createOwnership(
      Object.fromEntries(
        [...next.values()]
          .filter(({ name }) => !this.#retired.has(name))
          .map((agent) => [agent.name, agent.allowedPaths]),
      ),
    );
    for (const agent of agents) this.#agents.set(agent.name, agent);
  }
}

function branchKey(name: string): string {
  return branchName({ agentName: name }).toLowerCase();
}
