/** What stands between all the runs of a process and one provider under one key, so that they slow down together. */
import type { BreakerState } from "./breaker.ts";

export type Entered =
  | { readonly kind: "leave"; readonly leave: Leave }
  /** It would take longer than there is patience for. */
  | { readonly kind: "too_long"; readonly waitMs: number }
  /** The provider is down: while this one waited, another tried, and failed. */
  | { readonly kind: "unavailable"; readonly reason: string };

export interface Limiter {
  /**
   * Leave to send one request, in the order in which it is asked for. Rejects with the signal's reason. Every leave must be
   * told how it ended.
   */
  enter(patienceMs: number, signal: AbortSignal): Promise<Entered>;
  /** How long nobody may send anything, milliseconds. */
  waitMs(): number;
}

/** What became of the request; only the first word counts. Each says to what state it has brought the breaker, if to another. */
export interface Leave {
  /** The first request to a provider that was down: others wait for how it ends. */
  readonly trial: boolean;
  /** The provider works, whatever it said. */
  answered(): BreakerState | null;
  /** Refused for its rate. `waitMs` is what the provider asked for; null when nothing. */
  limited(waitMs: number | null): BreakerState | null;
  /** The provider failed. `waitMs` as above, and then for everybody. */
  failed(reason: string, waitMs: number | null): BreakerState | null;
  /** It was given up without an answer. */
  abandoned(): void;
}
