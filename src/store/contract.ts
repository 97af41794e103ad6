/**
 * What survives a crash. The store is the truth, topics are how it travels.
 * Written so that an engine is a Kysely dialect plus one claim statement; every method is one transaction.
 */
import type { EventBody, OxbowEvent } from "../core/events.ts";
import type { ErrorValue } from "../core/errors.ts";
import type { ApprovalStore } from "./approvals.ts";
import type { BudgetStore } from "./budgets.ts";
import type { PeopleStore } from "./dialogues.ts";
import type { FreeSubtask } from "./blocked.ts";
import type { GateStore } from "./gates.ts";
import type { MergeStore } from "./merges.ts";
import type { TaskFilter } from "./reads.ts";
import type { ScheduleStore } from "./schedules.ts";
import type { TokenStore } from "./tokens.ts";
import type { TranscriptStore } from "./transcripts.ts";
import type { EventLog } from "./event-log.ts";
import type { WebhookStore } from "./webhooks.ts";
import type { AgentRecord, Crash, CrashVerdict, StopRequest } from "./supervision.ts";
import type { Conversation, Json, Message, Outcome, Subtask, Task, TaskState, Todo } from "../core/model.ts";

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
  /** Attempts before this one that crashed, and the error of the last of them. */
  readonly crashes: number;
  readonly failure: ErrorValue | null;
  /** A person has cancelled this subtask: it is to end so. */
  readonly cancelled: boolean;
  /** Why its agent is not to be started in this task any more; null: it may. */
  readonly disabled: string | null;
  /** It was `blocked` until now, and nobody gave it to another agent. */
  readonly blocked: boolean;
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

export interface Position {
  readonly topic: string;
  /** Null: before the first entry. */
  readonly after: string | null;
}

/** One caller at a time. */
export interface Following extends Disposable {
  /** What came since the last call, as `wait` returns it; no entry twice. */
  next(timeoutMs: number, signal?: AbortSignal): Promise<readonly TopicEntry[]>;
  /** Leaves a topic out from now on. */
  drop(topic: string): void;
}

export interface Topics {
  /** What carries them, in words, without secrets. */
  readonly about: string;
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
  wait(from: readonly Position[], timeoutMs: number, signal?: AbortSignal): Promise<readonly TopicEntry[]>;
  /**
   * A wait that goes on: for those who wait for many topics, or for many entries, one after the other. Dispose of it.
   * Throws topic_rejected.
   */
  follow(from: readonly Position[]): Following;
}

/** Ids of subtasks, what was begun last first; both empty when all of it had ended already. */
export interface CancelledParts {
  /** Nobody held them: they have their outcomes now. */
  readonly ended: readonly string[];
  /** Their holders are to end them. */
  readonly asked: readonly string[];
}

/** A process that takes conversations of any task it can work on. */
export interface WorkerPresence {
  readonly worker_id: string;
  readonly team: string;
  readonly agents: readonly string[];
  /** Conversations it works on at once. */
  readonly places: number;
  /** By task, the agents it cannot run where it is (no key, no script). */
  readonly declined: Readonly<Record<string, readonly string[]>>;
  readonly started_at: number;
}

/** The right to carry one task to its end, for `ttlMs` unless it is renewed. `shared: false` keeps workers away. */
export interface Driver {
  readonly holder: string;
  readonly ttlMs: number;
  readonly shared: boolean;
}

/** A task that is planned or running. */
export interface LiveTask {
  readonly task: Task;
  /** Who carries it to its end (`drive`), or null. */
  readonly driver: string | null;
  /** False: only its driver works on it. */
  readonly shared: boolean;
  /** A person (or a critical agent's crash) has cancelled it: nothing of it is leased any more. */
  readonly cancelled: boolean;
  /** The error code of what is cancelled so; null: `cancelled`. */
  readonly cancelCode: string | null;
}

/** A look at what is new in the event streams of all tasks. A hint: what follows from it is read from the rows. */
export interface EventFeed extends Disposable {
  /** Waits for any event; returns those of the kinds asked for, none when the time is up or others came. */
  next(timeoutMs: number, signal?: AbortSignal): Promise<readonly OxbowEvent[]>;
}

/** Messages of type `chat`, on the conversation of the one who is to read them. */
export interface ChatStore {
  /** Every conversation of the task, the oldest first; `listening` ones can be written to. */
  addressees(
    taskId: string,
  ): Promise<readonly { conversation_id: string; agent: string; listening: boolean }[]>;
  /**
   * Writes the messages whose conversation still listens, each with its event, and returns these conversations. Throws
   * limit_exceeded; then none is written.
   */
  send(posts: readonly { message: Message; event: EventBody }[]): Promise<readonly string[]>;
  /** What came after a position (null: from the first), oldest first. */
  read(
    conversationId: string,
    after: string | null,
    limit: number,
  ): Promise<readonly { position: string; message: Message }[]>;
  /**
   * This attempt reads nothing after `after`: from here on nobody can write to it. While something is there it goes on
   * listening (`stopped: false`), unless it must stop `anyway`; then `unread` says how much nobody has read.
   */
  stopListening(
    lease: Lease,
    after: string | null,
    options: { anyway: boolean },
  ): Promise<{ stopped: boolean; unread: number }>;
}

type TodoFields = Pick<Todo, "title" | "details" | "state" | "owner">;

/** One list a task. An id that no entry has gives null (or false). */
export interface TodoStore {
  /** Throws limit_exceeded. */
  create(taskId: string, todo: TodoFields & Pick<Todo, "created_by">): Promise<Todo>;
  get(taskId: string, id: string): Promise<Todo | null>;
  /** In the order in which they were made. */
  list(taskId: string, filter: Partial<Pick<Todo, "state" | "owner">>): Promise<readonly Todo[]>;
  update(taskId: string, id: string, change: Partial<TodoFields>): Promise<Todo | null>;
  delete(taskId: string, id: string): Promise<boolean>;
}

export interface Store extends AsyncDisposable {
  readonly topics: Topics;
  readonly chat: ChatStore;
  readonly todos: TodoStore;
  readonly approvals: ApprovalStore;
  readonly gates: GateStore;
  readonly merges: MergeStore;
  readonly budgets: BudgetStore;
  readonly transcripts: TranscriptStore;
  readonly schedules: ScheduleStore;
  readonly people: PeopleStore;
  readonly webhooks: WebhookStore;
  /** The events of all tasks as one sequence. */
  readonly log: EventLog;
  readonly tokens: TokenStore;

  /**
   * Writes a task, its first subtasks with an announcement each, and their events. The same id with the same body_hash returns the task as it is
   * (`created: false`). A new one is carried by `driver` from its first moment (see `drive`). Throws task_conflict
   * (another body), ticket_in_use (a live task has the ticket). Nothing of a task that is `planned` is leased before `gates.begin`.
   */
  submit(
    task: Task,
    children: readonly NewChild[],
    events: readonly EventBody[],
    driver?: Driver,
  ): Promise<{ task: Task; created: boolean }>;
  /**
   * Adds children: subtasks, conversations, messages, an announcement on `chat:<agent>` each (through the outbox, event
   * id `announce:<conversation_id>`), events; all or none. Throws task_unknown, task_conflict (a subtask exists
   * already), plan_invalid (a dependency that does not exist), fenced (`lease`, when given, is held by nobody any more or
   * by another), cancelled (its subtask is).
   */
  addChildren(
    taskId: string,
    children: readonly NewChild[],
    events: readonly EventBody[],
    lease?: Lease,
  ): Promise<void>;
  /**
   * Leases one conversation that has an unacknowledged message, no live lease, no person to wait for, and whose dependencies
   * all have an outcome (whichever); by the task's priority, then the order in which they were added. Creates the attempt row. Null when there is none. Nothing of a cancelled task is leased.
   */
  claim(options: {
    workerId: string;
    taskId?: string;
    /** Only of these tasks. */
    tasks?: readonly string[];
    agents?: readonly string[];
    exceptAgents?: readonly string[];
    /** By task: how many of its conversations may be at work at once, whoever works on them. Parked ones do not count. */
    limits?: Readonly<Record<string, number>>;
    /** Leaves those alone whose holder let the lease run out, until `reap` has noted that. */
    onlyReady?: boolean;
    leaseMs: number;
  }): Promise<Lease | null>;
  /**
   * Notes every attempt of the team's tasks whose lease ran out as crashed, and frees its conversation; `decide` says what
   * follows. Returns how many there were. `except`: conversations whose holder is well, though late.
   */
  reap(
    options: { team: string; except: readonly string[]; failure: ErrorValue },
    decide: (crash: Crash) => CrashVerdict,
  ): Promise<number>;
  /** The same, said by the holder itself. False when the lease is no longer ours. */
  crash(lease: Lease, failure: ErrorValue, decide: (crash: Crash) => CrashVerdict): Promise<boolean>;
  /** What this worker holds and is to stop. */
  stopRequests(workerId: string): Promise<readonly StopRequest[]>;
  /**
   * Cancels a subtask and everything that was split from it, however deep. From here on what is at work of it can have no
   * more children. The events are written when there was something left to cancel. Throws subtask_unknown.
   */
  cancelSubtask(
    subtaskId: string,
    events: readonly EventBody[],
    make: (subtask: Subtask) => { outcome: Outcome; signalPayload: Json; event: EventBody },
  ): Promise<CancelledParts>;
  /**
   * Gives a subtask that has not begun, or is `blocked` for want of its agent, to another one. Of what has begun the new
   * agent begins anew on a branch of its own, at `start` where that is given. Throws subtask_unknown, subtask_active (it
   * is at work, or has its outcome).
   */
  assign(
    subtaskId: string,
    to: { readonly agent: string; readonly allowedPaths: readonly string[]; readonly start?: string },
    events: readonly EventBody[],
  ): Promise<void>;
  /** The task's conversations that are free to be worked on, or would be if there were somebody. */
  freeSubtasks(taskId: string): Promise<readonly FreeSubtask[]>;
  /**
   * Lets go of a subtask whose agent is not to be started: it is `blocked`, and can be taken again after `waitMs`. False
   * when the lease is no longer ours.
   */
  blockHeld(lease: Lease, waitMs: number, events: readonly EventBody[]): Promise<boolean>;
  /** Says that nobody is there to work on a free subtask; it can be taken at any time. False when it is not `planned` any more. */
  blockFree(subtaskId: string, events: readonly EventBody[]): Promise<boolean>;
  /** Takes that back. */
  unblock(subtaskId: string): Promise<void>;
  /** Ends a blocked subtask with this outcome. False when somebody holds it by now, or it was given to another agent. */
  finishBlocked(
    subtaskId: string,
    make: (subtask: Subtask) => { outcome: Outcome; signalPayload: Json; event: EventBody },
  ): Promise<boolean>;
  /** Agents that were disabled in the task may work again. */
  pardon(taskId: string): Promise<void>;
  /**
   * Adds children that take the place of others (`Subtask.supersedes`) and makes their task live again; agents that were
   * disabled in it may work again. Throws task_unknown, ticket_in_use, task_conflict (somebody was faster).
   */
  reopen(taskId: string, children: readonly NewChild[], events: readonly EventBody[]): Promise<void>;
  /** Agents with work in these tasks. */
  agentRecords(taskIds: readonly string[]): Promise<readonly AgentRecord[]>;
  /** Throws fenced when the lease is no longer ours. */
  confirm(lease: Lease): Promise<void>;
  /** False when the lease is no longer ours. */
  renew(lease: Lease, leaseMs: number): Promise<boolean>;
  /** Hands the conversation back unfinished, and says so; another worker may claim it at once. Nothing when the lease is no longer ours. */
  release(lease: Lease, events?: readonly EventBody[]): Promise<void>;
  /** Says that the conversation waits for others (or no longer does). False when the lease is no longer ours. */
  park(lease: Lease, parked: boolean): Promise<boolean>;
  /** False when the lease is no longer ours, or another subtask of the task has that branch. */
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
  /** The same for the end of a task; false, and nothing is written, when a subtask of it is open. */
  endTask(taskId: string, state: TaskState, events: readonly EventBody[]): Promise<boolean>;

  task(taskId: string): Promise<Task | null>;
  /** Newest first; at most 1,000 without a limit. `before`: those that come after this one in that order. */
  tasks(options?: TaskFilter): Promise<readonly Task[]>;
  /** Newest first. */
  tasksByTicket(ticket: string): Promise<readonly Task[]>;
  /** In the order in which they were added. */
  subtasks(taskId: string): Promise<readonly Subtask[]>;
  /** Branches of the task's subtasks named `first` or `<first>-…`. */
  branches(taskId: string, first: string): Promise<readonly string[]>;
  outcomes(taskId: string): Promise<readonly Outcome[]>;
  /** Whether it is the conversation of a subtask, which has an outcome or will have one. */
  isChild(conversationId: string): Promise<boolean>;
  messages(conversationId: string): Promise<readonly Message[]>;
  /** Worker ids that hold a live lease on the task's conversations. */
  liveWorkers(taskId: string): Promise<readonly string[]>;
  /** Ends the leases of a worker known to be dead, so that its conversations can be claimed at once. */
  expireLeases(workerId: string): Promise<number>;

  /** This process takes conversations, for `ttlMs` from now unless it says so again. */
  heartbeat(worker: WorkerPresence, ttlMs: number): Promise<void>;
  removeWorker(workerId: string): Promise<void>;
  /** Those whose time is not up; the oldest first. */
  workers(): Promise<readonly WorkerPresence[]>;
  /** Who works on what: every live lease. */
  holders(): Promise<
    readonly {
      readonly worker_id: string;
      readonly task_id: string;
      readonly subtask_id: string;
      readonly conversation_id: string;
      readonly agent: string;
    }[]
  >;
  /** Conversations of the task that have no outcome yet. */
  openSubtasks(taskId: string): Promise<number>;
  /** The oldest first. */
  liveTasks(): Promise<readonly LiveTask[]>;
  /**
   * Takes (or renews) the right to carry a task to its end, and returns who has it: the holder, or another whose time is
   * not up; null when the task has ended. Throws task_unknown.
   */
  drive(taskId: string, driver: Driver): Promise<string | null>;
  /** Lets go of it; nothing when another has it. */
  stopDriving(taskId: string, holder: string): Promise<void>;
  /** Cancels the task for all processes, or takes that back; the events are written when this changed anything. */
  setCancelled(taskId: string, cancelled: boolean, events: readonly EventBody[]): Promise<boolean>;

  /** Opens a look at the events of all tasks from here on. */
  openFeed(kinds: readonly EventBody["event"][]): Promise<EventFeed>;
  append(events: readonly EventBody[]): Promise<readonly OxbowEvent[]>;
  /** After `after` (null: from the first), the oldest first; only of these kinds where some are named. */
  events(
    taskId: string,
    after: string | null,
    limit: number,
    kinds?: readonly EventBody["event"][],
  ): Promise<readonly OxbowEvent[]>;
  /** Live and gapless: everything after `after`, then whatever comes, until aborted. */
  watch(taskId: string, after: string | null, signal: AbortSignal): AsyncIterable<OxbowEvent>;

  /** A conversation's position on a topic, or null. */
  cursor(conversationId: string, topic: string): Promise<string | null>;
  /** Throws fenced, as `addChildren`. */
  setCursors(conversationId: string, cursors: Readonly<Record<string, string>>, lease?: Lease): Promise<void>;

  /**
   * Removes all rows of a task that has ended, its events, and the entries of its children's topics; false when there is no
   * such task. Throws task_active: it is planned or running, a worker holds a part of it, or a signal of it is not sent yet.
   */
  forget(taskId: string): Promise<boolean>;
  /** Gives room that is free now back to the system, where the database does not do so itself. False: not just now. */
  compact(): Promise<boolean>;

  /** Publishes what the outbox still holds; safe to repeat and to run in many processes. */
  relay(): Promise<number>;
}
