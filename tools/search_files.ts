import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";

const MAX_HITS = 200;
const MAX_LINE = 300;

export const searchFiles = defineTool({
  name: "search_files",
  description: `Search the files of your branch by an extended regular expression (as grep -E). At most ${MAX_HITS} lines.`,
  parameters: z.strictObject({
    pattern: z.string().describe("Extended regular expression; case matters."),
    glob: z.string().optional().describe('Only in paths that match, for example "src/**".'),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ pattern, glob }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      const options = glob === undefined ? { limit: MAX_HITS } : { glob, limit: MAX_HITS };
      const { hits, truncated } = await ctx.files.search(pattern, options, ctx.signal);
      return {
        hits: hits.map(({ path, line, text }) => ({
          path,
          line,
          text: text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text,
        })),
        truncated,
      };
    }),
});
