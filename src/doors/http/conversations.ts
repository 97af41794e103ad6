/** Agents that come and go, and talking with them (SPEC D11): each route is one of a person's operations. */
import { z } from "@hono/zod-openapi";
import { addCall, callNamed, type CallRoute } from "./call-route.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";
import { nextCursor } from "./pages.ts";

const LIMIT = (most: number) => z.coerce.number().int().min(1).max(most).optional();

const conversation = callNamed("get_conversation");
const message = callNamed("send_message").parameters;

const history: CallRoute = {
  call: conversation,
  method: "get",
  path: "/conversations/{conversation_id}/messages",
  tag: "conversations",
  as: { cursor: "after" },
  query: z.object({
    limit: LIMIT(200).openapi({ description: "How many at most. Default 50." }),
    cursor: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .openapi({ description: "The `next_cursor` of the page before." }),
  }),
  result: {
    name: "MessagePage",
    schema: conversation.result.omit({ next: true }).extend({ next_cursor: nextCursor }),
    from: ({ next, ...rest }) => ({ ...rest, next_cursor: next }),
  },
};

export function conversationRoutes(service: Service): Routes {
  const made = routes();
  const tag = "conversations";
  addCall(made, service, {
    call: callNamed("create_agent"),
    method: "post",
    path: "/agents",
    tag: "agents",
    status: 201,
    example: { name: "code-review", skills: ["review"], allowed_paths: ["docs/reviews/**"] },
  });
  addCall(made, service, {
    call: callNamed("shutdown_agent"),
    method: "delete",
    path: "/agents/{name}",
    tag: "agents",
    query: z.object({
      cancel: z
        .enum(["true", "false"])
        .transform((given) => given === "true")
        .optional()
        .openapi({ type: "string", enum: ["true", "false"] }),
    }),
  });
  addCall(made, service, {
    call: callNamed("list_conversations"),
    method: "get",
    path: "/conversations",
    tag,
    query: z.object({ agent: name.optional(), limit: LIMIT(100) }),
  });
  addCall(made, service, {
    call: callNamed("send_message"),
    method: "post",
    path: "/conversations",
    tag,
    status: 201,
    body: message.omit({ conversation_id: true }).required({ agent: true }),
    example: { agent: "code-review", content: "What does src/api do?", wait_ms: 30_000 },
  });
  addCall(made, service, {
    call: callNamed("send_message"),
    method: "post",
    path: "/conversations/{conversation_id}/messages",
    tag,
    body: message.omit({ conversation_id: true, agent: true }),
  });
  addCall(made, service, history);
  addCall(made, service, {
    call: callNamed("delete_conversation"),
    method: "delete",
    path: "/conversations/{conversation_id}",
    tag,
  });
  return made;
}
