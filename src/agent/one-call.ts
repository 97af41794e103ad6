/** One answer of a model: asked for once, streamed, and whole or a failure. */
import type { Model, ModelRequest, ModelResponse, StreamEvent } from "@openai/agents";
import type { RunnerEvent } from "./contract.ts";
import { type ModelFailure, modelFailure } from "./failure.ts";
import type { Sdk } from "./sdk.ts";
import type { Stop } from "./stop.ts";
import { cutArguments } from "./tool-input.ts";
import { withRequestKey } from "./transport.ts";
import { field, numberField, textField } from "./wire-values.ts";

export interface CallOptions {
  readonly sdk: Sdk;
  readonly model: Model;
  readonly source: string;
  readonly stop: Stop;
  readonly emit: (event: RunnerEvent) => void;
}

export interface DoneResponse {
  readonly response: ModelResponse;
  /** Of the input tokens, those read from a cache, and those written to one. */
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
}

/** `key`: of this request, the same when it is repeated. Throws a model failure, what the SDK throws about an answer, and the stop's reason. */
export async function oneCall(
  options: CallOptions,
  request: ModelRequest,
  key: string,
): Promise<DoneResponse> {
  const { stop, source } = options;
  const stream = options.model.getStreamedResponse({ ...request, signal: stop.signal });
  const events = stream[Symbol.asyncIterator]();
  let done: DoneResponse | null = null;
  let isChat = false;
  let finish: string | null = null;
  try {
    for (;;) {
      const next = await stop.guard(withRequestKey(key, () => events.next()));
      if (next.done === true) break;
      const event = next.value;
      if (event.type === "output_text_delta") {
        options.emit({ kind: "text_delta", source, text: event.delta });
      } else if (event.type === "model") {
        isChat ||= Array.isArray(field(event.event, "choices"));
        finish = finishOf(event.event) ?? finish;
        const failed = failedResponse(event.event);
        if (failed !== null) throw failed;
      } else if (event.type === "response_done") {
        done = doneResponse(options.sdk, event.response);
      }
    }
  } finally {
    // Not awaited: a model that ignores the signal would hold the run; the connection goes with the signal.
    if (stop.signal.aborted) void events.return?.().then(undefined, () => undefined);
  }
  // Chat Completions has no closing event: a stream without a finish_reason broke off, whatever was put together of it.
  if (done === null || (isChat && finish === null)) {
    throw modelFailure("The model provider's answer broke off before it was complete", { retryable: true });
  }
  if (finish === "length") cutOff(done.response.output);
  return done;
}

function doneResponse(
  sdk: Sdk,
  { id, requestId, output, usage }: Extract<StreamEvent, { type: "response_done" }>["response"],
): DoneResponse {
  const { inputTokens, outputTokens, totalTokens } = usage;
  const details: unknown = usage.inputTokensDetails;
  const cache: unknown = Array.isArray(details) ? details[0] : details;
  return {
    response: {
      output,
      usage: new sdk.Usage({ requests: 1, inputTokens, outputTokens, totalTokens }),
      responseId: id,
      ...(requestId === undefined ? {} : { requestId }),
    },
    cachedTokens: numberField(cache, "cached_tokens") ?? 0,
    cacheWriteTokens: numberField(cache, "cache_write_tokens") ?? 0,
  };
}

/** Of a Chat Completions chunk: why the answer ends here; null while it goes on. */
function finishOf(event: unknown): string | null {
  const choices = field(event, "choices");
  if (!Array.isArray(choices)) return null;
  for (const choice of choices as readonly unknown[]) {
    const reason = textField(choice, "finish_reason");
    if (reason !== null) return reason;
  }
  return null;
}

/** A call whose arguments were cut off is told so, as one whose arguments are no JSON; text that was is no answer. */
function cutOff(output: ModelResponse["output"]): void {
  const last = output.at(-1);
  if (last?.type === "function_call") last.arguments = cutArguments(last.arguments);
  else throw modelFailure("The model's answer was cut off (length)", { code: "answer_truncated" });
}

/** The Responses API says in an event that it gave up; the SDK would tell only that it did, not why. */
function failedResponse(event: unknown): ModelFailure | null {
  const type = field(event, "type");
  if (type !== "response.failed" && type !== "response.incomplete") return null;
  const response = field(event, "response");
  const error = field(response, "error");
  const code = textField(error, "code");
  const reason = textField(field(response, "incomplete_details"), "reason");
  const said = textField(error, "message") ?? reason ?? "no reason given";
  const status = code === "rate_limit_exceeded" ? 429 : code === "server_error" ? 500 : null;
  return modelFailure(`The model provider did not complete its answer: ${said}`, {
    status,
    code: type === "response.incomplete" ? (INCOMPLETE[reason ?? ""] ?? null) : null,
  });
}

const INCOMPLETE: Readonly<Record<string, "answer_truncated" | "model_refused">> = {
  max_output_tokens: "answer_truncated",
  content_filter: "model_refused",
};
