/** `GET /approvals`: what waits for a person, or has been answered. */
import { createRoute, z } from "@hono/zod-openapi";
import { access, answers } from "./access.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";
import { nextCursor, pageOf, pageQuery } from "./pages.ts";

const approvalSchema = z
  .object({
    approval_id: z.string(),
    kind: z
      .enum(["scope", "gate"])
      .openapi({ description: "scope: to write elsewhere too; gate: to begin at all." }),
    task_id: z.string(),
    subtask_id: z.string(),
    agent: z.string(),
    state: z.enum(["open", "granted", "denied", "withdrawn"]),
    paths: z.array(z.string()),
    reason: z.string(),
    owner: z.string().nullable().openapi({ description: "The agent that is asked; null: a person." }),
    person: z.string().nullable(),
    decided_by: z.string().nullable(),
    answer: z.string().nullable(),
    created_at: z.iso.datetime(),
    decided_at: z.iso.datetime().nullable(),
    waiting: z.boolean().openapi({ description: "False: its work has ended, so an answer changes nothing." }),
  })
  .openapi("ApprovalRequest");

const alertSchema = z
  .object({
    kind: z.literal("alert"),
    task_id: z.string(),
    subtask_id: z.string(),
    agent: z.string(),
    code: z.string(),
    message: z.string(),
    since: z.iso.datetime(),
    until: z.iso.datetime().openapi({ description: "Then it ends as timed_out." }),
  })
  .openapi("Alert");

const list = createRoute({
  method: "get",
  path: "/approvals",
  tags: ["approvals"],
  summary: "Requests that wait for a person, the oldest first, and subtasks that nobody can work on.",
  ...access("read"),
  request: {
    query: z.object({
      ...pageQuery,
      task_id: name.optional().openapi({ description: "Only those of this task." }),
      all: z.enum(["true", "false"]).optional().openapi({ description: "Also those that were answered." }),
    }),
  },
  responses: answers(
    z
      .object({
        approvals: z.array(approvalSchema),
        next_cursor: nextCursor,
        alerts: z.array(alertSchema).openapi({ description: "All there are, on every page." }),
      })
      .openapi("ApprovalPage"),
    "A page of requests.",
  ),
});

export const approvalRoutes = ({ app }: Service): Routes =>
  routes().openapi(list, async (c) => {
    const { limit, cursor, task_id: taskId, all } = c.req.valid("query");
    const found = await app.approvals({ taskId, all: all === "true" });
    const { entries, next_cursor } = pageOf(found, ({ approval_id }) => approval_id, { limit, cursor });
    const approvals = entries.map((each) => ({
      approval_id: each.approval_id,
      kind: each.kind,
      task_id: each.task_id,
      subtask_id: each.subtask_id,
      agent: each.agent,
      state: each.state,
      paths: [...each.paths],
      reason: each.reason,
      owner: each.owner,
      person: each.person,
      decided_by: each.decided_by,
      answer: each.answer,
      created_at: new Date(each.created_at).toISOString(),
      decided_at: each.decided_at === null ? null : new Date(each.decided_at).toISOString(),
      waiting: each.waiting,
    }));
    return c.json({ approvals, next_cursor, alerts: [...(await app.alerts(taskId))] }, 200);
  });
