/**
 * What went wrong with a model call, in one shape, whichever client library or server it came from.
 * Recognised by `kind`, so that a model of a plugin may throw its own copy.
 */
import { field, numberField, textField } from "./wire-values.ts";

export interface ModelFailure extends Error {
  readonly kind: "model_failure";
  /** What kind of answer it was that is of no use; null when there is none. */
  readonly code: AnswerCode | null;
  /** HTTP status, or null when no answer came (or the answer broke off). */
  readonly status: number | null;
  /** What the server asked us to wait, milliseconds. */
  readonly retryAfterMs: number | null;
  readonly retryable: boolean;
}

export type AnswerCode = "answer_truncated" | "model_refused" | "model_behaviour";

export interface FailureFacts {
  readonly code?: AnswerCode | null;
  readonly status?: number | null;
  readonly retryAfterMs?: number | null;
  readonly retryable?: boolean;
}

export function modelFailure(message: string, facts: FailureFacts = {}): ModelFailure {
  const status = facts.status ?? null;
  return Object.assign(new Error(message), {
    kind: "model_failure" as const,
    code: facts.code ?? null,
    status,
    retryAfterMs: facts.retryAfterMs ?? null,
    retryable: facts.retryable ?? (status !== null && isRetryableStatus(status)),
  });
}

export function isModelFailure(error: unknown): error is ModelFailure {
  return error instanceof Error && "kind" in error && error.kind === "model_failure";
}

/** Codes a vendor sends with a retryable status although no waiting will help. */
const HOPELESS = new Set(["insufficient_quota", "billing_hard_limit_reached", "account_deactivated"]);

function isRetryableStatus(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/**
 * Reads status, vendor's message, Retry-After and "no answer at all" out of any error. The result never holds the
 * original error, whose fields may carry request headers or the whole conversation; `secrets` are cut from the message.
 */
export function toModelFailure(error: unknown, secrets: readonly string[] = []): ModelFailure {
  if (isModelFailure(error)) return error;
  const status = numberField(error, "status") ?? numberField(error, "statusCode");
  const message = clean(vendorMessage(error), secrets);
  if (status !== null) {
    const code = textField(error, "code");
    const told = headerOf(error, "x-should-retry");
    const retryable = told === null ? isRetryableStatus(status) : told === "true";
    return modelFailure(`The model provider answered HTTP ${status}: ${message}`, {
      status,
      retryAfterMs: retryAfter(error, status),
      retryable: retryable && !(code !== null && HOPELESS.has(code)),
    });
  }
  if (isNetwork(error)) {
    return modelFailure(`The model provider could not be reached or hung up: ${message}`, {
      retryable: true,
    });
  }
  return modelFailure(`The model call failed: ${message}`);
}

function vendorMessage(error: unknown): string {
  const body = field(error, "error");
  const told = textField(body, "message") ?? textField(field(body, "error"), "message");
  if (told !== null) return told;
  if (!(error instanceof Error)) return String(error);
  const causes = [error.message.replace(/^\d{3} /, "")];
  for (let cause: unknown = error.cause; cause instanceof Error && causes.length < 4; cause = cause.cause) {
    const text = cause.message === "" ? (textField(cause, "code") ?? "") : cause.message;
    if (text !== "" && !causes.includes(text)) causes.push(text);
  }
  return causes.join(": ");
}

/** Cuts what is known to be secret, and whatever looks like a vendor's key that a server echoed back. */
function clean(message: string, secrets: readonly string[]): string {
  let text = message;
  for (const secret of secrets) if (secret.length >= 4) text = text.replaceAll(secret, "[redacted]");
  text = text.replace(/\b(?:sk|rk)-[A-Za-z0-9_*-]{6,}/g, "[redacted]");
  return text.length <= 2000 ? text : `${text.slice(0, 2000)}…`;
}

const NETWORK_CODES = new Set([
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
]);

function isNetwork(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at.constructor.name.startsWith("APIConnection")) return true;
    const code = textField(at, "code");
    if (code !== null && NETWORK_CODES.has(code)) return true;
    if (at.message === "terminated" || at.message === "fetch failed" || at.message === "Premature close")
      return true;
  }
  return false;
}

/** `Retry-After` in seconds or as a date, or the vendor's `retry-after-ms`; milliseconds. */
function retryAfter(error: unknown, status: number): number | null {
  const ms = Number.parseFloat(headerOf(error, "retry-after-ms") ?? "");
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const told = headerOf(error, "retry-after");
  const said = told === null || told.trim() === "" ? null : momentMs(told);
  return said ?? (status === 429 ? resetAfter(error) : null);
}

/** By what a limit is counted, as the names of headers have it. */
const LIMITS = ["", "-requests", "-tokens", "-input-tokens", "-output-tokens"];
/** Such a reset is when a limit is whole again; the next request is taken long before. */
const MOST_RESET_MS = 60_000;

/** `x-ratelimit-reset…` and Anthropic's `anthropic-ratelimit-…-reset`, of the limits that are used up. */
function resetAfter(error: unknown): number | null {
  const resets = LIMITS.flatMap((limit) => {
    const kinds = [
      [`x-ratelimit-remaining${limit}`, `x-ratelimit-reset${limit}`],
      [`anthropic-ratelimit${limit}-remaining`, `anthropic-ratelimit${limit}-reset`],
    ];
    return kinds.flatMap(([remaining = "", reset = ""]) => {
      const left = headerOf(error, remaining);
      const told = headerOf(error, reset);
      const ms = told === null || (left !== null && Number(left) > 0) ? null : momentMs(told);
      return ms === null ? [] : [ms];
    });
  });
  return resets.length === 0 ? null : Math.min(MOST_RESET_MS, Math.max(...resets));
}

/** Milliseconds until then: seconds, a moment in Unix time, `1m30s`, `20ms`, or a date. */
function momentMs(told: string): number | null {
  const number = Number(told);
  if (Number.isFinite(number)) {
    if (number < 1e9) return Math.max(0, number * 1000);
    return Math.max(0, (number < 1e11 ? number * 1000 : number) - Date.now());
  }
  const parts = [...told.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length > 0 && parts.map(([whole]) => whole).join("") === told.trim()) {
    return parts.reduce((sum, [, count, unit = "s"]) => sum + Number(count) * (UNIT_MS[unit] ?? 0), 0);
  }
  const date = Date.parse(told);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function headerOf(error: unknown, name: string): string | null {
  const headers = field(error, "headers");
  if (headers instanceof Headers) return headers.get(name);
  return textField(headers, name);
}
