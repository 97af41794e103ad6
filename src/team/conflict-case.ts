/** Conflicts that wait for a person, and what one does about them, as the library and the command line have it. */
import type { MergeReason } from "../core/merging.ts";
import type { Conflict } from "../core/model.ts";
import type { Waiver } from "../core/resolution.ts";
import type { ConflictHunk } from "../git/conflict-hunks.ts";

/** `both`: one side's version was given another name. */
export type SettledHow = "ours" | "theirs" | "both" | "file";

export interface ShownConflict extends Conflict {
  /** The places where text meets; none where a side is taken whole. */
  readonly hunks: readonly ConflictHunk[];
  readonly settled: {
    readonly how: SettledHow;
    readonly waived: readonly Waiver[];
    readonly by: string;
  } | null;
}

/** A branch that waits for a person to settle it with its target. `ours` is the target, `theirs` the branch. */
export interface ConflictCase {
  readonly ticket: string;
  readonly task_id: string;
  readonly subtask_id: string;
  readonly agent: string;
  readonly branch: string;
  readonly target: string;
  /** Both commits: where the target is now, and what is merged of the branch. */
  readonly onto: string;
  readonly commit: string;
  readonly person: string | null;
  readonly reason: MergeReason | null;
  readonly conflicts: readonly ShownConflict[];
}

export interface SettledConflict {
  readonly ticket: string;
  readonly task_id: string;
  readonly subtask_id: string;
  readonly branch: string;
  readonly path: string;
  readonly how: SettledHow;
  /** What was given up, by name. */
  readonly waived: readonly Waiver[];
  /** Paths of the same branch that are still to be settled. */
  readonly open: readonly string[];
  /** The merge that is in the queue now; null while paths are open. */
  readonly resolution: string | null;
  /** Another process carries the task, and will land it. */
  readonly carried: boolean;
}

export interface ConflictFilter {
  /** Where several branches of a ticket wait. */
  readonly branch?: string | undefined;
  readonly path?: string | undefined;
}

interface AtPath {
  readonly path: string;
  /** Where several branches of the ticket wait at this path. */
  readonly branch?: string | undefined;
}

export interface TakeSide extends AtPath {
  /** `ours` is the target, `theirs` the branch. The other one is given up by name, unless `as` keeps both. */
  readonly side: "ours" | "theirs";
  /** Another name for the side's version; the other side keeps the path. */
  readonly as?: string | undefined;
}

export interface ResolveWith extends AtPath {
  readonly content: Uint8Array;
  /** What it leaves out on purpose: a side, or a line by its exact text. */
  readonly waived?: readonly Waiver[] | undefined;
}

export interface Conflicts {
  /**
   * Branches that wait for a person to settle them with their target, of a ticket or task or of all, with both sides of
   * each path. Throws task_unknown, conflict_unknown.
   */
  list(taskIdOrTicket?: string, filter?: ConflictFilter): Promise<readonly ConflictCase[]>;
  /**
   * Settles a path with one side. With the last open path of a branch it is in the merge queue again and its task is live:
   * `resume` it to land it. Throws task_unknown, conflict_unknown, usage, path_rejected, branch_moved.
   */
  take(taskIdOrTicket: string, choice: TakeSide, signal?: AbortSignal): Promise<SettledConflict>;
  /** As `take`, with a text that has what both sides did. Throws also side_dropped (`details: { dropped, markers }`). */
  resolve(taskIdOrTicket: string, choice: ResolveWith, signal?: AbortSignal): Promise<SettledConflict>;
}
