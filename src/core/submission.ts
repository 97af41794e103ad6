/** What is asked of the orchestrator: a task, and how it is to begin. The wire form is that of `POST /orchestrate`. */
import { z } from "zod";
import { json } from "./event-values.ts";
import { PRIORITIES } from "./priority.ts";
import { requestInvalid } from "./request-invalid.ts";

export const SUBMISSION_LIMITS = {
  title: 2_000,
  description: 50_000,
  context: 50_000,
  metadata: 100_000,
} as const;

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const HOUR_MS = 3_600_000;
const LATEST_MS = 366 * 24 * HOUR_MS;

const metadata = z
  .looseObject({
    repository: z
      .string()
      .min(1)
      .max(2_048)
      .optional()
      .describe(
        "The repository that is served: the URL of a remote of it, its path or its name. It is never cloned.",
      ),
    requester: z.string().min(1).max(500).optional().describe("Who asks."),
    due_date: z
      .union([z.iso.date(), z.iso.datetime({ offset: true })])
      .optional()
      .describe("By when it is to be done; a day is meant to its end, in UTC."),
    sla_ms: z
      .int()
      .min(1)
      .max(LATEST_MS)
      .optional()
      .describe("How long it may take from its submission, milliseconds."),
    context: json.optional().describe("What the planner is to know besides."),
    ticket: z.string().min(1).max(200).optional().describe("Names the branches. Default: the task_id."),
    base: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe("Where the work starts. Default: the ticket's work so far, else the team's base, else HEAD."),
  })
  .refine((given) => JSON.stringify(given).length <= SUBMISSION_LIMITS.metadata, {
    error: `has more than ${SUBMISSION_LIMITS.metadata} characters`,
  });

export const submissionSchema = z
  .strictObject({
    task_id: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
        error:
          "must begin with a letter or digit; then letters, digits, dots, dashes and underscores, at most 100",
      })
      .describe("Names the task for good: the same submission again gives the same task."),
    title: z.string().trim().min(1).max(SUBMISSION_LIMITS.title),
    description: z.string().max(SUBMISSION_LIMITS.description).default(""),
    priority: z
      .enum(PRIORITIES)
      .default("normal")
      .describe("What is more urgent is begun first; see docs/approvals.md."),
    metadata: metadata.default({}),
    budget: z
      .strictObject({
        usd: z.number().positive().exactOptional().describe("US dollars, as far as prices are known."),
        tokens: z
          .int()
          .min(1)
          .max(Number.MAX_SAFE_INTEGER)
          .exactOptional()
          .describe("Tokens, read and written."),
        wall_ms: z
          .int()
          .min(1)
          .max(LATEST_MS)
          .exactOptional()
          .describe("From the first start of a subtask, milliseconds."),
      })
      .optional()
      .describe(
        "What it may use, all its agents together. What is not named is as the team's `budget` has it.",
      ),
    callback_url: z.string().min(1).max(2_048).optional().describe("A webhook that gets the task's events."),
  })
  .meta({ id: "Submission" });

export type Submission = z.output<typeof submissionSchema>;

export const executionSchema = z
  .strictObject({
    execution_mode: z
      .enum(["auto", "manual"])
      .default("auto")
      .describe(
        "auto: only what the plan says waits for a person. manual: each subtask does, or those of `checkpoints`.",
      ),
    checkpoints: z
      .array(z.string().min(1).max(500))
      .max(10_000)
      .default([])
      .describe("Ids of subtasks that wait for a person before they start."),
  })
  .meta({ id: "Execution" });

/** Throws request_invalid with `details: { fields: [{ field, issue }] }`. */
export function parseSubmission(given: unknown): Submission {
  return parsed(submissionSchema, given, "The submission");
}

function parsed<T extends z.ZodType>(schema: T, given: unknown, what: string): z.output<T> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw requestInvalid(what, result.error.issues);
}

/** By when it is to be done, Unix milliseconds; of two limits the earlier. Null: nobody said. */
export function deadlineOf({ due_date, sla_ms }: Submission["metadata"], submittedAt: number): number | null {
  const limits = [
    ...(due_date === undefined
      ? []
      : [Date.parse(DAY.test(due_date) ? `${due_date}T23:59:59.999Z` : due_date)]),
    ...(sla_ms === undefined ? [] : [submittedAt + sla_ms]),
  ];
  return limits.length === 0 ? null : Math.min(...limits);
}

/** All that a planner reads of it. */
export function taskText({ title, description, metadata: { context } }: Submission): string {
  const told =
    context === undefined || context === null
      ? ""
      : typeof context === "string"
        ? context
        : JSON.stringify(context, null, 2);
  return [title, description, told === "" ? "" : `Context:\n${told}`]
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join("\n\n");
}
