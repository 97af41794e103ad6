/** What a person plans and bounds: plans before they are carried out, tasks that were planned first, budgets. */
import { z } from "zod";
import { PLANNERS, planSchema } from "./core/plan.ts";
import { personCall } from "./person-call.ts";
import { limits, taskOrTicket, ticket, title } from "./person-words.ts";
import { NO_OPTIONS } from "./team/engine.ts";

const plan = personCall({
  name: "plan",
  description:
    "What a task would become: who does which part, in which order, what a person must agree to, and what overlaps or is left over. Makes nothing; give the plan to run, as it is or changed. A model may be asked.",
  parameters: z.strictObject({
    task: title,
    ticket,
    base: z.string().max(500).optional(),
    planner: z
      .enum(PLANNERS)
      .optional()
      .describe("Default: hybrid where the lead's model can be reached, else rules."),
  }),
  result: z.object({
    plan: planSchema,
    files: z.array(z.int()).readonly().describe("How many files each subtask may write, in their order."),
  }),
  scope: "submit",
  readOnly: true,
  destructive: false,
  async run(app, { task, ticket: called, base, planner }, { signal, progress }) {
    progress("Planning");
    const made = await app.makePlan({ task, ticket: called, base, planner, options: NO_OPTIONS }, signal);
    return { plan: made, files: await app.planSizes(made, { ticket: called, base }) };
  },
});

const execute = personCall({
  name: "execute",
  description:
    "Begin a task that was planned first (`oxbow orchestrate`, POST /orchestrate), at once or step by step: with manual every subtask, or those of checkpoints, waits for approvals_grant.",
  parameters: z.strictObject({
    task_id: z.string().min(1).max(200),
    mode: z.enum(["auto", "manual"]).optional().describe("Default auto."),
    checkpoints: z.array(z.string().max(500)).max(10_000).optional().describe("Ids of subtasks."),
  }),
  result: z.object({ task_id: z.string(), state: z.string(), begun: z.boolean(), carried: z.boolean() }),
  scope: "submit",
  readOnly: false,
  destructive: false,
  async run(app, { task_id, mode = "auto", checkpoints }) {
    const { begun, view } = await app.execute(task_id, { mode, checkpoints });
    const carried = begun && (await app.goOn(task_id));
    return { task_id, state: view.status, begun, carried };
  },
});

const used = z.looseObject({ task_id: z.string(), ticket: z.string() });

const budget = personCall({
  name: "budget",
  description:
    "What a task may use of dollars, tokens and time, and what it has used; null when nothing limits it.",
  parameters: z.strictObject({ task: taskOrTicket }),
  result: z.object({ budget: used.nullable() }),
  scope: "read",
  readOnly: true,
  destructive: false,
  async run(app, { task }) {
    const found = await app.budget(task);
    return { budget: found && { ...found } };
  },
});

const budgetSet = personCall({
  name: "budget_set",
  description: "Give a task other limits, also while it runs. Those that are not named stay.",
  parameters: z.strictObject({ task: taskOrTicket, limits }),
  result: z.object({ budget: used.nullable() }),
  scope: "approve",
  readOnly: false,
  destructive: false,
  async run(app, { task, limits: wanted }) {
    const found = await app.budget(task, wanted);
    return { budget: found && { ...found } };
  },
});

export const PLAN_CALLS = [plan, execute, budget, budgetSet] as const;
