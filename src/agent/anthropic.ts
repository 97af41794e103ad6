/**
 * Anthropic's Messages API as a model of the SDK: POST /v1/messages, streamed. Without the vendor's client library, which
 * would bring a second copy of all that the runner does itself (retries, limits, time-outs).
 */
import type { Model, ModelRequest, StreamEvent } from "@openai/agents";
import { createAnswerReader } from "./anthropic-answer.ts";
import { messagesRequest } from "./anthropic-request.ts";
import { modelFailure, toModelFailure } from "./failure.ts";
import { readEvents } from "./sse.ts";
import type { Fetch } from "./transport.ts";
import { field, parsedJson } from "./wire-values.ts";

export interface AnthropicOptions {
  /** Without `/v1`. */
  readonly baseUrl: URL;
  /** Null for a server that wants none. */
  readonly apiKey: string | null;
  readonly model: string;
  readonly fetch: Fetch;
}

export const ANTHROPIC_VERSION = "2023-06-01";

export function createAnthropicModel(options: AnthropicOptions): Model {
  return {
    getResponse() {
      throw new Error("The runner streams every answer.");
    },
    async *getStreamedResponse(request: ModelRequest): AsyncGenerator<StreamEvent> {
      const response = await post(options, messagesRequest(options.model, request), request.signal);
      const reader = createAnswerReader();
      yield { type: "response_started" };
      if (response.body === null)
        throw modelFailure("The model provider's answer is empty", { retryable: true });
      for await (const { data } of readEvents(response.body)) {
        const event = parsedJson(data);
        const delta = reader.push(event);
        if (delta !== "") yield { type: "output_text_delta", delta };
      }
      const { id, output, inputTokens, outputTokens, cachedTokens, cacheWriteTokens } = reader.answer();
      const requestId = response.headers.get("request-id");
      yield {
        type: "response_done",
        response: {
          id,
          ...(requestId === null ? {} : { requestId }),
          output,
          usage: {
            inputTokens,
            outputTokens,
            totalTokens: inputTokens + outputTokens,
            inputTokensDetails: { cached_tokens: cachedTokens, cache_write_tokens: cacheWriteTokens },
          },
        },
      };
    },
  };
}

/** Headers of every request. */
export function anthropicHeaders(apiKey: string | null): Record<string, string> {
  return { "anthropic-version": ANTHROPIC_VERSION, ...(apiKey === null ? {} : { "x-api-key": apiKey }) };
}

/** A path below the base URL, which may have one of its own. */
export function anthropicUrl(baseUrl: URL, path: string): string {
  return `${baseUrl.href.replace(/\/(?:v1\/?)?$/, "")}/v1/${path}`;
}

const MAX_ERROR_CHARS = 20_000;

async function post(
  options: AnthropicOptions,
  body: unknown,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const { apiKey, baseUrl } = options;
  const response = await options.fetch(anthropicUrl(baseUrl, "messages"), {
    method: "POST",
    headers: { ...anthropicHeaders(apiKey), "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.ok) return response;
  throw await httpFailure(response, apiKey);
}

export async function httpFailure(response: Response, apiKey: string | null): Promise<Error> {
  const text = (await response.text()).slice(0, MAX_ERROR_CHARS);
  const { status, headers } = response;
  const error = field(parsedJson(text), "error");
  const facts = { status, headers, error, code: field(error, "code") ?? field(error, "type") };
  return toModelFailure(Object.assign(new Error(text.slice(0, 500)), facts), apiKey === null ? [] : [apiKey]);
}
