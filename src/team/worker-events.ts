/** What a worker is asked for and what it tells. Without the SDK's types: this is part of the package's face. */
import type { ErrorValue } from "../core/errors.ts";
import type { OutcomeKind } from "../core/model.ts";

export interface WorkerOptions {
  /** Only conversations of these agents; default: all of the team. */
  readonly agents?: readonly string[] | undefined;
  /** Conversations at once; default: `limits.max_parallel` of the team. */
  readonly concurrency?: number | undefined;
  readonly onEvent?: ((event: WorkerEvent) => void) | undefined;
}

export interface Taken {
  readonly task_id: string;
  readonly subtask_id: string;
  readonly conversation_id: string;
  readonly agent: string;
  readonly attempt: number;
}

export type WorkerEvent =
  | {
      readonly event: "worker_started";
      readonly worker_id: string;
      readonly team: string;
      readonly agents: readonly string[];
      readonly places: number;
    }
  | ({ readonly event: "conversation_taken" } & Taken)
  | ({
      readonly event: "conversation_ended";
      readonly end: OutcomeKind | "handed_back" | "crashed" | "lost";
    } & Taken)
  /** It cannot run these agents of the task here, and leaves them to others. */
  | {
      readonly event: "declined";
      readonly task_id: string;
      readonly agents: readonly string[];
      readonly message: string;
    }
  /** A task whose own process is gone was brought to its end here. */
  | { readonly event: "task_ended"; readonly task_id: string; readonly state: string }
  /** A due time of `schedule:` was fired by this worker: its signal, and the task it submits. */
  | {
      readonly event: "schedule_fired";
      readonly agent: string;
      readonly due_at: string;
      readonly late_ms: number;
      readonly task: string | null;
    }
  | {
      readonly event: "schedule_missed";
      readonly agent: string;
      readonly reason: "late" | "still_running" | "not_submitted";
      readonly count: number;
      readonly due_at: string;
      readonly message: string;
    }
  | { readonly event: "team_reloaded"; readonly agents: readonly string[] }
  | { readonly event: "problem"; readonly error: ErrorValue }
  | { readonly event: "worker_stopped"; readonly ended: number };
