/** `GET /tasks` and `GET /tasks/{task_id}`: what was submitted, the newest first; and how one of them is. */
import { createRoute, z } from "@hono/zod-openapi";
import { taskState, taskViewSchema } from "../../core/task-view.ts";
import { access, answers } from "./access.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";
import { nextCursor, pageQuery, readCursor, writeCursor } from "./pages.ts";

const taskSchema = z
  .object({
    task_id: z.string(),
    ticket: z.string(),
    title: z.string(),
    status: taskState,
    team: z.string(),
    base_ref: z.string(),
    base_commit: z.string(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("TaskSummary");

const position = z.tuple([z.int(), name]);

const list = createRoute({
  method: "get",
  path: "/tasks",
  tags: ["tasks"],
  summary: "Tasks, the newest first.",
  ...access("read"),
  request: {
    query: z.object({
      ...pageQuery,
      state: taskState.optional().openapi({ description: "Only those in this state." }),
      ticket: name.optional().openapi({ description: "Only those of this ticket." }),
    }),
  },
  responses: answers(
    z.object({ tasks: z.array(taskSchema), next_cursor: nextCursor }).openapi("TaskPage"),
    "A page of tasks.",
  ),
});

const show = createRoute({
  method: "get",
  path: "/tasks/{task_id}",
  tags: ["tasks"],
  summary: "How a task is: its subtasks, what they depend on, what they made, who did what.",
  ...access("read"),
  request: { params: z.object({ task_id: name }) },
  responses: answers(taskViewSchema, "The task as it is now."),
});

export function taskRoutes({ app }: Service): Routes {
  const tasks = routes();
  tasks.openapi(show, async (c) => c.json(await app.taskView(c.req.valid("param").task_id), 200));
  tasks.openapi(list, async (c) => {
    const { limit, cursor, state, ticket } = c.req.valid("query");
    const [created_at, task_id] = cursor === undefined ? [] : readCursor(cursor, position);
    const before = task_id === undefined || created_at === undefined ? undefined : { created_at, task_id };
    const found = await app.taskPage({ limit: limit + 1, before, state, ticket });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    const isMore = last !== undefined && found.length > limit;
    return c.json(
      {
        tasks: shown.map((task) => ({
          task_id: task.task_id,
          ticket: task.ticket,
          title: task.title,
          status: task.state,
          team: task.team,
          base_ref: task.base_ref,
          base_commit: task.base_commit,
          created_at: new Date(task.created_at).toISOString(),
          updated_at: new Date(task.updated_at).toISOString(),
        })),
        next_cursor: isMore ? writeCursor([last.created_at, last.task_id]) : null,
      },
      200,
    );
  });
  return tasks;
}
