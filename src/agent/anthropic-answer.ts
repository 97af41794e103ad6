/** An answer of Anthropic's Messages API, put together from the events that stream it. Pure. */
import type { AssistantMessageItem, FunctionCallItem, ReasoningItem } from "@openai/agents";
import { RAW_BLOCK } from "./anthropic-request.ts";
import { modelFailure } from "./failure.ts";
import { cutArguments } from "./tool-input.ts";
import { type Fields, field, isFields, numberField, textField } from "./wire-values.ts";

type Item = AssistantMessageItem | FunctionCallItem | ReasoningItem;

export interface Answered {
  readonly id: string;
  readonly output: Item[];
  /** `inputTokens` are all that was read, from the cache and into it included. */
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
}

export interface AnswerReader {
  /** Returns what the model has said with this event, "" when it is about something else. Throws a model failure. */
  push(event: unknown): string;
  /** Throws a model failure when the answer is not whole, or is not one that can be used. */
  answer(): Answered;
}

type Open = { readonly start: Fields; text: string; signature: string };

export function createAnswerReader(): AnswerReader {
  const blocks = new Map<number, Open>();
  let id = "";
  let usage: Fields = {};
  let stop: { readonly reason: string | null; readonly details: unknown } = { reason: null, details: null };
  let ended = false;

  const delta = (index: number, given: unknown): string => {
    const block = blocks.get(index);
    if (block === undefined) return "";
    const text =
      textField(given, "text") ?? textField(given, "thinking") ?? textField(given, "partial_json") ?? "";
    block.text += text;
    block.signature += textField(given, "signature") ?? "";
    return textField(given, "type") === "text_delta" ? text : "";
  };

  return {
    push(event) {
      const index = numberField(event, "index") ?? 0;
      switch (textField(event, "type")) {
        case "message_start": {
          const message = field(event, "message");
          id = textField(message, "id") ?? "";
          usage = { ...usage, ...told(field(message, "usage")) };
          return "";
        }
        case "content_block_start": {
          const start = field(event, "content_block");
          if (isFields(start)) blocks.set(index, { start, text: openingText(start), signature: "" });
          return textField(start, "type") === "text" ? (textField(start, "text") ?? "") : "";
        }
        case "content_block_delta":
          return delta(index, field(event, "delta"));
        case "message_delta": {
          const given = field(event, "delta");
          usage = { ...usage, ...told(field(event, "usage")) };
          stop = {
            reason: textField(given, "stop_reason") ?? stop.reason,
            details: field(given, "stop_details") ?? stop.details,
          };
          return "";
        }
        case "message_stop":
          ended = true;
          return "";
        case "error":
          throw streamedError(field(event, "error"));
        default:
          return "";
      }
    },
    answer() {
      if (!ended) {
        throw modelFailure("The model provider's answer broke off before it was complete", {
          retryable: true,
        });
      }
      const output = [...blocks.entries()].sort(([a], [b]) => a - b).flatMap(([, block]) => itemOf(block));
      refuseUnusable(stop.reason, stop.details, output);
      const count = (name: string): number => numberField(usage, name) ?? 0;
      const cachedTokens = count("cache_read_input_tokens");
      const cacheWriteTokens = count("cache_creation_input_tokens");
      return {
        id,
        output,
        cachedTokens,
        cacheWriteTokens,
        inputTokens: count("input_tokens") + cachedTokens + cacheWriteTokens,
        outputTokens: count("output_tokens"),
      };
    },
  };
}

/** What of a usage is said: later events repeat the counts, some as null. */
function told(usage: unknown): Fields {
  return isFields(usage)
    ? Object.fromEntries(Object.entries(usage).filter(([, count]) => count !== null))
    : {};
}

function openingText(start: Fields): string {
  if (start["type"] !== "tool_use") return textField(start, "text") ?? textField(start, "thinking") ?? "";
  // Whole at once, where a server does not stream arguments.
  const { input } = start;
  return isFields(input) && Object.keys(input).length > 0 ? JSON.stringify(input) : "";
}

function itemOf({ start, text, signature }: Open): Item[] {
  switch (start["type"]) {
    case "text":
      if (text === "") return [];
      return [
        { type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text }] },
      ];
    case "tool_use": {
      const callId = textField(start, "id") ?? "";
      const name = textField(start, "name") ?? "";
      return [{ type: "function_call", callId, name, status: "completed", arguments: text }];
    }
    case "thinking": {
      const signed = signature === "" ? (textField(start, "signature") ?? "") : signature;
      return [thought({ type: "thinking", thinking: text, signature: signed })];
    }
    case "redacted_thinking":
      return [thought(start)];
    default:
      return [];
  }
}

function thought(block: Fields): ReasoningItem {
  return { type: "reasoning", content: [], providerData: { [RAW_BLOCK]: block } };
}

/** Only what ends of itself is an answer. A call that was cut off goes on, as one whose arguments are no JSON. */
function refuseUnusable(reason: string | null, details: unknown, output: readonly Item[]): void {
  switch (reason) {
    case "end_turn":
    case "tool_use":
    case "stop_sequence":
      return;
    case "max_tokens":
    case "model_context_window_exceeded": {
      const last = output.at(-1);
      if (last?.type === "function_call") last.arguments = cutArguments(last.arguments);
      else throw modelFailure(`The model's answer was cut off (${reason})`, { code: "answer_truncated" });
      return;
    }
    case "refusal": {
      const why = textField(details, "explanation") ?? textField(details, "category");
      throw modelFailure(`The model refused to answer${why === null ? "" : `: ${why}`}`, {
        code: "model_refused",
      });
    }
    case "pause_turn":
      throw modelFailure("The model paused for a tool of the provider's own, and was given none", {
        code: "answer_truncated",
      });
    case null:
      throw modelFailure("The model provider's answer broke off before it was complete", { retryable: true });
    default:
      throw modelFailure(`The model stopped for a reason that is not known here: ${reason}`, {
        code: "model_behaviour",
      });
  }
}

/** The HTTP status that each kind of error has where it comes before the stream. */
const STATUS: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

function streamedError(error: unknown): Error {
  const type = textField(error, "type") ?? "";
  const status = Object.hasOwn(STATUS, type) ? STATUS[type] : undefined;
  const message = `The model provider gave up while it answered: ${textField(error, "message") ?? type}`;
  return modelFailure(message, { status: status ?? 500 });
}
