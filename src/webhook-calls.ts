/** The app's methods on webhooks: events that are sent to programs elsewhere. */
import { OxbowError, toErrorValue } from "./core/errors.ts";
import type { Settings } from "./core/settings.ts";
import type { WebhookEvents } from "./core/webhook-events.ts";
import type { ShownTry, ShownWebhook } from "./core/webhooks.ts";
import type { Rooms } from "./rooms.ts";
import type { Engine } from "./team/engine.ts";
import type { AddedWebhook, TestedWebhook, WebhookDesk } from "./team/webhook-list.ts";

export type { ShownTry, ShownWebhook } from "./core/webhooks.ts";
export type { AddedWebhook, TestedWebhook } from "./team/webhook-list.ts";

export interface Webhooks {
  /**
   * Sends events to a URL from now on. `secretEnv` names the variable with the secret; by default one is made, and shown this
   * once. Throws webhook_refused, usage.
   */
  add(wanted: {
    url: string;
    events?: WebhookEvents | undefined;
    secret?: string | undefined;
    secretEnv?: string | undefined;
  }): Promise<AddedWebhook>;
  /** Throws webhook_refused for a URL that nothing may be sent to. */
  check(url: string): Promise<void>;
  /**
   * The `callback_url` of a task: it gets the task's events from its first on, however late it is added. The same call again
   * changes nothing. Throws task_unknown, webhook_refused, task_conflict (the task has another URL).
   */
  forTask(taskId: string, url: string, events?: WebhookEvents): Promise<ShownWebhook>;
  /** The oldest first, at most 1,000. */
  list(options?: { ofTasks?: boolean | undefined }): Promise<readonly ShownWebhook[]>;
  /** Throws webhook_unknown, as the following do. */
  remove(id: string): Promise<void>;
  /** Goes on with the event it stopped at, or (`skip`) with what comes from now on. */
  resume(id: string, options?: { skip?: boolean | undefined }): Promise<ShownWebhook>;
  /** Sends the event `webhook_test` now. */
  test(id: string, signal: AbortSignal): Promise<TestedWebhook>;
  /** Its last tries, the newest first. */
  deliveries(id: string): Promise<readonly ShownTry[]>;
  /** A new secret, of a webhook or (null) of all callbacks; the one before it signs too for a day. */
  secret(id: string | null): Promise<{ readonly secret: string }>;
  /** Sends until `signal` aborts, as every worker does; then what is there is still sent, for a few seconds at most. */
  deliver(signal: AbortSignal): Promise<void>;
}

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
