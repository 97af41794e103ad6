/** The plan of a split: which agent gets which part, and what it may touch. Pure; everything wrong is refused here. */
import { type BudgetAsk, readAsk } from "./budget-saved.ts";
import { type ErrorCode, hasCode, OxbowError } from "./errors.ts";
import { createMatcher, type Ownership, type PreparedPath, preparePath } from "./ownership.ts";
import { narrowed, partPatterns } from "./split-scope.ts";
import type { AgentSpec, Limits } from "./team-file.ts";
import { suggestion } from "./text.ts";
import type { SplitChild, SplitRequest } from "./tool.ts";

export interface PlannedChild {
  readonly agent: string;
  readonly brief: string;
  readonly responsibilities: readonly string[];
  readonly allowedPaths: readonly string[];
  /** Positions in the plan. */
  readonly dependsOn: readonly number[];
  /** What it asks for, of the budget of the one that splits. */
  readonly budget?: BudgetAsk | undefined;
  /** Why a person must say yes before it starts; null: nobody needs to. */
  readonly approval: string | null;
}

export interface SplitContext {
  readonly agents: readonly AgentSpec[];
  readonly limits: Limits;
  /** Of the one that splits; a person's own split has depth 0. */
  readonly depth: number;
  /** Children the task has already. */
  readonly existingChildren: number;
  /** Who gets a child that names no agent. */
  readonly targetAgent: string;
  /** The repository's files; needed by `by: "owner"` only. */
  readonly files: readonly string[];
  readonly ownership: Ownership;
  /** What the one that splits may write itself; it can hand on no more than that. Null: everything. */
  readonly parentScope?: readonly string[] | null;
}

export interface SplitPlan {
  readonly children: readonly PlannedChild[];
  /** Files of `by: "owner"` that no agent owns. */
  readonly leftovers: readonly string[];
}

const DEFAULT_CHILDREN = 2;

/**
 * Throws split_invalid (no children, no task, contradictory wishes), limit_exceeded, agent_unknown, plan_invalid
 * (dependencies), nothing_to_split (`by: "owner"`), out_of_scope (paths the one that splits cannot hand on).
 */
export function planSplit(request: SplitRequest, context: SplitContext): SplitPlan {
  checkRequest(request);
  checkCount(request.numChildren ?? 1, context);
  if (context.depth >= context.limits.maxDepth) {
    throw refused(
      "limit_exceeded",
      `A split here would be deeper than limits.max_depth (${context.limits.maxDepth}).`,
    );
  }
  const plan =
    request.by === "owner"
      ? byOwner(request, context)
      : { children: byHand(request, context), leftovers: [] };
  checkCount(plan.children.length, context);
  return plan;
}

function checkRequest(request: SplitRequest): void {
  const given = request.children?.length ?? 0;
  if (request.task.trim() === "") throw refused("split_invalid", "The split has no task.");
  if (given === 0) return;
  if (request.by === "owner") {
    throw refused("split_invalid", "Give either `children` or `by: owner`, not both.");
  }
  if (request.numChildren !== undefined && request.numChildren !== given) {
    throw refused(
      "split_invalid",
      `num_children is ${request.numChildren}, but ${given} children are given.`,
    );
  }
}

function checkCount(count: number, { limits, existingChildren }: SplitContext): void {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw refused("split_invalid", `A split makes at least 1 child, not ${count}.`);
  }
  if (count > limits.maxChildrenPerSplit) {
    const limit = `limits.max_children_per_split is ${limits.maxChildrenPerSplit}`;
    throw refused("limit_exceeded", `A split into ${count} children is too much: ${limit}.`);
  }
  if (existingChildren + count > limits.maxChildren) {
    const limit = `limits.max_children is ${limits.maxChildren}`;
    throw refused(
      "limit_exceeded",
      `The task has ${existingChildren} children; with ${count} more, ${limit}.`,
    );
  }
}

function byHand(request: SplitRequest, context: SplitContext): PlannedChild[] {
  const wished: readonly SplitChild[] = request.children?.length
    ? request.children
    : Array.from({ length: request.numChildren ?? DEFAULT_CHILDREN }, () => ({ task: request.task }));
  checkDependencies(wished);
  return wished.map((child, i) => {
    if (child.task.trim() === "") throw refused("split_invalid", `Child ${i} has no task.`);
    const agent = agentOf(child.agent ?? context.targetAgent, context.agents);
    const budget = readAsk(child.budget);
    return {
      agent: agent.name,
      brief: child.task,
      responsibilities: request.responsibilities ?? agent.responsibilities,
      allowedPaths: scopeOfChild(child, request, agent, context),
      dependsOn: [...new Set(child.depends_on)].sort((a, b) => a - b),
      approval: null,
      ...(budget === null ? {} : { budget }),
    };
  });
}

function agentOf(name: string, agents: readonly AgentSpec[]): AgentSpec {
  const found = agents.find((agent) => agent.name === name);
  if (found !== undefined) return found;
  const names = agents.map((agent) => agent.name);
  const list = names.length > 0 ? `it has ${names.slice(0, 20).join(", ")}` : "it has none";
  throw refused("agent_unknown", `There is no agent ${name} in the team; ${list}.${suggestion(name, names)}`);
}

/** An empty list says as little as none: models fill optional lists that way. */
function scopeOfChild(child: SplitChild, request: SplitRequest, agent: AgentSpec, context: SplitContext) {
  const wished = [child.allowed_paths, request.allowedPaths].find(
    (paths) => paths !== undefined && paths.length > 0,
  );
  if (wished === undefined) return ownScope(agent);
  matcherOf(wished);
  const scope = context.parentScope ?? null;
  const result = scope === null ? wished : narrowed(wished, scope, agent.allowedPaths);
  if (typeof result !== "string") return result;
  const own = scope === null || scope.length === 0 ? "nothing" : scope.join(", ");
  throw new OxbowError(
    "out_of_scope",
    `${result} cannot be handed on to ${agent.name}: the split's own scope is ${own}.`,
    {
      hint: "Hand on paths of your own, or leave allowed_paths out so that the agent works in its own.",
      details: { pattern: result, agent: agent.name },
    },
  );
}

/** What an agent may write when nobody narrows it. */
export function ownScope(agent: AgentSpec): readonly string[] {
  return agent.unbounded ? ["**"] : agent.allowedPaths;
}

function matcherOf(patterns: readonly string[]): (path: string) => boolean {
  try {
    return createMatcher(patterns);
  } catch (error) {
    if (!hasCode(error, "team_config")) throw error;
    throw new OxbowError("split_invalid", `allowed_paths: ${error.message}`, {
      hint: "Use patterns such as src/api/** relative to the repository's root.",
      cause: error,
    });
  }
}

function checkDependencies(children: readonly SplitChild[]): void {
  for (const [i, child] of children.entries()) {
    for (const on of child.depends_on ?? []) {
      if (Number.isSafeInteger(on) && on >= 0 && on < children.length) continue;
      throw refused(
        "plan_invalid",
        `Child ${i} depends on child ${on}, but they are numbered 0 to ${children.length - 1}.`,
      );
    }
  }
  const cycle = findCycle(children.map((child) => child.depends_on ?? []));
  if (cycle !== null) throw refused("plan_invalid", `Children wait for each other: ${cycle.join(" → ")}.`);
}

/** Children that all depend on one another, the first one repeated at the end; iterative, whatever the depth. */
export function findCycle(edges: readonly (readonly number[])[]): readonly number[] | null {
  const waiting = edges.map((on) => new Set(on).size);
  const dependents = edges.map((): number[] => []);
  for (const [child, on] of edges.entries()) for (const other of new Set(on)) dependents[other]?.push(child);
  const free = waiting.flatMap((count, child) => (count === 0 ? [child] : []));
  for (let next = free.pop(); next !== undefined; next = free.pop()) {
    for (const child of dependents[next] ?? []) {
      waiting[child] = (waiting[child] ?? 0) - 1;
      if (waiting[child] === 0) free.push(child);
    }
  }
  const isStuck = (child: number): boolean => (waiting[child] ?? 0) > 0;
  const trail: number[] = [];
  let here = waiting.findIndex((count) => count > 0);
  if (here === -1) return null;
  while (!trail.includes(here)) {
    trail.push(here);
    here = edges[here]?.find(isStuck) ?? here;
  }
  return [...trail.slice(trail.indexOf(here)), here];
}

/** Divides the files along their owners: one child for each, in the order of names. Nobody gets more than is its own. */
function byOwner(request: SplitRequest, context: SplitContext): SplitPlan {
  const wished = request.allowedPaths?.length ? request.allowedPaths : null;
  const matches = wished === null ? null : matcherOf(wished);
  const parts = new Map<string, Set<string>>();
  const leftovers: string[] = [];
  const files: PreparedPath[] = [];
  for (const file of context.files) {
    const prepared = preparePath(file);
    if (prepared !== null) files.push(prepared);
    if (matches?.(file) === false) continue;
    const owner = prepared === null ? null : context.ownership.findOwner(file);
    if (owner === null) leftovers.push(file);
    else parts.set(owner, (parts.get(owner) ?? new Set()).add(file));
  }
  if (parts.size === 0) {
    const where = wished === null ? "the repository" : wished.join(", ");
    throw refused("nothing_to_split", `No agent owns a file of ${where}.`);
  }
  checkCount(parts.size, context);
  const owners = [...parts.keys()].sort();
  const children = owners.map((name): PlannedChild => {
    const agent = agentOf(name, context.agents);
    const others = context.agents.filter((other) => other.name !== name).map((other) => other.allowedPaths);
    const part = parts.get(name) ?? new Set<string>();
    return {
      agent: name,
      brief: request.task,
      responsibilities: request.responsibilities ?? agent.responsibilities,
      allowedPaths: partPatterns({ part, files, own: agent.allowedPaths, wished, others }),
      dependsOn: [],
      approval: null,
    };
  });
  return { children, leftovers };
}

function refused(code: ErrorCode, message: string): OxbowError {
  return new OxbowError(code, message);
}
