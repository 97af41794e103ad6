/**
 * The newest events of all tasks, read once a process for all who follow them. Whoever is behind what is kept here reads
 * from the store until he is not, and goes on here: no event is missed or given twice, since each is known by its position.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { OxbowEvent } from "./core/events.ts";
import type { EventLog, WantedEvents } from "./store/event-log.ts";

/** An event as all are given it. */
export interface StreamedEvent {
  readonly position: number;
  readonly event: OxbowEvent;
  /** Without secrets. */
  readonly json: string;
}

export interface StreamHub {
  /** From here on it reads along; dispose it. Rejects when the store cannot be read. */
  join(): Promise<Follower>;
  /** How many follow, and how much is kept. */
  inspect(): { readonly followers: number; readonly kept: number };
  close(): Promise<void>;
}

export interface Follower extends Disposable {
  /** The newest event there is, as far as is known. */
  newest(): number;
  /** Events after a position, the oldest first, at most `limit`; fewer: all up to `until`, which is never before it. */
  after(wanted: WantedEvents, position: number, limit: number): Promise<Page>;
  /** Resolves once there is something after a position; rejects with `cancelled` on abort. */
  past(position: number, signal: AbortSignal): Promise<void>;
}

export interface Page {
  readonly events: readonly StreamedEvent[];
  readonly until: number;
}

export interface HubOptions {
  redact(text: string): string;
  /** A look at the store failed; another follows. */
  failed(error: unknown): void;
  /** The most events that are kept, and the most characters of them. */
  readonly kept?: number;
  readonly characters?: number;
  /** How long after a failed look, milliseconds. */
  readonly awayMs?: number;
}

const KEPT = 4_096;
const CHARACTERS = 16 * 1_048_576;
/** Events read at once; the longest time between two looks, and after one that failed, milliseconds. */
const PAGE = 500;
const LOOK_MS = 60_000;
const AWAY_MS = 1_000;

/** The events after `from`, without a gap, up to `until`. */
function createRing(kept: number, characters: number) {
  let [from, until, size] = [0, 0, 0];
  let entries: StreamedEvent[] = [];
  const drop = () => {
    let gone = 0;
    // The newest stays, however large.
    while (entries.length - gone > 1 && (entries.length - gone > kept || size > characters)) {
      const entry = entries[gone];
      if (entry === undefined) break;
      [from, size, gone] = [entry.position, size - entry.json.length, gone + 1];
    }
    if (gone > 0) entries = entries.slice(gone);
  };
  return {
    begin(position: number): void {
      [from, until, size, entries] = [position, position, 0, []];
    },
    add(events: readonly StreamedEvent[], position: number): void {
      for (const entry of events) {
        entries.push(entry);
        size += entry.json.length;
      }
      until = position;
      drop();
    },
    until: () => until,
    has: (position: number) => position >= from,
    /** The next that are newer. */
    after(position: number, limit: number): readonly StreamedEvent[] {
      let [low, high] = [0, entries.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((entries[middle]?.position ?? 0) <= position) low = middle + 1;
        else high = middle;
      }
      return entries.slice(low, low + limit);
    },
    length: () => entries.length,
  };
}

/** `log` is read while somebody follows. */
export function createStreamHub(log: EventLog, options: HubOptions): StreamHub {
  const ring = createRing(options.kept ?? KEPT, options.characters ?? CHARACTERS);
  const waiting = new Set<() => void>();
  let followers = 0;
  let reading: { readonly ready: Promise<void>; readonly ended: Promise<void>; stop(): void } | null = null;

  const streamed = (event: OxbowEvent): StreamedEvent => ({
    position: Number(event.id),
    event,
    json: options.redact(JSON.stringify(event)),
  });

  async function readAlong(begun: () => void, hasBegun: () => boolean, signal: AbortSignal): Promise<void> {
    using news = await log.news();
    // Who was here before a failure has the events since then from what is kept, or from the store.
    if (!hasBegun()) ring.begin(await log.newest());
    for (;;) {
      const { events, until } = await log.page({ taskId: null, names: null }, ring.until(), PAGE);
      signal.throwIfAborted();
      const isAll = events.length < PAGE;
      ring.add(events.map(streamed), isAll ? until : Number(events.at(-1)?.id));
      begun();
      if (events.length > 0) for (const wake of waiting) wake();
      if (isAll) await news.next(LOOK_MS, signal);
    }
  }

  function begin() {
    const stop = new AbortController();
    const ready = Promise.withResolvers<void>();
    let isBegun = false;
    const begun = () => {
      isBegun = true;
      ready.resolve();
    };
    const run = async () => {
      while (!stop.signal.aborted)
        try {
          await readAlong(begun, () => isBegun, stop.signal);
        } catch (error) {
          if (stop.signal.aborted) return;
          ready.reject(error);
          options.failed(error);
          await delay(options.awayMs ?? AWAY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
        }
    };
    const ended = run().catch(ready.reject);
    ready.promise.catch(() => undefined);
    return { ready: ready.promise, ended, stop: () => stop.abort() };
  }

  /** The last to leave ends the reading. */
  function left(): void {
    followers -= 1;
    if (followers > 0) return;
    reading?.stop();
    reading = null;
  }

  function past(position: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (!signal.aborted && ring.until() <= position) return;
        waiting.delete(settle);
        signal.removeEventListener("abort", settle);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      waiting.add(settle);
      signal.addEventListener("abort", settle);
      settle();
    });
  }

  return {
    async join() {
      followers += 1;
      reading ??= begin();
      const { ready } = reading;
      let gone = false;
      try {
        await ready;
      } catch (error) {
        left();
        throw error;
      }
      return {
        newest: ring.until,
        async after(wanted, position, limit) {
          if (ring.has(position))
            return { events: ring.after(position, limit), until: Math.max(position, ring.until()) };
          const { events, until } = await log.page(wanted, position, limit);
          return { events: events.map(streamed), until: Math.max(position, until) };
        },
        past,
        [Symbol.dispose]() {
          if (!gone) left();
          gone = true;
        },
      };
    },
    inspect: () => ({ followers, kept: ring.length() }),
    async close() {
      const ending = reading;
      reading = null;
      ending?.stop();
      await ending?.ended;
    },
  };
}
