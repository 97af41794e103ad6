/** `POST /orchestrate` and `POST /execute/{task_id}`: a task is planned, and later begun. */
import { createRoute, z } from "@hono/zod-openapi";
import { hasCode, OxbowError } from "../../core/errors.ts";
import { executionSchema, submissionSchema } from "../../core/submission.ts";
import { taskState, taskViewSchema } from "../../core/task-view.ts";
import { access, problems } from "./access.ts";
import { bodyOf, endedBy } from "./call-route.ts";
import { describeSchema } from "./call-schemas.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";

const SUBMISSION = {
  task_id: "feature-1087",
  title: "Implement invoice PDF export",
  description: "Add PDF export support to the billing dashboard including automated regression tests.",
  priority: "high",
  metadata: {
    repository: "git@github.com:appsmithery/dev-tools.git",
    requester: "product-management",
    due_date: "2025-11-22",
  },
} as const;

const planned = (description: string) => ({
  description,
  content: { "application/json": { schema: taskViewSchema } },
});

const submit = createRoute({
  method: "post",
  path: "/orchestrate",
  tags: ["tasks"],
  summary: "Plan a task: its subtasks, who does which, in which order. Nothing of it begins.",
  description:
    "`task_id` names the task for good. The same submission again gives the plan and status there are (200); another under the same id is refused (409 `task_conflict`). With a `callback_url` the task's events are sent there.",
  ...access("submit"),
  request: {
    body: {
      required: true,
      // Checked by the app: it is deeper than what the generator of the description can follow.
      content: {
        "application/json": { schema: { $ref: "#/components/schemas/Submission" }, example: SUBMISSION },
      },
    },
  },
  responses: {
    200: planned("It was there already: as it is now."),
    201: planned("It is planned, and durable."),
    ...problems,
  },
});

const begun = z
  .object({ task_id: z.string(), status: taskState })
  .openapi("Begun", { example: { task_id: "feature-1087", status: "running" } });

const execute = createRoute({
  method: "post",
  path: "/execute/{task_id}",
  tags: ["tasks"],
  summary: "Begin a planned task.",
  description:
    "Again, it gives the status there is. 503 `agent_unavailable` when nobody takes any part that could start: these are `blocked`, with an alert, the task is begun nevertheless, and goes on as soon as a worker takes one or a person assigns it.",
  ...access("submit"),
  request: {
    params: z.object({ task_id: name }),
    body: {
      required: false,
      content: { "application/json": { schema: executionSchema, example: { execution_mode: "auto" } } },
    },
  },
  responses: {
    200: { description: "It is begun.", content: { "application/json": { schema: begun } } },
    ...problems,
  },
});

export function orchestrateRoutes({ app, stopping }: Service): Routes {
  const made = routes();
  describeSchema(made, "Submission", submissionSchema, "input");
  made.openapi(submit, async (c) => {
    const gone = c.req.raw.signal;
    try {
      const signal = AbortSignal.any([gone, stopping]);
      const { created, view } = await app.orchestrate(await bodyOf(c), signal);
      return c.json(view, created ? 201 : 200, { location: `/tasks/${encodeURIComponent(view.task_id)}` });
    } catch (error) {
      throw endedBy(withField(error), { stopping, gone });
    }
  });
  made.openapi(execute, async (c) => {
    const { task_id } = c.req.valid("param");
    // A body that is not there has no defaults yet.
    const { execution_mode: mode, checkpoints } = executionSchema.parse(c.req.valid("json"));
    const { view } = await app.execute(task_id, { mode, checkpoints });
    if (view.status === "running") await refuseUntaken(app, task_id);
    return c.json({ task_id, status: view.status }, 200);
  });
  return made;
}

/** Throws agent_unavailable with the parts that nobody takes. */
async function refuseUntaken(app: Service["app"], task_id: string): Promise<void> {
  const untaken = await app.blockUntaken(task_id);
  if (untaken.length === 0) return;
  const agents = [...new Set(untaken.map(({ agent }) => agent))].join(", ");
  const message = `Task ${task_id} is begun, but no live worker takes what could start (${agents}).`;
  const subtasks = untaken.map((each) => ({ ...each, state: "blocked" }));
  throw new OxbowError("agent_unavailable", message, { details: { task_id, subtasks } });
}

/** Codes that say which field of the submission is wrong. */
const FIELDS = { webhook_refused: "callback_url", rev_not_found: "metadata.base" } as const;

function withField(error: unknown): unknown {
  for (const code of ["webhook_refused", "rev_not_found"] as const) {
    if (!hasCode(error, code)) continue;
    const { message, hint, details } = error;
    const fields = [{ field: FIELDS[code], issue: message }];
    return new OxbowError(code, message, { hint, details: { ...details, fields }, cause: error });
  }
  return error;
}
