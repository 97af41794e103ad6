/** What a program does with webhooks: the part of the app that the library shows as it is. */
import type { WebhookEvents } from "./core/webhook-events.ts";
import type { AddedWebhook, ShownTry, ShownWebhook, TestedWebhook } from "./core/webhooks.ts";

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
