import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export const chatSend = defineTool({
  name: "chat_send",
  description:
    "Write to another agent that works on this task. It reads the message before its next step; an answer reaches you the same way.",
  parameters: z.strictObject({
    recipient: z
      .string()
      .describe(
        "An agent's name (all its conversations in this task that are at work) or a conversation id.",
      ),
    content: z.string().describe("The message, as text."),
  }),
  flag: "ENABLE_CHAT_TOOLS",
  run: async ({ recipient, content }, ctx) => {
    const { ok, sent } = await ctx.chat.send(recipient, content);
    return { ok, sent: sent.map((one) => ({ ...one })) };
  },
});
