/** The event stream: one integer sequence per store, in the order of the commits. */
import type { EventBody, OxbowEvent } from "../core/events.ts";
import { sql } from "kysely";
import { OxbowError } from "../core/errors.ts";
import type { EventFeed } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { toEvent, toJson } from "./rows.ts";

const WATCH_BATCH = 500;
/** Rows of one insert: engines bound the number of parameters. */
const INSERT_BATCH = 200;

export async function appendEvents(tx: Tx, events: readonly EventBody[]): Promise<readonly OxbowEvent[]> {
  const written: OxbowEvent[] = [];
  for (let from = 0; from < events.length; from += INSERT_BATCH) {
    const rows = await tx.db
      .insertInto("events")
      .values(
        events.slice(from, from + INSERT_BATCH).map((body) => ({
          task_id: body.task_id,
          event: body.event,
          body: tx.cleanEvent(body, toJson(body)),
          at: tx.now,
        })),
      )
      .returningAll()
      .execute();
    // No engine promises the order of returned rows; `seq` follows the order of the values.
    written.push(...rows.sort((a, b) => a.seq - b.seq).map(toEvent));
  }
  for (const { task_id } of events) tx.wakeTask(task_id);
  return written;
}

function fromEventId(id: string | null): number {
  if (id === null) return 0;
  if (!/^\d{1,16}$/.test(id)) throw new OxbowError("usage", `"${id.slice(0, 80)}" is not an event id.`);
  return Number(id);
}

export async function readEvents(
  { db }: Database,
  taskId: string,
  after: string | null,
  limit: number,
  kinds?: readonly EventBody["event"][],
) {
  let query = db
    .selectFrom("events")
    .selectAll()
    .where("task_id", "=", taskId)
    .where("seq", ">", fromEventId(after))
    .orderBy("seq")
    .limit(limit);
  if (kinds !== undefined) query = query.where("event", "in", kinds);
  return (await query.execute()).map(toEvent);
}

/** Looks at what is new since it was opened, of the kinds asked for, whichever task it belongs to. */
export async function openFeed(database: Database, kinds: readonly EventBody["event"][]): Promise<EventFeed> {
  const { db } = database;
  const newest = async () =>
    (await db.selectFrom("events").select(sql<number>`coalesce(max(seq), 0)`.as("seq")).executeTakeFirst())
      ?.seq ?? 0;
  const registration = database.hub.waitForAnyTask();
  try {
    await registration.ready;
    let last = await newest();
    return {
      async next(timeoutMs, signal) {
        await registration.woken(timeoutMs, signal);
        const until = await newest();
        const rows = await db
          .selectFrom("events")
          .selectAll()
          .where("seq", ">", last)
          .where("seq", "<=", until)
          .where("event", "in", kinds)
          .orderBy("seq")
          .execute();
        last = until;
        return rows.map(toEvent);
      },
      [Symbol.dispose]: () => registration[Symbol.dispose](),
    };
  } catch (error) {
    registration[Symbol.dispose]();
    throw error;
  }
}

/** Ends quietly on abort; throws store_failed when the store closes under it. */
export async function* watchEvents(
  database: Database,
  taskId: string,
  after: string | null,
  signal: AbortSignal,
): AsyncGenerator<OxbowEvent, void, undefined> {
  if (signal.aborted) return;
  using registration = database.hub.waitForTask(taskId);
  await registration.ready;
  let last = after;
  while (!signal.aborted) {
    const batch = await readEvents(database, taskId, last, WATCH_BATCH);
    for (const event of batch) {
      if (signal.aborted) return;
      last = event.id;
      yield event;
    }
    if (batch.length > 0) continue;
    try {
      await registration.woken(Infinity, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
  }
}
