/** When a timing comes, and the one rule of what to do about it at a given moment. Pure; times in Unix milliseconds. */
import { Cron } from "croner";
import type { Timing } from "../core/schedule.ts";

/** Missed times of one look are counted up to here. */
const COUNTED = 1_000;
const SECOND_MS = 1_000;

export interface Due {
  readonly next_at: number | null;
  /** The due time to fire now; null: none. */
  readonly due: number | null;
  /** Due times that are skipped: how many, and the last of them. */
  readonly missed: { readonly count: number; readonly last: number } | null;
}

/** The first due time of a timing that is new. It may be over already. */
export function firstDue(timing: Timing, now: number): number | null {
  switch (timing.kind) {
    case "cron":
      return after(timing, now);
    case "at":
      return moment(timing);
    case "after":
      return now + timing.after_ms;
  }
}

/**
 * What is to be done now; null: nothing. Of several due times the last is fired, unless it is over for longer than `graceMs`.
 * A next time that lies further ahead than it could tells of a clock that went back: it is counted anew.
 */
export function judge(
  timing: Timing,
  { next_at, last_due }: { readonly next_at: number | null; readonly last_due: number | null },
  now: number,
  graceMs: number,
): Due | null {
  if (next_at === null) return null;
  if (next_at > now) {
    // Within the grace a clock that went back does not repeat what was fired.
    const from = last_due !== null && last_due <= now + graceMs ? Math.max(now, last_due) : now;
    const latest = firstDue(timing, from);
    return latest === null || next_at <= latest ? null : { next_at: latest, due: null, missed: null };
  }
  const [last = next_at, before = next_at] = timing.kind === "cron" ? lastTwo(timing, now) : [next_at];
  const count = timing.kind === "cron" ? countFrom(timing, next_at, last) : 1;
  const next = timing.kind === "cron" ? after(timing, now) : null;
  if (now - last > graceMs) return { next_at: next, due: null, missed: { count, last } };
  return { next_at: next, due: last, missed: count > 1 ? { count: count - 1, last: before } : null };
}

type CronTiming = Extract<Timing, { kind: "cron" }>;
type AtTiming = Extract<Timing, { kind: "at" }>;

/** Read once each; they go with the team file they are of. */
const known = new WeakMap<CronTiming, Cron>();

function cronOf(timing: CronTiming): Cron {
  const found = known.get(timing) ?? new Cron(timing.cron, { timezone: timing.tz, paused: true });
  known.set(timing, found);
  return found;
}

/** The first one later than `from`. */
function after(timing: CronTiming, from: number): number | null {
  return cronOf(timing).nextRun(new Date(from))?.getTime() ?? null;
}

/** The last one up to `now`, and the one before it. */
function lastTwo(timing: CronTiming, now: number): number[] {
  const whole = Math.floor(now / SECOND_MS) * SECOND_MS;
  return cronOf(timing)
    .previousRuns(2, new Date(whole + SECOND_MS))
    .map((date) => date.getTime());
}

function countFrom(timing: CronTiming, first: number, last: number): number {
  let count = 1;
  for (let at = after(timing, first); at !== null && at <= last && count < COUNTED; at = after(timing, at))
    count += 1;
  return count;
}

/** A local time that a zone leaves out is moved on; of one that comes twice it is the first. */
function moment({ at, tz }: AtTiming): number {
  if (at.endsWith("Z")) return Date.parse(at);
  const [seconds = "", fraction = "0"] = at.split(".");
  const date = new Cron(seconds, { timezone: tz, paused: true, allowPast: true }).getOnce();
  return (date?.getTime() ?? Date.parse(`${seconds}Z`)) + Number(fraction);
}

/** `20260501T040000Z`; with milliseconds where there are some. */
export function fireTime(due: number): string {
  return new Date(due)
    .toISOString()
    .replace(/\.000Z$/, "Z")
    .replace(/[-:.]/g, "");
}
