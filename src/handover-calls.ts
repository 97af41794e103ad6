/** The app's methods that bring work out to people, and what they give: shapes alone. */
import type { ErrorValue } from "./core/errors.ts";
import type { Conflict } from "./core/model.ts";
import type { LeftOut, TicketDiff, TicketHistory } from "./team/handover-results.ts";

export type { HistoryPart, HistoryTask } from "./team/handover-results.ts";

export interface MergeOptions {
  /** A local branch. Default: the one the ticket's first task began with. */
  readonly into?: string | undefined;
  /** One commit in place of the agents' own. */
  readonly squash?: boolean | undefined;
  /** Also while some of the ticket's work is not on its integration branch. */
  readonly partial?: boolean | undefined;
  /** Push the result there: the name of a remote, or a URL. */
  readonly push?: string | undefined;
  /** Open a pull request from the integration branch in place of moving the branch here. */
  readonly pullRequest?: boolean | undefined;
}

export interface Pushed {
  readonly remote: string;
  readonly branch: string;
  readonly commit: string;
  /** `same`: it was there already. */
  readonly state: "pushed" | "same" | "failed";
  readonly error: ErrorValue | null;
  /** What a person would run. */
  readonly command: string;
}

export interface Merged {
  readonly ok: boolean;
  readonly ticket: string;
  readonly source: { readonly branch: string; readonly commit: string };
  readonly into: string;
  /** `proposed`: a pull request; the branch here stays where it is. */
  readonly state: "landed" | "unchanged" | "conflict" | "proposed";
  readonly how: "fast_forward" | "merge" | "squash" | null;
  readonly before: string;
  readonly after: string;
  /** The checkout whose files followed the branch, or null. */
  readonly checkout: string | null;
  readonly conflicts: readonly Conflict[];
  /** Work of the ticket that is not in it, by consent. */
  readonly left_out: readonly LeftOut[];
  readonly push: Pushed | null;
  readonly pull_request: PullRequest | null;
}

export interface PullRequest {
  readonly url: string | null;
  readonly error: ErrorValue | null;
  /** What a person would run. */
  readonly command: string;
}

export interface HandoverCalls {
  /**
   * What `integration/<ticket>` (or an agent's branches) changes against where the task began, redacted. Throws task_unknown,
   * agent_unknown, rev_not_found (nothing was merged).
   */
  diff(taskOrTicket: string, options?: { readonly agent?: string | undefined }): Promise<TicketDiff>;
  /**
   * Brings `integration/<ticket>` into a branch of yours. A conflict is a value and moves nothing. Throws task_unknown,
   * rev_not_found, unlanded_work, dirty_tree, branch_checked_out, branch_moved, usage.
   */
  merge(taskOrTicket: string, options?: MergeOptions, signal?: AbortSignal): Promise<Merged>;
  /** The whole story of a task or ticket, redacted, from rows and events alone. Throws task_unknown. */
  report(taskOrTicket: string): Promise<TicketHistory>;
}
