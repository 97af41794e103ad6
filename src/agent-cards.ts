/** The agents of the team as a caller looks for them (SPEC C1, C4): what they can do, and how they are. */
import type { AgentSpec } from "./core/team-file.ts";
import type { AgentState } from "./team/intervention-results.ts";

export const AGENT_HEALTH = ["healthy", "degraded", "unavailable"] as const;
export type AgentHealth = (typeof AGENT_HEALTH)[number];

export interface AgentCard {
  readonly name: string;
  readonly team: string;
  readonly skills: readonly string[];
  readonly responsibilities: readonly string[];
  readonly allowed_paths: readonly string[];
  readonly domain: string | null;
  readonly runtime: string;
  readonly group: string | null;
  readonly critical: boolean;
  /** `degraded`: it crashed and waits to begin again. `unavailable`: it is not started any more. */
  readonly health: AgentHealth;
  readonly state: AgentState["state"];
  /** Conversations at work now, and all that have no outcome yet. */
  readonly load: { readonly working: number; readonly open: number };
  /** How long an attempt may take, milliseconds; null: as long as a run may. */
  readonly sla_ms: number | null;
  readonly crashes: number;
  /** ISO 8601; null: none. */
  readonly last_crash: string | null;
  readonly reason: string | null;
}

export interface AgentFilter {
  readonly domain?: string | undefined;
  /** One of its skills, in any case of letters. */
  readonly capability?: string | undefined;
  readonly health?: AgentHealth | undefined;
}

const HEALTH: Readonly<Record<AgentState["state"], AgentHealth>> = {
  idle: "healthy",
  processing: "healthy",
  restarting: "degraded",
  failed: "unavailable",
  terminated: "unavailable",
};

/** Ready for work, or at it: 1 in `agent_state`. */
export function isAlive({ state }: Pick<AgentState, "state">): boolean {
  return HEALTH[state] === "healthy";
}

/** In the order of the team. */
export function agentCards(
  team: readonly AgentSpec[],
  states: readonly AgentState[],
  filter: AgentFilter = {},
): readonly AgentCard[] {
  const specs = new Map(team.map((spec) => [spec.name, spec]));
  return states
    .flatMap((state) => {
      const spec = specs.get(state.agent);
      return spec === undefined ? [] : [agentCard(spec, state)];
    })
    .filter((card) => fits(card, filter));
}

function fits(card: AgentCard, { domain, capability, health }: AgentFilter): boolean {
  const same = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();
  if (domain !== undefined && (card.domain === null || !same(card.domain, domain))) return false;
  if (capability !== undefined && !card.skills.some((skill) => same(skill, capability))) return false;
  return health === undefined || card.health === health;
}

function agentCard(spec: AgentSpec, state: AgentState): AgentCard {
  const { name, team, skills, responsibilities, domain, runtime, allowedPaths, slaMs } = spec;
  const { group, critical, working, open, crashes, last_crash, reason } = state;
  return {
    name,
    team,
    skills,
    responsibilities,
    allowed_paths: allowedPaths,
    domain,
    runtime,
    group,
    critical,
    health: HEALTH[state.state],
    state: state.state,
    load: { working, open },
    sla_ms: slaMs,
    crashes,
    last_crash,
    reason,
  };
}
