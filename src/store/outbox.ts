/** What must be published once its transaction is committed; the topics drop what comes twice. */
import { failPoint } from "../host/fail-point.ts";
import type { Json } from "../core/model.ts";
import type { Database, Tx } from "./engine.ts";
import { toJson } from "./rows.ts";
import type { Announcement, TopicTransport } from "./topics.ts";

const RELAY_BATCH = 500;
const INSERT_BATCH = 200;

export function announcement(eventId: string, topic: string, payload: Json): Announcement {
  return { event_id: eventId, topic, payload: toJson(payload) };
}

export async function putInOutbox(tx: Tx, announcements: readonly Announcement[]): Promise<void> {
  for (let from = 0; from < announcements.length; from += INSERT_BATCH) {
    await tx.db
      .insertInto("outbox")
      .values(
        announcements.slice(from, from + INSERT_BATCH).map((entry) => ({ ...entry, created_at: tx.now })),
      )
      .onConflict((conflict) => conflict.columns(["topic", "event_id"]).doNothing())
      .execute();
  }
}

/** Children that end together are relayed together: who comes while a relay runs shares the one after it. */
export function createRelay(relayOnce: () => Promise<number>): () => Promise<number> {
  let running: Promise<number> | null = null;
  let next: Promise<number> | null = null;
  const start = (): Promise<number> => {
    next = null;
    const mine = relayOnce().finally(() => {
      if (running === mine) running = null;
    });
    return (running = mine);
  };
  return () => {
    if (running === null) return start();
    return (next ??= running.then(start, start));
  };
}

/** Publish, then delete: a process that dies between the two publishes again, and the topic drops the double. */
export async function relayOutbox(database: Database, topics: TopicTransport): Promise<number> {
  let published = 0;
  for (;;) {
    const rows = await database.db
      .selectFrom("outbox")
      .select(["seq", "event_id", "topic", "payload"])
      .orderBy("seq")
      .limit(RELAY_BATCH)
      .execute();
    if (rows.length === 0) return published;
    failPoint("outbox.read");
    published += await topics.publishAll(rows.map(({ seq: _, ...entry }) => entry));
    failPoint("outbox.published");
    const last = rows.map(({ seq }) => seq);
    await database.write((tx) => tx.db.deleteFrom("outbox").where("seq", "in", last).execute(), "own");
    failPoint("outbox.emptied");
  }
}
