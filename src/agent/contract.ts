/**
 * One run of one agent. `AgentRunner` is the only way a sub-agent is called, so that time-outs, turns and cancellation
 * behave the same everywhere. It never sees the store or a repository: effects arrive through ToolContext.
 */
import type { AgentInputItem, Model, ModelResponse } from "@openai/agents";
import type { Limiter } from "../core/limiter.ts";
import type { Json, Usage } from "../core/model.ts";
import type { ToolContext, ToolDef } from "../core/tool.ts";
import type { ModelPrice } from "./prices.ts";
import type { RunnerEvent } from "./result.ts";

export type { RunnerEvent, RunResult } from "./result.ts";

/** Where models come from. `simulated` is true for the scripted provider and is shown in all output. */
export interface ModelSource {
  readonly name: string;
  readonly simulated: boolean;
  /** Cheap: called for every run. `agent` and `task` choose a script; real providers ignore them. */
  model(request: { agent: string; task: string; model: string | undefined }): Promise<Model>;
  /** The price of a model at this provider; null (or no such method) when it is not known. */
  price?(model: string | undefined): ModelPrice | null;
  /** Shared by all runs that use the provider with the same key; none: every run has one of its own. */
  readonly limiter?: Limiter | undefined;
}

/** What others write to an agent while it runs. */
export interface Inbox {
  /** What has come in since the last call, oldest first, each text as the model is to read it. */
  take(): Promise<readonly string[]>;
  /**
   * The same, asked when the model has given what would be its last answer: what comes in by then is read in one more
   * turn, and when nothing has, nothing can come in any more.
   */
  takeOrClose(): Promise<readonly string[]>;
}

export type HistoryItem = AgentInputItem;
export type ModelOutput = ModelResponse["output"];

/** What a model has said, before any of its calls is made. */
export interface AnswerRecord {
  /** From 1, over all attempts of the conversation. */
  readonly turn: number;
  /** What it was told since the last record. */
  readonly items: readonly HistoryItem[];
  readonly output: ModelOutput;
  /** Of this answer alone. */
  readonly usage: Usage;
  /** US dollars; null when the price is not known. */
  readonly cost: number | null;
}

/** A conversation that an earlier attempt began. */
export interface RunHistory {
  readonly items: readonly HistoryItem[];
  /** The last answer, when what followed from it is not known: its calls are made now, the model is not asked again. */
  readonly pending: ModelOutput | null;
  readonly turns: number;
  readonly usage: Usage;
  readonly cost: number | null;
  /** What a call of the pending answer came to before; null: it is to be made (again). Throws interrupted. */
  settled(tool: string, input: Readonly<Record<string, unknown>>, callId: string): Promise<Json | null>;
}

export interface RunRequest {
  readonly agent: string;
  readonly instructions: string;
  readonly input: string;
  readonly model?: string | undefined;
  readonly models: ModelSource;
  readonly tools: readonly ToolDef[];
  readonly context: ToolContext;
  readonly maxTurns: number;
  /** Wall time of the whole run, milliseconds. */
  readonly timeoutMs: number;
  /** Retries of one model call after the first, for retryable errors only. */
  readonly maxRetries?: number | undefined;
  /**
   * Called when a turn's tool calls are done, also after the last one, and awaited before the next model call: what it
   * writes is durable before the model goes on. A throw ends the run with that error. `items`: what has come to the
   * conversation since the last answer was told, that answer included; none after the last turn.
   */
  readonly onTurn?: ((turn: number, items: readonly HistoryItem[]) => Promise<void>) | undefined;
  /** Awaited before the calls of an answer are made. */
  readonly onAnswer?: ((answer: AnswerRecord) => Promise<void>) | undefined;
  /** Goes on with it; `input` is then only how that conversation began. */
  readonly history?: RunHistory | undefined;
  /** How long a single answer of the model may take, milliseconds; then the run ends with agent_stuck. */
  readonly responseTimeoutMs?: number | null | undefined;
  /** Read before every model call. */
  readonly inbox?: Inbox | undefined;
  readonly onEvent?: ((event: RunnerEvent) => void) | undefined;
  readonly traceId?: string | undefined;
  /**
   * Providers are sent `<key>-<turn>` as `Idempotency-Key`, the same over all tries of a turn, so that one that knows it
   * answers, and counts, once. Default: one of the run's own.
   */
  readonly idempotencyKey?: string | undefined;
}
