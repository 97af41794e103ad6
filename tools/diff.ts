import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";

const MAX_CHARACTERS = 40_000;

export const diffTool = defineTool({
  name: "diff",
  description:
    "Show everything your branch changes, committed or not, as a unified diff against where it started.",
  parameters: z.strictObject({}),
  flag: "ENABLE_FILE_TOOLS",
  run: (_input, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      const diff = await ctx.files.diff(ctx.signal);
      return { diff: diff.slice(0, MAX_CHARACTERS), truncated: diff.length > MAX_CHARACTERS };
    }),
});
