import { z } from "zod";
import { OxbowError } from "../src/core/errors.ts";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";

export const commitTool = defineTool({
  name: "commit",
  description: "Commit your edits to your branch.",
  parameters: z.strictObject({
    message: z.string().describe("A short subject line that says the effect; more after an empty line."),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ message }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      if (message.trim() === "") throw new OxbowError("tool_input", "The commit message is empty.");
      const made = await ctx.files.commit(message, ctx.signal);
      return made === null
        ? { committed: false, reason: "There is nothing to commit." }
        : { committed: true, ...made };
    }),
});
