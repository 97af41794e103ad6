import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * A short unique name such as `c_k3v9…`: milliseconds, then 50 random bits, in Crockford's base 32.
 * Later ids sort after earlier ones (to the millisecond).
 */
export function newId(prefix: string, now = Date.now()): string {
  let time = "";
  for (let rest = now, i = 0; i < 9; i++) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let random = "";
  for (const byte of randomBytes(10)) random += ALPHABET.charAt(byte & 31);
  return `${prefix}_${time}${random}`;
}
