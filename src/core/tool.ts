/**
 * One tool definition serves every door: a model's function tool, later MCP, REST and the command line.
 * A tool is pure in its own file; everything it can do to the world arrives through {@link ToolContext}.
 */
import type { z } from "zod";
import type { BudgetLeft, BudgetMeter } from "./budget.ts";
import type { BudgetAsk } from "./budget-saved.ts";
import type { EvidenceBundle } from "./evidence-bundle.ts";
import type { Json, Todo, TodoState } from "./model.ts";

/** The env flag that switches a tool's group; `null` is always on. */
export type ToolFlag =
  | "ENABLE_FILE_TOOLS"
  | "ENABLE_SIGNAL_TOOLS"
  | "ENABLE_TEAM_TOOLS"
  | "ENABLE_CHAT_TOOLS"
  | "ENABLE_TODO_TOOLS"
  | "ENABLE_ORCHESTRATE_TOOL"
  | "ENABLE_TERMINAL_TOOL"
  | "ENABLE_BARRIER_TOOL"
  | "ENABLE_MCP_TOOLS"
  | null;

/** The parameters of a tool as a model is shown them: JSON Schema, what is referred to included. */
export interface ShownSchema {
  type: "object";
  properties: Record<string, unknown>;
  required: string[];
  additionalProperties: true;
  $defs?: object;
  definitions?: object;
}

export interface ToolDef<P extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly description: string;
  readonly parameters: P;
  readonly flag: ToolFlag;
  /** It needs neither a task nor a branch: MCP and REST offer it, too, while its flag is on. */
  readonly standalone?: boolean | undefined;
  /** JSON Schema that a model is shown in place of that of `parameters`; `run` then checks the arguments. */
  readonly shownSchema?: ShownSchema | undefined;
  /** Returns a JSON value; throws an OxbowError, which the model sees as `{ ok: false, error }`. */
  run(input: z.infer<P>, ctx: ToolContext): Promise<Json>;
}

/** Keeps the parameter types of one definition without spelling them out. */
export function defineTool<P extends z.ZodObject>(tool: ToolDef<P>): ToolDef<P> {
  return tool;
}

export interface FileEntry {
  readonly path: string;
  /** Git's mode: 100644, 100755, 120000 (symlink), 160000 (submodule). */
  readonly mode: string;
}

export interface SearchHit {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

export type FileChange =
  /** Keeps the mode of an existing file. */
  | { readonly kind: "write"; readonly path: string; readonly content: Uint8Array }
  /** One file, never a directory. */
  | { readonly kind: "delete"; readonly path: string }
  /** Keeps the mode; `content: null` also the bytes. A file that stands at `to` is replaced. */
  | {
      readonly kind: "move";
      readonly from: string;
      readonly to: string;
      readonly content: Uint8Array | null;
    };

/** The agent's view of its branch: what is committed plus its own uncommitted edits. No file system is involved. */
export interface BranchFiles {
  list(glob?: string): Promise<readonly FileEntry[]>;
  /** Raw bytes. Throws file_not_found, path_rejected. */
  read(path: string): Promise<Uint8Array>;
  /** Extended regular expression, as `git grep -E`. At most `limit` hits. */
  search(
    pattern: string,
    options: { glob?: string; limit: number },
    signal: AbortSignal,
  ): Promise<{ hits: readonly SearchHit[]; truncated: boolean }>;
  /** Keeps the mode of an existing file. Throws path_rejected, out_of_scope. */
  write(path: string, content: Uint8Array): Promise<{ created: boolean }>;
  /** Moves a file, or everything below a directory. Throws file_not_found, out_of_scope (either end). */
  move(from: string, to: string): Promise<{ moved: number }>;
  delete(path: string): Promise<{ deleted: number }>;
  /**
   * Changes made in their order, all or none: a throw leaves every file as it was. Throws file_not_found, path_rejected,
   * out_of_scope.
   */
  apply(changes: readonly FileChange[]): Promise<void>;
  /** Unified diff of the branch (committed and not) against where it started. */
  diff(signal: AbortSignal): Promise<string>;
  /** Commits the edits to the branch; null when there is nothing to commit. */
  commit(
    message: string,
    signal: AbortSignal,
  ): Promise<{ commit: string; branch: string; files: number } | null>;
}

export interface SignalMessage {
  readonly ok: true;
  readonly topic: string;
  readonly message: Json;
  readonly message_id: string;
  readonly event_id: string;
}

export interface SignalTimeout {
  readonly ok: false;
  readonly topic: string;
  readonly timeout_ms: number;
  readonly last_id: string | null;
}

export interface Signals {
  /** Throws payload_too_large, payload_invalid, topic_rejected, topic_reserved. */
  send(topic: string, payload: Json): Promise<{ ok: true; topic: string; message_id: string }>;
  wait(
    topic: string,
    lastId: string | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<SignalMessage | SignalTimeout>;
  /** The first message on any topic. On time-out `topic` is the list joined with a comma. */
  waitAny(
    topics: readonly string[],
    lastIds: Readonly<Record<string, string>>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<
    | SignalMessage
    | {
        ok: false;
        topics: readonly string[];
        timeout_ms: number;
        last_ids: Readonly<Record<string, string | null>>;
      }
  >;
  /** One message from each topic. */
  waitAll(
    topics: readonly string[],
    lastIds: Readonly<Record<string, string>>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<{
    ok: boolean;
    messages: Readonly<Record<string, SignalMessage>>;
    missing: readonly string[];
    timeout_ms: number;
  }>;
}

export interface SplitChild {
  readonly task: string;
  readonly agent?: string;
  readonly allowed_paths?: readonly string[];
  /** Positions (from 0) in `children` that must complete first. */
  readonly depends_on?: readonly number[];
  /** What it and all below it may use, reserved when it starts. */
  readonly budget?: BudgetAsk;
}

export interface SplitRequest {
  readonly task: string;
  readonly numChildren?: number;
  readonly responsibilities?: readonly string[];
  readonly allowedPaths?: readonly string[];
  readonly wait?: boolean;
  readonly targetAgent?: string;
  /** Bounds only the fan-in of `wait: true`. Milliseconds. */
  readonly timeoutMs?: number;
  readonly children?: readonly SplitChild[];
  readonly by?: "owner";
  readonly ticket?: string;
}

export interface SplitResult {
  readonly ok: boolean;
  /** Conversation ids, in the order of `topics`. */
  readonly children: readonly string[];
  readonly topics: readonly string[];
  /** What the one that splits could still give; where it is under a budget. */
  readonly budget?: { readonly left: BudgetLeft };
  readonly wait?: {
    readonly ok: boolean;
    readonly results: readonly Json[];
    /** Topics of children still running when the time was up. */
    readonly running: readonly string[];
  };
}

export interface ChatReceipt {
  readonly ok: true;
  readonly sent: readonly {
    readonly message_id: string;
    readonly conversation_id: string;
    readonly agent: string;
  }[];
}

export interface Chat {
  /**
   * To a conversation of the task, or to every conversation of an agent that is still at work there. Throws
   * recipient_unknown, recipient_finished, payload_too_large, limit_exceeded, tool_input.
   */
  send(recipient: string, content: string): Promise<ChatReceipt>;
}

export interface TodoFields {
  readonly title: string;
  readonly details: string;
  readonly state: TodoState;
  readonly owner: string;
}

/** The task's todo list. Throws todo_unknown, limit_exceeded, payload_too_large, agent_unknown (an owner), tool_input. */
export interface Todos {
  create(todo: Pick<TodoFields, "title"> & Partial<TodoFields>): Promise<Todo>;
  get(id: string): Promise<Todo>;
  /** Oldest first. */
  list(filter: Partial<Pick<TodoFields, "state" | "owner">>): Promise<readonly Todo[]>;
  update(id: string, change: Partial<TodoFields>): Promise<Todo>;
  delete(id: string): Promise<void>;
}

export interface ScopeAnswer {
  /** Everything that was asked for may be written now. */
  readonly ok: boolean;
  readonly answers: readonly {
    readonly approval_id: string | null;
    readonly paths: readonly string[];
    /** `in_scope`: it was allowed already. `no_answer`: nobody has decided in time. */
    readonly state: "granted" | "denied" | "in_scope" | "no_answer";
    readonly decided_by: string | null;
    readonly answer: string | null;
  }[];
}

export interface OwnerAnswer {
  readonly path: string;
  readonly owner: {
    readonly agent: string;
    readonly team: string;
    readonly pattern: string;
    readonly window_person: string | null;
  } | null;
}

export interface CommandRun {
  /** Null: it was ended, or never began to run. */
  readonly exit_code: number | null;
  /** What it wrote to stdout and stderr, as it came, redacted. */
  readonly output: string;
  /** Not all of the output is there. */
  readonly truncated: boolean;
  readonly timed_out: boolean;
  readonly elapsed_ms: number;
  readonly sandbox: "bubblewrap" | "none";
  /** Files of the branch that it changed. */
  readonly changed: number;
  /** Files it changed that are not taken over to the branch: out of scope, or nothing a branch can hold. */
  readonly left_out: readonly { readonly path: string; readonly reason: string }[];
}

export interface Terminal {
  /**
   * Runs one command line in the branch's files, and takes over what it changes. Throws command_rejected, path_rejected
   * (`cwd`), sandbox_missing, cancelled.
   */
  run(
    request: { readonly command: string; readonly cwd?: string; readonly timeoutMs?: number },
    signal: AbortSignal,
  ): Promise<CommandRun>;
}

export interface BarrierRequest {
  /** Who answers; the runs go round among them. */
  readonly agents: readonly string[];
  readonly input: string;
  /** JSON Schema of an answer. */
  readonly schema: Json;
  /** Runs. */
  readonly k: number;
  /** It stops early when an answer moves the estimate by less; 0: never. */
  readonly epsilon: number;
  readonly minRuns: number;
  readonly maxParallel: number | null;
  /** Of one run, milliseconds. */
  readonly timeoutMs: number | null;
  /** Lists of objects by JSON Pointer: the keys that say which are the same thing. */
  readonly matchBy: Readonly<Record<string, readonly string[]>>;
  readonly checks: readonly {
    /** JSON Pointer of the field that it settles. */
    readonly path: string;
    readonly command: string;
    readonly pass: Json;
    readonly fail: Json;
  }[];
}

/** Everything a tool may touch. Built per attempt; `signal` aborts with the run. */
export interface ToolContext {
  readonly agent: string;
  readonly taskId: string;
  readonly conversationId: string;
  readonly files: BranchFiles;
  readonly signals: Signals;
  readonly chat: Chat;
  readonly todos: Todos;
  readonly terminal: Terminal;
  split(request: SplitRequest, signal: AbortSignal): Promise<SplitResult>;
  owner(path: string): OwnerAnswer;
  /**
   * Asks agents the same several times. Runs that fail are part of the bundle. Throws tool_input, agent_unknown,
   * limit_exceeded, runtime_not_available, tool_disabled (checks without a terminal), command_rejected, cancelled.
   */
  barrier(request: BarrierRequest, signal: AbortSignal): Promise<EvidenceBundle>;
  /**
   * Asks for the right to write these paths or patterns, and waits for the answer. Throws path_rejected, tool_input,
   * limit_exceeded, fenced.
   */
  requestScope(paths: readonly string[], reason: string, signal: AbortSignal): Promise<ScopeAnswer>;
  /** Where the child is under a budget: what every run with this context is counted by. */
  readonly budget?: BudgetMeter;
  readonly signal: AbortSignal;
}
