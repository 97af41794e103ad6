import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";

const MAX_FILES = 1000;

export const listFiles = defineTool({
  name: "list_files",
  description: `List the files of your branch, sorted by path. At most ${MAX_FILES}; narrow with a glob.`,
  parameters: z.strictObject({
    glob: z.string().optional().describe('Only paths that match, for example "src/**/*.ts".'),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ glob }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      const found = await ctx.files.list(glob);
      const files = found.map((entry) => entry.path);
      return { files: files.slice(0, MAX_FILES), total: files.length, truncated: files.length > MAX_FILES };
    }),
});
