/** The app's methods on webhooks: events that are sent to programs elsewhere. */
import { OxbowError, toErrorValue } from "./core/errors.ts";
import type { Settings } from "./core/settings.ts";
import type { WebhookEvents } from "./core/webhook-events.ts";
import type { Rooms } from "./rooms.ts";
import type { Engine } from "./team/engine.ts";
import type { WebhookDesk } from "./team/webhook-list.ts";
import type { Webhooks } from "./webhooks.ts";

export type { ShownTry, ShownWebhook } from "./core/webhooks.ts";
export type { Webhooks } from "./webhooks.ts";

export interface WebhookCalls {
  readonly webhooks: Webhooks;
}

/** `during` does some work, and sends to webhooks meanwhile and, for a few seconds, what it left to send. */
export function createWebhookCalls(
  opened: () => Promise<Rooms>,
  engine: () => Promise<Pick<Engine, "workerId" | "workerIsDead" | "log">>,
  settings: Settings,
  env: Readonly<Record<string, string>>,
): WebhookCalls & { readonly during: <T>(work: () => Promise<T>) => Promise<T> } {
  const desk = async () => deskOf(await opened(), settings);
  const team = () => import("./team/webhook-list.ts");
  const during = createDuring(async (signal) => {
    const { deliverWebhooks } = await import("./team/webhooks.ts");
    const { workerId, workerIsDead, log } = await engine();
    const problem = (error: unknown) => log.error({ error: toErrorValue(error) }, "webhooks_failed");
    const room = { ...(await desk()), workerId, workerIsDead, random: Math.random, problem };
    await deliverWebhooks(room, signal);
  });
  return {
    during,
    webhooks: {
      async add({ url, events = "default", secret, secretEnv }) {
        const given = secret ?? (secretEnv === undefined ? null : fromVariable(env, secretEnv));
        const { addWebhook } = await team();
        return addWebhook(await desk(), { url, events: await known(events), secret: given });
      },
      check: async (url) => (await team()).checkUrl(await desk(), url),
      forTask: async (taskId, url, events = "default") =>
        (await team()).addCallback(await desk(), taskId, url, await known(events)),
      list: async (options = {}) => (await team()).listWebhooks(await desk(), options.ofTasks === true),
      remove: async (id) => (await team()).removeWebhook(await desk(), id),
      resume: async (id, options = {}) =>
        (await team()).resumeWebhook(await desk(), id, options.skip === true),
      test: async (id, signal) => (await team()).testWebhook(await desk(), id, signal),
      deliveries: async (id) => (await team()).webhookTries(await desk(), id),
      secret: async (id) => (await team()).renewSecret(await desk(), id),
      deliver: (signal) => during(() => aborted(signal)),
    },
  };
}

/** However much is done at once, one sends for all of it. */
function createDuring(deliver: (signal: AbortSignal) => Promise<void>) {
  let working = 0;
  let over = new AbortController();
  let delivering: Promise<void> = Promise.resolve();
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (working++ === 0) {
      over = new AbortController();
      // It rejects only where there is no engine: then there is no work either, which says why.
      delivering = deliver(over.signal).catch(() => undefined);
    }
    try {
      return await work();
    } finally {
      if (--working === 0) {
        over.abort();
        await delivering;
      }
    }
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function deskOf({ store, secrets }: Rooms, settings: Settings): Promise<WebhookDesk> {
  const { createResolve } = await import("./host/webhook-sender.ts");
  const { secretForms, TRY_MS } = await import("./core/webhook-delivery.ts");
  return {
    store,
    redact: secrets.redact,
    hide: (values) => secrets.know(secretForms(values)),
    resolve: createResolve(),
    allowPrivate: settings.oxbowWebhookAllowPrivate,
    tryMs: TRY_MS,
    now: Date.now,
  };
}

async function known(events: WebhookEvents): Promise<WebhookEvents> {
  if (typeof events === "string") return events;
  return (await import("./core/webhooks.ts")).readEvents(events.join(","));
}

function fromVariable(env: Readonly<Record<string, string>>, name: string): string {
  const secret = env[name];
  if (secret !== undefined && secret !== "") return secret;
  throw new OxbowError("usage", `The variable ${name.slice(0, 80)} is unset.`, {
    hint: "Set it to `whsec_` and 24 to 64 bytes in base64, or leave --secret-env out.",
  });
}
