/**
 * The workers of one process: each place takes a conversation by lease, works on it, and takes the next.
 * One worker per conversation, many conversations at once; a lease is renewed until the outcome is durable.
 */
import type { Lease } from "../store/contract.ts";
import type { Engine } from "./engine.ts";
import { createEventSink } from "./engine.ts";
import { STOP } from "../core/stop.ts";
import { runAttempt } from "./attempt.ts";
import { createSlots } from "./slots.ts";

const LEASE_MS = 15_000;
const RENEW_MS = 5_000;

export interface Pool {
  /** Works until `task` has no open subtask, or `signal` aborts; then every attempt has ended. */
  work(taskId: string, signal: AbortSignal): Promise<void>;
}

export function createPool(engine: Engine, places: number, failed: (error: unknown) => void): Pool {
  const slots = createSlots(places);
  const sink = createEventSink(engine.store, failed);

  return {
    async work(taskId, signal) {
      const open = await watchOpen(engine, taskId, signal);
      const leases = keepLeases(engine, failed);
      const running = new Set<Promise<void>>();
      try {
        while (!signal.aborted && open.count() > 0) {
          await slots.acquire(signal);
          const change = open.next();
          const lease = await engine.store.claim({ workerId: engine.workerId, taskId, leaseMs: LEASE_MS });
          if (!lease) {
            slots.release();
            await change;
            continue;
          }
          const attempt = work(lease, leases, signal).finally(() => running.delete(attempt));
          running.add(attempt);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        await Promise.all(running);
        leases.close();
        open.close();
        await sink.flush();
      }
    },
  };

  async function work(lease: Lease, leases: LeaseKeeper, signal: AbortSignal): Promise<void> {
    const lost = leases.keep(lease);
    try {
      await runAttempt({ engine, lease, slots, sink, signal: AbortSignal.any([signal, lost]) });
    } catch (error) {
      failed(error);
    } finally {
      leases.drop(lease);
      slots.release();
    }
  }
}

interface LeaseKeeper {
  /** The signal aborts when the lease is lost. */
  keep(lease: Lease): AbortSignal;
  drop(lease: Lease): void;
  close(): void;
}

function keepLeases(engine: Engine, failed: (error: unknown) => void): LeaseKeeper {
  const kept = new Map<Lease, AbortController>();
  const renew = async () => {
    for (const [lease, lost] of kept) {
      const ours = await engine.store.renew(lease, LEASE_MS);
      if (!ours && kept.has(lease)) lost.abort(STOP.leaseLost);
    }
  };
  const timer = setInterval(() => void renew().catch(failed), RENEW_MS);
  return {
    keep(lease) {
      const lost = new AbortController();
      kept.set(lease, lost);
      return lost.signal;
    },
    drop: (lease) => void kept.delete(lease),
    close: () => clearInterval(timer),
  };
}

interface OpenSubtasks {
  count(): number;
  /** Resolves at the next announcement, end, or look for dead workers' leases. Take it before claiming. */
  next(): Promise<void>;
  close(): void;
}

/** Folds the event stream: announced and not finished. */
async function watchOpen(engine: Engine, taskId: string, signal: AbortSignal): Promise<OpenSubtasks> {
  const closed = new AbortController();
  const until = AbortSignal.any([signal, closed.signal]);
  const [subtasks, outcomes] = [await engine.store.subtasks(taskId), await engine.store.outcomes(taskId)];
  const ended = new Set(outcomes.map((outcome) => outcome.subtask_id));
  const open = new Set(subtasks.map((subtask) => subtask.subtask_id).filter((id) => !ended.has(id)));
  let waiters: (() => void)[] = [];
  const wake = () => {
    const woken = waiters;
    waiters = [];
    for (const waiter of woken) waiter();
  };
  // A lease that another process let expire is no event: look now and then.
  const timer = setInterval(wake, RENEW_MS);
  const follow = async () => {
    for await (const event of engine.store.watch(taskId, null, until)) {
      if (event.event === "child_announced" && event.subtask_id && !ended.has(event.subtask_id))
        open.add(event.subtask_id);
      else if (event.event === "child_finished" && event.subtask_id) {
        ended.add(event.subtask_id);
        open.delete(event.subtask_id);
      } else continue;
      wake();
    }
  };
  let broken: unknown = null;
  const following = follow()
    .catch((error: unknown) => {
      if (!until.aborted) broken = error;
    })
    .finally(wake);
  until.addEventListener("abort", wake, { once: true });
  return {
    count() {
      if (broken) throw broken;
      return open.size;
    },
    next: () => new Promise<void>((resolve) => void waiters.push(resolve)),
    close() {
      clearInterval(timer);
      closed.abort();
      void following;
    },
  };
}
