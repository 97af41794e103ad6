/**
 * Topics over Redis Streams. Redis carries signals and puts them in order; the store keeps them. Sending adds an entry to
 * the log, which wakes those who wait in every process, and is done once the entry is in the store as well. Reading is
 * reading the store, together with what the log has brought lately. So whatever Redis loses (a flush, a restart, a
 * fail-over), nothing that was sent is lost, and a position keeps its meaning.
 */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { newId } from "../host/ids.ts";
import type { Json } from "../core/model.ts";
import type { TopicEntry } from "./contract.ts";
import type { Database } from "./engine.ts";
import { follow, type TopicSource } from "./follow.ts";
import { dial, examineServer, type RedisChecks } from "./redis-connect.ts";
import { openLog, type RedisLog } from "./redis-log.ts";
import type { LogEntry } from "./redis-recent.ts";
import { parseRedisUrl } from "./redis-url.ts";
import { fromMessageId, toEntry, toJson } from "./rows.ts";
import { type Announcement, findEntry, readMany, type TopicTransport } from "./topics.ts";

/** Rows of one insert, and names of one question: engines bound the number of parameters. */
const BATCH = 200;
/** A command that has no answer by then is sent again over a new connection, milliseconds. */
const COMMAND_MS = 10_000;

export interface RedisOptions extends RedisChecks {
  readonly url: string;
  /** How long Redis may be away before sending fails, milliseconds. */
  readonly patienceMs: number;
  /** Where the store is, if a copy of it elsewhere is another store. */
  readonly place: string | null;
}

const entryOf = ({ position, ...entry }: LogEntry): TopicEntry => toEntry({ ...entry, seq: position });

/** Stores that share a server must not hear each other; a copied file has the id of its original. */
async function prefixOf({ db }: Database, place: string | null): Promise<string> {
  const { value } = await db
    .selectFrom("store_facts")
    .select("value")
    .where("name", "=", "store_id")
    .executeTakeFirstOrThrow();
  const id = createHash("sha256")
    .update(JSON.stringify([value, place]))
    .digest("hex")
    .slice(0, 16);
  // In a cluster, keys with one text in braces are on one server, as scripts want it.
  return `oxbow:{${id}}`;
}

async function lastPosition({ db }: Database): Promise<number> {
  const row = await db
    .selectFrom("topic_entries")
    .select(({ fn }) => fn.max("seq").as("seq"))
    .executeTakeFirst();
  return Number(row?.seq ?? 0);
}

/** Throws redis_failed, redis_unsuitable, setting_invalid. */
export async function openRedisTopics(database: Database, options: RedisOptions): Promise<TopicTransport> {
  const place = parseRedisUrl(options.url);
  const link = await dial(place, { commandTimeout: COMMAND_MS });
  try {
    const about = await examineServer(link.redis, place, options);
    const log = await openLog({
      place,
      link,
      prefix: await prefixOf(database, options.place),
      after: await lastPosition(database),
      patienceMs: options.patienceMs,
      heard: (entry) => database.hub.hand(entry.topic, () => entryOf(entry)),
      missed: () => database.hub.lookAgain(),
    });
    return createRedisTopics(database, log, about);
  } catch (error) {
    link.redis.disconnect();
    throw error;
  }
}

/**
 * The store first: whatever of it is found has been in the log before, so that everything before it is among what the log
 * brought once the log has got there.
 */
async function readBoth(
  database: Database,
  log: RedisLog,
  from: ReadonlyMap<string, number>,
  limit: number,
): Promise<readonly TopicEntry[]> {
  const kept = await readMany(database, from, limit);
  const newest = kept.reduce(
    (last, { topic, message_id }) => Math.max(last, fromMessageId(topic, message_id)),
    0,
  );
  await log.reached(newest);
  const name = (entry: { topic: string; event_id: string }) => `${entry.topic}\n${entry.event_id}`;
  const known = new Set(kept.map(name));
  const fresh = log.recent(from).filter((entry) => !known.has(name(entry)));
  if (fresh.length === 0) return kept;
  const byPosition = (a: TopicEntry, b: TopicEntry) =>
    a.message_id < b.message_id ? -1 : a.message_id > b.message_id ? 1 : 0;
  return [...kept, ...fresh.map(entryOf)].sort(byPosition).slice(0, limit);
}

/** In the store. Who waits hears of it from the log, unless the log is away. */
async function keep(database: Database, log: RedisLog, entries: readonly LogEntry[]): Promise<void> {
  const last = entries.at(-1);
  if (!last) return;
  // Those who wait in this process come first: a store in a file stops the thread while it writes.
  await log.reached(last.position);
  await turn();
  await database.write(async (tx) => {
    for (let i = 0; i < entries.length; i += BATCH) {
      await tx.db
        .insertInto("topic_entries")
        .values(entries.slice(i, i + BATCH).map(({ position, ...entry }) => ({ ...entry, seq: position })))
        // Two that publish the same once put the same row.
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    if (!log.hears) for (const { topic } of entries) tx.wakeTopic(topic);
  }, "own");
}

function createRedisTopics(database: Database, log: RedisLog, about: string): TopicTransport {
  const source: TopicSource = {
    hub: database.hub,
    read: (from, limit) => readBoth(database, log, from, limit),
  };
  const unsent = (event_id: string, topic: string, payload: string) => ({
    topic,
    event_id,
    payload,
    ts: database.now(),
  });

  async function publish(topic: string, payload: Json): Promise<TopicEntry> {
    const entry = unsent(newId("e"), topic, toJson(payload));
    const sent = { ...entry, position: await log.add(entry) };
    await keep(database, log, [sent]);
    return entryOf(sent);
  }

  async function publishOnce(eventId: string, topic: string, payload: Json) {
    const text = toJson(payload);
    const first = await findEntry(database, topic, eventId);
    if (first) return { ...first, published: false };
    const { fresh, ...sent } = await log.addOnce(unsent(eventId, topic, text));
    await keep(database, log, [sent]);
    // The log may have forgotten what another process was just putting into the store.
    return { ...((await findEntry(database, topic, eventId)) ?? entryOf(sent)), published: fresh };
  }

  /** Of those that went through the outbox before, but were not yet deleted there. */
  async function alreadyKept(announcements: readonly Announcement[]): Promise<Set<string>> {
    const rows = await database.db
      .selectFrom("topic_entries")
      .select(["topic", "event_id"])
      .where("topic", "in", [...new Set(announcements.map(({ topic }) => topic))])
      .where("event_id", "in", [...new Set(announcements.map(({ event_id }) => event_id))])
      .execute();
    return new Set(rows.map(({ topic, event_id }) => `${topic}\n${event_id}`));
  }

  async function publishAll(announcements: readonly Announcement[]): Promise<number> {
    let published = 0;
    for (let i = 0; i < announcements.length; i += BATCH) {
      const batch = announcements.slice(i, i + BATCH);
      const kept = await alreadyKept(batch);
      const rest = batch.filter(({ topic, event_id }) => !kept.has(`${topic}\n${event_id}`));
      // Over one connection, so that they arrive in this order.
      const sent = await Promise.all(
        rest.map(({ event_id, topic, payload }) => log.addOnce(unsent(event_id, topic, payload))),
      );
      await keep(
        database,
        log,
        sent.map(({ fresh: _, ...entry }) => entry),
      );
      published += sent.filter(({ fresh }) => fresh).length;
    }
    return published;
  }

  return {
    about,
    publish,
    publishOnce,
    publishAll,
    drop: (gone) => log.drop(gone),
    read: async (topic, after, limit) =>
      readBoth(database, log, new Map([[topic, fromMessageId(topic, after)]]), limit),
    async wait(from, timeoutMs, signal) {
      using following = follow(source, from);
      return await following.next(timeoutMs, signal);
    },
    follow: (from) => follow(source, from),
    close: log.close,
  };
}
