/** The one queue to a provider: paced as it asks for, and held back while it is down. */
import { createHash } from "node:crypto";
import { type BreakerOptions, type BreakerPass, type BreakerState, createBreaker } from "../core/breaker.ts";
import type { Entered, Leave, Limiter } from "../core/limiter.ts";
import { createPacer } from "../core/pacer.ts";

/** Milliseconds, and a way to be woken; what it returns takes that back. */
export interface Clock {
  now(): number;
  at(ms: number, act: () => void): () => void;
}

export interface LimiterOptions {
  readonly clock?: Clock | undefined;
  readonly breaker?: BreakerOptions | undefined;
  readonly random?: (() => number) | undefined;
}

/** Ten failures in a row, of all runs together, are an outage. */
export const BREAKER: BreakerOptions = { failures: 10, cooldownS: 5 };
const MAX_TIMER_MS = 2_147_483_647;

const REAL: Clock = {
  now: () => performance.now(),
  at(ms, act) {
    const timer = setTimeout(act, Math.min(MAX_TIMER_MS, Math.max(0, ms - performance.now())));
    return () => clearTimeout(timer);
  },
};

interface Waiting {
  readonly until: number;
  settle(entered: Entered): void;
}

export function createLimiter(options: LimiterOptions = {}): Limiter {
  const { clock = REAL, breaker: outage = BREAKER } = options;
  const breaker = createBreaker(outage);
  const pacer = createPacer(options.random);
  /** In their order. */
  const queue = new Set<Waiting>();
  let openedAt = 0;
  let isTrialUnderWay = false;
  let wakeUp: (() => void) | null = null;

  const stateAt = (now: number): BreakerState => breaker.state(now / 1000);

  /** Tells what a word has made of the breaker, and lets those go on whom it concerns. */
  const after = (before: BreakerState, pass: BreakerPass): BreakerState | null => {
    const now = clock.now();
    const state = stateAt(now);
    if (state === "open" && (before !== "open" || pass.trial)) openedAt = now;
    if (pass.trial) isTrialUnderWay = false;
    pump();
    return state === before && !pass.trial ? null : state;
  };

  const leaveFor = (pass: BreakerPass, sentAt: number): Leave => {
    let isOver = false;
    const once = (word: () => void): BreakerState | null => {
      if (isOver) return null;
      isOver = true;
      const before = pass.trial ? "half_open" : stateAt(clock.now());
      word();
      return after(before, pass);
    };
    return {
      trial: pass.trial,
      answered: () => once(() => pass.succeeded()),
      limited: (waitMs) =>
        once(() => {
          // It refuses, so it is there.
          pass.succeeded();
          pacer.limited(sentAt, clock.now(), waitMs);
          giveUpLate();
        }),
      failed: (reason, waitMs) =>
        once(() => {
          const now = clock.now();
          if (waitMs !== null) pacer.hold(now + waitMs);
          pass.failed(now / 1000);
          if (pass.trial) settleAll({ kind: "unavailable", reason });
          giveUpLate();
        }),
      abandoned: () => void once(() => pass.abandoned()),
    };
  };

  const settleAll = (entered: Entered): void => {
    const all = [...queue];
    queue.clear();
    for (const waiting of all) waiting.settle(entered);
  };

  const giveUpLate = (): void => {
    const now = clock.now();
    const readyAt = pacer.readyAt(now);
    for (const waiting of queue) {
      if (waiting.until >= readyAt) continue;
      queue.delete(waiting);
      waiting.settle({ kind: "too_long", waitMs: readyAt - now });
    }
  };

  const pump = (): void => {
    wakeUp?.();
    wakeUp = null;
    for (const waiting of queue) {
      const now = clock.now();
      const readyAt = pacer.readyAt(now);
      if (readyAt > now) {
        wakeUp = clock.at(readyAt, pump);
        return;
      }
      const pass = breaker.enter(now / 1000);
      if (pass === null) {
        // While a trial is under way, its end wakes the others.
        if (!isTrialUnderWay) wakeUp = clock.at(openedAt + outage.cooldownS * 1000, pump);
        return;
      }
      isTrialUnderWay ||= pass.trial;
      queue.delete(waiting);
      pacer.sent(now);
      waiting.settle({ kind: "leave", leave: leaveFor(pass, now) });
    }
  };

  return {
    waitMs: () => Math.max(0, pacer.readyAt(clock.now()) - clock.now()),
    enter(patienceMs, signal) {
      return new Promise<Entered>((resolve, reject) => {
        const waiting: Waiting = {
          until: clock.now() + patienceMs,
          settle(entered) {
            signal.removeEventListener("abort", leave);
            resolve(entered);
          },
        };
        const leave = (): void => {
          queue.delete(waiting);
          pump();
          reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
        };
        if (signal.aborted) return leave();
        signal.addEventListener("abort", leave, { once: true });
        queue.add(waiting);
        giveUpLate();
        pump();
      });
    },
  };
}

/** More keys than one process uses; the one that was not asked for the longest is forgotten first. */
const MOST_LIMITERS = 100;
const limiters = new Map<string, Limiter>();

/** The process's limiter for a service and a key: every run that uses them gets the same one. */
export function limiterFor(url: URL, apiKey: string | null): Limiter {
  const name = createHash("sha256")
    .update(`${url.origin}\n${apiKey ?? ""}`)
    .digest("hex");
  const limiter = limiters.get(name) ?? createLimiter();
  limiters.delete(name);
  limiters.set(name, limiter);
  for (const oldest of limiters.keys()) {
    if (limiters.size <= MOST_LIMITERS) break;
    limiters.delete(oldest);
  }
  return limiter;
}
