/** Agents that come and go, and talking with them (SPEC D11): each route is one of a person's operations. */
import { createRoute, z } from "@hono/zod-openapi";
import { access, answers } from "./access.ts";
import { addCall, callNamed, type CallRoute } from "./call-route.ts";
import { name, routes, type Routes, type Service } from "./contract.ts";
import { nextCursor, pageQuery, readCursor, writeCursor } from "./pages.ts";

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

const position = z.tuple([z.int(), name]);

const list = createRoute({
  method: "get",
  path: "/conversations",
  tags: ["conversations"],
  summary: "Conversations of people with agents, those that spoke last first.",
  ...access("read"),
  request: { query: z.object({ ...pageQuery, agent: name.optional() }) },
  responses: answers(
    z
      .object({
        conversations: z.array(
          z.object({
            conversation_id: z.string(),
            agent: z.string(),
            messages: z.int(),
            unanswered: z.int().openapi({ description: "Messages that wait for their answer." }),
            updated_at: z.iso.datetime(),
          }),
        ),
        next_cursor: nextCursor,
      })
      .openapi("ConversationPage"),
    "A page of conversations.",
  ),
});

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
  made.openapi(list, async (c) => {
    const { agent, limit, cursor } = c.req.valid("query");
    const [updated_at, id] = cursor === undefined ? [] : readCursor(cursor, position);
    const before =
      id === undefined || updated_at === undefined ? undefined : { updated_at, conversation_id: id };
    const found = await service.app.conversations({ agent, before, limit: limit + 1 });
    const shown = found.slice(0, limit);
    const last = found.length > limit ? shown.at(-1) : undefined;
    return c.json(
      {
        conversations: shown.map((each) => ({
          conversation_id: each.conversation_id,
          agent: each.agent,
          messages: each.messages,
          unanswered: each.unanswered,
          updated_at: new Date(each.updated_at).toISOString(),
        })),
        next_cursor: last === undefined ? null : writeCursor([last.updated_at, last.conversation_id]),
      },
      200,
    );
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
