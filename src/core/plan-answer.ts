/** What a model answers that is asked for a plan: its form, and the plan that it amounts to. */
import { z } from "zod";
import { jsonIn } from "./json-text.ts";
import { type Plan, PLAN_LIMITS, type PlanProblem, planSubtaskSchema } from "./plan.ts";
import { protectedReason } from "./plan-gates.ts";
import { problemsOf } from "./plan-issues.ts";
import { meceNotices, meceOf } from "./plan-mece.ts";
import type { FileIndex } from "./plan-paths.ts";
import type { AgentSpec } from "./team-file.ts";

const texts = z.array(z.string().min(1).max(PLAN_LIMITS.line)).max(PLAN_LIMITS.lines);

export const planAnswerSchema = z.strictObject({
  objectives: texts.optional().describe("What is to be reached. Left out: as the task was read already."),
  constraints: texts.optional().describe("What must hold meanwhile. Left out: as read already."),
  acceptance_criteria: texts.optional().describe("How one sees that it is done. Left out: as read already."),
  subtasks: z
    .array(
      planSubtaskSchema
        .extend({
          responsibilities: planSubtaskSchema.shape.responsibilities.default([]),
          depends_on: planSubtaskSchema.shape.depends_on.default([]),
          approval: planSubtaskSchema.shape.approval.default(null),
        })
        .describe("One agent's part."),
    )
    .max(1_000),
});

export type PlanAnswer = z.infer<typeof planAnswerSchema>;

/** As JSON Schema, for the one who is asked. */
export function planAnswerForm(): string {
  return JSON.stringify(z.toJSONSchema(planAnswerSchema, { io: "input" }));
}

const MAX_BYTES = 262_144;

export type ReadAnswer = { readonly answer: PlanAnswer } | { readonly problems: readonly PlanProblem[] };

/** The one JSON value in what was said, if it has the form; else what is wrong with it. */
export function readPlanAnswer(output: string): ReadAnswer {
  const wrong = (message: string): ReadAnswer => ({ problems: [{ path: [], message }] });
  const size = new TextEncoder().encode(output).length;
  if (size > MAX_BYTES) return wrong(`the answer has ${size} bytes, of ${MAX_BYTES} at most`);
  const [value, ...more] = jsonIn(output);
  if (value === undefined) return wrong("there is no JSON in the answer");
  if (more.length > 0) return wrong(`the answer has ${more.length + 1} JSON values instead of one`);
  const read = planAnswerSchema.safeParse(value);
  if (read.success) return { answer: read.data };
  return { problems: problemsOf(read.error) };
}

/**
 * The plan of an answer, on what the rules had read. `kept`: the subtasks that were settled before, and stay. Throws
 * team_config for a malformed pattern: check the subtasks first.
 */
export function planOfAnswer(
  answer: PlanAnswer,
  draft: Plan,
  options: {
    readonly planner: Plan["planner"];
    readonly kept: readonly Plan["subtasks"][number][];
    readonly index: FileIndex;
  },
): Plan {
  const { index, kept, planner } = options;
  const added = answer.subtasks.map((subtask) => {
    const reasons = [subtask.approval, protectedReason(subtask.allowed_paths, index)].filter(
      (each) => each !== null,
    );
    return {
      ...subtask,
      approval: reasons.length === 0 ? null : reasons.join(" ").slice(0, PLAN_LIMITS.line),
    };
  });
  const subtasks = [...kept, ...added];
  const mece = meceOf(subtasks, draft.scope, index);
  return {
    ...draft,
    planner,
    objectives: answer.objectives ?? draft.objectives,
    constraints: answer.constraints ?? draft.constraints,
    acceptance_criteria: answer.acceptance_criteria ?? draft.acceptance_criteria,
    subtasks,
    mece,
    notices: meceNotices(mece),
  };
}

/** An agent that was given no paths works in its own, and answers for what it always does. */
export function withOwnPaths(answer: PlanAnswer, agents: readonly AgentSpec[]): PlanAnswer {
  const byName = new Map(agents.map((agent) => [agent.name, agent]));
  const subtasks = answer.subtasks.map((subtask) => {
    const agent = byName.get(subtask.agent);
    if (agent === undefined) return subtask;
    const { allowedPaths, unbounded } = agent;
    const own = unbounded ? ["**"] : [...allowedPaths];
    return {
      ...subtask,
      allowed_paths: subtask.allowed_paths.length > 0 ? subtask.allowed_paths : own,
      responsibilities:
        subtask.responsibilities.length > 0 ? subtask.responsibilities : agent.responsibilities.slice(),
    };
  });
  return { ...answer, subtasks };
}
