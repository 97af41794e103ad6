import { z } from "zod";
import { readAsk } from "../src/core/budget-saved.ts";
import { defineTool, type SplitChild, type SplitRequest } from "../src/core/tool.ts";

const Budget = z
  .strictObject({
    usd: z.number().positive().optional().describe("US dollars."),
    tokens: z.number().int().positive().optional().describe("Tokens."),
    wall_ms: z.number().int().positive().optional().describe("Milliseconds from its start."),
  })
  .describe(
    "What this child, and all that it splits off, may use. Taken from what you have left when it starts; a child that asks for more does not start. Keep enough for your own answers.",
  );

const Child = z.strictObject({
  task: z.string().describe("What this child has to do."),
  agent: z.string().optional().describe("The team's agent that does it."),
  allowed_paths: z.array(z.string()).optional().describe("Patterns of the files it may change."),
  depends_on: z
    .array(z.number().int())
    .optional()
    .describe("Positions (from 0) of children that must finish first."),
  budget: Budget.optional(),
});

/** Limits (how many, how deep) are the engine's, so that every door gives the same error. */
export const orchestrateSplit = defineTool({
  name: "orchestrate_split",
  description:
    "Split a task into children that work at the same time, each on its own branch. Returns their conversations and the topics on which each sends its done signal.",
  parameters: z.strictObject({
    task: z.string().describe("The whole task."),
    num_children: z
      .number()
      .int()
      .optional()
      .describe("How many children, when children is not given. Default 2."),
    responsibilities: z.array(z.string()).optional().describe("What the children answer for."),
    allowed_paths: z
      .array(z.string())
      .optional()
      .describe("Patterns of the files that the children may change."),
    wait: z.boolean().optional().describe("Wait for the children's results. Default false."),
    target_agent: z.string().optional().describe("The agent that does every part without one of its own."),
    timeout_ms: z
      .number()
      .int()
      .optional()
      .describe("How long to wait with wait: true, milliseconds. Default 30000."),
    children: z.array(Child).optional().describe("The parts, one child each, when they differ."),
    by: z.literal("owner").optional().describe('"owner": one child for each owner of the paths.'),
    ticket: z.string().optional().describe("The ticket in the branch names."),
  }),
  flag: "ENABLE_ORCHESTRATE_TOOL",
  standalone: true,
  run: async (input, ctx) => {
    const request: SplitRequest = {
      task: input.task,
      ...(input.num_children === undefined ? {} : { numChildren: input.num_children }),
      ...(input.responsibilities === undefined ? {} : { responsibilities: input.responsibilities }),
      ...(input.allowed_paths === undefined ? {} : { allowedPaths: input.allowed_paths }),
      ...(input.wait === undefined ? {} : { wait: input.wait }),
      ...(input.target_agent === undefined ? {} : { targetAgent: input.target_agent }),
      ...(input.timeout_ms === undefined ? {} : { timeoutMs: input.timeout_ms }),
      ...(input.children === undefined ? {} : { children: input.children.map(toChild) }),
      ...(input.by === undefined ? {} : { by: input.by }),
      ...(input.ticket === undefined ? {} : { ticket: input.ticket }),
    };
    const { budget, ...result } = await ctx.split(request, ctx.signal);
    return { ...result, ...(budget === undefined ? {} : { budget: { left: { ...budget.left } } }) };
  },
});

function toChild(child: z.infer<typeof Child>): SplitChild {
  const budget = readAsk(child.budget);
  return {
    task: child.task,
    ...(child.agent === undefined ? {} : { agent: child.agent }),
    ...(child.allowed_paths === undefined ? {} : { allowed_paths: child.allowed_paths }),
    ...(child.depends_on === undefined ? {} : { depends_on: child.depends_on }),
    ...(budget === null ? {} : { budget }),
  };
}
