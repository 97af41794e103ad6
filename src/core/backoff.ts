/** How long to wait before a restart (SAFETY "Supervision"): 1, 2, 4 … seconds, at most 60; a stable minute forgives. */

const LONGEST_S = 60;
const STABLE_S = 60;
/** 1, 2, 4, 8, 16, 32, and from the seventh on 60. */
const GROWING = 6;

/** Seconds before the restart after the n-th failure in a row; n from 1. */
export function backoffDelayS(failure: number): number {
  return failure > GROWING ? LONGEST_S : 2 ** (failure - 1);
}

/** The first `count` delays together, seconds. */
export function backoffTotalS(count: number): number {
  const growing = Math.min(count, GROWING);
  return 2 ** growing - 1 + (count - growing) * LONGEST_S;
}

export interface Backoff {
  /** It runs, since `atS`. */
  started(atS: number): void;
  /** It failed, or could not be started. How long to wait, and the how many-th failure in a row this was. */
  failed(atS: number): { readonly delayS: number; readonly inARow: number };
}

/** Times are seconds of one clock that never goes back. */
export function createBackoff(): Backoff {
  let inARow = 0;
  let runningSince: number | null = null;
  return {
    started(atS) {
      runningSince ??= atS;
    },
    failed(atS) {
      if (runningSince !== null && atS - runningSince >= STABLE_S) inARow = 0;
      runningSince = null;
      inARow++;
      return { delayS: backoffDelayS(inARow), inARow };
    },
  };
}
