/**
 * Several agents on one question, at once: their texts in order, their tokens and dollars summed, their errors side by
 * side. Nothing is made up for an agent that failed, and no other takes its place.
 */
import { randomBytes } from "node:crypto";
import { totalCost } from "../core/cost.ts";
import { type ErrorValue, OxbowError, toErrorValue } from "../core/errors.ts";
import type { MergedAnswer, MergeStrategy } from "../core/merge-strategy.ts";
import { addUsage, type Json, NO_USAGE, type Usage } from "../core/model.ts";
import type { ToolContext, ToolDef } from "../core/tool.ts";
import { inParallel } from "./in-parallel.ts";
import type { RunnerEvent, RunResult } from "./result.ts";

/** What may be spent. Checked when a run has ended, which is when its tokens are known. */
export interface SpendLimit {
  readonly tokens?: number | undefined;
  readonly usd?: number | undefined;
}

/** An agent as data: everything of a run but the question. */
export interface SubAgentSpec {
  /** The `source` of its events. */
  readonly name: string;
  readonly instructions?: string | undefined;
  /** Default: OPENAI_MODEL, or ANTHROPIC_MODEL for `anthropic`. */
  readonly model?: string | undefined;
  /** Default: none. */
  readonly tools?: readonly ToolDef[] | undefined;
  /** What the tools may do to the world. A call of something that is not given is refused with `tool_disabled`. */
  readonly context?: Partial<Omit<ToolContext, "agent" | "signal">> | undefined;
  /** Answers of the model, at most. Default 40. */
  readonly maxTurns?: number | undefined;
  /** Wall time of one whole run, milliseconds. Default 900,000. */
  readonly timeoutMs?: number | undefined;
  /** Retries of one model call after the first, for retryable errors only. Default 4. */
  readonly maxRetries?: number | undefined;
  /** Of one run: what goes beyond it has the error `budget_exceeded`. */
  readonly budget?: SpendLimit | undefined;
}

export interface SubAgentCall extends Omit<SubAgentSpec, "name" | "budget"> {
  /** The agent's name: the `source` of every event. */
  readonly agent: string;
  readonly input: string;
  readonly onEvent?: ((event: RunnerEvent) => void) | undefined;
  readonly traceId?: string | undefined;
}

export interface SubAgentRunner {
  /** Never rejects. */
  run(call: SubAgentCall, signal?: AbortSignal): Promise<RunResult>;
}

export interface ParallelRun {
  readonly input: string;
  /** In place of `input`, by the agent's name. */
  readonly inputs?: Readonly<Record<string, string>> | undefined;
  /** Runs at once. */
  readonly maxParallel: number;
  /** Of all runs together: once it is spent, no further agent starts. */
  readonly budget?: SpendLimit | undefined;
  readonly merge: MergeStrategy;
  /** Every agent's events as they come, each with its `source`. */
  readonly onEvent?: ((event: RunnerEvent) => void) | undefined;
  readonly traceId?: string | undefined;
}

export interface SubAgentResult extends RunResult {
  readonly agent: string;
  /** False: its run never began, because of the budget or a cancellation. */
  readonly started: boolean;
}

/** The shape of one run's result, and what it is made of. */
export interface ParallelResult extends RunResult {
  /** What the merge strategy made of the answers; null: no single value. */
  readonly json: Json;
  /** In the order in which they were asked for. */
  readonly agents: readonly SubAgentResult[];
  /** One for each agent that did not succeed, and one (`agent: null`) when the answers could not be merged. */
  readonly errors: readonly (ErrorValue & { readonly agent: string | null })[];
}

/** Never rejects. `error` is there as soon as one agent failed; what the others said is there all the same. */
export async function runParallel(
  runner: SubAgentRunner,
  specs: readonly SubAgentSpec[],
  request: ParallelRun,
  outer?: AbortSignal,
): Promise<ParallelResult> {
  const startedAt = performance.now();
  const traceId = request.traceId ?? `trace_${randomBytes(16).toString("hex")}`;
  const signal = outer ?? new AbortController().signal;
  const ended: RunResult[] = [];

  const runOne = async (spec: SubAgentSpec): Promise<SubAgentResult> => {
    const spent = request.budget === undefined ? null : overspent(ended, request.budget, "reached");
    if (spent !== null) return notStarted(spec.name, traceId, spent);
    const { name, budget, ...rest } = spec;
    const input = Object.hasOwn(request.inputs ?? {}, name) ? request.inputs?.[name] : undefined;
    const { onEvent } = request;
    const call = { ...rest, agent: name, input: input ?? request.input, onEvent, traceId };
    const result = await runner.run(call, signal);
    ended.push(result);
    const over = budget === undefined ? null : overspent([result], budget, "passed");
    const error = result.error ?? (over === null ? undefined : toErrorValue(over));
    return { agent: name, started: true, ...result, ...(error === undefined ? {} : { error }) };
  };

  const results = await inParallel(specs, request.maxParallel, runOne, signal);
  const agents = results.map((result, at) => {
    const cancelled = () => new OxbowError("cancelled", "It was cancelled before this agent began.");
    return result ?? notStarted(specs[at]?.name ?? "", traceId, cancelled());
  });
  const errors: (ErrorValue & { agent: string | null })[] = agents.flatMap(({ agent, error }) =>
    error === undefined ? [] : [{ agent, ...error }],
  );
  const merged = await mergedBy(request.merge, agents, signal);
  if ("failure" in merged) errors.push({ agent: null, ...merged.failure });
  const error = errorOfAll(errors, agents.length);
  return {
    output: "failure" in merged ? "" : merged.output,
    json: "failure" in merged ? null : merged.json,
    usage: sumUsage(agents),
    cost: totalCost(agents),
    elapsed_ms: Math.round(performance.now() - startedAt),
    request_id: null,
    trace_id: traceId,
    agents,
    errors,
    ...(error === null ? {} : { error }),
  };
}

async function mergedBy(
  strategy: MergeStrategy,
  agents: readonly SubAgentResult[],
  signal: AbortSignal,
): Promise<MergedAnswer | { failure: ErrorValue }> {
  const outputs = agents.map(({ agent, output, error }) => ({ agent, output, failed: error !== undefined }));
  try {
    return await strategy.merge(outputs, signal);
  } catch (error) {
    return { failure: toErrorValue(error) };
  }
}

/** The one error, or as much as one line can say of several. */
function errorOfAll(
  errors: readonly (ErrorValue & { agent: string | null })[],
  count: number,
): ErrorValue | null {
  const [first, second] = errors;
  if (first === undefined) return null;
  const { agent, ...value } = first;
  if (second === undefined)
    return agent === null ? value : { ...value, message: `${agent}: ${value.message}` };
  const who = errors.map((each) => `${each.agent ?? "the merge"} (${each.code})`).join(", ");
  return { ...value, message: `${errors.length} things went wrong with ${count} agents: ${who}.` };
}

function sumUsage(results: readonly { usage: Usage }[]): Usage {
  return results.map(({ usage }) => usage).reduce(addUsage, NO_USAGE);
}

/** `reached`: nothing is left for another run. `passed`: more was used than was allowed. */
function overspent(
  results: readonly RunResult[],
  limit: SpendLimit,
  how: "reached" | "passed",
): OxbowError | null {
  const usage = sumUsage(results);
  const beyond = (spent: number, most: number) => (how === "reached" ? spent >= most : spent > most);
  if (limit.tokens !== undefined && beyond(usage.total_tokens, limit.tokens))
    return exceeded(`${usage.total_tokens} of ${limit.tokens} tokens are used.`);
  if (limit.usd === undefined || usage.requests === 0) return null;
  const cost = totalCost(results);
  if (cost === null)
    return exceeded("The price of the model is not known, so a limit in dollars cannot be kept.");
  return beyond(cost, limit.usd) ? exceeded(`$${cost.toFixed(4)} of $${limit.usd} are spent.`) : null;
}

function exceeded(message: string): OxbowError {
  return new OxbowError("budget_exceeded", message);
}

function notStarted(agent: string, traceId: string, error: OxbowError): SubAgentResult {
  return {
    agent,
    started: false,
    output: "",
    usage: NO_USAGE,
    cost: null,
    elapsed_ms: 0,
    request_id: null,
    trace_id: traceId,
    error: toErrorValue(error),
  };
}
