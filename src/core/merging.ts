/** What becomes of a finished branch: the merge queue's words. Wire and row shapes, so their fields are snake_case. */
import type { Conflict } from "./model.ts";

export const MERGE_STATES = ["queued", "landed", "rework", "escalated", "failed"] as const;
/**
 * `queued`: its turn will come. `landed`: it is in its target. `rework`: a new subtask has taken its place. `escalated`: a
 * person has to settle it. `failed`: it is not merged, for the reason given. Only `queued` and `escalated` change.
 */
export type MergeState = (typeof MERGE_STATES)[number];

/** One `verify:` command on one tree. */
export interface VerifyRun {
  /** Without secrets. */
  readonly command: string;
  readonly ok: boolean;
  /** Null: a signal or the time limit ended it, or it could not be started. */
  readonly exit_code: number | null;
  readonly timed_out: boolean;
  readonly duration_ms: number;
  /** Absolute path of its log, on the machine that ran it. */
  readonly log: string;
  /** The end of what it said, of one that failed; else "". */
  readonly tail: string;
}

/** What `verify:` said of a tree that was to land. */
export interface Verification {
  readonly target: string;
  /** The commit that lands, or would have, and its tree. */
  readonly commit: string;
  readonly tree: string;
  readonly ok: boolean;
  /** In order; nothing runs after the first that failed. */
  readonly runs: readonly VerifyRun[];
  /** Of the branches that were new in it. */
  readonly branches: readonly string[];
}

export interface MergeReason {
  /** A code of the error table, such as merge_conflict, verify_failed, side_dropped, out_of_scope. */
  readonly code: string;
  readonly message: string;
}

/** A finished branch in the queue of its target. A subtask has one outcome, and so at most one entry. */
export interface MergeEntry {
  readonly subtask_id: string;
  readonly task_id: string;
  readonly agent: string;
  /** Short names of branches. */
  readonly target: string;
  readonly branch: string;
  /** What is merged of it: this commit, whatever the branch names by then. */
  readonly commit: string;
  readonly state: MergeState;
  /** The commit that brings it into the target; while it is queued one that was made for it, and may have landed. */
  readonly landed_commit: string | null;
  /** Why it did not land. */
  readonly reason: MergeReason | null;
  readonly conflicts: readonly Conflict[];
  /** The failure that it is guilty of. */
  readonly verification: Verification | null;
  /** Where the target was when it did not land. */
  readonly onto: string | null;
  /**
   * `rework`, `escalated`: a commit on no branch whose parents are `onto` and `commit`, with what merges cleanly merged,
   * conflicting text between Git's markers, and of other conflicts the target's side.
   */
  readonly draft: string | null;
  /** `rework`: the subtask that has taken its place. */
  readonly reworked_by: string | null;
  /** How many tries before it this one takes the place of. */
  readonly round: number;
  /** Unix milliseconds. */
  readonly created_at: number;
  readonly updated_at: number;
}
