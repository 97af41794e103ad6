/**
 * The log: one Redis stream per store that carries the entries of all its topics, in one order. Every process follows it
 * over one blocking connection, however many wait in it and for whatever; a sender uses another connection.
 */
import { setTimeout as delay } from "node:timers/promises";
import { OxbowError } from "../core/errors.ts";
import { dial, type Link, redisFailed } from "./redis-connect.ts";
import { createRecent, type LogEntry } from "./redis-recent.ts";
import type { RedisPlace } from "./redis-url.ts";

/** About how many entries the stream keeps: what has not been heard yet, and what is on its way into the store. */
const KEPT = 4_096;
const BATCH = 1_000;
const BLOCK_MS = 5_000;
/** A connection on which nothing came for this long is dead: a blocked read answers every BLOCK_MS. */
const SILENCE_MS = 20_000;
const ONCE_MS = 86_400_000;
/** The stream goes when no process has followed it for this long. */
const LOG_MS = 7 * 86_400_000;
const TOUCH_MS = 3_600_000;
/** How long who reads waits for the log to get where the store is. */
const CATCH_UP_MS = 1_000;
/** Entries of one millisecond. A position is a stream id in one number, exact for the next 80 years. */
const PER_MS = 2_000;

export type Unsent = Omit<LogEntry, "position">;

export interface RedisLog {
  /** XADD. Returns the position. Throws redis_failed when Redis stays away, store_failed after `close`. */
  add(entry: Unsent): Promise<number>;
  /** Adds it unless the topic has had this event id; then returns the first entry, with `fresh: false`. */
  addOnce(entry: Unsent): Promise<LogEntry & { readonly fresh: boolean }>;
  /** What this process has heard lately, after these positions. */
  recent(from: ReadonlyMap<string, number>): readonly LogEntry[];
  /** Takes entries out of the log. Processes that have heard of them forget them in time. */
  drop(gone: (entry: LogEntry) => boolean): Promise<void>;
  /** Resolves once everything up to `position` has been heard, or cannot be heard just now. */
  reached(position: number): Promise<void>;
  /** False while the blocking connection is away. */
  readonly hears: boolean;
  close(): void;
}

export interface LogOptions {
  readonly place: RedisPlace;
  /** For commands; closed with the log. */
  readonly link: Link;
  /** What every key begins with. */
  readonly prefix: string;
  /** The last position the store knows. */
  readonly after: number;
  /** How long Redis may be away before sending fails, milliseconds. */
  readonly patienceMs: number;
  readonly heard: (entry: LogEntry) => void;
  /** Something may have been missed. */
  readonly missed: () => void;
}

const ADD_ONCE = `
local id = redis.call('GET', KEYS[2])
if id then
  local found = redis.call('XRANGE', KEYS[1], id, id)
  if found[1] then return {0, found[1]} end
end
id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 't', ARGV[3], 'e', ARGV[4], 'p', ARGV[5], 'a', ARGV[6])
redis.call('SET', KEYS[2], id, 'PX', ARGV[2])
return {1, {id}}`;

/** Positions never go back, even if this server's clock is behind that of the one before it. */
const RAISE = `
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local ms = last[1] and tonumber(string.match(last[1][1], '^%d+')) or -1
if ms < tonumber(ARGV[1]) then redis.call('XADD', KEYS[1], string.format('%.0f-*', ARGV[1] + 1), 't', '') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

/** Null for an id that has none: Redis would have to take more entries in a millisecond than it can. */
function toPosition(id: string): number | null {
  const [ms, n] = id.split("-").map(Number);
  if (ms === undefined || n === undefined || !(n < PER_MS)) return null;
  const position = ms * PER_MS + n;
  return Number.isSafeInteger(position) ? position : null;
}

function positionOf(id: unknown): number {
  const position = typeof id === "string" ? toPosition(id) : null;
  if (position === null) throw new OxbowError("internal", `The Redis gave the stream id ${String(id)}.`);
  return position;
}

const idOf = (position: number) => `${Math.floor(position / PER_MS)}-${position % PER_MS}`;

/** `[id, [field, value, …]]`; null for what is no entry of a topic. */
function parseEntry(raw: unknown): LogEntry | null {
  if (!Array.isArray(raw) || typeof raw[0] !== "string" || !Array.isArray(raw[1])) return null;
  const fields = new Map<unknown, unknown>();
  for (let i = 0; i < raw[1].length; i += 2) fields.set(raw[1][i], raw[1][i + 1]);
  const [topic, event_id, payload, at] = ["t", "e", "p", "a"].map((name) => fields.get(name));
  if (typeof topic !== "string" || typeof event_id !== "string" || typeof payload !== "string") return null;
  const position = toPosition(raw[0]);
  return position === null ? null : { position, topic, event_id, payload, ts: Number(at) };
}

/** May pass: the connection broke, or the server is starting, or is being replaced. */
function passes(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== "ReplyError") return true;
  return /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED|NOREPLICAS)/.test(error.message);
}

/** Begins to follow the log. Throws redis_failed. */
export async function openLog(options: LogOptions): Promise<RedisLog> {
  const { place, prefix, patienceMs } = options;
  const { redis } = options.link;
  const key = `${prefix}:log`;
  const recent = createRecent();
  const following = await dial(place, { silenceMs: SILENCE_MS });
  const ear = following.redis;
  let at = options.after;
  let cursor = idOf(at);
  let hears = true;
  let closed = false;
  let touched = performance.now();
  let sending = 0;
  // While something is being sent: the connections do not keep the process alive.
  const awake = setInterval(() => undefined, 1_000_000_000).unref();
  const waiting = new Set<{ position: number; go: () => void }>();
  let lost: unknown = null;
  redis.on("error", (error: unknown) => {
    lost = error;
  });

  function hear(raw: unknown): void {
    const entry = parseEntry(raw);
    if (Array.isArray(raw) && typeof raw[0] === "string") {
      cursor = raw[0];
      at = Math.max(at, toPosition(cursor) ?? at);
    }
    if (entry && recent.add(entry)) options.heard(entry);
  }

  function wakeReached(): void {
    for (const wait of waiting) if (!hears || wait.position <= at) wait.go();
  }

  const raise = () => ear.eval(RAISE, 1, key, Math.floor(at / PER_MS), LOG_MS);

  /** What was sent shortly before this process came may not be in the store yet. */
  async function begin(): Promise<void> {
    await raise();
    const last: unknown = await ear.xrevrange(key, "+", "-", "COUNT", BATCH);
    if (Array.isArray(last)) for (const raw of last.toReversed()) hear(raw);
  }

  async function listen(): Promise<void> {
    const from = ["STREAMS", key, cursor];
    const reply: unknown = await ear.call("XREAD", "COUNT", BATCH, "BLOCK", BLOCK_MS, ...from);
    const entries: unknown = Array.isArray(reply) && Array.isArray(reply[0]) ? reply[0][1] : null;
    if (!Array.isArray(entries)) return;
    for (const raw of entries) hear(raw);
    wakeReached();
    // So much at once that the stream may have been cut shorter meanwhile.
    if (entries.length >= BATCH) options.missed();
  }

  async function followLog(): Promise<void> {
    while (!closed) {
      try {
        if (!hears) {
          await raise();
          hears = true;
          options.missed();
        }
        if (performance.now() - touched > TOUCH_MS) {
          await raise();
          touched = performance.now();
        }
        await listen();
      } catch {
        // Whatever it is, it is met by those who send; the client connects again by itself.
        hears = false;
        wakeReached();
        if (!closed) await delay(20, undefined, { ref: false });
      }
    }
  }

  /** Sends until it is known to have arrived; `arrived` asks whether it has, after a failure that does not say. */
  async function persist<T>(send: () => Promise<T>, arrived: () => Promise<T | null>): Promise<T> {
    const deadline = performance.now() + patienceMs;
    let pause = 20;
    if (sending++ === 0) awake.ref();
    try {
      for (let failed = false; ; ) {
        if (closed) throw new OxbowError("store_failed", "The store is closed.");
        try {
          const before = failed ? await arrived() : null;
          return before ?? (await send());
        } catch (error) {
          if (closed) continue;
          if (!passes(error)) throw redisFailed(place, "did not take a signal", error);
          if (performance.now() > deadline) throw redisFailed(place, "stays away", lost ?? error);
          if (error instanceof Error && error.message === "Command timed out") redis.disconnect(true);
          failed = true;
        }
        await delay(pause);
        pause = Math.min(pause * 2, 1_000);
      }
    } finally {
      if (--sending === 0) awake.unref();
    }
  }

  async function find({ topic, event_id }: Unsent): Promise<number | null> {
    const last: unknown = await redis.xrevrange(key, "+", "-", "COUNT", BATCH);
    for (const raw of Array.isArray(last) ? last : []) {
      const entry = parseEntry(raw);
      if (entry?.topic === topic && entry.event_id === event_id) return entry.position;
    }
    return null;
  }

  try {
    await begin();
  } catch (error) {
    clearInterval(awake);
    ear.disconnect();
    throw redisFailed(place, "cannot be followed", error);
  }
  void followLog();
  following.rest();
  options.link.rest();

  return {
    add: (entry) =>
      persist(
        async () => {
          const { topic, event_id, payload, ts } = entry;
          const fields = ["t", topic, "e", event_id, "p", payload, "a", String(ts)];
          return positionOf(await redis.call("XADD", key, "MAXLEN", "~", KEPT, "*", ...fields));
        },
        () => find(entry),
      ),
    addOnce: (entry) =>
      persist(
        async () => {
          const { topic, event_id, payload, ts } = entry;
          const once = `${prefix}:once:${JSON.stringify([topic, event_id])}`;
          const args = [KEPT, ONCE_MS, topic, event_id, payload, String(ts)];
          const reply: unknown = await redis.eval(ADD_ONCE, 2, key, once, ...args);
          if (!Array.isArray(reply) || !Array.isArray(reply[1]))
            throw new OxbowError("internal", "The script of publishOnce answered with something else.");
          if (reply[0] === 1) return { ...entry, position: positionOf(reply[1][0]), fresh: true };
          const first = parseEntry(reply[1]);
          if (!first) throw new OxbowError("internal", "The log holds something that is no entry.");
          return { ...first, fresh: false };
        },
        () => Promise.resolve(null),
      ),
    recent: recent.after,
    drop: (gone) =>
      persist(
        async () => {
          recent.drop(gone);
          for (let from = "-"; ; ) {
            const page: unknown = await redis.xrange(key, from, "+", "COUNT", BATCH);
            const rows = Array.isArray(page) ? page : [];
            const ids = rows.flatMap((raw: unknown) => {
              const entry = parseEntry(raw);
              return entry && gone(entry) ? [idOf(entry.position)] : [];
            });
            if (ids.length > 0) await redis.xdel(key, ...ids);
            const last: unknown = rows.at(-1);
            if (rows.length < BATCH || !Array.isArray(last)) return;
            from = `(${String(last[0])}`;
          }
        },
        () => Promise.resolve(null),
      ),
    reached(position) {
      if (position <= at || !hears || closed) return Promise.resolve();
      return new Promise((resolve) => {
        const wait = {
          position,
          go: () => {
            clearTimeout(timer);
            waiting.delete(wait);
            resolve();
          },
        };
        const timer = setTimeout(wait.go, CATCH_UP_MS);
        waiting.add(wait);
      });
    },
    get hears() {
      return hears;
    },
    close() {
      closed = true;
      clearInterval(awake);
      ear.disconnect();
      redis.disconnect();
      for (const wait of waiting) wait.go();
    },
  };
}
