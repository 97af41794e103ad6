import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export const signalSend = defineTool({
  name: "signal_send",
  description: "Send a small JSON message on a topic. It is kept: whoever waits for it later still gets it.",
  parameters: z.strictObject({
    topic: z.string().describe("The topic's name."),
    // Not z.json() alone: its schema is recursive, which some servers do not take.
    payload: z.unknown().pipe(z.json()).describe("Any JSON value."),
  }),
  flag: "ENABLE_SIGNAL_TOOLS",
  standalone: true,
  run: async ({ topic, payload }, ctx) => ({ ...(await ctx.signals.send(topic, payload)) }),
});
