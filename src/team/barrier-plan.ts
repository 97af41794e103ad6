/** A barrier's request, checked before anything is run or paid for. */
import type { AgentSpec } from "../core/team-file.ts";
import type { EvidenceOptions } from "../core/evidence.ts";
import type { StopRule } from "../core/evidence-stop.ts";
import type { BarrierRequest, ToolDef } from "../core/tool.ts";
import type { Lease } from "../store/contract.ts";
import { type AnswerSchema, readAnswerSchema } from "../core/answer-schema.ts";
import { OxbowError } from "../core/errors.ts";
import { agentNamed, type Engine, runOptions, runtimeOf } from "./engine.ts";
import { toolsFor } from "./tool-choice.ts";

export interface BarrierPlan extends Pick<BarrierRequest, "input" | "k" | "checks" | "timeoutMs"> {
  readonly schema: AnswerSchema;
  readonly weighing: EvidenceOptions;
  readonly rule: StopRule;
  /** Of the runs, from 1. */
  readonly numbers: readonly number[];
  readonly maxParallel: number;
  agentOf(run: number): AgentSpec;
  toolsOf(agent: AgentSpec): readonly ToolDef[];
}

const MOST_RUNS = 32;
const MOST_CHECKS = 10;
const MAX_INPUT_BYTES = 65_536;
/** What runs side by side on one branch may use: they only look. */
const READERS = new Set(["list_files", "read_file", "search_files", "diff", "team_owner"]);

/** Throws tool_input, limit_exceeded, payload_too_large, agent_unknown, runtime_not_available, tool_disabled, provider_missing. */
export function planBarrier(engine: Engine, lease: Lease, request: BarrierRequest): BarrierPlan {
  const { k, epsilon, minRuns, maxParallel, timeoutMs, checks, input } = request;
  const options = runOptions(lease.task);
  checkNumbers(request);
  if (k > MOST_RUNS) throw tooMany("k", MOST_RUNS);
  if (checks.length > MOST_CHECKS) throw tooMany("checks", MOST_CHECKS);
  if (Buffer.byteLength(input) > MAX_INPUT_BYTES)
    throw new OxbowError("payload_too_large", `The input may have ${MAX_INPUT_BYTES} bytes.`, {
      hint: "Name the files to read instead of their contents.",
    });
  const schema = readAnswerSchema(request.schema);
  const agents = [...new Set(request.agents)].map((name) => agentNamed(engine, name));
  for (const agent of agents) {
    if (runtimeOf(options, agent) === "command")
      throw new OxbowError(
        "runtime_not_available",
        `${agent.name} is a program, which answers no question.`,
        {
          hint: "Name an agent that has a model.",
        },
      );
    engine.models(options, agent);
  }
  if (checks.length > 0 && !mayRunCommands(engine, lease))
    throw new OxbowError(
      "tool_disabled",
      `${lease.subtask.agent} has no terminal_run, so its checks cannot run.`,
      { hint: "Ask without checks, or turn on ENABLE_TERMINAL_TOOL for this agent." },
    );
  const fields = Object.fromEntries(
    Object.entries(request.matchBy).map(([path, keys]) => [path, { matchBy: keys }]),
  );
  const [first] = agents;
  if (first === undefined) throw new OxbowError("tool_input", "Name the agent that answers.");
  return {
    input,
    k,
    checks,
    timeoutMs,
    schema,
    weighing: { schema: schema.schema, fields },
    rule: { epsilon, minRuns },
    numbers: Array.from({ length: k }, (_, at) => at + 1),
    maxParallel: Math.min(maxParallel ?? k, engine.team.limits.maxParallel),
    agentOf: (run) => agents[(run - 1) % agents.length] ?? first,
    toolsOf: (agent) =>
      toolsFor(engine, agent, lease.subtask, options).filter(({ name }) => READERS.has(name)),
  };
}

function mayRunCommands(engine: Engine, { task, subtask }: Lease): boolean {
  const own = toolsFor(engine, agentNamed(engine, subtask.agent), subtask, runOptions(task));
  return own.some(({ name }) => name === "terminal_run");
}

function checkNumbers({ k, epsilon, minRuns, maxParallel, timeoutMs }: BarrierRequest): void {
  const whole = { k, min_runs: minRuns, max_parallel: maxParallel, timeout_ms: timeoutMs };
  for (const [name, value] of Object.entries(whole))
    if (value !== null && !(Number.isInteger(value) && value >= 1))
      throw new OxbowError("tool_input", `${name} must be a whole number from 1.`);
  if (!(epsilon >= 0 && epsilon <= 1)) throw new OxbowError("tool_input", "epsilon must be from 0 to 1.");
}

function tooMany(name: string, most: number): OxbowError {
  return new OxbowError("limit_exceeded", `${name} may be ${most} at most.`, { hint: "Ask for less." });
}
