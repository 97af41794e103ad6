/**
 * The words: what a task, a subtask, a conversation and an outcome are made of.
 * These are wire and row shapes, so their fields are snake_case; functions and options elsewhere are camelCase.
 */
import type { BudgetAsk } from "./budget-saved.ts";
import type { ErrorValue } from "./errors.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type TaskState = "planned" | "running" | "needs_review" | "completed" | "failed" | "cancelled";
/** Not ended: its ticket is in use, and it may still be worked on. */
export function isLive({ state }: { readonly state: TaskState }): boolean {
  return state === "planned" || state === "running";
}

export type OutcomeKind = "completed" | "failed" | "cancelled" | "timed_out";
export type SubtaskState = "planned" | "blocked" | "awaiting_approval" | "running" | OutcomeKind;

/** Tokens as the provider counted them; `requests` is the number of model calls. */
export interface Usage {
  readonly requests: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
}

export const NO_USAGE: Usage = { requests: 0, input_tokens: 0, output_tokens: 0, total_tokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    requests: a.requests + b.requests,
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    total_tokens: a.total_tokens + b.total_tokens,
  };
}

/** What a person submitted. `base_commit` is fixed at submission, so that every child starts from the same tree. */
export interface Task {
  readonly task_id: string;
  readonly ticket: string;
  readonly title: string;
  readonly state: TaskState;
  readonly base_ref: string;
  readonly base_commit: string;
  readonly team: string;
  /** The options of the run (provider, model, command …) that a resume needs again. */
  readonly options: { readonly [key: string]: Json };
  /** SHA-256 of the submitted body: the same id with another body is a conflict. */
  readonly body_hash: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** The part of a task that one agent does. `subtask_id` = `<agent>::<task_id>::<n>`, n from 1 per agent. */
export interface Subtask {
  readonly subtask_id: string;
  readonly task_id: string;
  readonly conversation_id: string;
  readonly parent_conversation_id: string | null;
  readonly agent: string;
  /** The lead's own subtask is the root: its children are what the report lists. */
  readonly root: boolean;
  readonly brief: string;
  readonly responsibilities: readonly string[];
  readonly allowed_paths: readonly string[];
  readonly depends_on: readonly string[];
  readonly done_topic: string;
  readonly depth: number;
  readonly position: number;
  readonly branch: string | null;
  readonly state: SubtaskState;
  readonly created_at: number;
  /** The subtask that this one is a new try at, whose outcome stays as it was. */
  readonly supersedes: string | null;
  /** What it asks for itself, of the budget that is over it; left out: there is none. */
  readonly budget?: BudgetAsk;
  /** What it needs before it starts, also when it has that by now; null: nothing. */
  readonly gate: Gate | null;
}

/** A person must say yes first. */
export interface Gate {
  readonly reason: string;
  /** The team's window person, where it has one. */
  readonly person: string | null;
}

export interface Conversation {
  readonly conversation_id: string;
  readonly task_id: string | null;
  readonly parent_id: string | null;
  readonly agent: string;
  readonly created_at: number;
}

/** A message on a conversation. `metadata.orchestrate` carries `{ responsibilities, allowed_paths, done_topic }`. */
export interface Message {
  readonly id: string;
  readonly conversation_id: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly content: string;
  readonly timestamp: number;
  readonly type: string;
  readonly topology: string;
  readonly metadata: { readonly [key: string]: Json };
}

export const TODO_STATES = ["open", "in_progress", "done"] as const;
export type TodoState = (typeof TODO_STATES)[number];

/** An entry of a task's todo list, which all of the task's agents share. `todo_id` is `todo-<n>`, n from 1 within the task. */
export interface Todo {
  readonly todo_id: string;
  readonly title: string;
  readonly details: string;
  readonly state: TodoState;
  /** The agent who is to do it. */
  readonly owner: string;
  readonly created_by: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** `withdrawn`: what it was asked for ended before anybody answered. */
export type ApprovalState = "open" | "granted" | "denied" | "withdrawn";
/** `scope`: to write outside of a subtask's scope. `gate`: to begin a subtask at all. */
export type ApprovalKind = "scope" | "gate";

/** A request, and its answer. The first answer stands. */
export interface Approval {
  readonly approval_id: string;
  readonly kind: ApprovalKind;
  readonly task_id: string;
  readonly subtask_id: string;
  /** Who asks, or waits. */
  readonly agent: string;
  readonly state: ApprovalState;
  /** Paths or patterns, as in `allowed_paths`; none for a gate. */
  readonly paths: readonly string[];
  readonly reason: string;
  /** The agent that is asked; null: the window person. A person may answer either way. */
  readonly owner: string | null;
  /** The team's window person, where it has one. */
  readonly person: string | null;
  readonly decided_by: string | null;
  /** What was said along with the decision. */
  readonly answer: string | null;
  readonly created_at: number;
  readonly decided_at: number | null;
}

/** The one durable result of a subtask. */
export interface Outcome {
  readonly subtask_id: string;
  readonly conversation_id: string;
  readonly task_id: string;
  readonly agent: string;
  readonly outcome: OutcomeKind;
  readonly branch: string | null;
  /** The branch's tip, or null when nothing was committed. */
  readonly commit: string | null;
  readonly summary: string;
  readonly usage: Usage;
  /** US dollars, or null when the price is not known. */
  readonly cost: number | null;
  readonly error: ErrorValue | null;
  readonly attempt: number;
  readonly elapsed_ms: number;
}

export type ConflictKind =
  | "content"
  | "add_add"
  | "modify_delete"
  | "rename_rename"
  | "rename_delete"
  | "directory_file"
  | "mode"
  | "binary"
  | "submodule"
  | "merge_attribute"
  /** New beside a name that differs only in case: macOS and Windows cannot hold both. */
  | "case"
  | "other";

/** One side of a conflict: a blob (or submodule commit) and its mode, or null where that side has no such path. */
export interface ConflictSide {
  readonly oid: string;
  readonly mode: string;
  /** Where the side has it, when that is not the path of the conflict. */
  readonly path?: string;
}

/** A conflict is a value. `agents` and `owners` name who can settle it. */
export interface Conflict {
  readonly path: string;
  readonly kind: ConflictKind;
  readonly base: ConflictSide | null;
  readonly ours: ConflictSide | null;
  readonly theirs: ConflictSide | null;
  readonly agents: readonly string[];
  readonly owners: readonly string[];
}

/** `<agent>::<task_id>::<n>`; the seed's form. */
export function subtaskId(agent: string, taskId: string, n: number): string {
  return `${agent}::${taskId}::${n}`;
}

export function doneTopic(conversationId: string): string {
  return `signal:${conversationId}:done`;
}
