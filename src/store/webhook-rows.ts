/** A webhook as its row says it, and what signs for it. */
import { type Selectable, sql } from "kysely";
import type { WebhookEvents } from "../core/webhook-events.ts";
import type { Database, Tx } from "./engine.ts";
import type { WebhookRow } from "./schema-webhooks.ts";

/** With whose secret the webhooks of single tasks are signed. */
export const CALLBACKS = "callbacks";

/** Times in Unix milliseconds. */
export interface Webhook {
  readonly webhook_id: string;
  readonly url: string;
  readonly events: WebhookEvents;
  readonly task_id: string | null;
  readonly state: "active" | "paused" | "disabled";
  readonly position: number;
  readonly delivered: number;
  readonly failed_tries: number;
  readonly failing_since: number | null;
  readonly next_at: number;
  readonly last_at: number | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: number;
}

export type Db = Database["db"] | Tx["db"];

export async function newestOf(db: Db): Promise<number> {
  const row = await db
    .selectFrom("events")
    .select(sql<number>`coalesce(max(seq), 0)`.as("seq"))
    .executeTakeFirst();
  return row?.seq ?? 0;
}

export async function secretsOf(
  { db, now }: { db: Db; now(): number },
  owner: string,
): Promise<readonly string[]> {
  const row = await db
    .selectFrom("webhook_secrets")
    .selectAll()
    .where("owner", "=", owner)
    .executeTakeFirst();
  if (!row) return [];
  return row.previous !== null && row.previous_until > now() ? [row.secret, row.previous] : [row.secret];
}

export function toWebhook(row: Selectable<WebhookRow>): Webhook {
  const { holder: _, token: _t, expires_at: _e, events, state, ...rest } = row;
  return { ...rest, events: JSON.parse(events) as WebhookEvents, state: state as Webhook["state"] };
}
