/** What stepping into work under way comes to. Without the SDK's types: this is part of the package's face. */
import type { Subtask, TaskState } from "../core/model.ts";

export interface Cancelled {
  readonly task_id: string;
  /** Null: the task as a whole. */
  readonly subtask_id: string | null;
  /** With a subtask: what was cancelled, it and what was split from it, what was begun last first. */
  readonly parts: readonly string[];
  /** False: it had ended already, and nothing was changed. */
  readonly changed: boolean;
  /** `cancelling`: a process that works on it has been asked, and has not ended it within the time given. */
  readonly state: TaskState | Subtask["state"] | "cancelling";
}

export interface Reopened {
  readonly task_id: string;
  /** New subtasks, and whose place each takes. */
  readonly parts: readonly { readonly subtask_id: string; readonly supersedes: string }[];
  /** Another process carries the task, and goes on with it. */
  readonly carried: boolean;
}

export interface Assigned extends Reopened {
  readonly agent: string;
}

/** A subtask that is `blocked`, because nobody can work on it. Times are ISO 8601. */
export interface Alert {
  readonly kind: "alert";
  readonly task_id: string;
  readonly subtask_id: string;
  readonly agent: string;
  /** `agent_disabled`: it crashed too often. `agent_unavailable`: no live worker takes it. */
  readonly code: string;
  readonly message: string;
  readonly since: string;
  /** Then it ends with the outcome `timed_out`. */
  readonly until: string;
}

export interface AgentState {
  readonly agent: string;
  /**
   * `processing`: at work. `restarting`: it crashed, and waits to begin again. `failed`: it crashed too often and is not
   * started any more. `terminated`: a person shut it down, or it stopped with its whole task, because a critical agent crashed. Else `idle`.
   */
  readonly state: "idle" | "processing" | "restarting" | "failed" | "terminated";
  readonly group: string | null;
  readonly critical: boolean;
  /** Conversations at work now, and those that have no outcome yet. */
  readonly working: number;
  readonly open: number;
  /** Crashes of its attempts. */
  readonly crashes: number;
  /** ISO 8601; null: none. */
  readonly last_crash: string | null;
  /** Why it is not started any more. */
  readonly reason: string | null;
}
