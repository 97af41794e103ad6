/** The schema of a task's report, the last line of `oxbow run --json`. */
import { z } from "zod";
import { reportedEvidence } from "./event-evidence.ts";
import { reportState } from "./event-schemas-task.ts";
import { planSchema } from "./plan.ts";
import {
  approval,
  budgetSummary,
  conflict,
  dollars,
  errorValue,
  mergeEntry,
  milliseconds,
  names,
  outcomeKind,
  usage,
  verification,
} from "./event-values.ts";

export const reportChildSchema = z
  .object({
    subtask_id: z.string(),
    conversation_id: z.string(),
    agent: z.string(),
    branch: z.string().nullable(),
    commit: z.string().nullable(),
    outcome: z.enum([...outcomeKind.options, "running", "awaiting_approval"]),
    summary: z.string(),
    usage,
    cost: dollars,
    error: errorValue.nullable(),
    merged: z.boolean(),
    kept: z
      .string()
      .nullable()
      .describe("a commit on an attempt's ref with work that is on no branch; null when there is none"),
    elapsed_ms: milliseconds,
  })
  .readonly()
  .meta({ id: "ReportChild" });

export const reportSchema = z
  .object({
    event: z.literal("report"),
    task_id: z.string(),
    ticket: z.string(),
    title: z.string(),
    state: reportState,
    integration: z.object({ branch: z.string(), commit: z.string() }).readonly().nullable(),
    lead: reportChildSchema.nullable().describe("the lead's own part, when a lead ran"),
    children: z.array(reportChildSchema).readonly(),
    superseded: z
      .array(reportChildSchema)
      .readonly()
      .describe("earlier tries at some of them, whose outcomes stay as they were"),
    conflicts: z.array(conflict).readonly(),
    merges: z
      .array(mergeEntry)
      .readonly()
      .describe("what became of each finished branch, in the order of the queue"),
    verifications: z
      .array(verification)
      .readonly()
      .describe("what `verify:` said of each tree; the last that is ok is what landed"),
    evidence: z
      .array(reportedEvidence)
      .readonly()
      .describe("what each `barrier_run` of the task came back with"),
    approvals: z.array(approval).readonly().describe("what a person was asked, and the answers"),
    usage,
    cost: dollars,
    budget: budgetSummary.exactOptional().describe("what the task may use and has used, where it has limits"),
    elapsed_ms: milliseconds,
    simulated: names.describe("providers that were not a real model, such as `scripted`"),
    base: z.object({ ref: z.string(), commit: z.string() }).readonly(),
    plan: planSchema.exactOptional().describe("what it followed, where it was planned"),
    notices: names,
  })
  .readonly()
  .meta({ id: "Report" });
