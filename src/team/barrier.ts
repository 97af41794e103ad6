/**
 * barrier_run: the same question to one or several agents, K times at once, and one bundle of evidence back. A run reads
 * the caller's branch and changes nothing; what it costs is the caller's. What a check's command finds outweighs the answers.
 */
import type { Evidence, EvidenceOptions } from "../core/evidence.ts";
import type { EventBody } from "../core/events.ts";
import type { Json } from "../core/model.ts";
import type { BarrierRequest, ToolContext } from "../core/tool.ts";
import type { RunResult } from "../agent/contract.ts";
import type { Lease } from "../store/contract.ts";
import { AgentRunner } from "../agent/runner.ts";
import { traceIdOf } from "../core/trace-id.ts";
import { inParallel } from "../agent/in-parallel.ts";
import { bundleOf, type EvidenceBundle, type EvidenceRun } from "../core/evidence-bundle.ts";
import { weighEvidence } from "../core/evidence.ts";
import { evidenceMovement, hasSettled } from "../core/evidence-stop.ts";
import { jsonIn } from "../core/json-text.ts";
import { type ErrorValue, hasCode, OxbowError, toErrorValue } from "../core/errors.ts";
import { aboutLease } from "./about.ts";
import { type BarrierPlan, planBarrier } from "./barrier-plan.ts";
import { makeChecks, withoutIdle } from "./barrier-checks.ts";
import type { AttemptTerminal } from "./terminal.ts";
import { type Engine, modelOf, runOptions } from "./engine.ts";

export interface Barriers {
  run(request: BarrierRequest, context: ToolContext): Promise<EvidenceBundle>;
  /** What all runs so far have used. */
  spent(): readonly Pick<RunResult, "usage" | "cost">[];
}

/** In one attempt: each may cost as much as a child. */
const MOST_BARRIERS = 20;
const MAX_ANSWER_BYTES = 8_192;

export function createBarriers(options: {
  engine: Engine;
  lease: Lease;
  /** Waits without holding a workspace. */
  away: AttemptTerminal["away"];
  emit: (event: EventBody) => void;
}): Barriers {
  const { engine, lease, away, emit } = options;
  const about = aboutLease(lease);
  const spent: Pick<RunResult, "usage" | "cost">[] = [];
  let made = 0;

  return {
    spent: () => spent,
    async run(request, context) {
      const plan = planBarrier(engine, lease, request);
      if (made >= MOST_BARRIERS)
        throw new OxbowError("limit_exceeded", `A run may use barrier_run ${MOST_BARRIERS} times.`, {
          hint: "Go on with the evidence there is.",
        });
      made += 1;
      const startedAt = performance.now();
      const checks = await makeChecks(engine, plan, context);
      const hooks: Hooks = {
        spend: ({ usage, cost }) => void spent.push({ usage, cost }),
        retry: (event) => emit({ event: "retry", ...about, ...event }),
      };
      const asked = await away(() => askAll(engine, lease, plan, context, hooks));
      if (context.signal.aborted) throw new OxbowError("cancelled", "The run was cancelled.");
      const values = asked.runs.filter(({ valid }) => valid).map(({ value }) => value);
      const votes = weighEvidence(values, plan.weighing);
      const settled = withoutIdle(checks, votes);
      const evidence = weighEvidence(values, { ...plan.weighing, checks: settled.results });
      const bundle = bundleOf(
        {
          barrier_id: engine.newId("b"),
          k: plan.k,
          ...asked,
          consensus_valid: values.length > 0 && plan.schema.problems(evidence.consensus).length === 0,
          checks: settled.checks,
          elapsed_ms: Math.round(performance.now() - startedAt),
        },
        evidence,
      );
      emit({ event: "evidence", ...about, bundle: redacted(engine, bundle) });
      return bundle;
    },
  };
}

/** A bundle is JSON, and redacting keeps JSON as it is. */
function redacted(engine: Engine, bundle: EvidenceBundle): EvidenceBundle {
  const clean: EvidenceBundle = JSON.parse(engine.redact(JSON.stringify(bundle)));
  return clean;
}

interface Hooks {
  spend(result: RunResult): void;
  retry(event: { source: string; reason: string; attempt: number; delay_ms: number }): void;
}

/** Runs until all have answered, or until one more answer would not change much. */
async function askAll(
  engine: Engine,
  lease: Lease,
  plan: BarrierPlan,
  context: ToolContext,
  hooks: Hooks,
): Promise<{ runs: readonly EvidenceRun[]; stopped_early: boolean; movement: number | null }> {
  const settled = new AbortController();
  const signal = AbortSignal.any([context.signal, settled.signal]);
  const runs: EvidenceRun[] = [];
  let estimate: Evidence | null = null;
  let movement: number | null = null;

  /** Null: the answer is one. Without an early stop there is no need to weigh it before the end. */
  const take = (value: Json): ErrorValue | null => {
    const others = plan.rule.epsilon > 0 ? runs.filter(({ valid }) => valid).map((run) => run.value) : [];
    const now = weighed([...others, value], plan.weighing);
    if ("error" in now) return now.error;
    if (plan.rule.epsilon === 0) return null;
    movement = estimate === null ? null : evidenceMovement(estimate, now.evidence, plan.weighing);
    if (hasSettled(estimate, now.evidence, plan.rule, plan.weighing)) settled.abort();
    estimate = now.evidence;
    return null;
  };

  const one = async (run: number): Promise<void> => {
    const result = await ask(engine, lease, plan, run, context, signal, hooks);
    hooks.spend(result);
    const late = settled.signal.aborted;
    const read = result.error === undefined ? answerIn(result.output, plan) : { error: result.error };
    const wrong = "error" in read ? read.error : take(read.value);
    const valid = "value" in read && wrong === null;
    const stopped = late && result.error?.code === "cancelled";
    const { usage, cost, elapsed_ms, request_id, trace_id } = result;
    runs.push({
      run,
      agent: plan.agentOf(run).name,
      valid,
      value: valid && "value" in read ? read.value : null,
      stopped,
      usage,
      cost,
      elapsed_ms,
      request_id,
      trace_id,
      error: stopped ? null : wrong,
    });
  };

  await inParallel(plan.numbers, plan.maxParallel, one, signal);
  const ordered = runs.toSorted((a, b) => a.run - b.run);
  return { runs: ordered, stopped_early: settled.signal.aborted, movement };
}

function weighed(
  values: readonly Json[],
  options: EvidenceOptions,
): { evidence: Evidence } | { error: ErrorValue } {
  try {
    return { evidence: weighEvidence(values, options) };
  } catch (error) {
    if (hasCode(error)) return { error: toErrorValue(error) };
    throw error;
  }
}

/** The one JSON value of an answer that meets the schema, or what is wrong with it. Asked once: that is no error to retry. */
function answerIn(output: string, plan: BarrierPlan): { value: Json } | { error: ErrorValue } {
  const wrong = (why: string) => ({
    error: toErrorValue(new OxbowError("model_behaviour", `The answer is not what was asked for: ${why}.`)),
  });
  const bytes = Buffer.byteLength(output);
  if (bytes > MAX_ANSWER_BYTES) return wrong(`it has ${bytes} bytes, of ${MAX_ANSWER_BYTES} at most`);
  const [value, ...more] = jsonIn(output);
  if (value === undefined) return wrong("there is no JSON in it");
  if (more.length > 0) return wrong(`it has ${more.length + 1} JSON values`);
  const problems = plan.schema.problems(value);
  return problems.length === 0 ? { value } : wrong(problems.join("; ").slice(0, 1_000));
}

async function ask(
  engine: Engine,
  lease: Lease,
  plan: BarrierPlan,
  run: number,
  context: ToolContext,
  signal: AbortSignal,
  hooks: Hooks,
): Promise<RunResult> {
  const agent = plan.agentOf(run);
  const options = runOptions(lease.task);
  const { defaults } = engine.team;
  const allowed = agent.timeoutMs ?? defaults.timeoutMs;
  return new AgentRunner({ runtime: "openai_agents" }).run(
    {
      agent: agent.name,
      instructions: instructions(engine, agent.name, agent.instructions, plan),
      input: plan.input,
      model: modelOf(options, agent, engine),
      models: engine.models(options, agent),
      tools: plan.toolsOf(agent),
      context: { ...context, agent: agent.name },
      maxTurns: agent.maxTurns ?? defaults.maxTurns,
      timeoutMs: Math.min(plan.timeoutMs ?? allowed, allowed),
      responseTimeoutMs: agent.responseTimeoutMs,
      traceId: traceIdOf(lease.task.task_id),
      onEvent: (event) => {
        if (event.kind !== "retry") return;
        const { source, reason, attempt, delay_ms } = event;
        hooks.retry({ source, reason: engine.redact(reason), attempt, delay_ms });
      },
    },
    signal,
  );
}

function instructions(engine: Engine, name: string, own: string | null, plan: BarrierPlan): string {
  const parts = [
    `You are ${name}, an agent of the team ${engine.team.team}. Answer one question; others answer it too, without knowing of each other. You may read the files of the branch. Change nothing.`,
  ];
  if (own) parts.push(own);
  parts.push(
    `Your last message is your answer: one JSON value and nothing else, which meets this JSON Schema:\n${JSON.stringify(plan.schema.schema)}`,
  );
  return parts.join("\n\n");
}
