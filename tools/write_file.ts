import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";
import { isCrlf, textIfAny, toCrlf } from "./text.ts";

/**
 * A file whose every line break is CRLF keeps them when the new content has none: models write line feeds, and a file
 * must not change its line endings by accident. Content that holds a carriage return is taken exactly as given.
 */
export const writeFile = defineTool({
  name: "write_file",
  description:
    "Create a text file on your branch, or replace all of it. Prefer edit_file to change part of an existing file.",
  parameters: z.strictObject({
    path: z.string().describe("Relative to the root of the repository."),
    content: z.string().describe("The whole new content."),
  }),
  flag: "ENABLE_FILE_TOOLS",
  run: ({ path, content }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      const old = content.includes("\n") && !content.includes("\r") ? await textIfAny(ctx.files, path) : null;
      const text = old !== null && isCrlf(old) ? toCrlf(content) : content;
      const bytes = new TextEncoder().encode(text);
      const { created } = await ctx.files.write(path, bytes);
      return { path, created, bytes: bytes.length, ...(text === content ? {} : { line_endings: "crlf" }) };
    }),
});
