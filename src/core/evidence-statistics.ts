/** The few statistics that evidence is made of. Definitions and sources: docs/orchestration/evidence.md. */

/** The normal quantile of a two-sided 95 % interval. */
const Z95 = 1.959963984540054;
/** Makes the MAD of a normal sample estimate its standard deviation. */
export const MAD_TO_SIGMA = 1.482602218505602;

/** Ascending. `values` must be finite. */
export function sortedNumbers(values: readonly number[]): readonly number[] {
  return [...values].sort((a, b) => a - b);
}

/** The q-quantile (0 … 1) of ascending values, interpolated linearly (type 7 of Hyndman and Fan 1996). Never empty. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  const part = at - Math.floor(at);
  if (part === 0 || low === high) return low;
  // Not low + part · (high − low): the difference of two large numbers may be infinite.
  return Math.min(high, Math.max(low, low * (1 - part) + high * part));
}

export function median(sorted: readonly number[]): number {
  return quantile(sorted, 0.5);
}

/** The median of what is not greater than half of the values: one of them, for what cannot be interpolated. */
export function lowMedian(sorted: readonly number[]): number {
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

/** The median absolute deviation from the median. Infinite differences of finite numbers count as the largest number. */
export function medianAbsoluteDeviation(sorted: readonly number[]): number {
  const middle = median(sorted);
  return median(sortedNumbers(sorted.map((value) => Math.min(Number.MAX_VALUE, Math.abs(value - middle)))));
}

/** Shannon's entropy of counts, in bits; 0 for one kind of value, log2(n) for n different ones. */
export function entropyBits(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / total) * Math.log2(count / total);
  return Math.max(0, bits);
}

/**
 * Wilson's score interval (95 %) for a share `p` seen in `n` trials. Of a mean of values between 0 and 1 it is on the
 * careful side: none of them varies more than a yes-or-no of the same mean. `n` = 0: nothing is known, 0 … 1.
 */
export function wilsonInterval(p: number, n: number): readonly [low: number, high: number] {
  if (n === 0) return [0, 1];
  const z2 = Z95 * Z95;
  const centre = p + z2 / (2 * n);
  const half = Z95 * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  const scale = 1 + z2 / n;
  // It holds p itself, whatever was rounded.
  return [Math.min(p, within01((centre - half) / scale)), Math.max(p, within01((centre + half) / scale))];
}

export function within01(value: number): number {
  return Math.min(1, Math.max(0, value));
}
