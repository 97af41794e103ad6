/**
 * A model, seen turn by turn: the one place that retries, counts tokens and money, and tells what the model says.
 *
 * The SDK is given this instead of the provider's model and asks it for whole answers; underneath, every answer is
 * streamed. So text arrives live, a call that breaks off half-way never reaches a tool, and neither the client
 * library's nor the SDK's own retries are used.
 */
import type { Model, ModelRequest, ModelResponse } from "@openai/agents";
import { failPoint } from "../host/fail-point.ts";
import { span } from "../host/telemetry.ts";
import { OxbowError } from "../core/errors.ts";
import type { Usage } from "../core/model.ts";
import type { AnswerRecord, HistoryItem, Inbox, RunHistory } from "./contract.ts";
import { asItems, createInterjections, fromUser } from "./interjections.ts";
import { wellFormedArguments } from "./tool-input.ts";
import type { DoneResponse } from "./one-call.ts";
import { answerOf, type RetryOptions } from "./retries.ts";

export interface TurnOptions extends RetryOptions {
  /** Messages for the model; null when nobody can write to it. */
  readonly inbox: Inbox | null;
  /** Answers of the model, those to messages that came after its last one included. */
  readonly maxTurns: number;
  /** Called with each answer before the SDK sees it; returns what it cost. */
  readonly onAnswer: (answer: Answer) => number | null;
  /** Awaited before each call. Throws budget_exceeded. */
  readonly mayCall: () => Promise<void>;
  /** Awaited before the SDK sees the answer. */
  readonly record: (answer: AnswerRecord) => Promise<void>;
  /** Awaited before the model is called again; the turn is the one that has just ended, from 1. */
  readonly onTurn: (turn: number, items: readonly HistoryItem[]) => Promise<void>;
  readonly history: RunHistory | null;
  /** Of the run: with the turn it makes the key of a request. */
  readonly idempotencyKey: string;
}

export interface Answer {
  readonly turn: number;
  readonly usage: Usage;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  readonly requestId: string | null;
  /** The answer's text, "" when there is none. */
  readonly text: string;
}

type Output = ModelResponse["output"];

/** Else a short "noted" would be all that is left of the run. */
const ANSWER_AGAIN =
  "This came in while you gave your final answer. See whether there is something left to do, then give your final answer again in full: only the last one counts.";

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
    await stop.guard(options.mayCall());
    if (inbox !== null) interjections.add(request.input, (await stop.guard(inbox.take())).map(fromUser));
    turn += 1;
    const told = { ...request, input: interjections.into(request.input) };
    failPoint("model.before");
    const { response, ...cache } = await asked(options, told, turn);
    failPoint("model.after");
    const output = response.output.map((item) => repaired(item, callIds));
    const answer = { ...response, output };
    const cost = tell(options, answer, turn, cache);
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

/** One turn: the waiting for the provider's limit and the retries included. */
function asked(options: TurnOptions, request: ModelRequest, turn: number): Promise<DoneResponse> {
  const about = {
    "gen_ai.agent.name": options.source,
    "gen_ai.provider.name": options.provider,
    "oxbow.turn": turn,
  };
  return span("oxbow.turn", about, async (note) => {
    const done = await answerOf(options, request, `${options.idempotencyKey}-${turn}`);
    const { usage, responseId } = done.response;
    note({
      "gen_ai.usage.input_tokens": usage.inputTokens,
      "gen_ai.usage.output_tokens": usage.outputTokens,
      "gen_ai.response.id": responseId,
    });
    return done;
  });
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
  cache: Omit<DoneResponse, "response">,
): number | null {
  const { output } = answer;
  const usage = usageOf(answer);
  const text = textOf(output);
  const requestId = answer.requestId ?? answer.responseId ?? null;
  const cost = onAnswer({ turn, usage, ...cache, requestId, text });
  if (text !== "") emit({ kind: "text", source, text });
  emit({ kind: "turn", source, turn, usage });
  for (const item of output) {
    if (item.type !== "function_call") continue;
    emit({ kind: "tool_called", source, tool: item.name, call_id: item.callId, arguments: item.arguments });
  }
  return cost;
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
