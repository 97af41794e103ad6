/** Opens a store: the engine for its URL, the schema brought up to date, the methods bound together. */
import type { Store } from "./contract.ts";
import { createAgentStore } from "./agents.ts";
import { createApprovalStore } from "./approvals.ts";
import { createDialogueStore } from "./dialogue-store.ts";
import { blockFree, blockHeld, finishBlocked, freeSubtasks, pardon, unblock } from "./blocked.ts";
import { createBudgetStore } from "./budgets.ts";
import { createChatStore } from "./chat.ts";
import { type CleanEvent, createDatabase, type Database } from "./engine.ts";
import { openEngine } from "./engines.ts";
import { createEventLog } from "./event-log.ts";
import { appendEvents, openFeed, readEvents, watchEvents } from "./events.ts";
import {
  createFleetReads,
  drive,
  heartbeat,
  openSubtasks,
  park,
  removeWorker,
  setCancelled,
  stopDriving,
} from "./fleet.ts";
import { forget } from "./forget.ts";
import { createGateStore } from "./gates.ts";
import { crash, reap } from "./crashes.ts";
import { saveCursors } from "./cursors.ts";
import { createHub } from "./hub.ts";
import { assign, cancelSubtask, refuseCancelled, reopen, stopRequests } from "./interventions.ts";
import { createMergeStore } from "./merges.ts";
import { migrate } from "./migrations.ts";
import { finish, settleFree } from "./outcome.ts";
import { createRelay, relayOutbox } from "./outbox.ts";
import { claim, confirm, expireLeases, release, renew, setBranch } from "./queue.ts";
import { refuseOthers, type StoreOwner } from "./owner.ts";
import { createReads } from "./reads.ts";
import { changeTask } from "./status.ts";
import { createScheduleStore } from "./schedules.ts";
import { addChildren, submitTask } from "./submit.ts";
import { createTokenStore } from "./tokens.ts";
import { createTodoStore } from "./todos.ts";
import { createTranscriptStore } from "./transcripts.ts";
import { createTopics, type TopicTransport } from "./topics.ts";
import { createWebhookStore } from "./webhooks.ts";

const BUSY_MS = 30_000;

export interface OpenStore {
  /** `sqlite:/absolute/file.db`, `sqlite::memory:`, or `postgres://user@host/database?schema=name`. */
  readonly url: string;
  /** The clock, Unix milliseconds; by default this machine's, or the database server's. */
  readonly now?: () => number;
  /** How long to wait for other processes, or for a server to come back, milliseconds; default 30,000. */
  readonly busyMs?: number;
  /** Whose tasks it holds; without it anybody's. */
  readonly owner?: StoreOwner | undefined;
  /** Runs over the JSON of every event before it is written (redaction). Valid JSON stays valid JSON. */
  readonly cleanEvent?: CleanEvent | undefined;
  /** Carries signals over a Redis, beside any store. */
  readonly redis?: { readonly url: string; readonly allowVolatile?: boolean } | undefined;
}

/**
 * Opens the store, makes it when it is not there, and brings its schema up to date. Many processes may have one store
 * open, and a process may open it more than once. Throws store_unsupported, store_failed,
 * redis_failed, redis_unsuitable, setting_invalid.
 */
export async function openStore(options: OpenStore): Promise<Store> {
  const engine = await openEngine(options.url, options.busyMs ?? BUSY_MS);
  const now = options.now ?? engine.now;
  try {
    await migrate(engine, now);
    const database = createDatabase(engine, createHub(engine.watchOthers), now, options.cleanEvent);
    if (options.owner) await refuseOthers(database, options.owner);
    return createStore(database, await openTopics(database, options));
  } catch (error) {
    await engine.close();
    throw error;
  }
}

async function openTopics(database: Database, options: OpenStore): Promise<TopicTransport> {
  if (!options.redis) return createTopics(database);
  const { openRedisTopics } = await import("./redis-topics.ts");
  const { url, allowVolatile = false } = options.redis;
  const patienceMs = options.busyMs ?? BUSY_MS;
  return openRedisTopics(database, { url, allowVolatile, patienceMs, place: database.engine.place });
}

function createStore(database: Database, topics: TopicTransport): Store {
  const { engine, hub, write } = database;
  const dispose = async () => {
    hub.close();
    topics.close();
    await engine.close();
  };
  return {
    topics,
    chat: createChatStore(database),
    todos: createTodoStore(database),
    approvals: createApprovalStore(database),
    gates: createGateStore(database),
    merges: createMergeStore(database),
    budgets: createBudgetStore(database),
    transcripts: createTranscriptStore(database),
    schedules: createScheduleStore(database),
    people: { agents: createAgentStore(database), dialogues: createDialogueStore(database) },
    webhooks: createWebhookStore(database),
    log: createEventLog(database),
    tokens: createTokenStore(database),
    ...createReads(database),
    ...createFleetReads(database),
    submit: (task, children, events, driver) =>
      write(async (tx) => {
        const result = await submitTask(tx, task, children, events);
        if (driver && result.created) await drive(tx, task.task_id, driver);
        return result;
      }),
    addChildren: (taskId, children, events, lease) =>
      write(async (tx) => {
        if (lease) await confirm(tx, lease);
        if (lease) await refuseCancelled(tx, lease);
        await addChildren(tx, taskId, children, events);
      }),
    confirm: (lease) => write((tx) => confirm(tx, lease), "own"),
    claim: (wanted) => write((tx) => claim(database, tx, wanted)),
    renew: (lease, leaseMs) => write((tx) => renew(tx, lease, leaseMs), "own"),
    release: (lease, events = []) => write((tx) => release(tx, lease, events)),
    park: (lease, parked) => write((tx) => park(tx, lease, parked), "own"),
    heartbeat: (worker, ttlMs) => write((tx) => heartbeat(tx, worker, ttlMs), "own"),
    removeWorker: (workerId) => write((tx) => removeWorker(tx, workerId), "own"),
    drive: (taskId, driver) => write((tx) => drive(tx, taskId, driver)),
    stopDriving: (taskId, holder) => write((tx) => stopDriving(tx, taskId, holder)),
    setCancelled: (taskId, cancelled, events) => write((tx) => setCancelled(tx, taskId, cancelled, events)),
    openFeed: (kinds) => openFeed(database, kinds),
    setBranch: (lease, branch) => write((tx) => setBranch(tx, lease, branch)),
    finish: (lease, outcome, signalPayload, events) =>
      write((tx) => finish(tx, lease, outcome, signalPayload, events)),
    finishUnstarted: (taskId, make) => write((tx) => settleFree(tx, { taskId }, make)),
    reap: (options, decide) => reap(database, options, decide),
    crash: (lease, failure, decide) => write((tx) => crash(tx, lease, failure, decide)),
    stopRequests: (workerId) => stopRequests(database, workerId),
    cancelSubtask: (subtaskId, events, make) => write((tx) => cancelSubtask(tx, subtaskId, events, make)),
    freeSubtasks: (taskId) => freeSubtasks(database, taskId),
    blockHeld: (lease, waitMs, events) => write((tx) => blockHeld(tx, lease, waitMs, events)),
    blockFree: (subtaskId, events) => write((tx) => blockFree(tx, subtaskId, events)),
    unblock: (subtaskId) => write((tx) => unblock(tx, subtaskId)),
    finishBlocked: (subtaskId, make) => write((tx) => finishBlocked(tx, subtaskId, make)),
    pardon: (taskId) => write((tx) => pardon(tx, taskId)),
    assign: (subtaskId, to, events) => write((tx) => assign(tx, subtaskId, to, events)),
    reopen: (taskId, children, events) => write((tx) => reopen(tx, taskId, children, events)),
    setTaskState: (taskId, state, events) =>
      write(async (tx) => {
        await changeTask(tx, taskId, state, "engine");
        await appendEvents(tx, events);
      }),
    endTask: (taskId, state, events) =>
      write(async (tx) => {
        if ((await openSubtasks(tx.db, taskId)) > 0) return false;
        await changeTask(tx, taskId, state, "engine");
        await appendEvents(tx, events);
        return true;
      }),
    expireLeases: (workerId) => write((tx) => expireLeases(tx, workerId)),
    append: (events) => write((tx) => appendEvents(tx, events)),
    events: (taskId, after, limit, kinds) => readEvents(database, taskId, after, limit, kinds),
    watch: (taskId, after, signal) => watchEvents(database, taskId, after, signal),
    setCursors: (conversationId, cursors, lease) =>
      write(async (tx) => {
        if (lease) await confirm(tx, lease);
        await saveCursors(tx, conversationId, cursors);
      }, "own"),
    forget: (taskId) => forget(database, topics, taskId),
    compact: () => engine.compact(),
    relay: createRelay(() => relayOutbox(database, topics)),
    [Symbol.asyncDispose]: dispose,
  };
}
