/** Which events somebody wants, and from where on: the same words in a query and in a message. */
import { z } from "@hono/zod-openapi";
import { eventBodySchema } from "../../core/event-schemas.ts";
import type { StreamRequest } from "../../stream-calls.ts";
import { name } from "./contract.ts";

const NAMES: ReadonlySet<string> = new Set(eventBodySchema.options.map(({ shape }) => shape.event.value));

/** The ids of events are opaque to callers; 0 is before the first. */
export const eventId = z.string().min(1).max(100);

const eventNames = z
  .string()
  .max(4_000)
  .transform((text) => text.split(",").map((word) => word.trim()))
  .refine((words) => words.every((word) => NAMES.has(word)), "names an event that there is not");

const filters = {
  event: eventNames.optional().openapi({
    type: "string",
    description: "Only events of these names, with commas between them.",
  }),
  agent: name.optional().openapi({ description: "Only those from or about this agent." }),
  ticket: name.optional().openapi({ description: "Only those of tasks with this ticket." }),
  conversation: name.optional().openapi({ description: "Only those of this conversation." }),
};

const ofAllTasks = {
  ...filters,
  task_id: name.optional().openapi({ description: "Only those of this task." }),
};

const where = {
  after: eventId.optional().openapi({ description: "Begin after this event; 0: with the first." }),
  follow: z
    .enum(["0", "1"])
    .optional()
    .openapi({ description: "0: end at the present. Default: go on as things happen." }),
};

export const taskQuery = z.object({ ...filters, ...where });
export const allQuery = z.object({ ...ofAllTasks, ...where });

/** What a client says on a WebSocket. */
export const clientMessage = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("subscribe"),
    after: eventId.optional(),
    filters: z.strictObject(ofAllTasks).optional(),
  }),
  z.strictObject({ type: z.literal("ping") }),
]);

type Filters = z.infer<z.ZodObject<typeof ofAllTasks>>;

/** Of `filters`, without those that were not given. */
export function wanted(
  given: Filters,
  rest: Pick<StreamRequest, "after" | "follow" | "ofTask">,
): StreamRequest {
  const { event, agent, task_id, ticket, conversation } = given;
  return {
    events: event ?? null,
    agent: agent ?? null,
    taskId: task_id ?? null,
    ticket: ticket ?? null,
    conversation: conversation ?? null,
    ...rest,
  };
}
