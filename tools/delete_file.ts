import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";

export const deleteFile = defineTool({
  name: "delete_file",
  description: "Delete a file of your branch.",
  parameters: z.strictObject({
    path: z.string().describe("Relative to the root of the repository."),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ path }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => ({ path, ...(await ctx.files.delete(path)) })),
});
