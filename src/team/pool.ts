/**
 * The places of one process: each takes a conversation by lease, works on it, and takes the next.
 * One worker per conversation, many conversations at once; a lease is renewed until the outcome is durable.
 */
import type { Lease } from "../store/contract.ts";
import type { AttemptEnd } from "./attempt.ts";
import type { Bell } from "./bell.ts";
import type { Engine, EventSink } from "./engine.ts";
import type { LeaseKeeper } from "./leases.ts";
import { runAttempt } from "./attempt.ts";
import { runOptions } from "./engine.ts";
import { STOP } from "../core/stop.ts";
import { createSlots, type Slots } from "./slots.ts";

/** Where the conversations come from. */
export interface Source {
  /** False ends the work; what is running ends first. */
  more(): boolean;
  /** The next conversation and the engine to work on it with; null when there is none for now. */
  claim(): Promise<{ readonly lease: Lease; readonly engine: Engine } | null>;
}

export interface PoolOptions {
  readonly places: number;
  readonly leases: LeaseKeeper;
  readonly sink: EventSink;
  /** Rung when a claim that found nothing may find something. */
  readonly bell: Bell;
  /** How long attempts may go on once this process is to hand back what it works on, milliseconds. */
  readonly drainMs: () => number;
  readonly taken?: (lease: Lease) => void;
  readonly ended?: (lease: Lease, end: AttemptEnd) => void;
  /** An attempt broke without an outcome: its lease runs out, and another takes it. */
  readonly failed: (error: unknown) => void;
}

/** Works until `source` has no more, or `signal` aborts; then every attempt has ended. Throws what `claim` throws. */
export async function workFrom(source: Source, options: PoolOptions, signal: AbortSignal): Promise<void> {
  const { bell, sink } = options;
  const slots = createSlots(options.places);
  const running = new Set<Promise<void>>();
  using drained = afterDrain(signal, options.drainMs);
  try {
    while (!signal.aborted && source.more()) {
      await slots.acquire(signal);
      const change = bell.next();
      const found = await source.claim();
      if (!found) {
        slots.release();
        await untilAborted(change, signal);
        continue;
      }
      options.taken?.(found.lease);
      const attempt = work(found, options, slots, drained.signal).finally(() => {
        running.delete(attempt);
        slots.release();
        bell.ring();
      });
      running.add(attempt);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await Promise.all(running);
    await sink.flush();
  }
}

/** Aborts with `signal`, but to hand back only after the time that attempts have to come to their end. */
function afterDrain(
  signal: AbortSignal,
  drainMs: () => number,
): Disposable & { readonly signal: AbortSignal } {
  const drained = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    const end = () => drained.abort(signal.reason);
    if (signal.reason === STOP.handBack) timer = setTimeout(end, drainMs());
    else end();
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return {
    signal: drained.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    },
  };
}

async function work(
  { lease, engine }: { readonly lease: Lease; readonly engine: Engine },
  options: PoolOptions,
  slots: Slots,
  signal: AbortSignal,
): Promise<void> {
  const { leases, sink, bell } = options;
  const stopped = leases.keep(lease);
  const places = countedSlots(slots, bell, engine, lease);
  try {
    const both = AbortSignal.any([signal, stopped]);
    const end = await runAttempt({ engine, lease, slots: places, sink, signal: both, look: leases.look });
    options.ended?.(lease, end);
  } catch (error) {
    options.failed(error);
  } finally {
    leases.drop(lease);
  }
}

/** A task with a limit of its own counts its places over all processes, so that a wait is told to the store as well. */
function countedSlots(slots: Slots, bell: Bell, engine: Engine, lease: Lease): Slots {
  if (runOptions(lease.task).maxParallel === null) return slots;
  return {
    ...slots,
    async parked(wait, signal) {
      await engine.store.park(lease, true);
      try {
        return await slots.parked(() => {
          bell.ring();
          return wait();
        }, signal);
      } finally {
        await engine.store.park(lease, false);
      }
    },
  };
}

function untilAborted(change: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
    void change.then(done);
  });
}
