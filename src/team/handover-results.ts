/** What people are told of a ticket: its whole story, what it changes, what a merge left out. Shapes alone. */
import type { BudgetSummary } from "../core/budget-saved.ts";
import type { ErrorValue } from "../core/errors.ts";
import type { MergeState } from "../core/merging.ts";
import type { Approval, OutcomeKind, TaskState, Usage } from "../core/model.ts";
import type { FileDifference } from "../git/show-diff.ts";
import type { PartFacts, TaskFacts } from "./history-fold.ts";

/**
 * How a part ended, as far as it has: `merged`; `completed` without anything to merge, or not merged yet; `conflict`,
 * `refused` (outside of its scope, say), `escalated`: completed, and a person has to settle it; `reworked`: a part that
 * begins with what became of it has taken its place.
 */
export type Verdict =
  | "merged"
  | "completed"
  | "conflict"
  | "refused"
  | "escalated"
  | "reworked"
  | Exclude<OutcomeKind, "completed">
  | "running"
  | "awaiting_approval"
  | "planned";

/** Times are Unix milliseconds. */
export interface HistoryPart extends PartFacts {
  readonly subtask_id: string;
  readonly agent: string;
  /** The lead's own part. */
  readonly root: boolean;
  /** The part that split off this one. */
  readonly parent: string | null;
  readonly depends_on: readonly string[];
  readonly supersedes: string | null;
  /** Another part has taken its place. */
  readonly superseded: boolean;
  readonly brief: string;
  readonly branch: string | null;
  readonly commit: string | null;
  readonly verdict: Verdict;
  /** Where its branch is in the merge queue; null: it never was. */
  readonly merge_state: MergeState | null;
  /** Why it is not merged, where it completed. */
  readonly reason: string | null;
  readonly outcome: OutcomeKind | null;
  readonly summary: string;
  readonly error: ErrorValue | null;
  readonly usage: Usage;
  readonly cost: number | null;
  readonly elapsed_ms: number | null;
}

export interface HistoryTask extends Omit<TaskFacts, "parts"> {
  readonly task_id: string;
  readonly title: string;
  readonly state: TaskState;
  /** Planned or running: what is told is only what happened so far. */
  readonly live: boolean;
  readonly base: { readonly ref: string; readonly commit: string };
  readonly created_at: number;
  /** Providers of the run that were not a real model, such as `scripted`. */
  readonly simulated: readonly string[];
  readonly parts: readonly HistoryPart[];
  readonly approvals: readonly Approval[];
  /** Where it, or a part of it, has limits. */
  readonly budget?: BudgetSummary;
}

export type HistoryState = "running" | "completed" | "partial" | "failed" | "conflict" | "cancelled";

export interface TicketHistory {
  readonly ticket: string;
  readonly title: string;
  readonly state: HistoryState;
  readonly live: boolean;
  readonly generated_at: number;
  /** The oldest first. */
  readonly tasks: readonly HistoryTask[];
  readonly integration: { readonly branch: string; readonly commit: string } | null;
  readonly usage: Usage;
  /** US dollars; null when the price of a part is not known. */
  readonly cost: number | null;
  /** Of all tasks together, without the time between them. */
  readonly elapsed_ms: number;
}

export interface BranchDiff {
  readonly branch: string;
  /** Null: the integration branch. */
  readonly agent: string | null;
  readonly subtask_id: string | null;
  /** What is compared. */
  readonly base: string;
  readonly commit: string;
  readonly files: readonly FileDifference[];
  /** Lines, in files that are text. */
  readonly additions: number;
  readonly deletions: number;
  /** As `git diff --stat`. */
  readonly stat: string;
  /** A unified diff. */
  readonly diff: string;
  /** It was too long: the end of it is missing. */
  readonly truncated: boolean;
}

export interface TicketDiff {
  readonly ticket: string;
  readonly task_ids: readonly string[];
  /** One, or one for each branch of the agent. */
  readonly diffs: readonly BranchDiff[];
}

export interface LeftOut {
  readonly subtask_id: string;
  readonly agent: string;
  readonly reason: Verdict;
}
