/**
 * The tables, as every engine has them: text, integers and JSON as text. Times are Unix milliseconds, booleans 0 or 1.
 * `seq` columns are given by the engine and grow in the order of the commits.
 */
import type { Generated } from "kysely";
import type { WebhookRow, WebhookSecretRow, WebhookTryRow } from "./schema-webhooks.ts";
import type { DialogueRow } from "./dialogue-row.ts";

export interface TaskRow {
  task_id: string;
  ticket: string;
  title: string;
  state: string;
  base_ref: string;
  base_commit: string;
  team: string;
  options: string;
  body_hash: string;
  created_at: number;
  updated_at: number;
}

export interface SubtaskRow {
  subtask_id: string;
  task_id: string;
  conversation_id: string;
  parent_conversation_id: string | null;
  agent: string;
  root: number;
  brief: string;
  responsibilities: string;
  allowed_paths: string;
  done_topic: string;
  depth: number;
  position: number;
  branch: string | null;
  state: string;
  created_at: number;
  supersedes: string | null;
  /** JSON: what it needs before it starts. */
  gate: string | null;
  /** JSON: what of a budget it asks for itself; null: there is none over it. */
  budget: string | null;
}

export interface DependencyRow {
  subtask_id: string;
  depends_on: string;
  position: number;
}

export interface ConversationRow {
  conversation_id: string;
  task_id: string | null;
  parent_id: string | null;
  agent: string;
  created_at: number;
}

export interface MessageRow {
  seq: Generated<number>;
  id: string;
  conversation_id: string;
  sender: string;
  recipients: string;
  content: string;
  timestamp: number;
  type: string;
  topology: string;
  metadata: string;
  /** Set in the transaction that made the work durable, never before. */
  acked_at: number | null;
}

export interface EventRow {
  seq: Generated<number>;
  task_id: string;
  event: string;
  body: string;
  at: number;
}

export interface AttemptRow {
  subtask_id: string;
  attempt: number;
  token: number;
  worker_id: string;
  state: "running" | "finished" | "released" | "lost" | "late";
  started_at: number;
  ended_at: number | null;
  /** The outcome this attempt came to, also when it came too late to count. */
  result: string | null;
  /** JSON: the error of an attempt that crashed. */
  failure: string | null;
}

export interface OutcomeRow {
  subtask_id: string;
  conversation_id: string;
  task_id: string;
  agent: string;
  outcome: string;
  branch: string | null;
  commit_id: string | null;
  summary: string;
  usage: string;
  cost: number | null;
  error: string | null;
  attempt: number;
  elapsed_ms: number;
  created_at: number;
}

/**
 * The queue: one row per conversation with work, kept for good so that `token` only ever grows.
 * waiting (for a dependency or an approval) → ready → held ⇄ ready → done. A held row past `expires_at` may be taken.
 */
export interface LeaseRow {
  conversation_id: string;
  task_id: string;
  subtask_id: string;
  agent: string;
  message_seq: number;
  state: "waiting" | "ready" | "held" | "done";
  worker_id: string | null;
  token: number;
  attempt: number;
  expires_at: number;
  /** 1 while its holder waits for other conversations: held, but not at work. */
  parked: Generated<number>;
  /** The token of the attempt that reads no more messages; a later attempt, with another token, reads them. */
  deaf_token: number | null;
  /** Attempts that crashed, or whose process died. */
  crashes: Generated<number>;
  /** What is taken first: when it was queued, and earlier or later than that by its task's priority. */
  queued_at: Generated<number>;
  /** Not to be leased before: the wait after a crash. */
  not_before: Generated<number>;
  /** Set once a person has cancelled this one: whoever holds or takes it ends it so. */
  cancelled_at: Generated<number | null>;
  /** The token of the attempt that is to be handed back, because another of its group crashed. */
  recall_token: Generated<number | null>;
}

/** Agents that crashed too often in a task: what is open of theirs ends with that. */
export interface DisabledAgentRow {
  task_id: string;
  agent: string;
  reason: string;
  at: number;
}

/** What a model was told and has said, in the order in which it became durable. */
export interface TranscriptRow {
  conversation_id: string;
  /** From 0. */
  position: number;
  attempt: number;
  /** JSON, without secrets. */
  entry: string;
  at: number;
}

/** A process that works on any task, until `expires_at` unless it says so again. */
export interface WorkerRow {
  worker_id: string;
  team: string;
  /** JSON: the agents whose conversations it takes. */
  agents: string;
  places: number;
  /** JSON: by task, the agents it cannot run here. */
  declined: string;
  started_at: number;
  expires_at: number;
}

/** Which process carries a live task to its end. At most one, until `expires_at` unless it says so again. */
export interface DriveRow {
  task_id: string;
  holder: string | null;
  expires_at: number;
  /** 0: only the holder works on it. */
  shared: number;
  /** Set once a person has cancelled the task: nothing of it is leased from then on. */
  cancelled_at: number | null;
  /** The error code of what is cancelled so, when not `cancelled`. */
  cancel_code: Generated<string | null>;
}

export interface ArtifactRow {
  artifact_id: string;
  task_id: string;
  subtask_id: string | null;
  kind: string;
  reference: string;
  metadata: string;
  created_at: number;
}

export interface ApprovalRow {
  approval_id: string;
  task_id: string;
  subtask_id: string | null;
  kind: string;
  state: string;
  reason: string;
  request: string;
  requested_by: string;
  decided_by: string | null;
  created_at: number;
  decided_at: number | null;
}

export interface AgentRow {
  team: string;
  name: string;
  spec: string;
  state: string;
  updated_at: number;
}

/** Who changed the state of what, and when. `subtask_id` is null for the task's own state. */
export interface StatusHistoryRow {
  seq: Generated<number>;
  task_id: string;
  subtask_id: string | null;
  from_state: string | null;
  to_state: string;
  who: string;
  at: number;
}

export interface CursorRow {
  conversation_id: string;
  topic: string;
  position: string;
  updated_at: number;
}

export interface OutboxRow {
  seq: Generated<number>;
  event_id: string;
  topic: string;
  payload: string;
  created_at: number;
}

export interface TopicEntryRow {
  seq: Generated<number>;
  topic: string;
  event_id: string;
  payload: string;
  ts: number;
}

/** How many numbers the todo list of a task has given out. */
export interface TodoListRow {
  task_id: string;
  last_number: number;
}

export interface TodoRow {
  task_id: string;
  number: number;
  title: string;
  details: string;
  state: string;
  owner: string;
  created_by: string;
  created_at: number;
  updated_at: number;
}

/** When an agent of a team is woken, and what became of that. */
export interface ScheduleRow {
  team: string;
  agent: string;
  /** JSON of the timing. */
  timing: string;
  registered_at: number;
  next_at: number | null;
  last_due: number | null;
  last_fired_at: number | null;
  last_task: string | null;
  missed: number;
  missed_at: number | null;
  /** JSON: the task that is to be submitted. */
  pending: string | null;
}

/** A finished branch in the queue of its target. */
export interface MergeRow {
  seq: Generated<number>;
  subtask_id: string;
  task_id: string;
  agent: string;
  target: string;
  branch: string;
  commit_id: string;
  state: string;
  landed_commit: string | null;
  round: number;
  /** JSON: why it did not land, and what followed. */
  detail: string;
  created_at: number;
  updated_at: number;
}

/** Who merges into a target, and until when unless it says so again. */
export interface MergeTargetRow {
  target: string;
  holder: string;
  token: number;
  expires_at: number;
}

/** A token of the network doors; `hash` is the SHA-256 of all of it, in hex. */
export interface TokenRow {
  token_id: string;
  name: string;
  hash: string;
  /** JSON. */
  scopes: string;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
}

/** What a subtask that has started may use and has used itself; `subtask_id` "" is the task as a whole. */
export interface BudgetRow {
  task_id: string;
  subtask_id: string;
  /** JSON: its own limits. */
  ask: string;
  /** Of the whole: when its first child started. */
  started_at: number | null;
  spent_tokens: number;
  /** Billionths of a dollar, of calls whose price is known. */
  spent_nanousd: number;
  /** 1: there was one whose price is not. */
  unpriced: number;
}

/** What a store knows about itself: `store_id`. */
export interface StoreFactRow {
  name: string;
  value: string;
}

export interface MigrationRow {
  version: number;
  name: string;
  applied_at: number;
}

export interface Schema {
  tasks: TaskRow;
  subtasks: SubtaskRow;
  dependencies: DependencyRow;
  conversations: ConversationRow;
  messages: MessageRow;
  events: EventRow;
  attempts: AttemptRow;
  outcomes: OutcomeRow;
  leases: LeaseRow;
  disabled_agents: DisabledAgentRow;
  transcripts: TranscriptRow;
  workers: WorkerRow;
  drives: DriveRow;
  artifacts: ArtifactRow;
  approvals: ApprovalRow;
  agents: AgentRow;
  dialogues: DialogueRow;
  status_history: StatusHistoryRow;
  cursors: CursorRow;
  outbox: OutboxRow;
  topic_entries: TopicEntryRow;
  store_facts: StoreFactRow;
  todo_lists: TodoListRow;
  todos: TodoRow;
  schedules: ScheduleRow;
  merges: MergeRow;
  merge_targets: MergeTargetRow;
  webhooks: WebhookRow;
  webhook_tries: WebhookTryRow;
  webhook_secrets: WebhookSecretRow;
  budgets: BudgetRow;
  tokens: TokenRow;
  migrations: MigrationRow;
}
