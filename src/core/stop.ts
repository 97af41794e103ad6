/** Why running work is stopped from outside: the reasons an AbortSignal carries. */
import { OxbowError } from "./errors.ts";

export const STOP = {
  /** A person asked: the outcome is `cancelled`. */
  cancelled: new OxbowError("cancelled", "Cancelled by the person who ran it."),
  /** This process goes away: the conversation is handed back, unfinished, for another to resume. */
  handBack: new OxbowError("worker_lost", "The process that ran it was asked to stop."),
  /** Another agent of its group crashed: the conversation is handed back, to begin again. */
  recalled: new OxbowError("worker_lost", "Another agent of its group crashed, so it begins again."),
  /** It takes longer than its agent's `sla_ms`: that counts as a crash. */
  late: new OxbowError("timed_out", "It took longer than the agent's sla_ms."),
  /** The whole task is stopped: the outcome is `cancelled`. */
  critical: new OxbowError("agent_critical", "A critical agent crashed, so the whole task was stopped."),
  /** The wall time of a budget over it is up: the outcome is `failed`. */
  wallTime: new OxbowError("budget_exceeded", "The wall time of its budget is used up."),
  /** Another worker has taken over. */
  leaseLost: new OxbowError("fenced", "Another worker has taken this conversation over."),
} as const;

/** The conversation goes on in another attempt. */
export function goesOnElsewhere({ reason }: AbortSignal): boolean {
  return [STOP.handBack, STOP.recalled, STOP.late, STOP.leaseLost].includes(reason);
}

/** Aborts with `signal`, for `reason` unless it gives one of ours. */
export function withReason(signal: AbortSignal, reason: OxbowError): AbortSignal {
  const ours: readonly unknown[] = Object.values(STOP);
  return following(signal, () => (ours.includes(signal.reason) ? signal.reason : reason));
}

/** For work that is others' too: whoever stops it, for whatever reason, hands it back. */
export function handingBack(signal: AbortSignal): AbortSignal {
  return following(signal, () => STOP.handBack);
}

function following(signal: AbortSignal, reason: () => unknown): AbortSignal {
  const stopped = new AbortController();
  const stop = () => stopped.abort(reason());
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return stopped.signal;
}
