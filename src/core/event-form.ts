/** How an event is written down: its name, when it comes, and its own fields beside those that all have. */
import { z } from "zod";

const ABOUT = {
  task_id: z.string().describe("the task; of schedules and other streams the stream's name"),
  subtask_id: z.string().exactOptional(),
  conversation_id: z.string().exactOptional(),
  source: z.string().exactOptional().describe("the agent it comes from"),
};

/** `when` is what the documentation says of it. */
export function event<Name extends string, Fields extends z.ZodRawShape>(
  name: Name,
  when: string,
  fields: Fields,
) {
  return z.object({ event: z.literal(name), ...ABOUT, ...fields }).describe(when);
}

/** The names of the fields that all events have. */
export const COMMON_FIELDS: ReadonlySet<string> = new Set(["event", ...Object.keys(ABOUT)]);
