/** Where models come from. Nothing here loads a client library before the first model is asked for. */
import type { Model, ModelRequest, StreamEvent } from "@openai/agents";
import { OxbowError } from "../core/errors.ts";
import type { ModelSource } from "./contract.ts";
import { toModelFailure } from "./failure.ts";
import { openaiPrice } from "./prices.ts";
import { parseScript } from "./script-file.ts";
import { createScriptedModel, stepsFor } from "./scripted.ts";
import { loadSdk } from "./sdk.ts";

export interface ModelSourceOptions {
  /** `openai` (Responses API), `openai_chat` (Chat Completions, any compatible server) or `scripted`. */
  readonly provider: string;
  readonly apiKey?: string | undefined;
  /** Default: the vendor's own service. */
  readonly baseUrl?: string | undefined;
  /** For `scripted`: the file's text, and its name for messages. */
  readonly script?: { readonly file: string; readonly text: string } | undefined;
}

const OPENAI_URL = "https://api.openai.com/v1";

/**
 * Checks everything that can be checked without the network.
 * Throws provider_unknown, provider_missing (no key), script_invalid, usage (no script, a malformed base URL).
 */
export function createModelSource(options: ModelSourceOptions): ModelSource {
  switch (options.provider) {
    case "openai":
    case "openai_chat":
      return createOpenAiSource(options.provider, options);
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

function createOpenAiSource(name: "openai" | "openai_chat", options: ModelSourceOptions): ModelSource {
  const url = baseUrl(options.baseUrl);
  const key = options.apiKey === undefined || options.apiKey === "" ? null : options.apiKey;
  if (key === null && !isLoopback(url)) {
    throw new OxbowError(
      "provider_missing",
      "No key for a model provider, no command and no script were given.",
    );
  }
  // A local server wants no key, but the client library insists on one.
  const apiKey = key ?? "none";
  const models = new Map<string, Promise<Model>>();
  let client: Promise<import("openai").default> | undefined;

  const connect = async () => {
    const { default: OpenAI } = await import("openai");
    // Retries are the runner's alone. The base URL is always given, so that no environment variable is read behind it.
    return new OpenAI({ apiKey, baseURL: url.href.replace(/\/$/, ""), maxRetries: 0 });
  };
  const open = async (model: string | undefined): Promise<Model> => {
    const sdk = await loadSdk();
    client ??= connect();
    const openai = await client;
    if (name === "openai_chat" && model === undefined) {
      throw new OxbowError("usage", "The openai_chat provider needs the name of a model.", {
        hint: "Give --model NAME, or defaults.model in the team file.",
      });
    }
    const chosen = model ?? sdk.getDefaultModel();
    const inner =
      name === "openai"
        ? new sdk.OpenAIResponsesModel(openai, chosen)
        : new sdk.OpenAIChatCompletionsModel(openai, chosen);
    return withoutSecrets(inner, key === null ? [] : [key]);
  };
  const isVendor = url.host === new URL(OPENAI_URL).host;
  return {
    name,
    simulated: false,
    model({ model }) {
      const known = models.get(model ?? "");
      if (known !== undefined) return known;
      const made = open(model);
      models.set(model ?? "", made);
      made.catch(() => models.delete(model ?? ""));
      return made;
    },
    price: (model) => (isVendor && model !== undefined ? openaiPrice(model) : null),
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

function baseUrl(given: string | undefined): URL {
  if (given === undefined || given === "") return new URL(OPENAI_URL);
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new OxbowError("setting_invalid", "OPENAI_BASE_URL is not an http or https URL.");
  }
  return url;
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}
