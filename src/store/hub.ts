/**
 * Wakes those who wait. A commit of this process wakes them directly; commits of others are noticed by one poller (or
 * listener) per store, which runs only while somebody waits.
 *
 * Nothing is missed between a read and a wait: register first, await `ready`, then read; whatever is committed after
 * that read wakes the registration.
 */
import { OxbowError } from "../core/errors.ts";
import type { TopicEntry } from "./contract.ts";
import type { Polling, WatchOthers } from "./poller.ts";

/** No task has an empty id. */
const ANY_TASK = "";
/** The longest timer Node can set. */
const LONGEST_MS = 2 ** 31 - 1;
/** Entries kept for one who does not take them; then they have to be read. */
const HANDED = 1000;

export interface Registration extends Disposable {
  /** Resolves once commits of other processes are being watched. */
  readonly ready: Promise<void>;
  /**
   * Names woken since the last call, at once if there are any; [] when the time is up.
   * Rejects with `cancelled` on abort and store_failed when the store closes.
   */
  woken(timeoutMs: number, signal?: AbortSignal): Promise<readonly string[]>;
  /** What was handed over since the last call, in order: it needs no reading, unless its topic is woken too. */
  handed(): readonly TopicEntry[];
  /** Waits for this name no longer. */
  drop(name: string): void;
}

export interface Hub {
  waitForTopics(names: readonly string[]): Registration;
  waitForTask(taskId: string): Registration;
  /** Woken with [ANY_TASK] by events of whichever task. */
  waitForAnyTask(): Registration;
  notify(topics: Iterable<string>, tasks: Iterable<string>): void;
  /** Gives the next entry of a topic to those who wait for it; made only if there are any. */
  hand(topic: string, entry: () => TopicEntry): void;
  /** Anything may have been missed: all look again. */
  lookAgain(): void;
  /** How many registrations there are, and whether the poller runs. */
  inspect(): { waiting: number; polling: boolean };
  /** Rejects everyone who waits. */
  close(): void;
}

interface Waiter {
  readonly names: ReadonlySet<string>;
  readonly dirty: Set<string>;
  handed: TopicEntry[];
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
  const leave = (waiter: Waiter, name: string) => {
    const set = byName.get(name);
    set?.delete(waiter);
    if (set?.size === 0) byName.delete(name);
  };
  return {
    mark,
    markAll: () => mark(byName.keys()),
    hand(name: string, make: () => TopicEntry): void {
      const waiters = byName.get(name);
      if (!waiters) return;
      const entry = make();
      for (const waiter of waiters) {
        waiter.handed.push(entry);
        if (waiter.handed.length > HANDED) {
          for (const { topic } of waiter.handed) waiter.dirty.add(topic);
          waiter.handed = [];
        }
        waiter.wake?.();
      }
    },
    leave,
    add(waiter: Waiter): void {
      for (const name of waiter.names) {
        const set = byName.get(name);
        if (set) set.add(waiter);
        else byName.set(name, new Set([waiter]));
      }
    },
    remove(waiter: Waiter): void {
      for (const name of waiter.names) leave(waiter, name);
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
    if (isClosed() || signal?.aborted || waiter.dirty.size > 0 || waiter.handed.length > 0) settle();
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
    const waiter: Waiter = { names: new Set(names), dirty: new Set(), handed: [], wake: null };
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
      handed() {
        const { handed } = waiter;
        waiter.handed = [];
        return handed;
      },
      drop(name) {
        board.leave(waiter, name);
        waiter.dirty.delete(name);
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
    hand: topics.hand,
    lookAgain,
    inspect: () => ({ waiting: waiters.size, polling: polling !== null }),
    close() {
      closed = true;
      polling?.stop();
      polling = null;
      for (const waiter of waiters) waiter.wake?.();
    },
  };
}
