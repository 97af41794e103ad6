import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export const todoGet = defineTool({
  name: "todo_get",
  description: "One entry of the task's todo list.",
  parameters: z.strictObject({ todo_id: z.string().describe("As todo_list shows it.") }),
  flag: "ENABLE_TODO_TOOLS",
  run: async ({ todo_id }, ctx) => ({ ...(await ctx.todos.get(todo_id)) }),
});
