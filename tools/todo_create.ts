import { z } from "zod";
import { TODO_STATES } from "../src/core/model.ts";
import { defineTool } from "../src/core/tool.ts";

export const todoCreate = defineTool({
  name: "todo_create",
  description: "Add an entry to the todo list of this task, which all its agents share. Returns its todo_id.",
  parameters: z.strictObject({
    title: z.string().describe("What is to be done, in one line."),
    details: z.string().optional().describe("More about it."),
    owner: z.string().optional().describe("The agent who is to do it. Default: you."),
    state: z.enum(TODO_STATES).optional().describe("Default open."),
  }),
  flag: "ENABLE_TODO_TOOLS",
  run: async ({ title, details, owner, state }, ctx) => ({
    ...(await ctx.todos.create({
      title,
      ...(details === undefined ? {} : { details }),
      ...(owner === undefined ? {} : { owner }),
      ...(state === undefined ? {} : { state }),
    })),
  }),
});
