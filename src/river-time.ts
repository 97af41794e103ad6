/**
 * Time along the river: half of the way goes by the clock, half by what happened, so that a burst of merges in the last
 * moment of a long day can still be told apart. Time in which nothing was done is drawn short.
 */
import type { RiverInput } from "./river-layout.ts";

export interface Warp {
  /** From 0 to 1; never goes back. */
  at(time: number): number;
  /** Middles of what was left out. */
  readonly breaks: readonly number[];
}

/** The share of the way that goes by the clock. */
const CLOCK = 0.55;
/** What is left out takes this share of the time in which something was done. */
const BREAK = 0.06;

export function createWarp({ spans, branches }: RiverInput): Warp {
  const moments = new Set<number>();
  for (const { from, to } of spans) moments.add(from).add(to);
  for (const { start, end, merged } of branches) {
    moments.add(start).add(end);
    if (merged !== null) moments.add(merged);
  }
  const times = [...moments].sort((a, b) => a - b);
  const inSpan = (a: number, b: number) =>
    spans.some((span) => a >= span.from && b <= span.to) ||
    branches.some((each) => a >= each.start && b <= (each.merged ?? each.end));
  const worked = times.reduce((sum, at, i) => {
    const before = times[i - 1];
    return before !== undefined && inSpan(before, at) ? sum + at - before : sum;
  }, 0);
  const short = Math.max(1, worked * BREAK);
  const breaks: number[] = [];
  const clock = [0];
  for (let i = 1; i < times.length; i++) {
    const [before = 0, at = 0] = [times[i - 1], times[i]];
    const idle = !inSpan(before, at) && at - before > short;
    if (idle) breaks.push((before + at) / 2);
    clock.push((clock[i - 1] ?? 0) + (idle ? short : at - before));
  }
  const whole = clock.at(-1) ?? 0;
  const steps = times.length - 1;
  const places = times.map((_, i) => {
    const byClock = whole === 0 ? 0 : (clock[i] ?? 0) / whole;
    const byStep = steps <= 0 ? 0 : i / steps;
    return CLOCK * byClock + (1 - CLOCK) * byStep;
  });
  return { breaks, at: (time) => between(times, places, time) };
}

/** On the straight line between the two known places around it. */
function between(times: readonly number[], places: readonly number[], time: number): number {
  let [low, high] = [0, times.length - 1];
  if (high < 0 || time <= (times[0] ?? 0)) return 0;
  if (time >= (times[high] ?? 0)) return 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= time) low = middle;
    else high = middle;
  }
  const [a = 0, b = 0, p = 0, q = 0] = [times[low], times[high], places[low], places[high]];
  return b === a ? p : p + ((q - p) * (time - a)) / (b - a);
}
