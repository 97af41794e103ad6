/** Events of a task as a whole, of its children, and of what breaks. */
import { z } from "zod";
import { event } from "./event-form.ts";
import { planSchema } from "./plan.ts";
import { budgetLeft, count, errorValue, milliseconds, names, outcome, outcomeKind } from "./event-values.ts";

export const reportState = z.enum(["completed", "partial", "failed", "conflict", "cancelled", "waiting"]);

export const TASK_EVENTS = [
  event("task_submitted", "The task is durable.", {
    ticket: z.string(),
    title: z.string(),
    base: z.string(),
    base_commit: z.string(),
  }),
  event("planned", "It follows a plan; `parts` says which subtask each of the plan became.", {
    plan: planSchema,
    parts: z.array(z.object({ id: z.string(), subtask_id: z.string() })).readonly(),
  }),
  event("task_started", "A planned task begins; `gates` wait for a person before they do.", {
    mode: z.enum(["auto", "manual"]),
    gates: names,
    by: z.string(),
  }),
  event("task_resumed", "A process goes on with it.", {}),
  event(
    "task_reopened",
    "A person had parts of it tried again: each named part takes the place of the other.",
    {
      parts: z.array(z.object({ subtask_id: z.string(), supersedes: z.string() })).readonly(),
    },
  ),
  event("workers", "Who works on it: workers, this process (`here`), both, or for now nobody.", {
    live: count,
    here: z.boolean(),
    message: z.string(),
  }),
  event("cancel_requested", "It is to stop.", { reason: z.string(), code: z.string().exactOptional() }),
  event("landed", "A person brought the ticket's work into a branch of theirs.", {
    into: z.string(),
    how: z.enum(["fast_forward", "merge", "squash"]),
    from: z.string().describe("what came"),
    commit: z.string().describe("where the branch is now"),
  }),
  event("pull_request", "One was opened for the ticket's work, or found open.", {
    url: z.string(),
    branch: z.string(),
    into: z.string(),
  }),
  event("notice", "Anything else a person should read.", { code: z.string(), message: z.string() }),
  event("task_finished", "Its report is ready.", { state: reportState }),
] as const;

export const CHILD_EVENTS = [
  event("split", "A conversation got children.", {
    parent: z.string().nullable(),
    children: names,
    topics: names,
  }),
  event("child_announced", "A child is durable, and waits for its turn.", {
    agent: z.string(),
    brief: z.string(),
    allowed_paths: names,
    depends_on: names,
  }),
  event("child_started", "An attempt begins.", {
    agent: z.string(),
    attempt: count,
    branch: z.string().nullable(),
  }),
  event("child_finished", "It has its one outcome.", { outcome: outcomeKind, result: outcome }),
  event("handed_back", "Its process went away in order; another may go on with it.", { attempt: count }),
  event("late_result", "An attempt that had been taken over came to an end all the same.", {
    attempt: count,
    outcome: outcomeKind,
    commit: z.string().nullable(),
  }),
  event("budget_exceeded", "A child does not start, or is stopped: too little of a budget is left.", {
    started: z.boolean().describe("false: it never began"),
    exceeded: z.array(z.enum(["tokens", "usd", "wall_ms"])).readonly(),
    left: budgetLeft.describe("to the one that asked for it; null: no limit"),
    message: z.string(),
  }),
  event("assigned", "A person gave the subtask to another agent.", { from: z.string(), agent: z.string() }),
] as const;

export const CRASH_EVENTS = [
  event("agent_restarted", "An attempt crashed, or its process died, and another begins after `delay_ms`.", {
    agent: z.string(),
    attempt: count.describe("the one that crashed"),
    restarts: count.describe("of the agent in this task, this one included"),
    delay_ms: milliseconds,
    error: errorValue,
    together: names.describe("the others of its group that begin again with it"),
  }),
  event(
    "agent_failed",
    "No further attempt: the subtask had too many, its agent crashed too often, or it must not crash at all.",
    { agent: z.string(), attempt: count, code: z.string(), message: z.string() },
  ),
  event("restart_limit_exceeded", "Agents that are not started any more in this task.", {
    agents: names,
    group: z.string().nullable(),
    max_restarts: count,
    window_s: z.number(),
  }),
  event(
    "alert",
    "Nobody can work on the subtask: it is `blocked` until a person gives it to another agent, or there is somebody again.",
    {
      code: z.string(),
      message: z.string(),
      agent: z.string(),
      until: z.string().describe("ISO 8601; then it ends with the outcome `timed_out`"),
    },
  ),
] as const;

export const SCHEDULE_EVENTS = [
  event("schedule_fired", "A due time of `schedule:`; the stream is `cron.<agent>` in place of a task's.", {
    agent: z.string(),
    due_at: z.string().describe("ISO 8601"),
    late_ms: milliseconds,
    topic: z.string(),
    task: z.string().nullable().describe("the task it submits"),
  }),
  event(
    "schedule_missed",
    "Due times that were skipped: too late, or (their task) because the last one still runs or could not be submitted.",
    {
      agent: z.string(),
      reason: z.enum(["late", "still_running", "not_submitted"]),
      count,
      due_at: z.string().describe("the last of them"),
      message: z.string(),
    },
  ),
] as const;
