import { randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Random characters of an id. */
const RANDOM = 10;
/** Asked of the system for many ids at once. */
const pool = new Uint8Array(200 * RANDOM);
let used = pool.length;

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
  if (used + RANDOM > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  for (const end = used + RANDOM; used < end; used++) random += ALPHABET.charAt((pool[used] ?? 0) & 31);
  return `${prefix}_${time}${random}`;
}
