/** Schemas of what events and reports carry: outcomes, conflicts, verifications. Their types are those of model.ts and merging.ts. */
import { z } from "zod";
import type { BudgetLeft } from "./budget.ts";
import type { BudgetAsk, BudgetSummary } from "./budget-saved.ts";
import type { ErrorValue } from "./errors.ts";
import { MERGE_STATES, type MergeEntry, type MergeReason, type Verification } from "./merging.ts";
import type { Approval, Conflict, ConflictSide, Json, Outcome, Usage } from "./model.ts";
import type { Waiver } from "./resolution.ts";

export const names = z.array(z.string()).readonly();
export const count = z.int().min(0);
/** Milliseconds; a clock that is set back must not break a stream. */
export const milliseconds = z.number();
/** US dollars; null: the price is not known. */
export const dollars = z.number().nullable();
export const json: z.ZodType<Json> = z.json().meta({ id: "Json", description: "any JSON value" });
export const outcomeKind = z.enum(["completed", "failed", "cancelled", "timed_out"]);

export const budgetLeft: z.ZodType<BudgetLeft> = z.object({
  tokens: z.number().nullable(),
  usd: dollars,
  wall_ms: milliseconds.nullable(),
});

const budgetAsk: z.ZodType<BudgetAsk> = z.object({
  usd: z.number().exactOptional(),
  tokens: z.number().exactOptional(),
  wall_ms: z.number().exactOptional(),
});

export const budgetSummary: z.ZodType<BudgetSummary> = z.object({
  limit: budgetAsk,
  spent: z.object({ tokens: z.number(), usd: z.number() }),
  unpriced: z.boolean().describe("a model was used whose price is not known"),
  left: budgetLeft,
  refused: names.describe("subtasks that did not start or were stopped"),
});

export const usage: z.ZodType<Usage> = z
  .object({
    requests: count,
    input_tokens: count,
    output_tokens: count,
    total_tokens: count,
  })
  .meta({ id: "Usage" });

export const errorValue: z.ZodType<ErrorValue> = z
  .object({
    code: z.string(),
    message: z.string(),
    hint: z.string().exactOptional(),
  })
  .meta({ id: "Error" });

export const outcome: z.ZodType<Outcome> = z
  .object({
    subtask_id: z.string(),
    conversation_id: z.string(),
    task_id: z.string(),
    agent: z.string(),
    outcome: outcomeKind,
    branch: z.string().nullable(),
    commit: z.string().nullable().describe("the branch's tip; null: nothing was committed"),
    summary: z.string(),
    usage,
    cost: dollars,
    error: errorValue.nullable(),
    attempt: count,
    elapsed_ms: milliseconds,
  })
  .meta({ id: "Outcome" });

const conflictSide: z.ZodType<ConflictSide> = z
  .object({ oid: z.string(), mode: z.string(), path: z.string().exactOptional() })
  .meta({ id: "ConflictSide" });

export const conflict: z.ZodType<Conflict> = z
  .object({
    path: z.string(),
    kind: z.enum([
      "content",
      "add_add",
      "modify_delete",
      "rename_rename",
      "rename_delete",
      "directory_file",
      "mode",
      "binary",
      "submodule",
      "merge_attribute",
      "case",
      "other",
    ]),
    base: conflictSide.nullable(),
    ours: conflictSide.nullable(),
    theirs: conflictSide.nullable(),
    agents: names,
    owners: names,
  })
  .meta({ id: "Conflict" });

export const mergeReason: z.ZodType<MergeReason> = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: "MergeReason" });

export const verification: z.ZodType<Verification> = z
  .object({
    target: z.string(),
    commit: z.string(),
    tree: z.string(),
    ok: z.boolean(),
    runs: z
      .array(
        z.object({
          command: z.string(),
          ok: z.boolean(),
          exit_code: z.int().nullable(),
          timed_out: z.boolean(),
          duration_ms: milliseconds,
          log: z.string(),
          tail: z.string(),
        }),
      )
      .readonly(),
    branches: names,
  })
  .meta({ id: "Verification" });

export const mergeEntry: z.ZodType<MergeEntry> = z
  .object({
    subtask_id: z.string(),
    task_id: z.string(),
    agent: z.string(),
    target: z.string(),
    branch: z.string(),
    commit: z.string(),
    state: z.enum(MERGE_STATES),
    landed_commit: z.string().nullable(),
    reason: mergeReason.nullable(),
    conflicts: z.array(conflict).readonly(),
    verification: verification.nullable(),
    onto: z.string().nullable(),
    draft: z.string().nullable(),
    reworked_by: z.string().nullable(),
    round: count,
    created_at: z.number(),
    updated_at: z.number(),
  })
  .meta({ id: "MergeEntry" });

export const waiver: z.ZodType<Waiver> = z
  .object({
    path: z.string(),
    side: z.enum(["ours", "theirs"]).optional(),
    line: z.string().optional(),
  })
  .meta({ id: "Waiver" });

export const approvalKind = z
  .enum(["scope", "gate"])
  .describe("scope: to write outside of its paths; gate: to begin at all");

export const approval: z.ZodType<Approval> = z
  .object({
    approval_id: z.string(),
    kind: approvalKind,
    task_id: z.string(),
    subtask_id: z.string(),
    agent: z.string(),
    state: z.enum(["open", "granted", "denied", "withdrawn"]),
    paths: names,
    reason: z.string(),
    owner: z.string().nullable(),
    person: z.string().nullable(),
    decided_by: z.string().nullable(),
    answer: z.string().nullable(),
    created_at: z.number(),
    decided_at: z.number().nullable(),
  })
  .meta({ id: "Approval" });
