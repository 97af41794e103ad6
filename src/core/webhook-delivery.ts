/**
 * What a webhook's request says, and what follows from its answer. Signed as Standard Webhooks lays down
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 */
import { createHmac } from "node:crypto";
import { OxbowError } from "./errors.ts";
import type { OxbowEvent } from "./events.ts";
import { byteLength } from "./text.ts";

/** For one try, from the look-up of the host to the answer, milliseconds. */
export const TRY_MS = 10_000;

/** After the first, second … failed try in a row, seconds; the try after the last one is the last. About 8 hours in all. */
const DELAYS_S = [5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 14_400] as const;
/** A delay is up to so much longer, so that what failed together does not come back together. */
const JITTER = 0.2;
const LONGEST_RETRY_AFTER_S = 21_600;
export const MAX_TRIES = DELAYS_S.length + 1;

/** What an event may have as JSON, bytes. */
const MAX_BODY = 262_144;
/** A field of an event that is too large stays when it is no longer than this. */
const MAX_FIELD = 1_024;

/** What came of one try; `error` says why it was no success. */
export interface Answer {
  readonly status: number | null;
  readonly error: string | null;
  /** The header `Retry-After`. */
  readonly retryAfter: string | null;
}

export type Verdict =
  | { readonly kind: "delivered" }
  | { readonly kind: "again"; readonly delayMs: number }
  /** Nobody wants it there any more. */
  | { readonly kind: "gone" }
  | { readonly kind: "give_up" };

/** `failed`: tries of this event before this one; `random`: from 0 to 1. */
export function judgeAnswer(answer: Answer, failed: number, now: number, random: number): Verdict {
  const { status, error } = answer;
  if (status === 410) return { kind: "gone" };
  if (error === null && status !== null && status >= 200 && status < 300) return { kind: "delivered" };
  const delayS = DELAYS_S[failed];
  if (delayS === undefined) return { kind: "give_up" };
  const wantedMs = Math.min(retryAfterMs(answer.retryAfter, now), LONGEST_RETRY_AFTER_S * 1000);
  const delayMs = Math.max(delayS * 1000, wantedMs);
  return { kind: "again", delayMs: Math.round(delayMs * (1 + JITTER * random)) };
}

/** Seconds, or a date; 0 for anything else. */
function retryAfterMs(text: string | null, now: number): number {
  if (text === null) return 0;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

export const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/** The bytes of a secret as Standard Webhooks writes it: `whsec_` and 24 to 64 bytes in base64. Throws usage. */
export function secretBytes(secret: string): Uint8Array {
  const bytes = Buffer.from(SECRET.exec(secret)?.[1] ?? "", "base64");
  if (bytes.length >= 24 && bytes.length <= 64) return bytes;
  throw new OxbowError("usage", "The secret is not `whsec_` and 24 to 64 bytes in base64.", {
    hint: "Leave it out, and one is made; it is shown once.",
  });
}

/** What must not be shown of secrets: as they are written, and without what all of them begin with. */
export function secretForms(secrets: readonly string[]): readonly string[] {
  return secrets.flatMap((secret) => [secret, secret.replace("whsec_", "")]);
}

export interface SignedMessage {
  readonly id: string;
  readonly body: string;
}

/** One signature for each secret: while a secret is changed, the old one still holds. `atMs`: Unix milliseconds. */
export function messageHeaders(
  { id, body }: SignedMessage,
  secrets: readonly string[],
  atMs: number,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signatures = secrets.map((secret) => {
    const hmac = createHmac("sha256", secretBytes(secret)).update(`${id}.${timestamp}.${body}`);
    return `v1,${hmac.digest("base64")}`;
  });
  return {
    "content-type": "application/json",
    "user-agent": "oxbow",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
  };
}

/** The same whoever sends it, and however often: a receiver drops doubles by it. Ids of two stores differ. */
export function messageId(storeId: string, eventId: string): string {
  return `evt_${storeId.replace(/^store_/, "")}_${eventId}`;
}

/** The event as JSON, without secrets. One that is too large keeps its short fields, and says `truncated`. */
export function eventBody(event: OxbowEvent, redact: (text: string) => string): string {
  const json = redact(JSON.stringify(event));
  if (byteLength(json) <= MAX_BODY) return json;
  const short = Object.entries(event).filter(
    ([, value]) => byteLength(redact(JSON.stringify(value) ?? "")) <= MAX_FIELD,
  );
  return redact(JSON.stringify({ ...Object.fromEntries(short), truncated: true }));
}
