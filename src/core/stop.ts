/** Why running work is stopped from outside: the reasons an AbortSignal carries. */
import { OxbowError } from "./errors.ts";

export const STOP = {
  /** A person asked: the outcome is `cancelled`. */
  cancelled: new OxbowError("cancelled", "Cancelled by the person who ran it."),
  /** This process goes away: the conversation is handed back, unfinished, for another to resume. */
  handBack: new OxbowError("worker_lost", "The process that ran it was asked to stop."),
  /** Another worker has taken over. */
  leaseLost: new OxbowError("fenced", "Another worker has taken this conversation over."),
} as const;

/** Aborts with `signal`, for `reason` unless it gives one of ours. */
export function withReason(signal: AbortSignal, reason: OxbowError): AbortSignal {
  const ours: readonly unknown[] = Object.values(STOP);
  const stopped = new AbortController();
  const stop = () => stopped.abort(ours.includes(signal.reason) ? signal.reason : reason);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return stopped.signal;
}
