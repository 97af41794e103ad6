import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export const DEFAULT_WAIT_MS = 30_000;

export const signalWait = defineTool({
  name: "signal_wait",
  description:
    "Wait for the next message on a topic. Without last_id it goes on from where this conversation last read. ok is false when the time is up.",
  parameters: z.strictObject({
    topic: z.string().describe("The topic's name."),
    last_id: z.string().optional().describe("The message_id after which to read."),
    timeout_ms: z.number().int().min(0).optional().describe(`Milliseconds. Default ${DEFAULT_WAIT_MS}.`),
  }),
  flag: "ENABLE_SIGNAL_TOOLS",
  standalone: true,
  run: async ({ topic, last_id, timeout_ms = DEFAULT_WAIT_MS }, ctx) => ({
    ...(await ctx.signals.wait(topic, last_id, timeout_ms, ctx.signal)),
  }),
});
