/**
 * Wakes those who wait. A commit of this process wakes them directly; commits of others are noticed by one poller (or
 * listener) per store, which runs only while somebody waits.
 *
 * Nothing is missed between a read and a wait: register first, await `ready`, then read; whatever is committed after
 * that read wakes the registration.
 */
import { OxbowError } from "../core/errors.ts";
import type { Polling, WatchOthers } from "./poller.ts";

/** No task has an empty id. */
const ANY_TASK = "";
/** The longest timer Node can set. */
const LONGEST_MS = 2 ** 31 - 1;

export interface Registration extends Disposable {
  /** Resolves once commits of other processes are being watched. */
  readonly ready: Promise<void>;
  /**
   * Names woken since the last call, at once if there are any; [] when the time is up.
   * Rejects with `cancelled` on abort and store_failed when the store closes.
   */
  woken(timeoutMs: number, signal?: AbortSignal): Promise<readonly string[]>;
}

export interface Hub {
  waitForTopics(names: readonly string[]): Registration;
  waitForTask(taskId: string): Registration;
  /** Woken with [ANY_TASK] by events of whichever task. */
  waitForAnyTask(): Registration;
  notify(topics: Iterable<string>, tasks: Iterable<string>): void;
  /** How many registrations there are, and whether the poller runs. */
  inspect(): { waiting: number; polling: boolean };
  /** Rejects everyone who waits. */
  close(): void;
}

interface Waiter {
  readonly names: readonly string[];
  readonly dirty: Set<string>;
  wake: (() => void) | null;
}

/** Waiters by the names they wait for. */
function createBoard() {
  const byName = new Map<string, Set<Waiter>>();
  const mark = (names: Iterable<string>) => {
    for (const name of names) {
      for (const waiter of byName.get(name) ?? []) {
        waiter.dirty.add(name);
        waiter.wake?.();
      }
    }
  };
  return {
    mark,
    markAll: () => mark(byName.keys()),
    add(waiter: Waiter): void {
      for (const name of waiter.names) {
        const set = byName.get(name);
        if (set) set.add(waiter);
        else byName.set(name, new Set([waiter]));
      }
    },
    remove(waiter: Waiter): void {
      for (const name of waiter.names) {
        const set = byName.get(name);
        set?.delete(waiter);
        if (set?.size === 0) byName.delete(name);
      }
    },
  };
}

/** The reason of an abort as an OxbowError. */
export function abortError(signal: AbortSignal): OxbowError {
  return new OxbowError("cancelled", "The wait was cancelled.", { cause: signal.reason });
}

/** Settles once: woken, timed out, aborted or closed; leaves no timer and no listener behind. */
function sleep(
  waiter: Waiter,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  isClosed: () => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", settle);
      waiter.wake = null;
      if (isClosed()) reject(new OxbowError("store_failed", "The store was closed while waiting."));
      else if (signal?.aborted) reject(abortError(signal));
      else resolve();
    };
    const timer = timeoutMs === Infinity ? undefined : setTimeout(settle, Math.min(timeoutMs, LONGEST_MS));
    waiter.wake = settle;
    signal?.addEventListener("abort", settle);
    if (isClosed() || signal?.aborted || waiter.dirty.size > 0) settle();
  });
}

/** `watchOthers` is null in a store that no other connection can reach. */
export function createHub(watchOthers: WatchOthers | null): Hub {
  const topics = createBoard();
  const tasks = createBoard();
  const waiters = new Set<Waiter>();
  let polling: Polling | null = null;
  let closed = false;

  const notify: Hub["notify"] = (topicNames, taskIds) => {
    topics.mark(topicNames);
    const ids = [...taskIds];
    if (ids.length > 0) tasks.mark([...ids, ANY_TASK]);
  };
  // Those who are woken read again, and meet a failure themselves.
  const lookAgain = () => {
    topics.markAll();
    tasks.markAll();
  };

  function register(board: ReturnType<typeof createBoard>, names: readonly string[]): Registration {
    const waiter: Waiter = { names, dirty: new Set(), wake: null };
    board.add(waiter);
    waiters.add(waiter);
    if (watchOthers && !closed) polling ??= watchOthers(notify, lookAgain);
    return {
      ready: polling?.ready ?? Promise.resolve(),
      async woken(timeoutMs, signal) {
        await sleep(waiter, timeoutMs, signal, () => closed);
        const names = [...waiter.dirty];
        waiter.dirty.clear();
        return names;
      },
      [Symbol.dispose]() {
        board.remove(waiter);
        waiters.delete(waiter);
        if (waiters.size > 0) return;
        polling?.stop();
        polling = null;
      },
    };
  }

  return {
    waitForTopics: (names) => register(topics, names),
    waitForTask: (taskId) => register(tasks, [taskId]),
    waitForAnyTask: () => register(tasks, [ANY_TASK]),
    notify,
    inspect: () => ({ waiting: waiters.size, polling: polling !== null }),
    close() {
      closed = true;
      polling?.stop();
      polling = null;
      for (const waiter of waiters) waiter.wake?.();
    },
  };
}
