/**
 * The one event stream. The command line, the report and (later) REST, WebSocket and SSE all fold it.
 * Events are wire values: `{ event, id, ts, task_id, subtask_id?, conversation_id?, source?, … }`.
 */
import type { BreakerState } from "./breaker.ts";
import type { ErrorValue } from "./errors.ts";
import type { EvidenceBundle } from "./evidence-bundle.ts";
import type { MergeEntry, MergeReason, Verification } from "./merging.ts";
import type { Waiver } from "./resolution.ts";
import type { Approval, ApprovalState, Conflict, Outcome, OutcomeKind, Usage } from "./model.ts";

interface About {
  readonly task_id: string;
  readonly subtask_id?: string;
  readonly conversation_id?: string;
  /** The agent the event comes from. */
  readonly source?: string;
}

export type EventBody =
  | (About & { event: "task_submitted"; ticket: string; title: string; base: string; base_commit: string })
  | (About & { event: "task_resumed" })
  /** A person had parts of it tried again: each named part takes the place of the other. */
  | (About & {
      event: "task_reopened";
      parts: readonly { readonly subtask_id: string; readonly supersedes: string }[];
    })
  /** A person gave the subtask to another agent. */
  | (About & { event: "assigned"; from: string; agent: string })
  /** An attempt crashed, or its process died, and another begins after `delay_ms`. */
  | (About & {
      event: "agent_restarted";
      agent: string;
      /** The attempt that crashed. */
      attempt: number;
      /** Restarts of the agent in this task, this one included. */
      restarts: number;
      delay_ms: number;
      error: ErrorValue;
      /** The others of its group that begin again with it. */
      together: readonly string[];
    })
  /** No further attempt: the subtask had too many, or its agent crashed too often, or must not crash at all. */
  | (About & { event: "agent_failed"; agent: string; attempt: number; code: string; message: string })
  | (About & {
      event: "restart_limit_exceeded";
      /** Not started any more in this task. */
      agents: readonly string[];
      group: string | null;
      max_restarts: number;
      window_s: number;
    })
  /**
   * Nobody can work on the subtask: it is `blocked` until a person gives it to another agent, or there is somebody again.
   * At `until` (ISO 8601) it ends with the outcome `timed_out`.
   */
  | (About & { event: "alert"; code: string; message: string; agent: string; until: string })
  | (About & { event: "notice"; code: string; message: string })
  | (About & {
      event: "split";
      parent: string | null;
      children: readonly string[];
      topics: readonly string[];
    })
  | (About & {
      event: "child_announced";
      agent: string;
      brief: string;
      allowed_paths: readonly string[];
      depends_on: readonly string[];
    })
  | (About & { event: "child_started"; agent: string; attempt: number; branch: string | null })
  | (About & { event: "branch_allocated"; branch: string; base: string; created: boolean })
  | (About & { event: "turn"; turn: number; usage: Usage })
  | (About & { event: "text"; text: string })
  | (About & { event: "tool_called"; tool: string; call_id: string; arguments: string })
  | (About & {
      event: "tool_result";
      tool: string;
      call_id: string;
      ok: boolean;
      code?: string;
      elapsed_ms: number;
    })
  | (About & { event: "command_output"; stream: "stdout" | "stderr"; text: string })
  | (About & { event: "work_saved"; commit: string; files: number })
  | (About & { event: "commit"; branch: string; commit: string; message: string; files: number })
  | (About & { event: "signal_send"; topic: string; message_id: string; payload: unknown })
  | (About & { event: "signal_recv"; topic: string; message_id: string; payload: unknown })
  | (About & {
      event: "message_sent";
      message_id: string;
      /** The agent it is for, and the conversation it is on. */
      recipient: string;
      to: string;
      content: string;
    })
  /** The model of the recipient has it before it from now on. */
  | (About & { event: "message_received"; message_id: string; sender: string })
  | (About & { event: "retry"; reason: string; attempt: number; delay_ms: number })
  /** What `barrier_run` came back with. */
  | (About & { event: "evidence"; bundle: EvidenceBundle })
  /**
   * A model provider is held to be down (`open`), tried once for all (`half_open`), or up again (`closed`). Told by the
   * child whose request it was; it holds for all that use the provider in the same process.
   */
  | (About & { event: "breaker"; provider: string; state: BreakerState; reason: string | null })
  | (About & { event: "child_finished"; outcome: OutcomeKind; result: Outcome })
  /** Its process went away in order; another may go on with it. */
  | (About & { event: "handed_back"; attempt: number })
  /** Who works on the task: workers, this process (`here`), both, or for now nobody. */
  | (About & { event: "workers"; live: number; here: boolean; message: string })
  | (About & { event: "late_result"; attempt: number; outcome: OutcomeKind; commit: string | null })
  | (About & { event: "merge_started"; branch: string; commit: string })
  | (About & { event: "merged"; branch: string; commit: string; into: string; merge_commit: string })
  | (About & { event: "merge_conflict"; branch: string; commit: string; conflicts: readonly Conflict[] })
  | (About & { event: "merge_skipped"; branch: string | null; reason: string })
  /** A new subtask, `by`, has taken its place: it begins with the target and the branch put together. */
  | (About & {
      event: "merge_rework";
      branch: string;
      commit: string;
      reason: MergeReason;
      by: string;
      agent: string;
      /** From 1. */
      round: number;
    })
  /** A person has to settle it. */
  | (About & {
      event: "merge_escalated";
      branch: string;
      commit: string;
      reason: MergeReason;
      person: string | null;
    })
  /** A person settled a path of a branch that waited for it; `waived`: what of either side was given up by that. */
  | (About & {
      event: "conflict_settled";
      branch: string;
      path: string;
      how: "ours" | "theirs" | "both" | "file";
      waived: readonly Waiver[];
      by: string;
    })
  | (About & { event: "verify_started"; target: string; commit: string; branches: readonly string[] })
  | (About & { event: "verify_finished"; verification: Verification })
  /** Two branches that are still at work have changed the same places. */
  | (About & {
      event: "overlap_found";
      agents: readonly string[];
      branches: readonly string[];
      paths: readonly string[];
    })
  | (About & { event: "refused"; code: string; message: string; tool?: string; path?: string })
  /** Again when the owner gave no answer, so that the window person is asked. */
  | (About & {
      event: "approval_requested";
      approval_id: string;
      agent: string;
      paths: readonly string[];
      reason: string;
      owner: string | null;
      person: string | null;
    })
  | (About & {
      event: "approval_decided";
      approval_id: string;
      agent: string;
      paths: readonly string[];
      state: Exclude<ApprovalState, "open">;
      decided_by: string;
      answer: string;
    })
  /** Of schedules; the stream is `cron.<agent>`, in place of a task's. Times are ISO 8601. */
  | (About & {
      event: "schedule_fired";
      agent: string;
      due_at: string;
      late_ms: number;
      topic: string;
      /** The task it submits. */
      task: string | null;
    })
  /** Due times that were skipped: too late, or (their task) because the last one still runs or it could not be submitted. */
  | (About & {
      event: "schedule_missed";
      agent: string;
      reason: "late" | "still_running" | "not_submitted";
      count: number;
      /** The last of them. */
      due_at: string;
      message: string;
    })
  | (About & { event: "cancel_requested"; reason: string; code?: string })
  /** A person brought the ticket's work into a branch of theirs: `from` is what came, `commit` where the branch is now. */
  | (About & {
      event: "landed";
      into: string;
      how: "fast_forward" | "merge" | "squash";
      from: string;
      commit: string;
    })
  | (About & { event: "task_finished"; state: ReportState });

/** `id` is opaque, unique and increasing within a store; `ts` is ISO 8601 in UTC. */
export type OxbowEvent = EventBody & { readonly id: string; readonly ts: string };

export type ReportState = "completed" | "partial" | "failed" | "conflict" | "cancelled";

export interface ReportChild {
  readonly subtask_id: string;
  readonly conversation_id: string;
  readonly agent: string;
  readonly branch: string | null;
  readonly commit: string | null;
  readonly outcome: OutcomeKind | "running";
  readonly summary: string;
  readonly usage: Usage;
  readonly cost: number | null;
  readonly error: ErrorValue | null;
  readonly merged: boolean;
  /** A commit on an attempt's ref with work that is on no branch; null when there is none. */
  readonly kept: string | null;
  readonly elapsed_ms: number;
}

/** The last line of `oxbow run --json`. */
export interface Report {
  readonly event: "report";
  readonly task_id: string;
  readonly ticket: string;
  readonly title: string;
  readonly state: ReportState;
  readonly integration: { readonly branch: string; readonly commit: string } | null;
  /** The lead's own part, when a lead ran. */
  readonly lead: ReportChild | null;
  readonly children: readonly ReportChild[];
  /** Earlier tries at some of them, whose outcomes stay as they were. */
  readonly superseded: readonly ReportChild[];
  readonly conflicts: readonly Conflict[];
  /** What became of each finished branch, in the order of the queue. */
  readonly merges: readonly MergeEntry[];
  /** What `verify:` said, of each tree it was asked about; the last that is ok is what landed. */
  readonly verifications: readonly Verification[];
  /** What each `barrier_run` of the task came back with. */
  readonly evidence: readonly (EvidenceBundle & { readonly subtask_id: string })[];
  /** What was asked for beyond a scope, and the answers. */
  readonly approvals: readonly Approval[];
  readonly usage: Usage;
  readonly cost: number | null;
  readonly elapsed_ms: number;
  /** Providers that were not a real model, such as `scripted`. */
  readonly simulated: readonly string[];
  readonly base: { readonly ref: string; readonly commit: string };
  readonly notices: readonly string[];
}
