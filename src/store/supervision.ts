/** What the store hands to whoever decides about crashes, and what it gets back. */
import type { ErrorValue } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Subtask, Task } from "../core/model.ts";

/** How an attempt of some agent of the task ended. Times are Unix milliseconds. */
export interface EndedAttempt {
  readonly agent: string;
  readonly crashed: boolean;
  readonly worker_id: string | null;
  readonly started_at: number;
  readonly ended_at: number;
}

/** An attempt that broke without an outcome. */
export interface Crash {
  readonly task: Task;
  /** Without its dependencies. */
  readonly subtask: Subtask;
  readonly attempt: number;
  /** Of this subtask, this one included. */
  readonly crashes: number;
  readonly failure: ErrorValue;
  /** This one included, in the order of the ends. Those before a person said that the task goes on are left out. */
  readonly log: readonly EndedAttempt[];
  readonly at: number;
}

/** Carried out in the transaction that notes the crash. */
export interface CrashVerdict {
  /** Before the subtask is leased again. */
  readonly delayMs: number;
  /** Agents whose attempts at work are handed back, to begin again. */
  readonly restart: readonly string[];
  /** Agents that are not started any more in this task. */
  readonly disable: readonly { readonly agent: string; readonly reason: string }[];
  /** Cancels the task, with this code in the outcomes; null: it goes on. */
  readonly cancelCode: string | null;
  readonly events: readonly EventBody[];
}

/** Why the holder of a lease is to stop. */
export interface StopRequest {
  readonly conversation_id: string;
  readonly token: number;
  readonly why: "cancelled" | "recalled";
}

/** An agent's work in one task. Times are Unix milliseconds. */
export interface AgentRecord {
  readonly task_id: string;
  readonly agent: string;
  /** Conversations at work, under a live lease. */
  readonly working: number;
  /** Crashed, and not begun again yet. */
  readonly waiting: number;
  readonly open: number;
  readonly crashes: number;
  readonly disabled: string | null;
  readonly last_crash_at: number | null;
}
