/** A task as programs are shown it: the form of `GET /tasks/{task_id}`. */
import { z } from "zod";
import { approvalKind, count, dollars, errorValue, outcomeKind, usage } from "./event-values.ts";
import { PLANNERS } from "./plan.ts";
import { PRIORITIES } from "./priority.ts";

const id = z.string();
const time = z.string().describe("ISO 8601 in UTC");
export const taskState = z.enum(["planned", "running", "needs_review", "completed", "failed", "cancelled"]);
export const subtaskState = z.enum([
  "planned",
  "blocked",
  "awaiting_approval",
  "running",
  ...outcomeKind.options,
]);

export const viewedApproval = z
  .strictObject({
    approval_id: id.nullable().describe("To answer it by; null: it is not asked for yet."),
    kind: approvalKind,
    state: z.enum(["planned", "open", "granted", "denied", "withdrawn"]),
    reason: z.string(),
    decided_by: z.string().nullable(),
  })
  .meta({ id: "TaskApproval" });

export const viewedSubtask = z
  .strictObject({
    subtask_id: id.describe("`<agent>::<task_id>::<n>`"),
    agent: z.string(),
    state: subtaskState,
    brief: z.string(),
    allowed_paths: z.array(z.string()),
    depends_on: z.array(id),
    approvals: z.array(viewedApproval).describe("What a person is asked, or will be, on its account."),
    outputs: z
      .strictObject({
        branch: z.string(),
        commit: z.string().nullable().describe("The branch's tip; null: nothing is committed."),
        pull_request: z.url().exactOptional().describe("Of the task's work, where this is in it."),
      })
      .exactOptional()
      .describe("Absent as long as it has no branch."),
    merged: z.boolean().describe("Its work is on the integration branch."),
    summary: z.string().nullable(),
    error: errorValue.nullable(),
    superseded_by: id.nullable().describe("The subtask that has taken its place."),
  })
  .meta({ id: "TaskSubtask" });

const texts = z.array(z.string());

export const viewedPlan = z
  .strictObject({
    planner: z.enum(PLANNERS),
    objectives: texts,
    constraints: texts,
    acceptance_criteria: texts,
    notices: texts.describe("What of it is not exclusive, or left over, and the like."),
  })
  .meta({ id: "TaskPlan" });

export const taskViewSchema = z
  .strictObject({
    task_id: id,
    title: z.string(),
    status: taskState,
    priority: z.enum(PRIORITIES),
    ticket: z.string(),
    requester: z.string().nullable(),
    due_at: time.nullable().describe("By when it is to be done; null: nobody said."),
    created_at: time,
    ended_at: time.nullable(),
    plan: viewedPlan.nullable(),
    subtasks: z.array(viewedSubtask).describe("In the order in which they were added."),
    dependencies: z.array(z.strictObject({ subtask_id: id, depends_on: id })),
    artifacts: z
      .array(
        z.strictObject({
          kind: z.enum(["branch", "integration_branch"]),
          reference: z.string().describe("A ref of the repository."),
          commit: z.string().nullable(),
          subtask_id: id.nullable(),
        }),
      )
      .describe("By reference, never by content."),
    status_history: z
      .array(
        z.strictObject({
          at: time,
          subtask_id: id.nullable().describe("Null: of the task itself."),
          from: z.string().nullable(),
          to: z.string(),
          who: z.string(),
        }),
      )
      .describe("The last 1,000 changes of a state."),
    audit: z
      .array(
        z.strictObject({
          at: time,
          who: z.string(),
          what: z.string().describe("The name of the event."),
          subtask_id: id.nullable(),
          text: z.string(),
        }),
      )
      .describe("Who did what, when: the last 500 entries."),
    metrics: z.strictObject({
      elapsed_seconds: count.describe("Since its submission, to its end."),
      on_time: z
        .boolean()
        .nullable()
        .describe("Not later than `due_at`, or not yet; null: nobody said by when."),
      subtasks: count,
      completed: count,
      open: count,
      usage,
      cost: dollars,
    }),
  })
  .meta({ id: "Task" });

export type TaskView = z.infer<typeof taskViewSchema>;
