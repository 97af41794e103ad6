/** Whether a provider takes a key, asked in the cheapest way there is: its list of models, which costs nothing. */
import { anthropicHeaders, anthropicUrl, httpFailure } from "./anthropic.ts";
import { type ModelFailure, toModelFailure } from "./failure.ts";
import { createFetch } from "./transport.ts";
import { type Credentials, serviceOf, type Vendor } from "./vendors.ts";
import { field, parsedJson, textField } from "./wire-values.ts";

export type Probe =
  /** `models`: their names; null when the server lists none. */
  | { readonly kind: "ok"; readonly models: readonly string[] | null }
  | { readonly kind: "failed"; readonly failure: ModelFailure };

const TIMEOUT_MS = 15_000;
const MAX_BYTES = 8 * 1024 * 1024;

/** Throws provider_missing, setting_invalid. */
export async function probe(vendor: Vendor, credentials: Credentials): Promise<Probe> {
  const { url, apiKey } = serviceOf(vendor, credentials);
  const fetch = createFetch({ maxAnswerBytes: MAX_BYTES });
  const isAnthropic = vendor === "anthropic";
  const address = isAnthropic
    ? anthropicUrl(url, "models?limit=1000")
    : `${url.href.replace(/\/$/, "")}/models`;
  const headers = isAnthropic ? anthropicHeaders(apiKey) : bearer(apiKey);
  try {
    const response = await fetch(address, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    // Some compatible servers have no such list; they were reached, and that is all that can be said.
    if (response.status === 404 || response.status === 405) return { kind: "ok", models: null };
    if (!response.ok) throw await httpFailure(response, apiKey);
    return { kind: "ok", models: namesIn(await response.text()) };
  } catch (error) {
    return { kind: "failed", failure: toModelFailure(error, apiKey === null ? [] : [apiKey]) };
  }
}

function bearer(apiKey: string | null): Record<string, string> {
  return apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
}

function namesIn(body: string): readonly string[] | null {
  const data = field(parsedJson(body), "data");
  if (!Array.isArray(data)) return null;
  return data.map((model: unknown) => textField(model, "id")).filter((id) => id !== null);
}
