/**
 * What survives a crash. The store is the truth, topics are how it travels.
 * Written so that an engine is a Kysely dialect plus one claim statement; every method is one transaction.
 */
import type { EventBody, OxbowEvent } from "../core/events.ts";
import type { Conversation, Json, Message, Outcome, Subtask, Task, TaskState } from "../core/model.ts";

export interface NewChild {
  readonly subtask: Subtask;
  readonly conversation: Conversation;
  readonly message: Message;
}

/** The right to work on one conversation until `expires_at`; `token` grows with every claim (a fencing token). */
export interface Lease {
  readonly conversation_id: string;
  readonly worker_id: string;
  readonly token: number;
  /** From 1; one execution of the subtask. */
  readonly attempt: number;
  readonly message: Message;
  readonly subtask: Subtask;
  readonly task: Task;
}

export interface TopicEntry {
  readonly topic: string;
  /** Opaque; comparable only within its topic. */
  readonly message_id: string;
  /** The publisher's id; a reader drops doubles by it. */
  readonly event_id: string;
  readonly payload: Json;
  readonly ts: number;
}

export interface Topics {
  publish(topic: string, payload: Json): Promise<TopicEntry>;
  /** A second call with the same `eventId` and topic publishes nothing and returns the first entry. */
  publishOnce(
    eventId: string,
    topic: string,
    payload: Json,
  ): Promise<TopicEntry & { readonly published: boolean }>;
  /** Entries after `after` (null: from the first), oldest first. Throws topic_rejected for a malformed id. */
  read(topic: string, after: string | null, limit: number): Promise<readonly TopicEntry[]>;
  /**
   * Waits until any topic has entries after its position; returns them (at most 1,000, in the order of the store), or []
   * when the time is up. Rejects with `cancelled` on abort and `store_failed` when the store closes.
   */
  wait(
    from: readonly { readonly topic: string; readonly after: string | null }[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<readonly TopicEntry[]>;
}

export interface Store extends AsyncDisposable {
  readonly topics: Topics;

  /**
   * Writes a task, its first subtasks with an announcement each, and their events. The same id with the same body_hash returns the task as it is
   * (`created: false`). Throws task_conflict (another body), ticket_in_use (a live task has the ticket).
   */
  submit(
    task: Task,
    children: readonly NewChild[],
    events: readonly EventBody[],
  ): Promise<{ task: Task; created: boolean }>;
  /**
   * Adds children: subtasks, conversations, messages, an announcement on `chat:<agent>` each (through the outbox, event
   * id `announce:<conversation_id>`), events; all or none. Throws task_unknown, task_conflict (a subtask exists
   * already), plan_invalid (a dependency that does not exist).
   */
  addChildren(taskId: string, children: readonly NewChild[], events: readonly EventBody[]): Promise<void>;
  /**
   * Leases one conversation that has an unacknowledged message, no live lease, and whose dependencies all have an
   * outcome (whichever). Creates the attempt row. Null when there is none.
   */
  claim(options: {
    workerId: string;
    taskId?: string;
    agents?: readonly string[];
    leaseMs: number;
  }): Promise<Lease | null>;
  /** False when the lease is no longer ours. */
  renew(lease: Lease, leaseMs: number): Promise<boolean>;
  /** Hands the conversation back unfinished; another worker may claim it at once. */
  release(lease: Lease): Promise<void>;
  setBranch(lease: Lease, branch: string): Promise<boolean>;
  /**
   * Outcome row, done signal in the outbox (event id `done:<conversation_id>`), acknowledgement, states, events: one
   * transaction, only while `token` is current. False: the lease was lost, and the result is recorded on the attempt as
   * late; or this very lease has finished already, and nothing is written. `relay` publishes the signal.
   */
  finish(lease: Lease, outcome: Outcome, signalPayload: Json, events: readonly EventBody[]): Promise<boolean>;
  /** Gives every subtask of the task without an outcome, and without a live lease, this one (cancellation, lost workers). */
  finishUnstarted(
    taskId: string,
    make: (subtask: Subtask) => { outcome: Outcome; signalPayload: Json; event: EventBody },
  ): Promise<number>;
  /** Throws task_unknown, ticket_in_use (live again while another live task has the ticket). */
  setTaskState(taskId: string, state: TaskState, events: readonly EventBody[]): Promise<void>;

  task(taskId: string): Promise<Task | null>;
  /** Newest first; at most 1,000 without a limit. */
  tasks(options?: { limit?: number }): Promise<readonly Task[]>;
  /** Newest first. */
  tasksByTicket(ticket: string): Promise<readonly Task[]>;
  /** In the order in which they were added. */
  subtasks(taskId: string): Promise<readonly Subtask[]>;
  /** Branches of the task's subtasks named `first` or `<first>-…`. */
  branches(taskId: string, first: string): Promise<readonly string[]>;
  outcomes(taskId: string): Promise<readonly Outcome[]>;
  messages(conversationId: string): Promise<readonly Message[]>;
  /** Worker ids that hold a live lease on the task's conversations. */
  liveWorkers(taskId: string): Promise<readonly string[]>;
  /** Ends the leases of a worker known to be dead, so that its conversations can be claimed at once. */
  expireLeases(workerId: string): Promise<number>;

  append(events: readonly EventBody[]): Promise<readonly OxbowEvent[]>;
  events(taskId: string, after: string | null, limit: number): Promise<readonly OxbowEvent[]>;
  /** Live and gapless: everything after `after`, then whatever comes, until aborted. */
  watch(taskId: string, after: string | null, signal: AbortSignal): AsyncIterable<OxbowEvent>;

  /** A conversation's position on a topic, or null. */
  cursor(conversationId: string, topic: string): Promise<string | null>;
  setCursors(conversationId: string, cursors: Readonly<Record<string, string>>): Promise<void>;

  /** Publishes what the outbox still holds; safe to repeat and to run in many processes. */
  relay(): Promise<number>;
}
