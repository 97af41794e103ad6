/** How real servers count requests, and what they say to one too many. */

/** Null: taken. Else how long until one would be taken, milliseconds. */
export type RateLimit = (now: number) => number | null;

/** `rate` a second, and as many at once after a pause as `burst` says. */
export function tokenBucket(rate: number, burst: number): RateLimit {
  let tokens = burst;
  let filledAt = 0;
  return (now) => {
    tokens = Math.min(burst, tokens + ((now - filledAt) * rate) / 1000);
    filledAt = now;
    if (tokens < 1 - 1e-9) return ((1 - tokens) * 1000) / rate;
    tokens -= 1;
    return null;
  };
}

/** `most` in every window that begins at a multiple of its length. */
export function fixedWindow(most: number, windowMs: number): RateLimit {
  let window = -1;
  let taken = 0;
  return (now) => {
    const at = Math.floor(now / windowMs);
    if (at !== window) [window, taken] = [at, 0];
    if (taken >= most) return (at + 1) * windowMs - now;
    taken++;
    return null;
  };
}

/** `most` within any window of that length. */
export function slidingWindow(most: number, windowMs: number): RateLimit {
  const taken: number[] = [];
  return (now) => {
    while (taken[0] !== undefined && taken[0] <= now - windowMs) taken.shift();
    if (taken.length >= most) return (taken[0] ?? now) + windowMs - now;
    taken.push(now);
    return null;
  };
}
