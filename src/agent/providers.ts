/** Where models come from. Nothing here loads a client library before the first model is asked for. */
import type { Model, ModelRequest, StreamEvent } from "@openai/agents";
import { OxbowError } from "../core/errors.ts";
import type { Limiter } from "../core/limiter.ts";
import { createAnthropicModel } from "./anthropic.ts";
import { withPlainChat } from "./chat-stream.ts";
import type { ModelSource } from "./contract.ts";
import { toModelFailure } from "./failure.ts";
import { limiterFor } from "./limiter.ts";
import type { PriceTable } from "./price-file.ts";
import { anthropicPrice, type ModelPrice, openaiPrice } from "./prices.ts";
import { parseScript } from "./script-file.ts";
import { createScriptedModel, stepsFor } from "./scripted.ts";
import { loadSdk } from "./sdk.ts";
import { createFetch, type Fetch } from "./transport.ts";
import { type Credentials, type Service, serviceOf } from "./vendors.ts";

export interface ModelSourceOptions extends Credentials {
  /**
   * `openai` (Responses API), `openai_chat` (Chat Completions, any compatible server), `anthropic` (Messages API) or
   * `scripted`.
   */
  readonly provider: string;
  /** For `scripted`: the file's text, and its name for messages. */
  readonly script?: { readonly file: string; readonly text: string } | undefined;
  /** Bytes of one streamed answer; more is a failure. Default 64 MiB. */
  readonly maxAnswerBytes?: number | undefined;
  /** In place of the vendors' list prices; these hold whatever server it is. */
  readonly prices?: PriceTable | undefined;
  /** Default: the process's own for the server and the key. */
  readonly limiter?: Limiter | undefined;
}

/**
 * Checks everything that can be checked without the network.
 * Throws provider_unknown, provider_missing (no key), script_invalid, usage (no script), setting_invalid (a malformed
 * base URL).
 */
export function createModelSource(options: ModelSourceOptions): ModelSource {
  switch (options.provider) {
    case "openai":
    case "openai_chat":
      return createOpenAiSource(options.provider, options);
    case "anthropic":
      return createAnthropicSource(options);
    case "scripted":
      return createScriptedSource(options);
    default:
      throw new OxbowError("provider_unknown", `There is no provider named ${options.provider}.`);
  }
}

function createScriptedSource({ script }: ModelSourceOptions): ModelSource {
  if (script === undefined) {
    throw new OxbowError("usage", "The scripted provider needs a script.", {
      hint: "Name one with --script FILE.",
    });
  }
  const parsed = parseScript(script.text, script.file);
  return {
    name: "scripted",
    simulated: true,
    model: async (run) => createScriptedModel(stepsFor(parsed, run), run),
    price: () => ({ input: 0, cached_input: 0, output: 0 }),
  };
}

function createAnthropicSource(options: ModelSourceOptions): ModelSource {
  const service = serviceOf("anthropic", options);
  const { url: baseUrl, apiKey } = service;
  const fetch = createFetch(options);
  return httpSource("anthropic", options, service, anthropicPrice, async (model) =>
    createAnthropicModel({ baseUrl, apiKey, fetch, model: named("anthropic", model) }),
  );
}

function createOpenAiSource(name: "openai" | "openai_chat", options: ModelSourceOptions): ModelSource {
  const service = serviceOf("openai", options);
  const fetch = withPlainChat(createFetch(options));
  let client: Promise<import("openai").default> | undefined;
  return httpSource(name, options, service, openaiPrice, async (model) => {
    const sdk = await loadSdk();
    client ??= connect(service, fetch);
    const openai = await client;
    if (name === "openai_chat") return new sdk.OpenAIChatCompletionsModel(openai, named(name, model));
    return new sdk.OpenAIResponsesModel(openai, model ?? sdk.getDefaultModel());
  });
}

async function connect({ url, apiKey }: Service, fetch: Fetch): Promise<import("openai").default> {
  const { default: OpenAI } = await import("openai");
  return new OpenAI({
    // A local server wants no key, but the client library insists on one.
    apiKey: apiKey ?? "none",
    // Given, so that no environment variable is read behind it.
    baseURL: url.href.replace(/\/$/, ""),
    fetch,
    // Retries are the runner's alone.
    maxRetries: 0,
  });
}

/** Throws usage. */
function named(provider: string, model: string | undefined): string {
  if (model !== undefined) return model;
  throw new OxbowError("usage", `The ${provider} provider needs the name of a model.`, {
    hint: "Give --model NAME, or defaults.model in the team file.",
  });
}

/** Models that are made once, and prices where they hold. */
function httpSource(
  name: string,
  options: ModelSourceOptions,
  { url, apiKey, isVendor }: Service,
  price: (model: string) => ModelPrice | null,
  open: (model: string | undefined) => Promise<Model>,
): ModelSource {
  const models = new Map<string, Promise<Model>>();
  return {
    name,
    simulated: false,
    limiter: options.limiter ?? limiterFor(url, apiKey),
    model({ model }) {
      const known = models.get(model ?? "");
      if (known !== undefined) return known;
      const made = open(model).then((inner) => withoutSecrets(inner, apiKey === null ? [] : [apiKey]));
      models.set(model ?? "", made);
      made.catch(() => models.delete(model ?? ""));
      return made;
    },
    price: (model) =>
      model === undefined ? null : (options.prices?.of(name, model) ?? (isVendor ? price(model) : null)),
  };
}

/** A model whose errors carry a status and a message, and never a key or a request. */
function withoutSecrets(model: Model, secrets: readonly string[]): Model {
  return {
    getResponse: (request) => model.getResponse(request),
    async *getStreamedResponse(request: ModelRequest): AsyncGenerator<StreamEvent> {
      try {
        yield* model.getStreamedResponse(request);
      } catch (error) {
        if (request.signal?.aborted === true || isBehaviour(error)) throw error;
        throw toModelFailure(error, secrets);
      }
    },
  };
}

function isBehaviour(error: unknown): boolean {
  return error instanceof Error && /^(?:ModelBehavior|ModelRefusal|User)Error$/.test(error.name);
}
