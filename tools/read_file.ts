import { z } from "zod";
import { OxbowError } from "../src/core/errors.ts";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";
import { decodeText, linesOf } from "./text.ts";

const DEFAULT_LINES = 2000;
/** Characters of one answer; what follows is for the next call. */
const MAX_CHARACTERS = 40_000;

/** The content has no line numbers, so that it can be given to edit_file as it is. */
export const readFile = defineTool({
  name: "read_file",
  description: `Read a text file of your branch, ${DEFAULT_LINES} lines at a time. next_offset is the line to go on from, or null at the end.`,
  parameters: z.strictObject({
    path: z.string().describe("Relative to the root of the repository."),
    offset: z.number().int().optional().describe("First line, from 1. Default 1."),
    limit: z.number().int().optional().describe(`Number of lines. Default ${DEFAULT_LINES}.`),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ path, offset = 1, limit = DEFAULT_LINES }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      if (offset < 1 || limit < 1) {
        throw new OxbowError("tool_input", "offset and limit count lines from 1.");
      }
      const lines = linesOf(decodeText(path, await ctx.files.read(path)));
      const { content, next } = take(lines, offset - 1, limit);
      return { path, content, total_lines: lines.length, next_offset: next };
    }),
});

function take(
  lines: readonly string[],
  start: number,
  limit: number,
): { content: string; next: number | null } {
  let content = "";
  let at = start;
  for (; at < Math.min(lines.length, start + limit); at++) {
    const line = lines[at] ?? "";
    if (content.length + line.length <= MAX_CHARACTERS) {
      content += line;
      continue;
    }
    if (content === "") {
      content = `${line.slice(0, MAX_CHARACTERS)}… [line cut: ${line.length} characters]\n`;
      at++;
    }
    break;
  }
  return { content, next: at < lines.length ? at + 1 : null };
}
