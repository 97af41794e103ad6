/**
 * A request in the words of Anthropic's Messages API (version 2023-06-01). Pure.
 *
 * What the model has thought goes back as it came, with its signature: the API refuses a conversation in which a call's
 * thinking is changed, and newer models bind it to all that was said before.
 */
import type { AgentInputItem, ModelRequest } from "@openai/agents";
import { modelFailure } from "./failure.ts";
import { type Fields, field, isFields, parsedJson, textField } from "./wire-values.ts";

/** A content block, as the API's own JSON. */
export type Block = Fields & { readonly type: string };
interface Message {
  readonly role: "user" | "assistant";
  readonly content: Block[];
}

/** Of one answer, its thinking included; models since 2025 give at least as much. */
export const MAX_TOKENS = 32_000;
/** Under this name a reasoning item of the SDK carries the block that it came from. */
export const RAW_BLOCK = "anthropic";

/** Throws a model failure for what no message can carry. */
export function messagesRequest(model: string, request: ModelRequest): Fields {
  const { systemInstructions: system = "", tools } = request;
  const functions = tools.filter((tool) => tool.type === "function");
  return {
    model,
    max_tokens: request.modelSettings.maxTokens ?? MAX_TOKENS,
    stream: true,
    ...(system === "" ? {} : { system: [cached({ type: "text", text: system })] }),
    ...(functions.length === 0
      ? {}
      : {
          tools: functions.map(({ name, description, parameters }, i) => {
            const tool = { name, description, input_schema: parameters };
            return i === functions.length - 1 ? { ...tool, cache_control: EPHEMERAL } : tool;
          }),
        }),
    messages: withBreakpoints(messagesOf(request.input)),
  };
}

const EPHEMERAL = { type: "ephemeral" };

function cached(block: Block): Block {
  return { ...block, cache_control: EPHEMERAL };
}

/** The last user turn and the one before, where the last request's cache entry ends: at most four marks are allowed in all. */
function withBreakpoints(messages: readonly Message[]): readonly Message[] {
  const users = messages.filter(({ role }) => role === "user").slice(-2);
  return messages.map((message) =>
    users.includes(message)
      ? { ...message, content: message.content.map((b, i, all) => (i === all.length - 1 ? cached(b) : b)) }
      : message,
  );
}

/** Turns alternate, and results of calls come first in theirs: the API insists on it. */
function messagesOf(input: ModelRequest["input"]): readonly Message[] {
  const items: readonly AgentInputItem[] =
    typeof input === "string" ? [{ role: "user", content: input }] : input;
  const messages: Message[] = [];
  for (const item of items) {
    const { role, content } = messageOf(item);
    if (content.length === 0) continue;
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(...content);
    else messages.push({ role, content: [...content] });
  }
  const isResult = ({ type }: Block): boolean => type === "tool_result";
  return messages.map(({ role, content }) => ({
    role,
    content: [...content.filter(isResult), ...content.filter((block) => !isResult(block))],
  }));
}

function messageOf(item: AgentInputItem): { role: Message["role"]; content: readonly Block[] } {
  switch (item.type) {
    case "function_call":
      return {
        role: "assistant",
        content: [
          { type: "tool_use", id: callId(item.callId), name: item.name, input: argumentsOf(item.arguments) },
        ],
      };
    case "function_call_result":
      return { role: "user", content: [resultOf(item.callId, item.output)] };
    case "reasoning":
      return { role: "assistant", content: thinkingOf(item.providerData) };
    case "message":
    case undefined: {
      if (!("role" in item)) break;
      const content = typeof item.content === "string" ? texts(item.content) : item.content.flatMap(blocksOf);
      return { role: item.role === "assistant" ? "assistant" : "user", content };
    }
    default:
  }
  throw modelFailure(`The Messages API has no words for a ${item.type ?? "message"} item.`);
}

function texts(text: string): readonly Block[] {
  // An empty text block is refused.
  return text.trim() === "" ? [] : [{ type: "text", text }];
}

function blocksOf(part: unknown): readonly Block[] {
  const type = textField(part, "type");
  if (type === "input_text" || type === "output_text" || type === "text")
    return texts(textField(part, "text") ?? "");
  if (type === "refusal") return texts(textField(part, "refusal") ?? "");
  const image = type === "input_image" || type === "image" ? imageOf(field(part, "image")) : null;
  if (image === null) throw modelFailure(`The Messages API cannot be given a part of type ${type}.`);
  return [image];
}

/** `data:image/png;base64,…`, or an address that the provider fetches. */
function imageOf(image: unknown): Block | null {
  const address = typeof image === "string" ? image : textField(image, "url");
  if (address === null) {
    const data = textField(image, "data");
    const media = textField(image, "mediaType");
    return data === null || media === null ? null : base64Image(media, data);
  }
  const [, media, data] = /^data:(image\/[a-z+.-]+);base64,(.+)$/s.exec(address) ?? [];
  if (media !== undefined && data !== undefined) return base64Image(media, data);
  return /^https?:/.test(address) ? { type: "image", source: { type: "url", url: address } } : null;
}

function base64Image(media: string, data: string): Block {
  return { type: "image", source: { type: "base64", media_type: media, data } };
}

/** What the runner gives a model whose call came to nothing. */
const REFUSAL = /^\{"ok":false,"error":\{/;

function resultOf(id: string, output: unknown): Block {
  const parts =
    typeof output === "string" ? [{ type: "text", text: output }] : Array.isArray(output) ? output : [output];
  const content = parts.flatMap(blocksOf);
  const failed = content.some(({ text }) => typeof text === "string" && REFUSAL.test(text));
  return {
    type: "tool_result",
    tool_use_id: callId(id),
    ...(content.length === 0 ? {} : { content }),
    ...(failed ? { is_error: true } : {}),
  };
}

/** Ids of other providers may have characters that are refused here. */
function callId(id: string): string {
  return id.replace(/[^a-zA-Z0-9_-]/g, "_");
}

function argumentsOf(text: string): Fields {
  const value = parsedJson(text);
  return isFields(value) ? value : {};
}

/** None for another provider's, and for one that was redacted where it was kept: its signature holds no more. */
function thinkingOf(data: Fields | undefined): readonly Block[] {
  const block = data?.[RAW_BLOCK];
  const type = textField(block, "type");
  if (!isFields(block) || type === null || JSON.stringify(block).includes("[REDACTED]")) return [];
  return [{ ...block, type }];
}
