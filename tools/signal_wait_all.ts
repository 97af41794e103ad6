import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { DEFAULT_WAIT_MS } from "./signal_wait.ts";

export const signalWaitAll = defineTool({
  name: "signal_wait_all",
  description:
    "Wait until every one of several topics has a message. ok is false when the time is up; missing lists the topics without one.",
  parameters: z.strictObject({
    topics: z.array(z.string()).min(1).describe("The topics' names."),
    last_ids: z
      .record(z.string(), z.string())
      .optional()
      .describe("For a topic, the message_id after which to read."),
    timeout_ms: z.number().int().min(0).optional().describe(`Milliseconds. Default ${DEFAULT_WAIT_MS}.`),
  }),
  flag: "ENABLE_SIGNAL_TOOLS",
  standalone: true,
  run: async ({ topics, last_ids = {}, timeout_ms = DEFAULT_WAIT_MS }, ctx) => {
    const { messages, ...rest } = await ctx.signals.waitAll(topics, last_ids, timeout_ms, ctx.signal);
    const plain = Object.entries(messages).map(([topic, message]) => [topic, { ...message }] as const);
    return { ...rest, messages: Object.fromEntries(plain) };
  },
});
