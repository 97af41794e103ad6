/**
 * List prices of models, as data, as of 2026-03-21. A model that is not here has no price: a cost is never guessed.
 * Prices hold only for the vendor's own service, so the provider says whether they apply.
 */
/** US dollars for a million tokens. */
export interface ModelPrice {
  readonly input: number;
  readonly cached_input: number;
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

/** Null for a model whose price is not known. A dated snapshot (`gpt-4.1-2025-04-14`) costs what its model does. */
export function openaiPrice(model: string): ModelPrice | null {
  const name = model.replace(/-\d{4}-\d{2}-\d{2}$/, "");
  return Object.hasOwn(OPENAI_PRICES, name) ? (OPENAI_PRICES[name] ?? null) : null;
}

/** Dollars for one model call; `cachedTokens` are part of `inputTokens`. */
export function priceOf(
  price: ModelPrice,
  tokens: { readonly inputTokens: number; readonly cachedTokens: number; readonly outputTokens: number },
): number {
  const fresh = Math.max(0, tokens.inputTokens - tokens.cachedTokens);
  return (
    (fresh * price.input + tokens.cachedTokens * price.cached_input + tokens.outputTokens * price.output) /
    1e6
  );
}
