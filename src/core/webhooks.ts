/** Webhooks as people and programs name them: which events go where, and what is shown of one. */
import { z } from "zod";
import { OxbowError } from "./errors.ts";
import { eventBodySchema } from "./event-schemas.ts";
import { suggestion } from "./text.ts";
import { SECRET } from "./webhook-delivery.ts";
import type { WebhookEvents } from "./webhook-events.ts";

/** `default`, `all`, or names with commas between them. Throws usage. */
export function readEvents(text: string): WebhookEvents {
  const words = text.split(",").map((word) => word.trim());
  const [first = ""] = words;
  if (words.length === 1 && (first === "all" || first === "default")) return first;
  const known = new Set<string>(eventBodySchema.options.map(({ shape }) => shape.event.value));
  const wrong = words.find((word) => !known.has(word));
  if (wrong !== undefined)
    throw new OxbowError("usage", `There is no event "${wrong.slice(0, 80)}".${suggestion(wrong, known)}`, {
      hint: "docs/orchestration/overview.md lists the events; or give `default` or `all`.",
    });
  return [...new Set(words)];
}

const id = z.string().min(1).max(200);
const time = z.string().describe("ISO 8601 in UTC");

/** What is asked for when a webhook is added. */
export const newWebhookSchema = z.strictObject({
  url: z.string().max(2048).describe("An https URL that leads to public addresses."),
  events: z
    .union([z.enum(["default", "all"]), z.array(z.string()).min(1).max(100)])
    .default("default")
    .describe("`default`, `all`, or the names of events."),
  secret: z
    .string()
    .regex(SECRET)
    .optional()
    .describe("`whsec_` and 24 to 64 bytes in base64; by default one is made."),
});

export const webhookSchema = z.strictObject({
  webhook_id: id,
  url: z.string().describe("Without its path, which may be a secret."),
  events: z.union([z.enum(["default", "all"]), z.array(z.string())]),
  task_id: id.nullable().describe("The task whose `callback_url` it is; null: of all tasks."),
  state: z
    .enum(["active", "paused", "disabled"])
    .describe("`paused`: too many tries failed. `disabled`: the receiver answered 410."),
  delivered: z.int().describe("Events that were delivered."),
  waiting: z.int().describe("Events that are still to be delivered; 1,000 may be more."),
  failed_tries: z.int().describe("Of the event that is next."),
  failing_since: time.nullable(),
  next_try_at: time.nullable().describe("Null: at once, when there is an event."),
  last_at: time.nullable(),
  last_status: z.int().nullable().describe("The HTTP status of the last answer."),
  last_error: z.string().nullable().describe("Why the last try failed."),
  created_at: time,
});
export type ShownWebhook = z.infer<typeof webhookSchema>;

/** One time that an event was sent. */
export const webhookTrySchema = z.strictObject({
  message_id: z.string().describe("The header `webhook-id`."),
  event: z.string(),
  task_id: id,
  at: time,
  elapsed_ms: z.int(),
  status: z.int().nullable(),
  error: z.string().nullable(),
});
export type ShownTry = z.infer<typeof webhookTrySchema>;

export interface AddedWebhook {
  readonly webhook: ShownWebhook;
  /** Shown this once; null when the caller gave it. */
  readonly secret: string | null;
}

export interface TestedWebhook {
  readonly message_id: string;
  readonly ok: boolean;
  readonly status: number | null;
  readonly error: string | null;
  readonly elapsed_ms: number;
  /** The beginning of the answer. */
  readonly answer: string;
}
