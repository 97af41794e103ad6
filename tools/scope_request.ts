import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export const scopeRequest = defineTool({
  name: "scope_request",
  description:
    "Ask for the right to write files outside of your paths: their owner is asked, or a person. Waits for the answer, which may be no, or none in time (no_answer); then go on without.",
  parameters: z.strictObject({
    paths: z
      .array(z.string())
      .min(1)
      .describe("Paths, or patterns such as src/web/**, relative to the root of the repository."),
    reason: z.string().min(1).describe("What you want to change there and why, for the one who decides."),
  }),
  flag: "ENABLE_TEAM_TOOLS",
  run: async ({ paths, reason }, ctx) => {
    const { ok, answers } = await ctx.requestScope(paths, reason, ctx.signal);
    return { ok, answers: answers.map((answer) => ({ ...answer })) };
  },
});
