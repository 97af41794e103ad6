/**
 * Sends events to webhooks. Every process that works does so; each webhook is sent for by one of them at a time, event after
 * event in the order of the stream, so that one that is slow or fails holds up nobody else. What was sent and not written
 * down is sent again, under the same id.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { OxbowEvent } from "../core/events.ts";
import { eventBody, judgeAnswer, messageId, type Verdict } from "../core/webhook-delivery.ts";
import { isWanted, shownUrl } from "../core/webhook-events.ts";
import { failPoint } from "../host/fail-point.ts";
import type { Store } from "../store/contract.ts";
import type { News } from "../store/event-log.ts";
import type { Settlement, WebhookLease } from "../store/webhook-sending.ts";
import type { Webhook } from "../store/webhook-rows.ts";
import { type Sending, tryOnce, type TriedAnswer } from "./webhook-try.ts";

/** The longest time between two looks, milliseconds: a webhook may be added, or its holder's time run out. */
const LOOK_MS = 2_000;
/** The shortest: a run writes many events at once. */
const GAP_MS = 50;
const RETRY_MS = 5_000;
/** How long one that sends keeps its webhook without a word, milliseconds: longer than a try takes. */
const HOLD_MS = 30_000;
/** Webhooks that are sent for at once. */
const PLACES = 32;
/** Events read at once. */
const PAGE = 20;
/** Webhooks looked at at once. */
const LIMIT = 1_000;
/** A webhook that wants none of so many events is brought forward. */
const FAR = 1_000;
/** How long the last events may take when the process ends, milliseconds. */
const LAST_MS = 5_000;
/** Of how many webhooks this process remembers how far it has looked. */
const REMEMBERED = 10_000;

export interface WebhookRoom extends Sending {
  readonly store: Pick<Store, "webhooks">;
  readonly workerId: string;
  workerIsDead(workerId: string): boolean;
  redact(text: string): string;
  /** They are not shown from now on, whatever has them in it. */
  hide(secrets: readonly string[]): void;
  /** From 0 to 1. */
  random(): number;
  problem(error: unknown): void;
}

export interface WebhookSender {
  /** Begins to send what is due, and says how long nothing more will be, milliseconds; null when there is no webhook. */
  look(): Promise<number | null>;
  /** All that was begun is sent, or has failed. */
  settled(): Promise<void>;
  /** Lets go of everything; what is under way is broken off. */
  leave(): Promise<void>;
}

export function createWebhookSender(room: WebhookRoom): WebhookSender {
  const { webhooks } = room.store;
  const atWork = new Map<string, Promise<void>>();
  /** Of those at work: they have to look again before they end, since there may be events that they have not seen. */
  const again = new Set<string>();
  /** By webhook: up to where there is nothing it wants. */
  const looked = new Map<string, number>();
  const left = new AbortController();
  let storeId: Promise<string> | null = null;

  async function send({ webhook, secrets }: WebhookLease, event: OxbowEvent): Promise<TriedAnswer> {
    const id = messageId(await (storeId ??= webhooks.storeId()), event.id);
    const body = eventBody(event, room.redact);
    return tryOnce(room, { url: webhook.url, id, body, secrets }, left.signal);
  }

  /** True when it was delivered. */
  async function deliver(lease: WebhookLease, event: OxbowEvent, failed: number): Promise<boolean> {
    const at = room.now();
    const answer = await send(lease, event);
    failPoint("webhook.sent");
    const verdict = judgeAnswer(answer, failed, room.now(), room.random());
    const tried = {
      event_id: event.id,
      event: event.event,
      task_id: event.task_id,
      at,
      elapsed_ms: answer.elapsedMs,
      status: answer.status,
      error: answer.error,
    };
    const written = await webhooks.settle(lease, tried, settlement(verdict, lease.webhook, event, answer));
    return written && verdict.kind === "delivered";
  }

  async function drain(lease: WebhookLease): Promise<void> {
    const { webhook } = lease;
    let { position, failed_tries: failed } = webhook;
    try {
      for (;;) {
        const { events, until } = await webhooks.pending(webhook, position, PAGE);
        for (const event of events) {
          left.signal.throwIfAborted();
          if (isWanted(webhook.events, event)) {
            if (!(await deliver(lease, event, failed))) return;
            failed = 0;
          }
          position = Number(event.id);
        }
        if (events.length < PAGE) position = Math.max(position, until);
        if (events.length < PAGE && !again.delete(webhook.webhook_id))
          return await webhooks.release(lease, position);
      }
    } catch (error) {
      if (!left.signal.aborted) throw error;
      await webhooks.release(lease, position);
    }
  }

  function begin({ webhook_id }: Webhook): void {
    const work = async () => {
      do {
        again.delete(webhook_id);
        const lease = await webhooks.take(webhook_id, room.workerId, HOLD_MS);
        if (lease === null) return;
        room.hide(lease.secrets);
        await drain(lease);
      } while (again.has(webhook_id) && !left.signal.aborted);
    };
    const working = work()
      .catch(room.problem)
      .finally(() => {
        atWork.delete(webhook_id);
        again.delete(webhook_id);
      });
    atWork.set(webhook_id, working);
  }

  async function hasWork(webhook: Webhook, newest: number): Promise<boolean> {
    const from = Math.max(webhook.position, looked.get(webhook.webhook_id) ?? 0);
    if (from >= newest) return false;
    const { events, until } = await webhooks.pending(webhook, from, 1);
    if (events.length > 0) return true;
    if (looked.size >= REMEMBERED) looked.clear();
    looked.set(webhook.webhook_id, until);
    return until - webhook.position >= FAR;
  }

  const settled = async () => {
    while (atWork.size > 0) await Promise.all(atWork.values());
  };
  return {
    async look() {
      for (const id of atWork.keys()) again.add(id);
      const due = await webhooks.due(LIMIT);
      if (due === null) return null;
      await freeDead(room);
      for (const webhook of due.webhooks) {
        if (atWork.size >= PLACES || left.signal.aborted) break;
        if (!atWork.has(webhook.webhook_id) && (await hasWork(webhook, due.newest))) begin(webhook);
      }
      return Math.min(LOOK_MS, due.nextInMs ?? LOOK_MS);
    },
    settled,
    async leave() {
      left.abort();
      await settled();
    },
  };
}

/** At once, where it is known, and not only when the time is up. */
async function freeDead({ store, workerId, workerIsDead }: WebhookRoom): Promise<void> {
  for (const holder of await store.webhooks.holders())
    if (holder !== workerId && workerIsDead(holder)) await store.webhooks.free(holder);
}

function settlement(verdict: Verdict, webhook: Webhook, event: OxbowEvent, answer: TriedAnswer): Settlement {
  if (verdict.kind === "delivered") return { kind: "delivered", ttlMs: HOLD_MS };
  if (verdict.kind === "again") return { kind: "again", delayMs: verdict.delayMs };
  const name = `The webhook ${webhook.webhook_id} (${shownUrl(webhook.url)})`;
  const resume = `\`oxbow webhook resume ${webhook.webhook_id}\``;
  const [state, code, message] =
    verdict.kind === "gone"
      ? (["disabled", "webhook_disabled", `${name} answered 410, so nothing more is sent there.`] as const)
      : ([
          "paused",
          "webhook_paused",
          `${name} could not be reached (${answer.status ?? answer.error}) and is paused; ${resume} goes on with what waits.`,
        ] as const);
  return { kind: "ended", state, notice: { event: "notice", task_id: event.task_id, code, message } };
}

/** Sends until `signal` aborts; then what is there is still sent, for a few seconds at most. Never rejects. */
export async function deliverWebhooks(room: WebhookRoom, signal: AbortSignal): Promise<void> {
  const sender = createWebhookSender(room);
  const nap = (ms: number) => delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
  let news: News | null = null;
  let failing = false;
  const fails = (error: unknown) => {
    if (!failing) room.problem(error);
    failing = true;
  };
  try {
    while (!signal.aborted) {
      try {
        const wait = await sender.look();
        failing = false;
        if (wait === null) await nap(LOOK_MS);
        // What came between the look and this is found by the next look, at once.
        else if (news === null) news = await room.store.webhooks.news();
        else {
          await news.next(wait, signal);
          await nap(GAP_MS);
        }
      } catch (error) {
        if (signal.aborted) break;
        fails(error);
        await nap(RETRY_MS);
      }
    }
    await sender.look();
    await withinMs(sender.settled(), LAST_MS);
  } catch (error) {
    fails(error);
  } finally {
    news?.[Symbol.dispose]();
    await sender.leave();
  }
}

async function withinMs(work: Promise<void>, ms: number): Promise<void> {
  const over = new AbortController();
  const late = delay(ms, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([work, late]);
  over.abort();
}
