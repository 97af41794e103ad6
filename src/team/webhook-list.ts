/** Webhooks as a person adds, lists, tries and removes them. */
import { randomBytes } from "node:crypto";
import { OxbowError } from "../core/errors.ts";
import { messageId, secretBytes } from "../core/webhook-delivery.ts";
import { shownUrl, type WebhookEvents } from "../core/webhook-events.ts";
import { checkWebhookUrl } from "../core/webhook-url.ts";
import type { AddedWebhook, ShownTry, ShownWebhook, TestedWebhook } from "../core/webhooks.ts";
import { newId } from "../host/ids.ts";
import type { Store } from "../store/contract.ts";
import { CALLBACKS, type Webhook } from "../store/webhook-rows.ts";
import { judged, type Sending, tryOnce } from "./webhook-try.ts";

/** How long the secret before a new one still signs, milliseconds. */
const KEEP_MS = 24 * 3_600_000;
const LISTED = 1_000;
/** Waiting events are counted up to here. */
const COUNTED = 1_000;

export interface WebhookDesk extends Sending {
  readonly store: Pick<Store, "webhooks" | "task">;
  redact(text: string): string;
  /** They are not shown from now on, whatever has them in it. */
  hide(secrets: readonly string[]): void;
}

/** Throws webhook_refused for a URL that nothing may be sent to, as it is now. */
export async function checkUrl(desk: WebhookDesk, url: string): Promise<void> {
  const timeout = AbortSignal.timeout(desk.tryMs);
  const { verdict } = await judged(desk, url, timeout).catch((error: unknown) => {
    if (!timeout.aborted) throw error;
    return { verdict: checkWebhookUrl(url, { addresses: [] }) };
  });
  if (!verdict.allowed)
    throw new OxbowError("webhook_refused", `No webhook is sent there: ${verdict.reason}`, {
      details: { code: verdict.code },
    });
}

/** Throws webhook_refused, usage (the secret). */
export async function addWebhook(
  desk: WebhookDesk,
  { url, events, secret }: { url: string; events: WebhookEvents; secret: string | null },
): Promise<AddedWebhook> {
  if (secret !== null) secretBytes(secret);
  await checkUrl(desk, url);
  const signing = secret ?? newSecret();
  desk.hide([signing]);
  const webhook = { webhook_id: newId("wh"), url, events, task_id: null };
  const added = await desk.store.webhooks.add(webhook, signing);
  return { webhook: await shown(desk, added), secret: secret === null ? signing : null };
}

/**
 * The `callback_url` of a task: it gets the task's events from the first on, whenever it is added. Again with the same URL it
 * changes nothing. Throws task_unknown, webhook_refused, task_conflict (the task has another).
 */
export async function addCallback(
  desk: WebhookDesk,
  taskId: string,
  url: string,
  events: WebhookEvents,
): Promise<ShownWebhook> {
  const { webhooks } = desk.store;
  const id = `callback:${taskId}`;
  if ((await webhooks.get(id)) === null) {
    if ((await desk.store.task(taskId)) === null)
      throw new OxbowError("task_unknown", `There is no task ${taskId.slice(0, 200)} in this repository.`);
    await checkUrl(desk, url);
    desk.hide(await webhooks.setSecret(CALLBACKS, newSecret(), { keepMs: 0, onlyFirst: true }));
  }
  const added = await webhooks.add({ webhook_id: id, url, events, task_id: taskId });
  if (added.url === url) return shown(desk, added);
  throw new OxbowError("task_conflict", `The task ${taskId} has another callback_url.`);
}

export async function listWebhooks(desk: WebhookDesk, ofTasks: boolean): Promise<readonly ShownWebhook[]> {
  const all = await desk.store.webhooks.list({ ofTasks, limit: LISTED });
  const result: ShownWebhook[] = [];
  for (const each of all) result.push(await shown(desk, each));
  return result;
}

/** Throws webhook_unknown. */
export async function removeWebhook({ store }: WebhookDesk, id: string): Promise<void> {
  if (!(await store.webhooks.remove(id))) throw unknown(id);
}

/** Goes on with the event it stopped at, or with `skip` with what comes from now on. Throws webhook_unknown. */
export async function resumeWebhook(desk: WebhookDesk, id: string, skip: boolean): Promise<ShownWebhook> {
  if (!(await desk.store.webhooks.resume(id, { skip }))) throw unknown(id);
  return shown(desk, await found(desk, id));
}

/** The newest first, at most 50. Throws webhook_unknown. */
export async function webhookTries(desk: WebhookDesk, id: string): Promise<readonly ShownTry[]> {
  await found(desk, id);
  const storeId = await desk.store.webhooks.storeId();
  return (await desk.store.webhooks.tries(id)).map(({ event_id, at, ...tried }) => ({
    message_id: messageId(storeId, event_id),
    ...tried,
    at: iso(at),
  }));
}

/** Sends the event `webhook_test` now; changes nothing. Throws webhook_unknown. */
export async function testWebhook(
  desk: WebhookDesk,
  id: string,
  signal: AbortSignal,
): Promise<TestedWebhook> {
  const { url, webhook_id, task_id } = await found(desk, id);
  const secrets = await desk.store.webhooks.secrets(task_id === null ? webhook_id : CALLBACKS);
  desk.hide(secrets);
  const messageTo = newId("test");
  const body = JSON.stringify({ event: "webhook_test", id: messageTo, ts: iso(desk.now()), webhook_id });
  const { status, error, text, elapsedMs } = await tryOnce(
    desk,
    { url, id: messageTo, body, secrets },
    signal,
  );
  return {
    message_id: messageTo,
    ok: error === null,
    status,
    error,
    elapsed_ms: elapsedMs,
    answer: desk.redact(text),
  };
}

/** A new secret for a webhook, or (null) for the callbacks of tasks; the one before it signs too for a day. Throws webhook_unknown. */
export async function renewSecret(
  desk: WebhookDesk,
  id: string | null,
): Promise<{ readonly secret: string }> {
  const ofTask = id === null || (await found(desk, id)).task_id !== null;
  const owner = ofTask ? CALLBACKS : id;
  const secret = newSecret();
  desk.hide([secret]);
  await desk.store.webhooks.setSecret(owner, secret, { keepMs: KEEP_MS });
  return { secret };
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

async function found({ store }: WebhookDesk, id: string): Promise<Webhook> {
  const webhook = await store.webhooks.get(id);
  if (webhook === null) throw unknown(id);
  return webhook;
}

function unknown(id: string): OxbowError {
  return new OxbowError("webhook_unknown", `There is no webhook ${id.slice(0, 200)}.`);
}

async function shown({ store, now }: WebhookDesk, webhook: Webhook): Promise<ShownWebhook> {
  const { position, next_at, last_at, failing_since, created_at, url, events, ...rest } = webhook;
  const { events: waiting } = await store.webhooks.pending(webhook, position, COUNTED);
  return {
    ...rest,
    url: shownUrl(url),
    events: typeof events === "string" ? events : [...events],
    waiting: waiting.length,
    failing_since: failing_since === null ? null : iso(failing_since),
    next_try_at: next_at > now() ? iso(next_at) : null,
    last_at: last_at === null ? null : iso(last_at),
    created_at: iso(created_at),
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
