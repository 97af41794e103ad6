/** Webhooks: events that are sent to programs elsewhere (docs/webhooks.md). Their URLs may be secrets, so all of it needs `admin`. */
import { createRoute, z } from "@hono/zod-openapi";
import { newWebhookSchema, webhookSchema, webhookTrySchema } from "../../core/webhooks.ts";
import { access, answers, jsonBody, problems } from "./access.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";
import { nextCursor, pageOf, pageQuery } from "./pages.ts";

const params = z.object({ webhook_id: name });
const tags = ["webhooks"];
const webhook = webhookSchema.openapi("Webhook");
const removed = z.object({ removed: z.literal(true) }).openapi("WebhookRemoved");

const list = createRoute({
  method: "get",
  path: "/webhooks",
  tags,
  summary: "Webhooks, the oldest first.",
  ...access("admin"),
  request: {
    query: z.object({
      ...pageQuery,
      of_tasks: z
        .enum(["true", "false"])
        .optional()
        .openapi({ description: "Also `callback_url`s of tasks." }),
    }),
  },
  responses: answers(
    z.object({ webhooks: z.array(webhook), next_cursor: nextCursor }).openapi("WebhookPage"),
    "A page of webhooks.",
  ),
});

const add = createRoute({
  method: "post",
  path: "/webhooks",
  tags,
  summary: "Send events to a URL from now on.",
  ...access("admin"),
  request: { body: jsonBody(newWebhookSchema.openapi("NewWebhook")) },
  responses: {
    201: {
      description: "It is added. The secret is shown this once; null when the caller gave it.",
      content: {
        "application/json": {
          schema: z.object({ webhook, secret: z.string().nullable() }).openapi("AddedWebhook"),
        },
      },
    },
    ...problems,
  },
});

const remove = createRoute({
  method: "delete",
  path: "/webhooks/{webhook_id}",
  tags,
  summary: "Send nothing more there.",
  ...access("admin"),
  request: { params },
  responses: answers(removed, "It is gone, with what was still to be sent."),
});

const test = createRoute({
  method: "post",
  path: "/webhooks/{webhook_id}/test",
  tags,
  summary: "Send the event `webhook_test` there now.",
  ...access("admin"),
  request: { params },
  responses: answers(
    z
      .object({
        message_id: z.string(),
        ok: z.boolean(),
        status: z.int().nullable(),
        error: z.string().nullable(),
        elapsed_ms: z.number(),
        answer: z.string().openapi({ description: "The beginning of the answer." }),
      })
      .openapi("TestedWebhook"),
    "What came back.",
  ),
});

const resume = createRoute({
  method: "post",
  path: "/webhooks/{webhook_id}/resume",
  tags,
  summary: "Go on with a webhook that is paused or disabled.",
  ...access("admin"),
  request: {
    params,
    query: z.object({
      skip: z
        .enum(["true", "false"])
        .optional()
        .openapi({ description: "Leave out what was to be sent, and begin with what comes from now on." }),
    }),
  },
  responses: answers(webhook, "The webhook."),
});

const deliveries = createRoute({
  method: "get",
  path: "/webhooks/{webhook_id}/deliveries",
  tags,
  summary: "Its last tries, the newest first.",
  ...access("admin"),
  request: { params, query: z.object(pageQuery) },
  responses: answers(
    z
      .object({ deliveries: z.array(webhookTrySchema.openapi("WebhookTry")), next_cursor: nextCursor })
      .openapi("WebhookTryPage"),
    "A page of tries.",
  ),
});

export function webhookRoutes({ app: { webhooks }, stopping }: Service): Routes {
  const made = routes();
  const idOf = (c: { req: { valid(target: "param"): { webhook_id: string } } }) =>
    c.req.valid("param").webhook_id;
  made.openapi(list, async (c) => {
    const { of_tasks, ...page } = c.req.valid("query");
    const all = await webhooks.list({ ofTasks: of_tasks === "true" });
    const { entries, next_cursor } = pageOf(all, ({ webhook_id }) => webhook_id, page);
    return c.json({ webhooks: entries, next_cursor }, 200);
  });
  made.openapi(add, async (c) => {
    const { webhook: added, secret } = await webhooks.add(c.req.valid("json"));
    return c.json({ webhook: added, secret }, 201, { location: `/webhooks/${added.webhook_id}` });
  });
  made.openapi(remove, async (c) => {
    await webhooks.remove(idOf(c));
    return c.json({ removed: true } as const, 200);
  });
  made.openapi(test, async (c) => {
    const signal = AbortSignal.any([c.req.raw.signal, stopping]);
    return c.json({ ...(await webhooks.test(idOf(c), signal)) }, 200);
  });
  made.openapi(resume, async (c) => {
    const skip = c.req.valid("query").skip === "true";
    return c.json(await webhooks.resume(idOf(c), { skip }), 200);
  });
  made.openapi(deliveries, async (c) => {
    const tries = await webhooks.deliveries(idOf(c));
    const { entries, next_cursor } = pageOf(
      tries,
      (each) => `${each.message_id} ${each.at}`,
      c.req.valid("query"),
    );
    return c.json({ deliveries: entries, next_cursor }, 200);
  });
  return made;
}
