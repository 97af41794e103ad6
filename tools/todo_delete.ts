import { z } from "zod";
import { defineTool } from "../src/core/tool.ts";

export const todoDelete = defineTool({
  name: "todo_delete",
  description: "Remove an entry from the task's todo list. Its id is not given out again.",
  parameters: z.strictObject({ todo_id: z.string().describe("As todo_list shows it.") }),
  flag: "ENABLE_TODO_TOOLS",
  run: async ({ todo_id }, ctx) => {
    await ctx.todos.delete(todo_id);
    return { todo_id, deleted: true };
  },
});
