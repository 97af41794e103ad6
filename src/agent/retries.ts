/** One answer of a model, as often as it takes: in the queue to its provider, with retries of what can help to repeat. */
import type { ModelRequest } from "@openai/agents";
import type { BreakerState } from "../core/breaker.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import type { Leave, Limiter } from "../core/limiter.ts";
import { type ModelFailure, isModelFailure, modelFailure, toModelFailure } from "./failure.ts";
import { type CallOptions, type DoneResponse, oneCall } from "./one-call.ts";
import { pause } from "./stop.ts";

export interface RetryOptions extends CallOptions {
  readonly limiter: Limiter;
  /** For the events about it. */
  readonly provider: string;
  /** Retries of one model call after the first. A refusal for the rate is none: who comes too fast waits. */
  readonly maxRetries: number;
  /** The longest first delay, milliseconds; it doubles, up to 30 s. */
  readonly retryBaseMs: number;
  readonly responseTimeoutMs: number | null;
}

const MAX_RETRY_DELAY_MS = 30_000;

export async function answerOf(
  options: RetryOptions,
  request: ModelRequest,
  key: string,
): Promise<DoneResponse> {
  const { stop, source, emit } = options;
  let tries = 0;
  let told = 0;
  const failed = (failure: ModelFailure): void => {
    tries++;
    if (!failure.retryable || tries > options.maxRetries)
      throw tries > 1 ? afterTries(failure, tries) : failure;
  };
  const tell = (reason: string, delayMs: number): void =>
    emit({ kind: "retry", source, reason, attempt: ++told, delay_ms: Math.round(delayMs) });

  for (;;) {
    const entered = await options.limiter.enter(stop.remaining(), stop.signal);
    if (entered.kind === "too_long")
      throw tooLong("The model provider's rate limit is reached", entered.waitMs, 429);
    if (entered.kind === "unavailable") {
      // The same for everybody: it is tried once for all of them, and each has so many tries.
      failed(modelFailure(`The model provider is down: ${entered.reason}`, { retryable: true }));
      tell(entered.reason, options.limiter.waitMs());
      continue;
    }
    const { leave } = entered;
    if (leave.trial) tellBreaker(options, "half_open", null);
    const answer = await onceWithin(options, request, key, leave);
    if (answer.kind === "done") return answer.done;
    const { failure } = answer;
    if (answer.isLimit) {
      const waitMs = Math.max(options.limiter.waitMs(), failure.retryAfterMs ?? 0);
      if (waitMs >= stop.remaining()) throw tooLong(failure.message, waitMs, failure.status);
      tell(failure.message, waitMs);
      continue;
    }
    failed(failure);
    const delayMs = Math.max(failure.retryAfterMs ?? 0, fullJitter(tries, options.retryBaseMs));
    if (delayMs >= stop.remaining()) throw tooLong(failure.message, delayMs, failure.status);
    tell(failure.message, delayMs);
    await pause(delayMs, stop.signal);
  }
}

type Answer =
  | { readonly kind: "done"; readonly done: DoneResponse }
  | { readonly kind: "failed"; readonly failure: ModelFailure; readonly isLimit: boolean };

/** Throws what is not about the provider. */
async function onceWithin(
  options: RetryOptions,
  request: ModelRequest,
  key: string,
  leave: Leave,
): Promise<Answer> {
  const { stop } = options;
  const timer = stuckTimer(options);
  try {
    const done = await oneCall(options, request, key);
    tellBreaker(options, leave.answered(), null);
    return { kind: "done", done };
  } catch (error) {
    stop.signal.throwIfAborted();
    if (isOurs(error)) throw error;
    if (!isModelFailure(error) && isSdkError(error)) {
      tellBreaker(options, leave.answered(), null);
      throw error;
    }
    const failure = toModelFailure(error);
    const { message, retryAfterMs, retryable } = failure;
    const isLimit = failure.status === 429 && retryable;
    const state = isLimit
      ? leave.limited(retryAfterMs)
      : retryable
        ? leave.failed(message, retryAfterMs)
        : leave.answered();
    tellBreaker(options, state, message);
    return { kind: "failed", failure, isLimit };
  } finally {
    // Where it was stopped: the first word counts.
    leave.abandoned();
    clearTimeout(timer);
  }
}

function tellBreaker(
  { emit, source, provider }: RetryOptions,
  state: BreakerState | null,
  reason: string | null,
): void {
  if (state !== null) emit({ kind: "breaker", source, provider, state, reason });
}

/** Ends the run when this one answer takes too long: another attempt may get one. */
function stuckTimer({ responseTimeoutMs, source, stop }: RetryOptions): NodeJS.Timeout | undefined {
  if (responseTimeoutMs === null) return undefined;
  const message = `The model of ${source} gave no answer within ${responseTimeoutMs} ms.`;
  return setTimeout(() => stop.fatal(new OxbowError("agent_stuck", message)), responseTimeoutMs);
}

function afterTries(failure: ModelFailure, tries: number): ModelFailure {
  return modelFailure(`${failure.message} (after ${tries} tries)`, failure);
}

function tooLong(message: string, waitMs: number, status: number | null): ModelFailure {
  const seconds = Math.ceil(waitMs / 1000);
  return modelFailure(
    `${message} (a retry is possible in ${seconds} s, which is after the run's time limit)`,
    {
      status,
      retryAfterMs: waitMs,
    },
  );
}

/** Anything up to a ceiling that doubles with every failure: callers that failed together come back apart. */
function fullJitter(failures: number, baseMs: number): number {
  return Math.random() * Math.min(MAX_RETRY_DELAY_MS, baseMs * 2 ** (failures - 1));
}

/** An error of the table, and not a vendor's whose code happens to read like one of ours. */
function isOurs(error: unknown): boolean {
  return hasCode(error) && error.name === "OxbowError";
}

/** Errors that the SDK makes of an answer (a refusal, a missing payload) are about behaviour, not about transport. */
function isSdkError(error: unknown): boolean {
  return error instanceof Error && /^(?:ModelBehavior|ModelRefusal|User|System)Error$/.test(error.name);
}
