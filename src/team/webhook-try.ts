/** One request of a webhook: the host is looked up, its addresses are judged, and one of these very addresses gets it. */
import { type Answer, messageHeaders } from "../core/webhook-delivery.ts";
import { checkWebhookUrl, type WebhookVerdict } from "../core/webhook-url.ts";
import { post, type Resolve } from "../host/webhook-sender.ts";

export interface Sending {
  readonly resolve: Resolve;
  readonly allowPrivate: boolean;
  /** For one try, from the look-up of the host to the answer. */
  readonly tryMs: number;
  /** Unix milliseconds. */
  now(): number;
}

export interface Message {
  readonly url: string;
  readonly id: string;
  readonly body: string;
  readonly secrets: readonly string[];
}

export interface TriedAnswer extends Answer {
  /** The beginning of what was answered, as a stranger wrote it. */
  readonly text: string;
  readonly elapsedMs: number;
}

/** Never rejects but with the reason of `signal`: then nobody knows whether it arrived. */
export async function tryOnce(
  sending: Sending,
  { url, id, body, secrets }: Message,
  signal: AbortSignal,
): Promise<TriedAnswer> {
  const begun = performance.now();
  const ended = (answer: Partial<TriedAnswer> & { readonly error: string | null }): TriedAnswer => ({
    status: null,
    retryAfter: null,
    text: "",
    ...answer,
    elapsedMs: Math.round(performance.now() - begun),
  });
  if (secrets.length === 0) return ended({ error: "no_secret" });
  const timeout = AbortSignal.timeout(sending.tryMs);
  const deadline = AbortSignal.any([signal, timeout]);
  try {
    const { addresses, verdict } = await judged(sending, url, deadline);
    if (!verdict.allowed) return ended({ error: verdict.code });
    const headers = messageHeaders({ id, body }, secrets, sending.now());
    const answer = await post({ url, addresses, headers, body }, deadline);
    return ended({ ...answer, error: whyNot(answer.status) });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return ended({ error: timeout.aborted ? "timed_out" : failure(error) });
  }
}

/** What the rules say of a URL now: the answer holds for these addresses only. */
export async function judged(
  { resolve, allowPrivate }: Pick<Sending, "resolve" | "allowPrivate">,
  url: string,
  signal: AbortSignal,
): Promise<{ readonly addresses: readonly string[]; readonly verdict: WebhookVerdict }> {
  const host = URL.parse(url)?.hostname ?? "";
  const addresses = host === "" ? [] : await resolve(host, signal);
  const verdict = checkWebhookUrl(url, { addresses, allowPrivate, allowLoopbackHttp: allowPrivate });
  return { addresses, verdict };
}

function whyNot(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 ? "redirect" : "status";
}

/** Node's code, such as ECONNREFUSED. */
function failure(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : null;
  return typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code) ? code : "failed";
}
