import { z } from "zod";
import { OxbowError } from "../src/core/errors.ts";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";
import { decodeText, isCrlf, toCrlf } from "./text.ts";

/**
 * Line endings: in a file whose every line break is CRLF, a line feed in `old_string` and `new_string` stands for CRLF,
 * so the file stays as it is. A file with mixed line endings is matched and written exactly as given.
 */
export const editFile = defineTool({
  name: "edit_file",
  description:
    "Replace text in a file of your branch. old_string must be the exact text and occur once, unless replace_all is true.",
  parameters: z.strictObject({
    path: z.string().describe("Relative to the root of the repository."),
    old_string: z.string().describe("Exact text to replace, with enough lines around it to be unique."),
    new_string: z.string().describe("The text to put in its place."),
    replace_all: z.boolean().optional().describe("Replace every occurrence. Default false."),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ path, old_string, new_string, replace_all = false }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      if (old_string === "") {
        throw new OxbowError("tool_input", "old_string is empty.", {
          hint: "Give the text to replace; use write_file to create a file.",
        });
      }
      if (old_string === new_string)
        throw new OxbowError("tool_input", "old_string and new_string are the same.");
      const text = decodeText(path, await ctx.files.read(path));
      const crlf = isCrlf(text);
      const parts = text.split(crlf ? toCrlf(old_string) : old_string);
      const found = parts.length - 1;
      if (found === 0) {
        throw new OxbowError("edit_no_match", `old_string does not occur in ${path}.`, {
          details: { path, found },
        });
      }
      if (found > 1 && !replace_all) {
        throw new OxbowError("edit_no_match", `old_string occurs ${found} times in ${path}.`, {
          hint: "Give more lines around it, or set replace_all to true.",
          details: { path, found },
        });
      }
      const edited = parts.join(crlf ? toCrlf(new_string) : new_string);
      await ctx.files.write(path, new TextEncoder().encode(edited));
      return { path, replaced: found };
    }),
});
