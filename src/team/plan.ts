/** From a task's text to a plan on the files of its base: by the rules, by a model, or by a model where the rules leave something. */
import type { AgentLoad } from "../core/plan-agents.ts";
import type { AgentSpec } from "../core/team-file.ts";
import type { Engine, RunOptions } from "./engine.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { checkPlan, type Plan, PLAN_LIMITS, type Planner, refusePlan } from "../core/plan.ts";
import { indexFiles } from "../core/plan-paths.ts";
import { planByRules, type RulesPlan } from "../core/plan-rules.ts";
import type { PlannerFacts } from "../core/plan-shares.ts";
import { agentNamed, checkStartable, runtimeOf } from "./engine.ts";
import { askForPlan } from "./plan-model.ts";
import { startOf } from "./task-base.ts";

export interface PlanRequest {
  readonly task: string;
  /** A revision. Default: where `run` would start. */
  readonly base?: string | undefined;
  readonly ticket?: string | undefined;
  /** Default: `hybrid` where the model of the one who is asked can be reached, else `rules`. */
  readonly planner?: Planner | undefined;
  /** Whose model is asked. Default: the lead's. */
  readonly plannerAgent?: string | undefined;
  /** Milliseconds until it must be done. */
  readonly deadlineMs?: number | undefined;
  readonly options: RunOptions;
}

/**
 * Makes nothing but the plan. Throws usage (no task), payload_too_large, agent_unavailable (nobody is left), rev_not_found, agent_unknown,
 * plan_invalid (it cannot be carried out), and with a model what `askForPlan` throws.
 */
export async function makePlan(engine: Engine, request: PlanRequest, signal: AbortSignal): Promise<Plan> {
  const task = engine.redact(request.task).trim();
  if (task === "") throw new OxbowError("usage", "The task is empty; say what is to be done.");
  if (task.length > PLAN_LIMITS.task)
    throw new OxbowError("payload_too_large", `The task has more than ${PLAN_LIMITS.task} characters.`, {
      hint: "Put it into a file of the repository, and name that in the task.",
    });
  if (engine.registry.list().length === 0)
    throw new OxbowError("agent_unavailable", "Every agent of the team was shut down.", {
      hint: "Bring one back: create_agent (or POST /agents) with its name.",
    });
  const { commit } = await startOf(engine, request.base, request.ticket);
  const facts = await factsOf(engine, commit, request.deadlineMs ?? null);
  const asked = agentNamed(engine, request.plannerAgent ?? facts.lead);
  const planner = request.planner ?? plannerFor(engine, request, asked);
  const found = planByRules(task, facts);
  const plan =
    planner === "rules"
      ? found.plan
      : await withModel(engine, { request, asked, facts, found, planner }, signal);
  const files = facts.index.files.map(({ path }) => path);
  refusePlan(checkPlan(plan, { agents: facts.agents, limits: engine.team.limits, files }));
  return plan;
}

/** Without a key, or where the lead is a program, there is nobody to ask. */
function plannerFor(engine: Engine, { options, plannerAgent }: PlanRequest, asked: AgentSpec): Planner {
  if (plannerAgent !== undefined) return "hybrid";
  if (runtimeOf(options, asked) === "command") return "rules";
  try {
    checkStartable(engine, options, asked);
    return "hybrid";
  } catch (error) {
    if (hasCode(error, "provider_missing")) return "rules";
    throw error;
  }
}

interface Asking {
  readonly request: PlanRequest;
  readonly asked: AgentSpec;
  readonly facts: PlannerFacts;
  readonly found: RulesPlan;
  readonly planner: "llm" | "hybrid";
}

async function withModel(engine: Engine, asking: Asking, signal: AbortSignal): Promise<Plan> {
  const { request, asked, facts, found, planner } = asking;
  const { plan: draft, rest } = found;
  const about = { agent: asked, options: request.options, facts, draft, planner };
  if (planner === "llm" || rest.isVague)
    return askForPlan(engine, { ...about, kept: [], rest: [], unnamed: [] }, signal);
  // Where nobody may write them, a model cannot help.
  const unowned = facts.agents.some(({ unbounded }) => unbounded) ? rest.unowned : [];
  if (unowned.length + rest.unnamed.length === 0) return { ...draft, planner };
  return askForPlan(engine, { ...about, kept: draft.subtasks, rest: unowned, unnamed: rest.unnamed }, signal);
}

export async function factsOf(
  engine: Engine,
  commit: string,
  deadlineMs: number | null,
): Promise<PlannerFacts> {
  const { registry, repo, team } = engine;
  const agents = registry.list();
  const files = await repo.listFiles(commit);
  return {
    agents,
    ownership: registry.ownership(),
    index: indexFiles(files.map(({ path }) => path)),
    lead: team.lead ?? agents[0]?.name ?? "",
    loads: await loadsOf(engine),
    deadlineMs,
  };
}

/** What everybody has on their hands, in all live tasks of the team. */
async function loadsOf({ store, team }: Engine): Promise<ReadonlyMap<string, AgentLoad>> {
  const live = (await store.liveTasks()).filter(({ task }) => task.team === team.team);
  const records = live.length === 0 ? [] : await store.agentRecords(live.map(({ task }) => task.task_id));
  const loads = new Map<string, AgentLoad>();
  for (const { agent, open, disabled } of records) {
    const known = loads.get(agent) ?? { open: 0, disabled: false };
    loads.set(agent, { open: known.open + open, disabled: known.disabled || disabled !== null });
  }
  return loads;
}
