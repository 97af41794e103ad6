import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";

export const moveFile = defineTool({
  name: "move_file",
  description: "Move or rename a file of your branch, or everything below a directory.",
  parameters: z.strictObject({
    from: z.string().describe("Relative to the root of the repository."),
    to: z.string().describe("The new path."),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ from, to }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => ({ from, to, ...(await ctx.files.move(from, to)) })),
});
