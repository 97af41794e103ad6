/** A plan as a value: what is to be reached, who does which part, in which order, and what a person must agree to first. */
import { z } from "zod";
import { hasCode, OxbowError } from "./errors.ts";
import { createMatcher } from "./ownership.ts";
import { findCycle, ownScope } from "./split.ts";
import { liesIn } from "./split-scope.ts";
import type { AgentSpec, Limits } from "./team-file.ts";
import { quoted, suggestion } from "./text.ts";

export const PLANNERS = ["rules", "llm", "hybrid"] as const;
export type Planner = (typeof PLANNERS)[number];

export interface PlanSubtask {
  /** Unique in the plan. */
  readonly id: string;
  readonly agent: string;
  /** All that the agent is told of the task: its objective, what it is done by, what it must not do. */
  readonly brief: string;
  readonly responsibilities: readonly string[];
  /** What it may write, never more than its agent's own paths. */
  readonly allowed_paths: readonly string[];
  /** Ids of subtasks that must have completed before it begins. */
  readonly depends_on: readonly string[];
  /** Why a person must say yes before it begins; null: nobody need. */
  readonly approval: string | null;
}

/** Some files by name, and how many there are. */
export interface FileList {
  readonly files: readonly string[];
  readonly total: number;
}

/** Files that several subtasks may write. */
export interface PlanOverlap extends FileList {
  readonly subtasks: readonly string[];
}

export interface Plan {
  readonly version: 1;
  /** As it was asked. */
  readonly task: string;
  readonly planner: Planner;
  readonly objectives: readonly string[];
  readonly constraints: readonly string[];
  readonly acceptance_criteria: readonly string[];
  /** Patterns of the files that the task is about; empty: it names none. */
  readonly scope: readonly string[];
  /** In the order in which they were planned. */
  readonly subtasks: readonly PlanSubtask[];
  /** Looked up in the files of the base commit. */
  readonly mece: {
    readonly overlaps: readonly PlanOverlap[];
    /** Files of the scope that no subtask may write. */
    readonly leftovers: FileList;
  };
  readonly notices: readonly string[];
}

export const PLAN_LIMITS = {
  task: 100_000,
  lines: 200,
  line: 2_000,
  brief: 20_000,
  patterns: 5_000,
  subtasks: 10_000,
  /** Files that an overlap or the leftovers list by name. */
  files: 20,
  overlaps: 200,
} as const;

const { line, lines, patterns, subtasks, overlaps } = PLAN_LIMITS;
const text = (max: number) => z.string().min(1).max(max);
const texts = z.array(text(line)).max(lines);
const globs = z.array(text(1024)).max(patterns);
const id = text(200).regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, {
  error: "must begin with a letter or digit; then letters, digits, dots, dashes and underscores",
});
const fileList = { files: z.array(text(4096)).max(1_000), total: z.int().min(0) };

export const planSubtaskSchema = z.strictObject({
  id: id.describe("Unique in the plan."),
  agent: text(200).describe("One of the team's agents."),
  brief: text(PLAN_LIMITS.brief).describe("What this agent is to do: all that it is told of the task."),
  responsibilities: texts.describe("What the agent answers for in this part."),
  allowed_paths: globs.describe("Patterns of the files it may write, within the agent's own."),
  depends_on: z.array(id).max(subtasks).describe("Ids of subtasks that must have completed before."),
  approval: text(line).nullable().describe("Why a person must say yes before it begins; null: nobody need."),
});

/** Of `planSchema`. */
export const planShape = {
  version: z.literal(1),
  task: text(PLAN_LIMITS.task).describe("As it was asked."),
  planner: z.enum(PLANNERS),
  objectives: texts,
  constraints: texts,
  acceptance_criteria: texts,
  scope: globs.describe("Patterns of the files that the task is about; empty: it names none."),
  subtasks: z.array(planSubtaskSchema).min(1).max(subtasks),
  mece: z.strictObject({
    overlaps: z
      .array(z.strictObject({ ...fileList, subtasks: z.array(id).min(2).max(subtasks) }))
      .max(overlaps)
      .describe("Files that several subtasks may write."),
    leftovers: z.strictObject(fileList).describe("Files of the scope that no subtask may write."),
  }),
  notices: texts,
};

export const planSchema: z.ZodType<Plan> = z.strictObject(planShape).meta({ id: "Plan" });

/** Something in a plan that must be corrected; `path` leads to the value. */
export interface PlanProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface PlanContext {
  readonly agents: readonly AgentSpec[];
  readonly limits: Limits;
  /** Of the one that splits; a person's own plan has depth 0. */
  readonly depth?: number;
  /** Children that the task has already. */
  readonly existingChildren?: number;
  /** The files of the base: what a pattern's form leaves open is looked up there. */
  readonly files?: readonly string[];
}

/** No list of problems is longer. */
const MOST_PROBLEMS = 50;

/**
 * What keeps a plan from being carried out, at most 50: too many subtasks or too deep, ids that are there twice, unknown
 * agents and dependencies, subtasks that wait for each other, patterns that are malformed or reach beyond what the agent
 * may write. Empty: it can be.
 */
export function checkPlan(
  plan: Pick<Plan, "subtasks" | "scope">,
  context: PlanContext,
): readonly PlanProblem[] {
  const problems = [
    ...limitProblems(plan, context),
    ...nameProblems(plan.subtasks, context.agents),
    ...dependencyProblems(plan.subtasks),
    ...plan.scope.flatMap((pattern, i) => patternProblem(pattern, ["scope", i])),
    ...scopeProblems(plan.subtasks, context),
  ];
  return problems.slice(0, MOST_PROBLEMS);
}

/** Throws plan_invalid with all problems in its details. */
export function refusePlan(problems: readonly PlanProblem[], what = "The plan"): void {
  const [first] = problems;
  if (first === undefined) return;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  throw new OxbowError("plan_invalid", `${what}: ${first.message}${more}`, { details: { problems } });
}

function limitProblems({ subtasks: all }: Pick<Plan, "subtasks">, context: PlanContext): PlanProblem[] {
  const { limits, depth = 0, existingChildren = 0 } = context;
  const at = ["subtasks"];
  const found: PlanProblem[] = [];
  if (all.length === 0) found.push({ path: at, message: "there is no subtask" });
  if (all.length > limits.maxChildrenPerSplit)
    found.push({
      path: at,
      message: `there are ${all.length} subtasks, but limits.max_children_per_split is ${limits.maxChildrenPerSplit}`,
    });
  if (existingChildren + all.length > limits.maxChildren)
    found.push({
      path: at,
      message: `with ${existingChildren + all.length} children, limits.max_children (${limits.maxChildren}) is exceeded`,
    });
  if (depth >= limits.maxDepth)
    found.push({ path: at, message: `it would be deeper than limits.max_depth (${limits.maxDepth})` });
  return found;
}

function nameProblems(all: readonly PlanSubtask[], agents: readonly AgentSpec[]): PlanProblem[] {
  const names = agents.map(({ name }) => name);
  const known = new Set(names);
  const ids = new Set<string>();
  return all.flatMap((subtask, i) => {
    const found: PlanProblem[] = [];
    if (ids.has(subtask.id))
      found.push({ path: ["subtasks", i, "id"], message: `there is a subtask ${subtask.id} already` });
    ids.add(subtask.id);
    if (!known.has(subtask.agent))
      found.push({
        path: ["subtasks", i, "agent"],
        message: `there is no agent ${quoted(subtask.agent)} in the team.${suggestion(subtask.agent, names)}`,
      });
    return found;
  });
}

function dependencyProblems(all: readonly PlanSubtask[]): PlanProblem[] {
  const positions = new Map(all.map(({ id: name }, i) => [name, i]));
  const found: PlanProblem[] = [];
  const edges = all.map(({ id: self, depends_on: needs }, i) =>
    needs.flatMap((name, j) => {
      const on = positions.get(name);
      const path = ["subtasks", i, "depends_on", j];
      if (on === undefined)
        found.push({
          path,
          message: `${self} depends on ${quoted(name)}, which is no subtask.${suggestion(name, positions.keys())}`,
        });
      return on === undefined ? [] : [on];
    }),
  );
  const cycle = findCycle(edges);
  if (cycle !== null) {
    const names = cycle.map((i) => all[i]?.id ?? "");
    found.push({
      path: ["subtasks", cycle[0] ?? 0, "depends_on"],
      message: `subtasks wait for each other: ${names.slice(0, 20).join(" → ")}${names.length > 20 ? " …" : ""}`,
    });
  }
  return found;
}

function patternProblem(pattern: string, path: readonly (string | number)[]): PlanProblem[] {
  try {
    createMatcher([pattern]);
    return [];
  } catch (error) {
    if (!hasCode(error, "team_config")) throw error;
    return [{ path, message: error.message.replace(/\.$/, "") }];
  }
}

/** Patterns of one plan that are looked up in the files: each look costs as much as there are. */
const MOST_LOOKS = 50;

function scopeProblems(all: readonly PlanSubtask[], { agents, files = [] }: PlanContext): PlanProblem[] {
  let looks = 0;
  const filesToLookAt = () => (looks++ < MOST_LOOKS ? files : []);
  const byName = new Map(agents.map((agent) => [agent.name, agent]));
  return all.flatMap(({ agent: name, allowed_paths: allowed }, i) => {
    const agent = byName.get(name);
    return allowed.flatMap((pattern, j) => {
      const path = ["subtasks", i, "allowed_paths", j];
      const malformed = patternProblem(pattern, path);
      if (malformed.length > 0 || agent === undefined) return malformed;
      return mayWrite(agent, pattern, filesToLookAt) ? [] : [{ path, message: outside(agent, pattern) }];
    });
  });
}

/** By its form; where that leaves it open, by the files it matches. The scope is enforced all the same when it runs. */
function mayWrite(agent: AgentSpec, pattern: string, files: () => readonly string[]): boolean {
  const own = ownScope(agent);
  if (liesIn(pattern, own)) return true;
  const wished = createMatcher([pattern]);
  const writes = createMatcher(own);
  const matched = files().filter(wished);
  return matched.length > 0 && matched.every(writes);
}

function outside(agent: AgentSpec, pattern: string): string {
  const own = ownScope(agent);
  const shown = own.slice(0, 10).join(", ") + (own.length > 10 ? ", …" : "");
  return `${quoted(pattern)} is outside of what ${agent.name} may write (${shown || "nothing"})`;
}
