/**
 * Tokens of the network doors (SPEC F4): `oxb_<id>_<secret>`. The id finds the row and may be shown; the secret is 32
 * random bytes, of which only the SHA-256 is kept, so that who reads the store cannot call.
 */
import { createHash, timingSafeEqual } from "node:crypto";

/** What a token may do. `admin` includes the others; these include nothing but themselves. */
export const SCOPES = ["read", "submit", "approve", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** A token as it is kept and shown: without its secret. Times are Unix milliseconds. */
export interface TokenRecord {
  readonly token_id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly created_at: number;
  /** Null: it does not end by itself. */
  readonly expires_at: number | null;
  /** To the minute; null: never. */
  readonly last_used_at: number | null;
}

/** Who a request comes from. */
export interface Principal {
  /** The token's name; `local` for who needs none, on this machine. */
  readonly name: string;
  readonly token_id: string | null;
  readonly scopes: readonly Scope[];
}

const FORM = /^oxb_([0-9a-z]{10})_([A-Za-z0-9_-]{43})$/;

/** A new one. `id` is 10 characters of `[0-9a-z]`, `secret` 32 random bytes. */
export function writeToken(id: string, secret: Uint8Array): string {
  return `oxb_${id}_${Buffer.from(secret).toString("base64url")}`;
}

/** The id in a text that has the form of a token, else null. */
export function tokenId(text: string): string | null {
  return FORM.exec(text)?.[1] ?? null;
}

/** What is kept of it, in hex. */
export function tokenHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Whether it is the token whose hash was kept, in the same time for all that are not. */
export function isToken(text: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(tokenHash(text), "hex"), Buffer.from(hash, "hex"));
}

export function mayUse(scopes: readonly Scope[], needed: Scope): boolean {
  return scopes.includes(needed) || scopes.includes("admin");
}
