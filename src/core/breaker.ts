/**
 * A circuit breaker without a clock: closed lets everything through, open nothing, half-open exactly one trial, whose end
 * decides. Times are seconds of one clock that never goes back.
 */

export type BreakerState = "closed" | "open" | "half_open";

export interface BreakerOptions {
  /** Failures in a row that open it; at least 1. */
  readonly failures: number;
  /** Seconds until a trial is let through. */
  readonly cooldownS: number;
}

/** Leave to try once. Only the first word about it counts, and none after the breaker has opened or closed since. */
export interface BreakerPass {
  readonly trial: boolean;
  succeeded(): void;
  failed(atS: number): void;
  /** It ended without saying anything about the other side (cancelled, say). After a trial, another may try. */
  abandoned(): void;
}

export interface Breaker {
  state(atS: number): BreakerState;
  /** Null: not now. Every pass must be told how it ended: a trial that never ends keeps all others out. */
  enter(atS: number): BreakerPass | null;
}

export function createBreaker({ failures, cooldownS }: BreakerOptions): Breaker {
  let inARow = 0;
  /** Null while closed. */
  let openedAt: number | null = null;
  let isTrialUnderWay = false;
  /** Passes of an earlier turn have nothing more to say. */
  let turn = 0;

  const isCool = (atS: number): boolean => openedAt === null || atS - openedAt >= cooldownS;
  const change = (at: number | null): void => {
    openedAt = at;
    inARow = 0;
    isTrialUnderWay = false;
    turn++;
  };

  const pass = (trial: boolean): BreakerPass => {
    const mine = turn;
    let isOver = false;
    const once = (act: () => void): void => {
      if (!isOver && mine === turn) act();
      isOver = true;
    };
    return {
      trial,
      succeeded: () =>
        once(() => {
          if (trial) change(null);
          else inARow = 0;
        }),
      failed: (atS) =>
        once(() => {
          inARow++;
          if (trial || inARow >= failures) change(atS);
        }),
      abandoned: () =>
        once(() => {
          if (trial) isTrialUnderWay = false;
        }),
    };
  };

  return {
    state(atS) {
      if (openedAt === null) return "closed";
      return isTrialUnderWay || isCool(atS) ? "half_open" : "open";
    },
    enter(atS) {
      if (openedAt === null) return pass(false);
      if (isTrialUnderWay || !isCool(atS)) return null;
      isTrialUnderWay = true;
      return pass(true);
    },
  };
}
