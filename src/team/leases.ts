/** Keeps the leases of this process alive, and tells an attempt when it must stop: its lease is lost, or its task cancelled. */
import type { Lease, LiveTask } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { STOP } from "../core/stop.ts";
import { repeatedly } from "./repeatedly.ts";

export interface LeaseKeeper {
  /** The signal aborts with one of {@link STOP}'s reasons. */
  keep(lease: Lease): AbortSignal;
  drop(lease: Lease): void;
  /** The conversations at work here. */
  kept(): readonly string[];
  /** Stops what is to stop: the rows say it. */
  look(): Promise<void>;
  close(): void;
}

/** A third of the lease: two renewals may fail before anybody else can take the conversation. */
export function renewalMs(leaseMs: number): number {
  return Math.ceil(leaseMs / 3);
}

export function keepLeases(
  { store, workerId, settings }: Pick<Engine, "store" | "workerId" | "settings">,
  failed: (error: unknown) => void,
): LeaseKeeper {
  const leaseMs = settings.oxbowLeaseMs;
  const kept = new Map<Lease, AbortController>();
  const look = async () => {
    if (kept.size === 0) return;
    const tasks = (await store.liveTasks()).filter(({ cancelled }) => cancelled);
    // The newest first: what was started last is stopped first.
    for (const [lease, stop] of [...kept].toReversed()) {
      const task = tasks.find((each) => each.task.task_id === lease.task.task_id);
      if (task) stop.abort(stopReason(task));
    }
    const requests = await store.stopRequests(workerId);
    for (const [lease, stop] of [...kept].toReversed()) {
      const asked = requests.find(
        ({ conversation_id, token }) => conversation_id === lease.conversation_id && token === lease.token,
      );
      if (asked) stop.abort(asked.why === "cancelled" ? STOP.cancelled : STOP.recalled);
    }
  };
  const renew = async () => {
    for (const [lease, lost] of kept) {
      const ours = await store.renew(lease, leaseMs);
      if (!ours && kept.has(lease)) lost.abort(STOP.leaseLost);
    }
    await look();
  };
  const renewing = repeatedly(renewalMs(leaseMs), renew, failed);
  return {
    keep(lease) {
      const lost = new AbortController();
      kept.set(lease, lost);
      return lost.signal;
    },
    drop: (lease) => void kept.delete(lease),
    kept: () => [...kept.keys()].map(({ conversation_id }) => conversation_id),
    look,
    close: renewing.stop,
  };
}

/** Why a cancelled task is stopped. */
export function stopReason({ cancelCode }: Pick<LiveTask, "cancelCode">): typeof STOP.cancelled {
  return cancelCode === STOP.critical.code ? STOP.critical : STOP.cancelled;
}
