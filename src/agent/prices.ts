/**
 * List prices of models, as data with a date; OXBOW_PRICES names others. A model that is not here has no price: a cost is
 * never guessed. (Nor has one whose price depends on how long a request is.)
 * Prices hold only for the vendor's own service, so the provider says whether they apply.
 */
/** The dates of the lists below. */
export const PRICES_OF = { openai: "2026-03-21", anthropic: "2026-10-24" } as const;

/** US dollars for a million tokens. */
export interface ModelPrice {
  readonly input: number;
  /** Of input that was read from a cache. */
  readonly cached_input: number;
  /** Of input that was written to a cache; default: as any other. */
  readonly cache_write?: number;
  readonly output: number;
}

const OPENAI_PRICES: Readonly<Record<string, ModelPrice>> = {
  "gpt-5": { input: 1.25, cached_input: 0.125, output: 10 },
  "gpt-5-mini": { input: 0.25, cached_input: 0.025, output: 2 },
  "gpt-5-nano": { input: 0.05, cached_input: 0.005, output: 0.4 },
  "gpt-4.1": { input: 2, cached_input: 0.5, output: 8 },
  "gpt-4.1-mini": { input: 0.4, cached_input: 0.1, output: 1.6 },
  "gpt-4.1-nano": { input: 0.1, cached_input: 0.025, output: 0.4 },
  "gpt-4o": { input: 2.5, cached_input: 1.25, output: 10 },
  "gpt-4o-mini": { input: 0.15, cached_input: 0.075, output: 0.6 },
};

const OPUS: ModelPrice = { input: 5, cached_input: 0.5, cache_write: 6.25, output: 25 };
const ANTHROPIC_PRICES: Readonly<Record<string, ModelPrice>> = {
  "claude-fable-5-1": { input: 10, cached_input: 0.25, cache_write: 12.5, output: 50 },
  "claude-fable-5": { input: 10, cached_input: 1, cache_write: 12.5, output: 50 },
  "claude-opus-5-5": { input: 4, cached_input: 0.2, cache_write: 5, output: 20 },
  "claude-opus-5": OPUS,
  "claude-opus-4-8": OPUS,
  "claude-opus-4-7": OPUS,
  "claude-opus-4-6": OPUS,
  "claude-opus-4-5": OPUS,
  "claude-sonnet-5-5": { input: 2, cached_input: 0.1, cache_write: 2.5, output: 10 },
  "claude-sonnet-5": { input: 2, cached_input: 0.2, cache_write: 2.5, output: 10 },
  "claude-sonnet-4-5": { input: 3, cached_input: 0.3, cache_write: 3.75, output: 15 },
  "claude-haiku-4-5": { input: 1, cached_input: 0.1, cache_write: 1.25, output: 5 },
};

/** Null for a model whose price is not known. A dated snapshot (`gpt-4.1-2025-04-14`) costs what its model does. */
export function openaiPrice(model: string): ModelPrice | null {
  return priceIn(OPENAI_PRICES, model.replace(/-\d{4}-\d{2}-\d{2}$/, ""));
}

/** The same; Anthropic dates its snapshots `claude-haiku-4-5-20251001`. */
export function anthropicPrice(model: string): ModelPrice | null {
  return priceIn(ANTHROPIC_PRICES, model.replace(/-\d{8}$/, ""));
}

function priceIn(prices: Readonly<Record<string, ModelPrice>>, model: string): ModelPrice | null {
  return Object.hasOwn(prices, model) ? (prices[model] ?? null) : null;
}

/** What was read and written by one model call. Cached tokens, read or written, are part of `inputTokens`. */
export interface CallTokens {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens?: number;
  readonly outputTokens: number;
}

/** Dollars for one model call. */
export function priceOf(price: ModelPrice, tokens: CallTokens): number {
  const { inputTokens, cachedTokens, cacheWriteTokens = 0, outputTokens } = tokens;
  const fresh = Math.max(0, inputTokens - cachedTokens - cacheWriteTokens);
  const { input, cached_input, cache_write = input, output } = price;
  return (
    (fresh * input + cachedTokens * cached_input + cacheWriteTokens * cache_write + outputTokens * output) /
    1e6
  );
}
