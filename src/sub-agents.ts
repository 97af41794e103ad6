/** The library's registry of sub-agents, and the merge strategies of this process. */
import {
  type ParallelResult,
  runParallel,
  type SpendLimit,
  type SubAgentRunner,
  type SubAgentSpec,
} from "./agent/parallel.ts";
import type { RunnerEvent } from "./agent/result.ts";
import { OxbowError } from "./core/errors.ts";
import { createMergeStrategies, type MergeStrategies, type MergeStrategy } from "./core/merge-strategy.ts";

/** Those of this process; an app has those of its plugins besides. */
export const strategies = createMergeStrategies();

/**
 * Gives every `SubAgents` of this process another way to make one answer of several. Throws usage for a name that is taken.
 */
export function registerMergeStrategy(strategy: MergeStrategy): void {
  strategies.register(strategy);
}

export interface SubAgentsOptions {
  /** An `AgentRunner`, or whatever runs an agent to a result. */
  readonly runner: SubAgentRunner;
  readonly agents?: readonly SubAgentSpec[] | undefined;
  /** Runs at once. Default 4. */
  readonly maxParallel?: number | undefined;
}

export interface SubAgentsRun {
  readonly input: string;
  /** In place of `input`, by the agent's name. */
  readonly inputs?: Readonly<Record<string, string>> | undefined;
  /** Who is asked, in the order of their answers. Default: all, as they were registered. */
  readonly agents?: readonly string[] | undefined;
  readonly maxParallel?: number | undefined;
  /** Of all runs together. */
  readonly budget?: SpendLimit | undefined;
  /** The name of a merge strategy. Default `json_passthrough`. */
  readonly merge?: string | undefined;
  readonly onEvent?: ((event: RunnerEvent) => void) | undefined;
  readonly traceId?: string | undefined;
}

export interface SubAgents {
  /** Throws usage for a name that is taken or empty. */
  register(spec: SubAgentSpec): void;
  get(name: string): SubAgentSpec | null;
  /** In the order of registration. */
  list(): readonly SubAgentSpec[];
  /**
   * Runs them at once. Throws agent_unknown, or usage for a bad request, before anything has started; whatever happens in
   * a run is part of the result.
   */
  run(request: SubAgentsRun, signal?: AbortSignal): Promise<ParallelResult>;
}

const DEFAULT_PARALLEL = 4;

export function createSubAgents(options: SubAgentsOptions): SubAgents {
  return subAgentsWith(options, strategies);
}

/** The same, with the merge strategies of an app. */
export function subAgentsWith(options: SubAgentsOptions, merges: MergeStrategies): SubAgents {
  const known = new Map<string, SubAgentSpec>();

  const register = (spec: SubAgentSpec): void => {
    if (typeof spec.name !== "string" || spec.name.trim() === "")
      throw new OxbowError("usage", "A sub-agent needs a name.", { hint: 'Write { name: "Reviewer", … }.' });
    if (known.has(spec.name))
      throw new OxbowError("usage", `There is a sub-agent named ${spec.name} already.`, {
        hint: "Give the new one another name.",
      });
    checkLimit(spec.budget);
    known.set(spec.name, spec);
  };
  for (const spec of options.agents ?? []) register(spec);

  const chosen = (names: readonly string[] | undefined): readonly SubAgentSpec[] => {
    if (names === undefined) return [...known.values()];
    return [...new Set(names)].map((name) => {
      const spec = known.get(name);
      if (spec) return spec;
      throw new OxbowError("agent_unknown", `There is no sub-agent ${JSON.stringify(name)}.`, {
        hint: `There are: ${[...known.keys()].join(", ") || "none"}.`,
      });
    });
  };

  return {
    register,
    get: (name) => known.get(name) ?? null,
    list: () => [...known.values()],
    async run(request, signal) {
      const maxParallel = request.maxParallel ?? options.maxParallel ?? DEFAULT_PARALLEL;
      if (!Number.isInteger(maxParallel) || maxParallel < 1)
        throw new OxbowError("usage", "`maxParallel` must be a whole number from 1.");
      if (typeof request.input !== "string") throw new OxbowError("usage", "`input` must be a text.");
      checkLimit(request.budget);
      const merge = merges.get(request.merge);
      return runParallel(options.runner, chosen(request.agents), { ...request, maxParallel, merge }, signal);
    },
  };
}

/** A limit that is no number would limit nothing. */
function checkLimit(limit: SpendLimit | undefined): void {
  for (const [name, value] of Object.entries(limit ?? {})) {
    if (value === undefined || (["tokens", "usd"].includes(name) && typeof value === "number" && value >= 0))
      continue;
    throw new OxbowError(
      "usage",
      `\`budget.${name}\` is no limit; there are \`tokens\` and \`usd\`, from 0.`,
    );
  }
}
