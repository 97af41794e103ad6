/**
 * A model, seen turn by turn: the one place that retries, counts tokens and money, and tells what the model says.
 *
 * The SDK is given this instead of the provider's model and asks it for whole answers; underneath, every answer is
 * streamed. So text arrives live, a call that breaks off half-way never reaches a tool, and neither the client
 * library's nor the SDK's own retries are used.
 */
import type { Model, ModelRequest, ModelResponse } from "@openai/agents";
import { failPoint } from "../host/fail-point.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import type { Usage } from "../core/model.ts";
import type { AnswerRecord, HistoryItem, Inbox, RunHistory, RunnerEvent } from "./contract.ts";
import { type ModelFailure, isModelFailure, modelFailure, toModelFailure } from "./failure.ts";
import { asItems, createInterjections, fromUser } from "./interjections.ts";
import type { Sdk } from "./sdk.ts";
import { wellFormedArguments } from "./tool-input.ts";
import { type Stop, pause } from "./stop.ts";

export interface TurnOptions {
  readonly sdk: Sdk;
  readonly model: Model;
  readonly source: string;
  readonly stop: Stop;
  /** Retries of one model call after the first. */
  readonly maxRetries: number;
  /** The first retry's delay, milliseconds; it doubles, up to 30 s. */
  readonly retryBaseMs: number;
  /** Messages for the model; null when nobody can write to it. */
  readonly inbox: Inbox | null;
  /** Answers of the model, those to messages that came after its last one included. */
  readonly maxTurns: number;
  readonly emit: (event: RunnerEvent) => void;
  /** Called with each answer before the SDK sees it; returns what it cost. */
  readonly onAnswer: (answer: Answer) => number | null;
  /** Awaited before the SDK sees the answer. */
  readonly record: (answer: AnswerRecord) => Promise<void>;
  /** Awaited before the model is called again; the turn is the one that has just ended, from 1. */
  readonly onTurn: (turn: number, items: readonly HistoryItem[]) => Promise<void>;
  readonly history: RunHistory | null;
  readonly responseTimeoutMs: number | null;
}

export interface Answer {
  readonly turn: number;
  readonly usage: Usage;
  readonly cachedTokens: number;
  readonly requestId: string | null;
  /** The answer's text, "" when there is none. */
  readonly text: string;
}

type Output = ModelResponse["output"];
type DoneResponse = {
  readonly response: ModelResponse;
  readonly cachedTokens: number;
};

/** Else a short "noted" would be all that is left of the run. */
const ANSWER_AGAIN =
  "This came in while you gave your final answer. See whether there is something left to do, then give your final answer again in full: only the last one counts.";
const MAX_RETRY_DELAY_MS = 30_000;

export function createTurnModel(options: TurnOptions): Model {
  const { stop, inbox, maxTurns } = options;
  const { history } = options;
  const callIds = callIdsOf(history);
  const interjections = createInterjections();
  let turn = history?.turns ?? 0;
  /** Of what the model was told, how much is recorded. */
  let recorded = history?.items.length ?? 0;
  let pending = history?.pending ?? null;
  let isFresh = true;

  /** One answer of the model, with all it was told before. */
  const nextAnswer = async (request: ModelRequest): Promise<ModelResponse> => {
    if (pending !== null) {
      // It was given before, and what followed from it was lost.
      const output = pending;
      pending = null;
      isFresh = false;
      return { output, usage: new options.sdk.Usage() };
    }
    if (!isFresh || turn > (history?.turns ?? 0)) {
      const items = asItems(interjections.into(request.input));
      await stop.guard(options.onTurn(turn, items.slice(recorded)));
      recorded = items.length;
    }
    isFresh = false;
    stop.signal.throwIfAborted();
    if (turn >= maxTurns) throw new OxbowError("max_turns", `It was not done after ${maxTurns} turns.`);
    if (inbox !== null) interjections.add(request.input, (await stop.guard(inbox.take())).map(fromUser));
    turn += 1;
    const told = { ...request, input: interjections.into(request.input) };
    failPoint("model.before");
    const { response, cachedTokens } = await withRetries(options, told);
    failPoint("model.after");
    const output = response.output.map((item) => repaired(item, callIds));
    const answer = { ...response, output };
    const cost = tell(options, answer, turn, cachedTokens);
    const items = asItems(told.input);
    const usage = usageOf(answer);
    await stop.guard(options.record({ turn, items: items.slice(recorded), output, usage, cost }));
    recorded = items.length;
    return answer;
  };

  return {
    async getResponse(request) {
      for (;;) {
        const answer = await nextAnswer(request);
        if (inbox === null || turn >= maxTurns || callsTools(answer.output)) return answer;
        const late = await stop.guard(inbox.takeOrClose());
        if (late.length === 0) return answer;
        interjections.add(request.input, [...answer.output, ...[...late, ANSWER_AGAIN].map(fromUser)]);
      }
    },
    getStreamedResponse() {
      throw new Error("The runner asks for whole answers; they are streamed underneath.");
    },
  };
}

function callsTools(output: Output): boolean {
  return output.some((item) => item.type === "function_call");
}

/** Ids that no later call may have. */
function callIdsOf(history: RunHistory | null): Set<string> {
  const all = [...(history?.items ?? []), ...(history?.pending ?? [])];
  return new Set(all.flatMap((item) => (item.type === "function_call" ? [item.callId] : [])));
}

function usageOf({ usage: { inputTokens, outputTokens, totalTokens } }: ModelResponse): Usage {
  return {
    requests: 1,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: totalTokens,
  };
}

/** Returns what the answer cost. */
function tell(
  { emit, source, onAnswer }: TurnOptions,
  answer: ModelResponse,
  turn: number,
  cachedTokens: number,
): number | null {
  const { output } = answer;
  const usage = usageOf(answer);
  const text = textOf(output);
  const requestId = answer.requestId ?? answer.responseId ?? null;
  const cost = onAnswer({ turn, usage, cachedTokens, requestId, text });
  if (text !== "") emit({ kind: "text", source, text });
  emit({ kind: "turn", source, turn, usage });
  for (const item of output) {
    if (item.type !== "function_call") continue;
    emit({ kind: "tool_called", source, tool: item.name, call_id: item.callId, arguments: item.arguments });
  }
  return cost;
}

async function withRetries(options: TurnOptions, request: ModelRequest): Promise<DoneResponse> {
  const { stop, source } = options;
  for (let attempt = 1; ; attempt++) {
    const seen = { output: false };
    const timer = stuckTimer(options);
    try {
      return await oneCall(options, request, seen);
    } catch (error) {
      stop.signal.throwIfAborted();
      if (isOurs(error) || (!isModelFailure(error) && isSdkError(error))) throw error;
      clearTimeout(timer);
      const failure = toModelFailure(error);
      if (!failure.retryable || seen.output || attempt > options.maxRetries) {
        throw attempt > 1 ? afterTries(failure, attempt) : failure;
      }
      const delay = retryDelay(failure, attempt, options.retryBaseMs);
      if (delay >= stop.remaining()) {
        throw modelFailure(
          `${failure.message} (a retry is possible in ${Math.ceil((failure.retryAfterMs ?? delay) / 1000)} s, which is after the run's time limit)`,
          failure,
        );
      }
      options.emit({ kind: "retry", source, reason: failure.message, attempt, delay_ms: Math.round(delay) });
      await pause(delay, stop.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Ends the run when this one answer takes too long: another attempt may get one. */
function stuckTimer({ responseTimeoutMs, source, stop }: TurnOptions): NodeJS.Timeout | undefined {
  if (responseTimeoutMs === null) return undefined;
  const message = `The model of ${source} gave no answer within ${responseTimeoutMs} ms.`;
  return setTimeout(() => stop.fatal(new OxbowError("agent_stuck", message)), responseTimeoutMs);
}

function afterTries(failure: ModelFailure, tries: number): ModelFailure {
  return modelFailure(`${failure.message} (after ${tries} tries)`, failure);
}

/** Exponential with jitter (half of it fixed), never shorter than what the server asked for. */
function retryDelay(failure: ModelFailure, attempt: number, baseMs: number): number {
  const ceiling = Math.min(MAX_RETRY_DELAY_MS, baseMs * 2 ** (attempt - 1));
  if (failure.retryAfterMs !== null) return failure.retryAfterMs + Math.random() * Math.min(ceiling, 250);
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/** An error of the table, and not a vendor's whose code happens to read like one of ours. */
function isOurs(error: unknown): boolean {
  return hasCode(error) && error.name === "OxbowError";
}

/** Errors that the SDK makes of an answer (a refusal, a missing payload) are about behaviour, not about transport. */
function isSdkError(error: unknown): boolean {
  return error instanceof Error && /^(?:ModelBehavior|ModelRefusal|User|System)Error$/.test(error.name);
}

async function oneCall(
  options: TurnOptions,
  request: ModelRequest,
  seen: { output: boolean },
): Promise<DoneResponse> {
  const { stop, source, sdk } = options;
  const stream = options.model.getStreamedResponse({ ...request, signal: stop.signal });
  const events = stream[Symbol.asyncIterator]();
  let done: DoneResponse | null = null;
  const chat = { spoken: false, finished: false };
  try {
    for (;;) {
      const next = await stop.guard(events.next());
      if (next.done === true) break;
      const event = next.value;
      if (event.type === "output_text_delta") {
        seen.output = true;
        options.emit({ kind: "text_delta", source, text: event.delta });
      } else if (event.type === "model") {
        const chunk = chatChunk(event.event);
        chat.spoken ||= chunk !== null;
        chat.finished ||= chunk?.finished === true;
        const failed = failedResponse(event.event, !seen.output);
        if (failed !== null) throw failed;
        seen.output ||= chunk?.output ?? isOutputEvent(event.event);
      } else if (event.type === "response_done") {
        const { id, requestId, output, usage } = event.response;
        done = {
          response: {
            output,
            usage: new sdk.Usage({
              requests: 1,
              inputTokens: usage.inputTokens,
              outputTokens: usage.outputTokens,
              totalTokens: usage.totalTokens,
            }),
            responseId: id,
            ...(requestId === undefined ? {} : { requestId }),
          },
          cachedTokens: cachedOf(usage.inputTokensDetails),
        };
      }
    }
  } finally {
    // Not awaited: a model that ignores the signal would hold the run; the connection goes with the signal.
    if (stop.signal.aborted) void events.return?.().then(undefined, () => undefined);
  }
  // Chat Completions has no closing event: a stream without a finish_reason broke off, whatever was put together of it.
  if (done === null || (chat.spoken && !chat.finished)) {
    throw modelFailure("The model provider's answer broke off before it was complete", { retryable: true });
  }
  return done;
}

/** A Chat Completions chunk: whether it brings output, and whether it says that the answer is complete. */
function chatChunk(event: unknown): { output: boolean; finished: boolean } | null {
  if (typeof event !== "object" || event === null || !("choices" in event)) return null;
  const choices: unknown = event.choices;
  if (!Array.isArray(choices)) return { output: false, finished: false };
  let output = false;
  let finished = false;
  for (const choice of choices as readonly unknown[]) {
    if (typeof choice !== "object" || choice === null) continue;
    if ("finish_reason" in choice && typeof choice.finish_reason === "string") finished = true;
    const delta: unknown = "delta" in choice ? choice.delta : null;
    if (typeof delta !== "object" || delta === null) continue;
    output ||= Object.entries(delta).some(([key, value]) => key !== "role" && value !== null && value !== "");
  }
  return { output, finished };
}

/** Of the Responses API's events, only the opening ones bring nothing of the answer. */
function isOutputEvent(event: unknown): boolean {
  if (typeof event !== "object" || event === null || !("type" in event)) return false;
  return (
    typeof event.type === "string" && /^response\.(?:output|function_call|reasoning|content)/.test(event.type)
  );
}

/** The Responses API says in an event that it gave up; the SDK would tell only that it did, not why. */
function failedResponse(event: unknown, replayable: boolean): ModelFailure | null {
  const type = field(event, "type");
  if (type !== "response.failed" && type !== "response.incomplete") return null;
  const response = field(event, "response");
  const code = field(field(response, "error"), "code");
  const why =
    field(field(response, "error"), "message") ?? field(field(response, "incomplete_details"), "reason");
  const retryable = replayable && (code === "server_error" || code === "rate_limit_exceeded");
  const said = typeof why === "string" ? why : "no reason given";
  return modelFailure(`The model provider did not complete its answer: ${said}`, { retryable });
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function cachedOf(details: unknown): number {
  const first: unknown = Array.isArray(details) ? details[0] : details;
  const cached = field(first, "cached_tokens");
  return typeof cached === "number" ? cached : 0;
}

/**
 * Small servers repeat call ids ("call_0" each turn) or send none. The SDK tells calls apart by id, so a repeated one
 * gets a new id, here and in the history that goes back to the model. Nor does every server take back malformed
 * arguments that its own model has made.
 */
function repaired(item: Output[number], taken: Set<string>): Output[number] {
  if (item.type !== "function_call") return item;
  let callId = item.callId;
  for (let n = 2; callId === "" || taken.has(callId); n++) callId = `${item.callId || "call"}_${n}`;
  taken.add(callId);
  return { ...item, callId, arguments: wellFormedArguments(item.arguments) };
}

function textOf(output: Output): string {
  const parts: string[] = [];
  for (const item of output) {
    if (item.type !== "message" || item.role !== "assistant") continue;
    for (const part of item.content) if (part.type === "output_text") parts.push(part.text);
  }
  return parts.join("");
}
