import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { DEFAULT_WAIT_MS } from "./signal_wait.ts";

export const signalWaitAny = defineTool({
  name: "signal_wait_any",
  description: "Wait for the first message on any of several topics. ok is false when the time is up.",
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
  run: async ({ topics, last_ids = {}, timeout_ms = DEFAULT_WAIT_MS }, ctx) => ({
    ...(await ctx.signals.waitAny(topics, last_ids, timeout_ms, ctx.signal)),
  }),
});
