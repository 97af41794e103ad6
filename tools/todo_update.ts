import { z } from "zod";
import { OxbowError } from "../src/core/errors.ts";
import { TODO_STATES } from "../src/core/model.ts";
import { defineTool } from "../src/core/tool.ts";

export const todoUpdate = defineTool({
  name: "todo_update",
  description: "Change an entry of the task's todo list; what you leave out stays as it is.",
  parameters: z.strictObject({
    todo_id: z.string().describe("As todo_list shows it."),
    title: z.string().optional(),
    details: z.string().optional(),
    owner: z.string().optional().describe("The agent who is to do it."),
    state: z.enum(TODO_STATES).optional(),
  }),
  flag: "ENABLE_TODO_TOOLS",
  run: async ({ todo_id, title, details, owner, state }, ctx) => {
    const change = {
      ...(title === undefined ? {} : { title }),
      ...(details === undefined ? {} : { details }),
      ...(owner === undefined ? {} : { owner }),
      ...(state === undefined ? {} : { state }),
    };
    if (Object.keys(change).length === 0) {
      throw new OxbowError("tool_input", "There is nothing to change.", {
        hint: "Give a title, details, an owner or a state.",
      });
    }
    return { ...(await ctx.todos.update(todo_id, change)) };
  },
});
