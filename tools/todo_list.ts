import { z } from "zod";
import { TODO_STATES } from "../src/core/model.ts";
import { defineTool } from "../src/core/tool.ts";

export const todoList = defineTool({
  name: "todo_list",
  description: "The task's todo list, oldest entry first. todo_get shows an entry with its details.",
  parameters: z.strictObject({
    state: z.enum(TODO_STATES).optional().describe("Only entries in this state."),
    owner: z.string().optional().describe("Only entries of this agent."),
  }),
  flag: "ENABLE_TODO_TOOLS",
  run: async ({ state, owner }, ctx) => {
    const found = await ctx.todos.list({
      ...(state === undefined ? {} : { state }),
      ...(owner === undefined ? {} : { owner }),
    });
    return { todos: found.map(({ details: _details, ...todo }) => todo) };
  },
});
