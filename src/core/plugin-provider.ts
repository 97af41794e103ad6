/**
 * A provider of a plugin: a server that speaks one of the known wire formats, told as data, or a function that answers.
 * Nothing here is of any model library.
 */
import { OxbowError } from "./errors.ts";
import type { Json } from "./model.ts";

/** US dollars for a million tokens. */
export interface TokenPrice {
  readonly input: number;
  /** Of input that was read from a cache. Default: as any other. */
  readonly cachedInput?: number | undefined;
  readonly output: number;
}

interface Named {
  /** What `provider:` and `--provider` say. Small letters, digits, dashes and underscores. */
  readonly name: string;
  /** Where neither a flag nor the team file names a model. */
  readonly defaultModel?: string | undefined;
  /** By the model's name. Without a price a cost is not known. */
  readonly prices?: Readonly<Record<string, TokenPrice>> | undefined;
}

export interface ServerProvider extends Named {
  /** Responses API, Chat Completions, or Messages API. */
  readonly wire: "openai" | "openai_chat" | "anthropic";
  /** An http or https URL. */
  readonly baseUrl: string;
  /** The environment variable with the key. Default: none is needed. */
  readonly keyEnv?: string | undefined;
}

export interface FunctionProvider extends Named {
  /**
   * One answer to a conversation. A throw with a numeric `status` is treated as an HTTP answer of that status (429 and
   * 5xx are tried again), with `retryable: true` as a failure that is.
   */
  answer(question: ModelQuestion, signal: AbortSignal): Promise<ModelReply> | ModelReply;
}

export type NewProvider = ServerProvider | FunctionProvider;

export interface ModelQuestion {
  readonly model: string;
  readonly instructions: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly {
    readonly name: string;
    readonly description: string;
    /** JSON Schema. */
    readonly parameters: object;
  }[];
}

export type ModelMessage =
  | { readonly role: "user"; readonly text: string }
  | { readonly role: "assistant"; readonly text: string }
  | { readonly role: "call"; readonly id: string; readonly tool: string; readonly arguments: string }
  | { readonly role: "result"; readonly id: string; readonly tool: string; readonly result: string };

export interface ModelReply {
  readonly text?: string | undefined;
  readonly calls?: readonly { readonly tool: string; readonly arguments: Json }[] | undefined;
  readonly usage?:
    | {
        readonly inputTokens: number;
        readonly cachedTokens?: number | undefined;
        readonly outputTokens: number;
      }
    | undefined;
}

const TAKEN = ["openai", "openai_chat", "anthropic", "scripted", "claude-code"];

/** The providers of one app's plugins. */
export interface PluginProviders {
  /** Throws usage for a name that is taken, or a provider that could not be used. */
  register(provider: NewProvider): void;
  get(name: string): NewProvider | null;
  /** The variables that hold their keys. */
  keys(): readonly string[];
}

export function createPluginProviders(): PluginProviders {
  const known = new Map<string, NewProvider>();
  return {
    register(provider) {
      check(provider);
      if (TAKEN.includes(provider.name) || known.has(provider.name))
        throw new OxbowError("usage", `There is a provider named ${provider.name} already.`);
      known.set(provider.name, provider);
    },
    get: (name) => known.get(name) ?? null,
    keys: () => [...known.values()].flatMap((each) => ("keyEnv" in each && each.keyEnv ? [each.keyEnv] : [])),
  };
}

/** A plugin may be plain JavaScript: its values are looked at. */
function check(provider: NewProvider): void {
  const refuse = (why: string): never => {
    throw new OxbowError("usage", `The provider ${JSON.stringify(provider.name)} ${why}.`, {
      hint: 'Write { name, wire: "openai_chat", baseUrl, keyEnv? }, or { name, answer(question, signal) }.',
    });
  };
  if (typeof provider.name !== "string" || !/^[a-z][a-z0-9_-]{0,63}$/.test(provider.name))
    refuse("needs a name in small letters");
  if ("answer" in provider) {
    if (typeof provider.answer !== "function") refuse("has an `answer` that is no function");
    return;
  }
  if (!["openai", "openai_chat", "anthropic"].includes(provider.wire))
    refuse("needs `wire` (openai, openai_chat or anthropic), or `answer`");
  const url = URL.canParse(provider.baseUrl) ? new URL(provider.baseUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) refuse("needs an http or https URL in `baseUrl`");
  if (url?.username || url?.password) refuse("has a secret in its `baseUrl`; name its variable in `keyEnv`");
}
