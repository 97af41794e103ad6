/**
 * Webhooks: where events are sent to. There is no row for each event: a webhook has a position in the stream of events, so
 * that what is to be sent is exactly as durable as the events are, and a store without a webhook writes nothing more.
 * One process at a time holds a webhook, under a token that only grows; who has an older one changes nothing any more.
 */
import { type Selectable, sql } from "kysely";
import { OxbowError } from "../core/errors.ts";
import type { Database, Tx } from "./engine.ts";
import { createEventLog, type News } from "./event-log.ts";
import { toJson } from "./rows.ts";
import type { WebhookTryRow } from "./schema-webhooks.ts";
import { createWebhookSending, type WebhookSending, type WebhookTry } from "./webhook-sending.ts";
import { type Db, newestOf, secretsOf, toWebhook, type Webhook } from "./webhook-rows.ts";

export type NewWebhook = Pick<Webhook, "webhook_id" | "url" | "events" | "task_id">;

export interface WebhookStore extends WebhookSending {
  /** Begins after the newest event; one of a task at its first. An id that is there keeps what it is. */
  add(webhook: NewWebhook, secret?: string): Promise<Webhook>;
  get(webhookId: string): Promise<Webhook | null>;
  /** The oldest first; `ofTasks`: also those of single tasks. */
  list(options: { readonly ofTasks: boolean; readonly limit: number }): Promise<readonly Webhook[]>;
  /** False when there is none. */
  remove(webhookId: string): Promise<boolean>;
  /** Makes it active again, with the event it stopped at, or (`skip`) with what comes from now on. False when there is none. */
  resume(webhookId: string, options: { readonly skip: boolean }): Promise<boolean>;
  /** What signs now, the newest first. */
  secrets(owner: string): Promise<readonly string[]>;
  /** The one before it signs too for `keepMs`; with `onlyFirst` one that is there stays. Returns what signs from now on. */
  setSecret(
    owner: string,
    secret: string,
    options: { readonly keepMs: number; readonly onlyFirst?: boolean },
  ): Promise<readonly string[]>;

  /** The newest first. */
  tries(webhookId: string): Promise<readonly WebhookTry[]>;
  /** Waits for news in the stream of events; a hint. */
  news(): Promise<News>;
  /** Differs for every store. */
  storeId(): Promise<string>;
}

export function createWebhookStore(database: Database): WebhookStore {
  const { db, write } = database;
  return {
    add: (webhook, secret) => write((tx) => add(tx, webhook, secret)),
    get: (webhookId) => one(db, webhookId),
    async list({ ofTasks, limit }) {
      let query = db.selectFrom("webhooks").selectAll().orderBy("created_at").orderBy("webhook_id");
      if (!ofTasks) query = query.where("task_id", "is", null);
      return (await query.limit(limit).execute()).map(toWebhook);
    },
    remove: (webhookId) => write((tx) => remove(tx, webhookId)),
    resume: (webhookId, { skip }) =>
      write(async (tx) => {
        const position = skip ? { position: await newestOf(tx.db) } : {};
        const { numUpdatedRows } = await tx.db
          .updateTable("webhooks")
          .set({ ...position, state: "active", failed_tries: 0, failing_since: null, next_at: 0 })
          .where("webhook_id", "=", webhookId)
          .executeTakeFirst();
        return numUpdatedRows === 1n;
      }),
    secrets: (owner) => secretsOf(database, owner),
    setSecret: (owner, secret, options) =>
      write(async (tx) => {
        await setSecret(tx, owner, secret, options);
        return secretsOf({ db: tx.db, now: () => tx.now }, owner);
      }),
    ...createWebhookSending(database),
    async tries(webhookId) {
      const rows = await db
        .selectFrom("webhook_tries")
        .selectAll()
        .where("webhook_id", "=", webhookId)
        .orderBy("seq", "desc")
        .execute();
      return rows.map(toTry);
    },
    news: () => createEventLog(database).news(),
    async storeId() {
      const row = await db
        .selectFrom("store_facts")
        .select("value")
        .where("name", "=", "store_id")
        .executeTakeFirstOrThrow();
      return row.value;
    },
  };
}

async function one(db: Db, webhookId: string): Promise<Webhook | null> {
  const row = await db
    .selectFrom("webhooks")
    .selectAll()
    .where("webhook_id", "=", webhookId)
    .executeTakeFirst();
  return row ? toWebhook(row) : null;
}

async function add(tx: Tx, webhook: NewWebhook, secret: string | undefined): Promise<Webhook> {
  await tx.db
    .insertInto("webhooks")
    .values({
      ...webhook,
      events: toJson(webhook.events),
      state: "active",
      position: webhook.task_id === null ? await newestOf(tx.db) : 0,
      created_at: tx.now,
    })
    .onConflict((conflict) => conflict.column("webhook_id").doNothing())
    .execute();
  if (secret !== undefined) await setSecret(tx, webhook.webhook_id, secret, { keepMs: 0, onlyFirst: true });
  const added = await one(tx.db, webhook.webhook_id);
  if (added === null) throw new OxbowError("internal", "A webhook that was just added is not there.");
  return added;
}

async function remove(tx: Tx, webhookId: string): Promise<boolean> {
  await tx.db.deleteFrom("webhook_tries").where("webhook_id", "=", webhookId).execute();
  await tx.db.deleteFrom("webhook_secrets").where("owner", "=", webhookId).execute();
  const { numDeletedRows } = await tx.db
    .deleteFrom("webhooks")
    .where("webhook_id", "=", webhookId)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}

async function setSecret(
  tx: Tx,
  owner: string,
  secret: string,
  { keepMs, onlyFirst = false }: { readonly keepMs: number; readonly onlyFirst?: boolean },
): Promise<void> {
  await tx.db
    .insertInto("webhook_secrets")
    .values({ owner, secret, previous: null, previous_until: 0 })
    .onConflict((conflict) =>
      onlyFirst
        ? conflict.column("owner").doNothing()
        : conflict.column("owner").doUpdateSet({
            previous: sql<string>`webhook_secrets.secret`,
            previous_until: tx.now + keepMs,
            secret,
          }),
    )
    .execute();
}

function toTry({ seq: _, webhook_id: _w, ...row }: Selectable<WebhookTryRow>): WebhookTry {
  return row;
}
