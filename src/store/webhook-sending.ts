/** Sending for webhooks: which have something to send, who holds them, and what became of each try. */
import { sql } from "kysely";
import type { EventBody, OxbowEvent } from "../core/events.ts";
import { eventNames } from "../core/webhook-events.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { toEvent } from "./rows.ts";
import { CALLBACKS, type Db, newestOf, secretsOf, toWebhook, type Webhook } from "./webhook-rows.ts";

/** Tries of one webhook that are kept. */
export const KEPT_TRIES = 50;

/** The right to send for one webhook. */
export interface WebhookLease {
  readonly webhook: Webhook;
  readonly holder: string;
  readonly token: number;
  /** The newest first. */
  readonly secrets: readonly string[];
}

export interface WebhookTry {
  readonly event_id: string;
  readonly event: string;
  readonly task_id: string;
  readonly at: number;
  readonly elapsed_ms: number;
  readonly status: number | null;
  readonly error: string | null;
}

/** What a try comes to. `ended` writes its notice unless the task is forgotten meanwhile. */
export type Settlement =
  | { readonly kind: "delivered"; readonly ttlMs: number }
  | { readonly kind: "again"; readonly delayMs: number }
  | { readonly kind: "ended"; readonly state: "paused" | "disabled"; readonly notice: EventBody };

export interface Due {
  readonly webhooks: readonly Webhook[];
  readonly newest: number;
  /** Null: no other has its time set. */
  readonly nextInMs: number | null;
}

export interface WebhookSending {
  /**
   * Active webhooks that nobody holds, whose time has come and for which there may be events, at most `limit`; how long
   * until another's time comes; and the newest event. Null when there is no webhook at all.
   */
  due(limit: number): Promise<Due | null>;
  /** Events after `after` that are wanted, the oldest first; fewer than `limit`: all up to `until`. */
  pending(
    webhook: Pick<Webhook, "events" | "task_id">,
    after: number,
    limit: number,
  ): Promise<{ readonly events: readonly OxbowEvent[]; readonly until: number }>;
  /** Null when another holds it, its time has not come, or it is gone. */
  take(webhookId: string, holder: string, ttlMs: number): Promise<WebhookLease | null>;
  /** Writes what a try came to. False when the lease is no longer ours, or the webhook gone. */
  settle(lease: WebhookLease, tried: WebhookTry, what: Settlement): Promise<boolean>;
  /** Lets go of it; everything up to `position` is dealt with. */
  release(lease: WebhookLease, position: number): Promise<void>;
  /** Processes that hold a webhook. */
  holders(): Promise<readonly string[]>;
  /** Lets go of what a dead process held. */
  free(holder: string): Promise<void>;
}

export function createWebhookSending(database: Database): WebhookSending {
  const { db, write } = database;
  return {
    due: (limit) => due(database, limit),
    async pending(webhook, after, limit) {
      const until = await newestOf(db);
      const query = wantedEvents(db, webhook, after).where("seq", "<=", until);
      return { events: (await query.orderBy("seq").limit(limit).execute()).map(toEvent), until };
    },
    take: (webhookId, holder, ttlMs) => take(database, webhookId, holder, ttlMs),
    settle: (lease, tried, what) =>
      write((tx) => settle(tx, lease, tried, what), what.kind === "ended" ? "state" : "own"),
    release: (lease, position) =>
      write(async (tx) => {
        await held(tx, lease)
          .set({
            holder: null,
            position: sql<number>`case when position < ${position} then ${position} else position end`,
          })
          .execute();
      }, "own"),
    async holders() {
      const rows = await db
        .selectFrom("webhooks")
        .select("holder")
        .distinct()
        .where("holder", "is not", null)
        .execute();
      return rows.map(({ holder }) => holder ?? "");
    },
    free: (holder) =>
      write(async (tx) => {
        await tx.db.updateTable("webhooks").set({ holder: null }).where("holder", "=", holder).execute();
      }, "own"),
  };
}

/** Events that a webhook, whoever holds it and if it is not stopped, is still to be told of a task. */
export async function hasUndelivered(tx: Tx, taskId: string): Promise<boolean> {
  const rows = await tx.db
    .selectFrom("webhooks")
    .selectAll()
    .where("state", "=", "active")
    .where((is) => is.or([is("task_id", "is", null), is("task_id", "=", taskId)]))
    .execute();
  for (const webhook of rows.map(toWebhook)) {
    const found = await wantedEvents(tx.db, { ...webhook, task_id: taskId }, webhook.position)
      .limit(1)
      .executeTakeFirst();
    if (found) return true;
  }
  return false;
}

function wantedEvents(db: Db, { events, task_id }: Pick<Webhook, "events" | "task_id">, after: number) {
  const names = eventNames(events);
  let query = db.selectFrom("events").selectAll().where("seq", ">", after);
  if (task_id !== null) query = query.where("task_id", "=", task_id);
  if (names !== null) query = query.where("event", "in", names);
  return query;
}

async function due(database: Database, limit: number): Promise<Due | null> {
  const { db } = database;
  if ((await db.selectFrom("webhooks").select("webhook_id").limit(1).execute()).length === 0) return null;
  const newest = await newestOf(db);
  const at = database.now();
  const rows = await db
    .selectFrom("webhooks")
    .selectAll()
    .where("state", "=", "active")
    .where("next_at", "<=", at)
    .where((is) => is.or([is("holder", "is", null), is("expires_at", "<=", at)]))
    .where((is) =>
      is.or([
        is.and([is("task_id", "is", null), is("position", "<", newest)]),
        is.exists(
          is
            .selectFrom("events")
            .select("seq")
            .whereRef("events.task_id", "=", "webhooks.task_id")
            .whereRef("events.seq", ">", "webhooks.position"),
        ),
      ]),
    )
    // Who was served last comes last.
    .orderBy(sql`coalesce(last_at, 0)`)
    .limit(limit)
    .execute();
  const free = sql<number>`case when holder is null then next_at else expires_at end`;
  const next = await db
    .selectFrom("webhooks")
    .select(sql<number | null>`min(${free})`.as("at"))
    .where("state", "=", "active")
    .where(free, ">", at)
    .executeTakeFirst();
  const nextAt = next?.at ?? null;
  return {
    webhooks: rows.map(toWebhook),
    newest,
    nextInMs: nextAt === null ? null : Math.max(0, nextAt - at),
  };
}

async function take(
  { write }: Database,
  webhookId: string,
  holder: string,
  ttlMs: number,
): Promise<WebhookLease | null> {
  return write(async (tx) => {
    const row = await tx.db
      .updateTable("webhooks")
      .set({ holder, token: sql<number>`token + 1`, expires_at: tx.now + ttlMs })
      .where("webhook_id", "=", webhookId)
      .where("state", "=", "active")
      .where("next_at", "<=", tx.now)
      .where((is) => is.or([is("holder", "is", null), is("expires_at", "<=", tx.now)]))
      .returningAll()
      .executeTakeFirst();
    if (!row) return null;
    const owner = row.task_id === null ? webhookId : CALLBACKS;
    const secrets = await secretsOf({ db: tx.db, now: () => tx.now }, owner);
    return { webhook: toWebhook(row), holder, token: row.token, secrets };
  }, "own");
}

/** The update that finds the row only while the lease is the newest. */
function held(tx: Tx, { webhook, holder, token }: WebhookLease) {
  return tx.db
    .updateTable("webhooks")
    .where("webhook_id", "=", webhook.webhook_id)
    .where("holder", "=", holder)
    .where("token", "=", token);
}

async function settle(tx: Tx, lease: WebhookLease, tried: WebhookTry, what: Settlement): Promise<boolean> {
  const last = { last_at: tx.now, last_status: tried.status, last_error: tried.error };
  const failed = {
    ...last,
    holder: null,
    failed_tries: sql<number>`failed_tries + 1`,
    failing_since: sql<number>`coalesce(failing_since, ${tx.now})`,
  };
  const change =
    what.kind === "delivered"
      ? {
          ...last,
          position: Number(tried.event_id),
          delivered: sql<number>`delivered + 1`,
          failed_tries: 0,
          failing_since: null,
          expires_at: tx.now + what.ttlMs,
        }
      : what.kind === "again"
        ? { ...failed, next_at: tx.now + what.delayMs }
        : { ...failed, state: what.state };
  const { numUpdatedRows } = await held(tx, lease).set(change).executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  await keepTry(tx, lease.webhook.webhook_id, tried);
  if (what.kind === "ended" && (await isThere(tx, tried.event_id))) await appendEvents(tx, [what.notice]);
  return true;
}

async function isThere(tx: Tx, eventId: string): Promise<boolean> {
  const row = await tx.db
    .selectFrom("events")
    .select("seq")
    .where("seq", "=", Number(eventId))
    .executeTakeFirst();
  return row !== undefined;
}

async function keepTry({ db }: Tx, webhookId: string, tried: WebhookTry): Promise<void> {
  await db
    .insertInto("webhook_tries")
    .values({ ...tried, webhook_id: webhookId })
    .execute();
  await db
    .deleteFrom("webhook_tries")
    .where("webhook_id", "=", webhookId)
    .where("seq", "<=", (sub) =>
      sub
        .selectFrom("webhook_tries as newer")
        .select("newer.seq")
        .where("newer.webhook_id", "=", webhookId)
        .orderBy("newer.seq", "desc")
        .offset(KEPT_TRIES)
        .limit(1),
    )
    .execute();
}
