/** A plugin's provider as a source of models: through the clients there are, or around its own function. */
import type {
  AgentInputItem,
  AssistantMessageItem,
  FunctionCallItem,
  Model,
  ModelRequest,
  StreamEvent,
} from "@openai/agents";
import { OxbowError } from "../core/errors.ts";
import type { Limiter } from "../core/limiter.ts";
import type {
  FunctionProvider,
  ModelMessage,
  ModelReply,
  NewProvider,
  ServerProvider,
} from "../core/plugin-provider.ts";
import type { ModelSource } from "./contract.ts";
import { modelFailure, toModelFailure } from "./failure.ts";
import type { ModelPrice } from "./prices.ts";
import { createModelSource } from "./providers.ts";
import { isFields, textField } from "./wire-values.ts";

type Output = (AssistantMessageItem | FunctionCallItem)[];

/** Throws provider_missing when the variable with its key is not set. */
export function createPluginSource(
  provider: NewProvider,
  env: Readonly<Record<string, string>>,
  limiter?: Limiter,
): ModelSource {
  const source = "answer" in provider ? functionSource(provider) : serverSource(provider, env, limiter);
  return {
    ...source,
    name: provider.name,
    model: (wanted) => source.model({ ...wanted, model: wanted.model ?? provider.defaultModel }),
    price: (model) => priceOf(provider, model ?? provider.defaultModel),
  };
}

function serverSource(
  { name, wire, baseUrl, keyEnv }: ServerProvider,
  env: Readonly<Record<string, string>>,
  limiter: Limiter | undefined,
): ModelSource {
  const apiKey = keyEnv === undefined ? "none" : env[keyEnv];
  if (apiKey === undefined || apiKey === "")
    throw new OxbowError("provider_missing", `No key for the provider ${name}: ${keyEnv} is not set.`, {
      hint: `Set ${keyEnv}.`,
    });
  return createModelSource({ provider: wire, apiKey, baseUrl, limiter });
}

function priceOf({ prices }: NewProvider, model: string | undefined): ModelPrice | null {
  const found = model !== undefined && prices && Object.hasOwn(prices, model) ? prices[model] : undefined;
  if (found === undefined) return null;
  return { input: found.input, cached_input: found.cachedInput ?? found.input, output: found.output };
}

function functionSource(provider: FunctionProvider): ModelSource {
  return {
    name: provider.name,
    simulated: false,
    model: async ({ model }) => functionModel(provider, model ?? ""),
  };
}

function functionModel(provider: FunctionProvider, model: string): Model {
  let answers = 0;
  const ask = async (request: ModelRequest): Promise<ModelReply> => {
    const signal = request.signal ?? new AbortController().signal;
    try {
      const question = {
        model,
        instructions: request.systemInstructions ?? "",
        messages: messagesOf(request.input),
        tools: request.tools.flatMap((tool) =>
          tool.type === "function"
            ? [{ name: tool.name, description: tool.description, parameters: tool.parameters }]
            : [],
        ),
      };
      return await provider.answer(question, signal);
    } catch (error) {
      throw signal.aborted ? error : failureOf(error, provider.name);
    }
  };
  return {
    getResponse() {
      throw new Error("The runner streams every answer.");
    },
    async *getStreamedResponse(request): AsyncGenerator<StreamEvent> {
      const reply = checked(await ask(request), provider.name);
      const output = outputOf(reply, () => `call_${crypto.randomUUID()}`);
      yield { type: "response_started" };
      if (reply.text) yield { type: "output_text_delta", delta: reply.text };
      yield {
        type: "response_done",
        response: { id: `${provider.name}_${++answers}`, usage: usageOf(reply), output },
      };
    },
  };
}

function failureOf(error: unknown, name: string) {
  if (isFields(error) && error["retryable"] === true && typeof error["status"] !== "number")
    return modelFailure(textField(error, "message") ?? `${name} failed`, { retryable: true });
  return toModelFailure(error);
}

/** The plugin may be plain JavaScript. */
function checked(reply: ModelReply, name: string): ModelReply {
  const bad = (why: string) =>
    modelFailure(`The provider ${name} answered with ${why}.`, { code: "model_behaviour" });
  if (!isFields(reply)) throw bad("no object");
  if (reply.text !== undefined && typeof reply.text !== "string") throw bad("a text that is none");
  if (reply.calls !== undefined && !Array.isArray(reply.calls)) throw bad("calls that are no list");
  if (reply.calls?.some((call) => typeof call?.tool !== "string") === true)
    throw bad("a call without the name of a tool");
  return reply;
}

function outputOf({ text, calls = [] }: ModelReply, callId: () => string): Output {
  const said: Output =
    text || calls.length === 0
      ? [
          {
            type: "message",
            role: "assistant",
            status: "completed",
            content: [{ type: "output_text", text: text ?? "" }],
          },
        ]
      : [];
  return [
    ...said,
    ...calls.map((call) => ({
      type: "function_call" as const,
      callId: callId(),
      name: call.tool,
      status: "completed" as const,
      arguments: JSON.stringify(call.arguments ?? {}),
    })),
  ];
}

function usageOf({ usage }: ModelReply) {
  const { inputTokens = 0, cachedTokens = 0, outputTokens = 0 } = usage ?? {};
  const totalTokens = inputTokens + outputTokens;
  const inputTokensDetails = { cached_tokens: cachedTokens };
  return { inputTokens, outputTokens, totalTokens, requests: 1, inputTokensDetails };
}

function messagesOf(input: ModelRequest["input"]): readonly ModelMessage[] {
  if (typeof input === "string") return [{ role: "user", text: input }];
  return input.flatMap(messageOf);
}

function messageOf(item: AgentInputItem): readonly ModelMessage[] {
  if (item.type === "function_call")
    return [{ role: "call", id: item.callId, tool: item.name, arguments: item.arguments }];
  if (item.type === "function_call_result")
    return [{ role: "result", id: item.callId, tool: item.name, result: textOf(item.output) }];
  if (!("role" in item) || item.role === "system") return [];
  return [{ role: item.role, text: textOf(item.content) }];
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(textOf).join("\n");
  return textField(content, "text") ?? JSON.stringify(content) ?? "";
}
