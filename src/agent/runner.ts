/**
 * One run of one agent: model and tools in turns until a final answer, a limit or a stop. A run never throws for what
 * happened in it; a failure has the same shape as a success, with the tokens that were used until then.
 */
import { randomBytes } from "node:crypto";
import { hasCode, OxbowError, toErrorValue } from "../core/errors.ts";
import { NO_USAGE, type Usage, addUsage } from "../core/model.ts";
import type { HistoryItem, RunRequest, RunResult } from "./contract.ts";
import { isModelFailure, type ModelFailure } from "./failure.ts";
import { createFunctionTools } from "./function-tools.ts";
import { createLimiter } from "./limiter.ts";
import { priceOf } from "./prices.ts";
import { loadSdk, type Sdk } from "./sdk.ts";
import { type Stop, createStop } from "./stop.ts";
import { createTurnModel } from "./turns.ts";
import { vendorFacts, vendorOf } from "./vendors.ts";

export interface AgentRunnerOptions {
  /** Only `openai_agents`; a program as an agent is `runCommand`. */
  readonly runtime: string;
  /** The most before the first retry of a model call, milliseconds; it doubles up to 30 s. Default 500. */
  readonly retryBaseMs?: number | undefined;
}

const DEFAULT_RETRIES = 4;
const DEFAULT_RETRY_BASE_MS = 500;
/** How long a stopped run waits for tools that are still at work, so that none of them writes after its end. */
const STOP_GRACE_MS = 5000;

export class AgentRunner {
  readonly #retryBaseMs: number;

  /** Throws runtime_not_available. */
  constructor(options: AgentRunnerOptions) {
    if (options.runtime !== "openai_agents") {
      throw new OxbowError(
        "runtime_not_available",
        `The runtime ${options.runtime} cannot run a model's agent.`,
      );
    }
    this.#retryBaseMs = options.retryBaseMs ?? DEFAULT_RETRY_BASE_MS;
  }

  /** Never rejects. Aborting `signal` gives the outcome `cancelled`; `timeoutMs` gives `timed_out`. */
  async run(request: RunRequest, signal?: AbortSignal): Promise<RunResult> {
    const startedAt = performance.now();
    using stop = createStop(request.timeoutMs, signal);
    const { history } = request;
    const book: Book = {
      usage: history?.usage ?? NO_USAGE,
      cost: history?.cost ?? null,
      unpriced: history !== undefined && history.cost === null && history.turns > 0,
      output: "",
      requestId: null,
      turns: history?.turns ?? 0,
      ended: history?.turns ?? 0,
    };
    let failure: unknown;
    try {
      stop.signal.throwIfAborted();
      const sdk = await stop.guard(loadSdk());
      await runTurns(sdk, request, stop, book, this.#retryBaseMs);
    } catch (error) {
      failure = error ?? new Error("unknown failure");
    }
    const error = failure === undefined ? null : describe(failure, stop, request);
    return {
      output: book.output,
      usage: book.usage,
      cost: book.unpriced ? null : book.cost,
      elapsed_ms: Math.round(performance.now() - startedAt),
      request_id: book.requestId,
      trace_id: request.traceId ?? `trace_${randomBytes(16).toString("hex")}`,
      ...(error === null ? {} : { error: toErrorValue(error) }),
    };
  }
}

/** What has happened so far; kept outside of the SDK, so that a run that was stopped still knows it. */
interface Book {
  usage: Usage;
  cost: number | null;
  unpriced: boolean;
  output: string;
  requestId: string | null;
  turns: number;
  /** The last turn that onTurn was told of. */
  ended: number;
}

async function runTurns(
  sdk: Sdk,
  request: RunRequest,
  stop: Stop,
  book: Book,
  retryBaseMs: number,
): Promise<void> {
  const { agent: source, models } = request;
  const emit = request.onEvent ?? (() => undefined);
  const history = request.history ?? null;
  const onTurn = async (turn: number, items: readonly HistoryItem[]): Promise<void> => {
    book.ended = turn;
    await request.onTurn?.(turn, items);
  };
  const price = models.price?.(request.model) ?? null;
  const model = createTurnModel({
    sdk,
    source,
    stop,
    emit,
    onTurn,
    model: await stop.guard(models.model({ agent: source, task: request.input, model: request.model })),
    // Asked for after its model: a source may be opened by that.
    limiter: models.limiter ?? createLimiter(),
    provider: models.name,
    maxRetries: request.maxRetries ?? DEFAULT_RETRIES,
    retryBaseMs,
    inbox: request.inbox ?? null,
    maxTurns: request.maxTurns,
    onAnswer: (answer) => {
      book.turns = answer.turn;
      book.usage = addUsage(book.usage, answer.usage);
      book.requestId = answer.requestId ?? book.requestId;
      if (answer.text !== "") book.output = answer.text;
      if (price === null) {
        book.unpriced = true;
        return null;
      }
      const { input_tokens: inputTokens, output_tokens: outputTokens } = answer.usage;
      const { cachedTokens, cacheWriteTokens } = answer;
      const cost = priceOf(price, { inputTokens, cachedTokens, cacheWriteTokens, outputTokens });
      book.cost = (book.cost ?? 0) + cost;
      return cost;
    },
    mayCall: async () => request.context.budget?.mayCall(),
    record: async (answer) => {
      await request.context.budget?.spend({ tokens: answer.usage.total_tokens, usd: answer.cost });
      await request.onAnswer?.(answer);
    },
    history,
    responseTimeoutMs: request.responseTimeoutMs ?? null,
    idempotencyKey: request.idempotencyKey ?? `oxbow-${randomBytes(12).toString("hex")}`,
  });
  const functions = createFunctionTools({
    sdk,
    source,
    stop,
    emit,
    tools: request.tools,
    context: request.context,
    history,
  });
  const agent = new sdk.Agent({
    name: source,
    instructions: request.instructions,
    model,
    // Given, though empty: without it the SDK adds settings of its own default model, which other servers refuse.
    modelSettings: {},
    tools: [...functions.tools],
  });
  const runner = new sdk.Runner({ tracingDisabled: true, traceIncludeSensitiveData: false });
  try {
    const result = await stop.guard(
      runner.run(agent, history === null ? request.input : [...history.items], {
        // The turns are counted over all attempts by the turn model; the answer that is pending is one for the SDK.
        maxTurns: request.maxTurns + 1,
        signal: stop.signal,
        toolNotFoundBehavior: "return_error_to_model",
        toolErrorFormatter: ({ kind, toolName, callId }) =>
          kind === "tool_not_found" ? functions.unknownTool(toolName, callId) : undefined,
      }),
    );
    if (typeof result.finalOutput === "string") book.output = result.finalOutput;
  } finally {
    if (stop.signal.aborted) await atMost(STOP_GRACE_MS, functions.idle());
    // The last turn ends like the others, whether it was the answer, the turn limit or a model that failed.
    else if (book.turns > book.ended) await stop.guard(onTurn(book.turns, []));
  }
}

async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, waited]);
  clearTimeout(timer);
}

/** One error of the table for whatever ended the run. The SDK's errors hold the whole history: only their text leaves. */
function describe(error: unknown, stop: Stop, request: RunRequest): OxbowError {
  const { reason } = stop;
  if (reason?.kind === "timed_out") {
    return new OxbowError("timed_out", `${request.agent} did not finish within ${request.timeoutMs} ms.`, {
      hint: "Raise defaults.timeout_ms, or give the agent a smaller task.",
    });
  }
  if (reason?.kind === "cancelled")
    return new OxbowError("cancelled", `The run of ${request.agent} was cancelled.`);
  const cause = reason?.kind === "fatal" ? reason.error : error;
  if (hasCode(cause)) return cause;
  if (isModelFailure(cause))
    return new OxbowError(
      cause.code ?? "provider_failed",
      cause.message,
      hintFor(cause, request.models.name),
    );
  const name = cause instanceof Error ? cause.name : "";
  const message = cause instanceof Error ? cause.message : String(cause);
  if (name === "MaxTurnsExceededError") {
    return new OxbowError("max_turns", `${request.agent} was not done after ${request.maxTurns} turns.`);
  }
  if (name === "ModelRefusalError") return new OxbowError("model_refused", message);
  if (name === "ModelBehaviorError") return new OxbowError("model_behaviour", message);
  return new OxbowError("internal", message);
}

function hintFor({ status, code }: ModelFailure, provider: string): { hint?: string } {
  if (code) return {};
  const vendor = vendorOf(provider);
  const { keyName, urlName } =
    vendor === null ? { keyName: `the key of ${provider}`, urlName: "its address" } : vendorFacts(vendor);
  if (status === 401 || status === 403) return { hint: `Check ${keyName}; the provider refused it.` };
  if (status === 404)
    return { hint: `Check the model's name and ${urlName}; the provider does not know it.` };
  if (status === 429)
    return { hint: "Wait for the provider's limit, lower --max-parallel, or check the account's quota." };
  return {};
}
