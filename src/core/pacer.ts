/**
 * How fast requests may go to a server that says only when it was too fast. Pure: times are milliseconds of one clock
 * that never goes back.
 *
 * Nothing is held back until the server refuses a request for its rate. Then nobody sends anything until it said to come
 * again, and after that at the rate at which it took requests just before, a little below it, evenly. After a while without
 * a refusal the rate grows, first slowly, then faster; the refusal that this ends with puts it back to where it was safe,
 * and makes the next while longer. (Halving it there would swing around the limit and lose a quarter of it.)
 */
export interface Pacer {
  /** When the next request may be sent; not before `now`. */
  readyAt(now: number): number;
  /** One is sent. */
  sent(now: number): void;
  /** One that was sent then was refused for its rate; `waitMs` is what the server asked for, null when nothing. */
  limited(sentAt: number, now: number, waitMs: number | null): void;
  /** Nobody sends anything before that. */
  hold(until: number): void;
  /** Requests a second; null while nothing is held back. */
  rate(): number | null;
}

/**
 * Below what the server took: its clock is not ours, and what goes out evenly comes in unevenly. More, where a refusal
 * stops everybody for long (`longMs`): then one is dearer than the rate that keeps clear of it.
 */
const MARGIN = { usual: 0.97, dear: 0.94, longMs: 500 };
/** What is kept of the rate after a refusal that nothing but the server can have caused: at once, or after a while. */
const KEPT = { early: 0.5, steady: 0.96, steadyMs: 5_000 };
/** Without a refusal before the rate grows: so many times what a refusal costs. */
const HOLD = { waits: 20, least: 2_000, most: 30_000 };
const GROWTH = { everyMs: 1_000, first: 0.02, fine: 0.08, most: 0.5 };
/** What late timers cost is caught up with, so far back, and never beyond what a second may have. */
const CATCH_UP_MS = 500;
const SECOND = 1_000;
/** Over that, or over the wait where that is longer, the server's rate is counted. */
const LONGEST_COUNT_MS = 60_000;
/** Requests a millisecond. */
const LEAST_RATE = 1 / LONGEST_COUNT_MS;
/** Where the server does not say, and at least where it takes nothing at all; it grows with every round. */
const WAIT = { unsaid: 250, growth: 1.5, least: 20, most: 30_000 };

/** From the end of one wait to the end of the next. */
interface Round {
  readonly startedAt: number;
  taken: number;
  /** The first refusal, and the rate at which the server took requests until then. */
  limit: { readonly at: number; readonly seen: number } | null;
}

/** `random`: at least 0 and below 1; it keeps several processes from coming back together. */
export function createPacer(random: () => number = Math.random): Pacer {
  let rate: number | null = null;
  let nextAt = 0;
  let blockedUntil = 0;
  let round: Round | null = null;
  /** When those were sent that were not refused, of the last minute. */
  let times: number[] = [];
  let emptyRounds = 0;
  let growAt = 0;
  let growth = 0;
  /** The rates before the last two steps. */
  let safe: readonly number[] = [];
  let holdMs = HOLD.least;

  const slowDown = ({ startedAt, taken, limit }: Round): void => {
    emptyRounds = taken > 0 ? 0 : emptyRounds + 1;
    const wait = blockedUntil - (limit?.at ?? startedAt);
    const seen = limit?.seen ?? 0;
    const steady = limit !== null && limit.at - startedAt >= KEPT.steadyMs;
    const margin = wait < MARGIN.longMs ? MARGIN.usual : MARGIN.dear;
    const [before] = safe;
    if (rate === null) rate = margin * seen;
    else if (before !== undefined) rate = before;
    else rate = Math.max(margin * Math.min(seen, rate), rate * (steady ? KEPT.steady : KEPT.early));
    rate = Math.max(LEAST_RATE, rate);
    const patience = before === undefined ? HOLD.waits * wait : growth > GROWTH.fine ? 2 * wait : 2 * holdMs;
    holdMs = Math.min(HOLD.most, Math.max(HOLD.least, patience));
    growth = 0;
    safe = [];
    growAt = blockedUntil + holdMs;
    nextAt = blockedUntil;
  };

  /** Only while there is more to send than may go. */
  const grow = (now: number): void => {
    if (rate === null || now < growAt || now - nextAt > 2 * Math.max(1 / rate, CATCH_UP_MS)) return;
    growth = growth === 0 ? GROWTH.first : Math.min(GROWTH.most, growth * 2);
    safe = [...safe, rate].slice(-2);
    rate *= 1 + growth;
    growAt = now + GROWTH.everyMs;
  };

  /** When a second has room for one more. */
  const roomAt = (perMs: number): number => {
    const most = Math.max(1, Math.round(perMs * SECOND));
    return (times.at(-most) ?? Number.NEGATIVE_INFINITY) + SECOND;
  };

  const remember = (now: number): void => {
    times.push(now);
    const first = times[0] ?? now;
    if (now - first > 2 * LONGEST_COUNT_MS) times = times.filter((at) => now - at <= LONGEST_COUNT_MS);
  };

  return {
    readyAt: (now) =>
      rate === null ? Math.max(now, blockedUntil) : Math.max(now, blockedUntil, nextAt, roomAt(rate)),
    sent(now) {
      if (round === null || round.limit !== null) {
        if (round !== null) slowDown(round);
        round = { startedAt: now, taken: 0, limit: null };
      }
      round.taken++;
      remember(now);
      grow(now);
      if (rate !== null) nextAt = Math.max(nextAt, now - Math.max(1 / rate, CATCH_UP_MS)) + 1 / rate;
    },
    limited(sentAt, now, waitMs) {
      const index = times.lastIndexOf(sentAt);
      if (index !== -1) times.splice(index, 1);
      const grown = (ms: number): number => Math.min(WAIT.most, ms * WAIT.growth ** emptyRounds);
      const least = emptyRounds === 0 ? 0 : grown(WAIT.least);
      const wait = Math.max(least, waitMs ?? grown(WAIT.unsaid) * (0.5 + random()));
      blockedUntil = Math.max(blockedUntil, now + wait);
      if (round === null || sentAt < round.startedAt) return;
      round.taken--;
      // Others of the same moment are refused just after it, and were not taken either.
      const span = Math.min(LONGEST_COUNT_MS, Math.max(SECOND, wait));
      const at = round.limit?.at ?? now;
      const count = times.filter((each) => each > at - span).length;
      // A pause just before says nothing about what the server takes, where requests have gone evenly since.
      const paced = rate === null ? 0 : Math.min(rate, round.taken / Math.max(1, at - round.startedAt));
      // Where it took none, all that is known is when it would take the next.
      round.limit = { at, seen: count > 0 ? Math.max(count / span, paced) : 1 / Math.max(WAIT.least, wait) };
    },
    hold(until) {
      blockedUntil = Math.max(blockedUntil, until);
    },
    rate: () => (rate === null ? null : rate * 1000),
  };
}
