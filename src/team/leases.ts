/** Keeps the leases of this process alive, and tells an attempt when it must stop: its lease is lost, or its task cancelled. */
import type { Lease, Store } from "../store/contract.ts";
import { STOP } from "../core/stop.ts";

export interface LeaseKeeper {
  /** The signal aborts with one of {@link STOP}'s reasons. */
  keep(lease: Lease): AbortSignal;
  drop(lease: Lease): void;
  /** Stops what is at work for these tasks: a person has cancelled them. */
  cancel(taskIds: readonly string[]): void;
  close(): void;
}

/** A third of the lease: two renewals may fail before anybody else can take the conversation. */
export function renewalMs(leaseMs: number): number {
  return Math.ceil(leaseMs / 3);
}

export function keepLeases(store: Store, leaseMs: number, failed: (error: unknown) => void): LeaseKeeper {
  const kept = new Map<Lease, AbortController>();
  const cancel = (taskIds: readonly string[]) => {
    for (const [lease, stop] of kept) if (taskIds.includes(lease.task.task_id)) stop.abort(STOP.cancelled);
  };
  const renew = async () => {
    for (const [lease, lost] of kept) {
      const ours = await store.renew(lease, leaseMs);
      if (!ours && kept.has(lease)) lost.abort(STOP.leaseLost);
    }
    if (kept.size === 0) return;
    const tasks = await store.liveTasks();
    cancel(tasks.filter((each) => each.cancelled).map((each) => each.task.task_id));
  };
  let renewing = false;
  const timer = setInterval(() => {
    if (renewing) return;
    renewing = true;
    renew()
      .catch(failed)
      .finally(() => {
        renewing = false;
      });
  }, renewalMs(leaseMs));
  return {
    keep(lease) {
      const lost = new AbortController();
      kept.set(lease, lost);
      return lost.signal;
    },
    drop: (lease) => void kept.delete(lease),
    cancel,
    close: () => clearInterval(timer),
  };
}
