/** Topics over SQL: an entry is a row, its position is the row's `seq`. */
import { newId } from "../host/ids.ts";
import { OxbowError } from "../core/errors.ts";
import type { Json } from "../core/model.ts";
import type { TopicEntry, Topics } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { follow, type TopicSource } from "./follow.ts";
import { fromMessageId, toEntry, toJson } from "./rows.ts";

export interface Announcement {
  readonly event_id: string;
  readonly topic: string;
  /** JSON text. */
  readonly payload: string;
}

/** Whether an entry is to be let go of. */
export type Gone = (entry: { readonly topic: string; readonly event_id: string }) => boolean;

/** A transport for topics: what the outbox needs beyond the contract. */
export interface TopicTransport extends Topics {
  /** Before the store itself closes. */
  close(): void;
  /** Publishes each once, in order; returns how many were new. Safe to repeat. */
  publishAll(announcements: readonly Announcement[]): Promise<number>;
  /** The store has let go of these entries: what else carries them does so too. */
  drop(gone: Gone): Promise<void>;
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
  const first = await findEntry(tx, topic, eventId);
  if (!first) throw new OxbowError("internal", `The topic ${topic} has lost an entry.`);
  return { ...first, published: false };
}

/** What was published with this event id. */
export async function findEntry({ db }: Pick<Database, "db">, topic: string, eventId: string) {
  const row = await db
    .selectFrom("topic_entries")
    .selectAll()
    .where("topic", "=", topic)
    .where("event_id", "=", eventId)
    .executeTakeFirst();
  return row ? toEntry(row) : null;
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
export async function readMany(database: Database, from: ReadonlyMap<string, number>, limit: number) {
  const [only] = from;
  if (!only) return [];
  if (from.size === 1) return readAfter(database, only[0], only[1], limit);
  const rows = await database.db
    .selectFrom(database.engine.entriesAfter([...from], limit).as("entry"))
    .selectAll()
    .orderBy("seq")
    .limit(limit)
    .execute();
  return rows.map(toEntry);
}

export function createTopics(database: Database): TopicTransport {
  const source: TopicSource = {
    hub: database.hub,
    read: (from, limit) => readMany(database, from, limit),
  };
  return {
    about: "in the store",
    close: () => undefined,
    drop: () => Promise.resolve(),
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
    async wait(from, timeoutMs, signal) {
      using following = follow(source, from);
      return await following.next(timeoutMs, signal);
    },
    follow: (from) => follow(source, from),
  };
}
