/** Events of what people set up, and say, outside of tasks. */
import { z } from "zod";
import { event } from "./event-form.ts";
import { names } from "./event-values.ts";

export const PEOPLE_EVENTS = [
  event(
    "agent_changed",
    "An agent was registered, shut down or brought back, on the stream `agent.<name>`.",
    {
      agent: z.string(),
      state: z.enum(["active", "shut_down"]),
      by: z.string(),
    },
  ),
  event(
    "conversation_message",
    "A person and an agent talk, on the stream `conversation.<conversation_id>`.",
    {
      message_id: z.string(),
      sender: z.string(),
      recipients: names,
      type: z.enum(["message", "reply", "error"]).describe("what a person says, and what comes of it"),
      content: z.string(),
      in_reply_to: z.string().nullable(),
    },
  ),
] as const;
