/** What a person does with work under way, over HTTP: each route is one of a person's operations, where it belongs. */
import { z } from "@hono/zod-openapi";
import { addCall, callNamed } from "./call-route.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";

const ID = { task_id: "id", subtask_id: "id" };
const TASK = { task_id: "task" };

export function steeringRoutes(service: Service): Routes {
  const steering = routes();
  const add = (
    method: "get" | "post" | "put",
    path: string,
    call: string,
    more: { as?: Record<string, string>; query?: z.ZodObject; tag?: string; example?: object } = {},
  ) => addCall(steering, service, { call: callNamed(call), method, path, tag: "tasks", ...more });

  for (const what of ["cancel", "retry"]) {
    add("post", `/tasks/{task_id}/${what}`, what, { as: ID });
    add("post", `/subtasks/{subtask_id}/${what}`, what, { as: ID });
  }
  add("post", "/subtasks/{subtask_id}/assign", "assign", {
    as: { subtask_id: "subtask" },
    example: { agent: "feature-dev" },
  });
  add("post", "/tasks/{task_id}/resume", "resume", { as: TASK });
  add("post", "/tasks/{task_id}/merge", "merge", { as: TASK });
  add("get", "/tasks/{task_id}/budget", "budget", { as: TASK });
  add("put", "/tasks/{task_id}/budget", "budget_set", { as: TASK });
  add("get", "/tasks/{task_id}/diff", "diff", { as: TASK, query: z.object({ agent: name.optional() }) });
  add("post", "/plan", "plan");
  for (const what of ["grant", "deny"])
    add("post", `/approvals/{approval_id}/${what}`, `approvals_${what}`, {
      as: { approval_id: "id" },
      tag: "approvals",
    });
  add("get", "/owners", "owner", {
    as: { path: "paths" },
    tag: "agents",
    query: z.object({
      path: z
        .array(name)
        .min(1)
        .max(500)
        .openapi({ description: "Paths of the repository; may be repeated." }),
    }),
  });
  add("post", "/signals", "signal_send", { tag: "signals" });
  add("get", "/signals", "signal_wait", {
    tag: "signals",
    query: z.object({
      topic: name,
      last_id: z.string().max(100).optional(),
      timeout_ms: z.coerce.number().int().min(0).max(600_000).optional(),
    }),
  });
  return steering;
}
