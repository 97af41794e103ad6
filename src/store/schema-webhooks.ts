/** The tables of webhooks. */
import type { Generated } from "kysely";

/** Where events are sent to, and how far that has come. Held by one process at a time, until `expires_at`. */
export interface WebhookRow {
  webhook_id: string;
  url: string;
  /** JSON: `default`, `all`, or names of events. */
  events: string;
  /** Null: of all tasks. */
  task_id: string | null;
  state: string;
  /** The `seq` of the last event that is dealt with. */
  position: number;
  delivered: Generated<number>;
  /** Of the event after `position`. */
  failed_tries: Generated<number>;
  failing_since: number | null;
  /** Nothing is sent before. */
  next_at: Generated<number>;
  last_at: number | null;
  last_status: number | null;
  last_error: string | null;
  holder: string | null;
  token: Generated<number>;
  expires_at: Generated<number>;
  created_at: number;
}

/** One time that an event was sent; of each webhook the last are kept. */
export interface WebhookTryRow {
  seq: Generated<number>;
  webhook_id: string;
  event_id: string;
  event: string;
  task_id: string;
  at: number;
  elapsed_ms: number;
  status: number | null;
  error: string | null;
}

/** With what a webhook's requests are signed: by the webhook's id, or `callbacks`. */
export interface WebhookSecretRow {
  owner: string;
  secret: string;
  /** Signs too, until `previous_until`. */
  previous: string | null;
  previous_until: number;
}
