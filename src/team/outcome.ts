import type { BudgetLeft } from "../core/budget.ts";
import type { ErrorValue } from "../core/errors.ts";
import { type Json, NO_USAGE, type Outcome, type OutcomeKind, type Subtask } from "../core/model.ts";

/** What a run came to, before the store makes it the outcome. */
export type Finding = Pick<
  Outcome,
  "outcome" | "branch" | "commit" | "summary" | "usage" | "cost" | "error" | "elapsed_ms"
>;

export const NOTHING_RAN: Omit<Finding, "outcome" | "error" | "summary"> = {
  branch: null,
  commit: null,
  usage: NO_USAGE,
  cost: null,
  elapsed_ms: 0,
};

const SUMMARY_LIMIT = 2_000;

export function makeOutcome(
  subtask: Subtask,
  attempt: number,
  found: Finding,
  redact: (text: string) => string,
): Outcome {
  const error = found.error && cleanError(found.error, redact);
  const { subtask_id, conversation_id, task_id, agent } = subtask;
  const summary = shorten(redact(found.summary));
  return { ...found, subtask_id, conversation_id, task_id, agent, attempt, error, summary };
}

/** An error without secrets, and not too long. */
export function cleanError(error: ErrorValue, redact: (text: string) => string): ErrorValue {
  const hint = error.hint === undefined ? {} : { hint: redact(error.hint) };
  return { ...error, message: shorten(redact(error.message)), ...hint };
}

/** The done signal: small and made for machines; the outcome row has the rest. `left`: of the parent's budget. */
export function donePayload(outcome: Outcome, left: BudgetLeft | null = null): Json {
  return {
    event: "done",
    outcome: outcome.outcome,
    subtask_id: outcome.subtask_id,
    conversation_id: outcome.conversation_id,
    agent: outcome.agent,
    branch: outcome.branch,
    commit: outcome.commit,
    summary: outcome.summary,
    error: outcome.error && { code: outcome.error.code, message: outcome.error.message },
    ...(left === null ? {} : { budget: { left: { ...left } } }),
  };
}

export function outcomeOf(error: ErrorValue | undefined): OutcomeKind {
  if (!error) return "completed";
  if (error.code === "cancelled") return "cancelled";
  return error.code === "timed_out" ? "timed_out" : "failed";
}

function shorten(text: string): string {
  const characters = Array.from(text);
  return characters.length <= SUMMARY_LIMIT ? text : `${characters.slice(0, SUMMARY_LIMIT - 1).join("")}…`;
}
