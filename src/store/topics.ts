/** Topics over SQL: an entry is a row, its position is the row's `seq`. */
import { newId } from "../host/ids.ts";
import type { Json } from "../core/model.ts";
import type { TopicEntry, Topics } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { abortError } from "./hub.ts";
import { fromMessageId, toEntry, toJson } from "./rows.ts";

/** The most entries one wait returns; the caller goes on from the last. */
const WAIT_LIMIT = 1000;

export interface Announcement {
  readonly event_id: string;
  readonly topic: string;
  /** JSON text. */
  readonly payload: string;
}

/** A transport for topics: what the outbox needs beyond the contract. */
export interface TopicTransport extends Topics {
  /** Publishes each once, in order; returns how many were new. Safe to repeat. */
  publishAll(announcements: readonly Announcement[]): Promise<number>;
}

async function insert(tx: Tx, entry: Announcement): Promise<TopicEntry | null> {
  const row = await tx.db
    .insertInto("topic_entries")
    .values({ topic: entry.topic, event_id: entry.event_id, payload: entry.payload, ts: tx.now })
    .onConflict((conflict) => conflict.columns(["topic", "event_id"]).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) return null;
  tx.wakeTopic(entry.topic);
  return toEntry(row);
}

async function publishOnce(tx: Tx, eventId: string, topic: string, payload: Json) {
  const entry = await insert(tx, { event_id: eventId, topic, payload: toJson(payload) });
  if (entry) return { ...entry, published: true };
  const first = await tx.db
    .selectFrom("topic_entries")
    .selectAll()
    .where("topic", "=", topic)
    .where("event_id", "=", eventId)
    .executeTakeFirstOrThrow();
  return { ...toEntry(first), published: false };
}

async function readAfter({ db }: Database, topic: string, after: number, limit: number) {
  const rows = await db
    .selectFrom("topic_entries")
    .selectAll()
    .where("topic", "=", topic)
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(limit)
    .execute();
  return rows.map(toEntry);
}

/** One statement however many topics there are. */
async function readMany(database: Database, from: ReadonlyMap<string, number>, limit: number) {
  const [only] = from;
  if (!only) return [];
  if (from.size === 1) return readAfter(database, only[0], only[1], limit);
  const rows = await database.db
    .selectFrom(database.engine.positions([...from]).as("wanted"))
    // Not an inner join: SQLite must go from the positions to the entries, not the other way round.
    .crossJoin("topic_entries as entry")
    .whereRef("entry.topic", "=", "wanted.topic")
    .whereRef("entry.seq", ">", "wanted.after")
    .selectAll("entry")
    .orderBy("entry.seq")
    .limit(limit)
    .execute();
  return rows.map(toEntry);
}

async function waitForEntries(
  database: Database,
  from: ReadonlyMap<string, number>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<readonly TopicEntry[]> {
  const deadline = performance.now() + timeoutMs;
  using registration = database.hub.waitForTopics([...from.keys()]);
  await registration.ready;
  let entries = await readMany(database, from, WAIT_LIMIT);
  while (entries.length === 0) {
    const left = deadline - performance.now();
    // After the last moment one more look at everything: what was published in time is never missed.
    if (left <= 0) return readMany(database, from, WAIT_LIMIT);
    const woken = await registration.woken(left, signal);
    entries = await readMany(database, pick(from, woken), WAIT_LIMIT);
  }
  return entries;
}

function pick(from: ReadonlyMap<string, number>, topics: readonly string[]): Map<string, number> {
  return new Map(topics.map((topic) => [topic, from.get(topic) ?? 0]));
}

export function createTopics(database: Database): TopicTransport {
  return {
    publish: async (topic, payload) => {
      const { published: _, ...entry } = await database.write(
        (tx) => publishOnce(tx, newId("e"), topic, payload),
        "topics",
      );
      return entry;
    },
    publishOnce: (eventId, topic, payload) =>
      database.write((tx) => publishOnce(tx, eventId, topic, payload), "topics"),
    publishAll: (announcements) =>
      database.write(async (tx) => {
        let published = 0;
        for (const announcement of announcements) if (await insert(tx, announcement)) published++;
        return published;
      }, "topics"),
    read: async (topic, after, limit) => readAfter(database, topic, fromMessageId(topic, after), limit),
    async wait(positions, timeoutMs, signal) {
      const from = new Map<string, number>();
      for (const { topic, after } of positions) {
        const seq = fromMessageId(topic, after);
        from.set(topic, Math.min(seq, from.get(topic) ?? seq));
      }
      if (signal?.aborted) throw abortError(signal);
      const there = await readMany(database, from, WAIT_LIMIT);
      if (there.length > 0 || timeoutMs <= 0) return there;
      return waitForEntries(database, from, timeoutMs, signal);
    },
  };
}
