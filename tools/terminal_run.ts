import { z } from "zod";
import { OxbowError } from "../src/core/errors.ts";
import { defineTool } from "../src/core/tool.ts";
import { inOrder } from "./order.ts";

export const terminalRun = defineTool({
  name: "terminal_run",
  description:
    "Run one command in the files of your branch, with your uncommitted edits; what it changes is yours at once. No shell: no pipes, redirections, variables or globs. Only commands that are allowed here run.",
  parameters: z.strictObject({
    command: z.string().min(1).describe("A program and its arguments, such as: git log --oneline -5"),
    cwd: z.string().optional().describe("Folder to run it in, relative to the root. Default: the root."),
    timeout_ms: z.number().int().optional().describe("Less time than it has anyway, milliseconds."),
  }),
  flag: "ENABLE_TERMINAL_TOOL",
  run: ({ command, cwd, timeout_ms }, ctx) =>
    inOrder(ctx.files, ctx.signal, async () => {
      if (timeout_ms !== undefined && timeout_ms < 1)
        throw new OxbowError("tool_input", "timeout_ms must be at least 1.");
      const request = {
        command,
        ...(cwd === undefined ? {} : { cwd }),
        ...(timeout_ms === undefined ? {} : { timeoutMs: timeout_ms }),
      };
      const { left_out, ...ran } = await ctx.terminal.run(request, ctx.signal);
      return left_out.length === 0 ? ran : { ...ran, left_out: left_out.map((one) => ({ ...one })) };
    }),
});
