/** What one attempt's tools can do to the world. */
import type { BudgetMeter } from "../core/budget.ts";
import type { EventBody } from "../core/events.ts";
import type { Lease } from "../store/contract.ts";
import type { BranchTree } from "../git/contract.ts";
import type { BranchFiles, ToolContext } from "../core/tool.ts";
import type { Engine } from "./engine.ts";
import type { SavedSignals } from "./signals.ts";
import { aboutLease } from "./about.ts";
import { type Barriers, createBarriers } from "./barrier.ts";
import { createChat } from "./chat.ts";
import { fenced } from "./fenced.ts";
import { committedTip } from "./leftovers.ts";
import { createSignals } from "./signals.ts";
import { createTodos } from "./todos.ts";
import { splitFrom } from "./split.ts";
import type { SubtaskScope } from "./scope.ts";
import { createScopeRequests, type ScopeRequests } from "./scope-requests.ts";
import type { Slots } from "./slots.ts";
import { type AttemptTerminal, createTerminal } from "./terminal.ts";

export interface AttemptTools {
  readonly context: ToolContext;
  readonly signals: SavedSignals;
  readonly requests: ScopeRequests;
  readonly barriers: Barriers;
  /** To be closed when the run has ended. */
  readonly terminal: AttemptTerminal;
}

export function createToolContext(options: {
  engine: Engine;
  lease: Lease;
  tree: BranchTree;
  scope: SubtaskScope;
  slots: Slots;
  /** Of the whole run, milliseconds. */
  timeoutMs: number;
  emit: (event: EventBody) => void;
  signal: AbortSignal;
  budget: BudgetMeter | undefined;
}): AttemptTools {
  const { lease, tree, scope, slots, timeoutMs, emit, signal, budget } = options;
  const engine = fenced(options.engine, lease);
  const { subtask, task } = lease;
  const about = aboutLease(lease);
  const note =
    (event: "signal_send" | "signal_recv") => (topic: string, message_id: string, payload: unknown) =>
      emit({ event, ...about, topic, message_id, payload });

  const terminal = createTerminal({ engine, lease, tree, scope, slots, emit });
  // Who waits for others holds neither a place nor a workspace.
  const places: Slots = {
    ...slots,
    parked: (wait, waiting) => terminal.away(() => slots.parked(wait, waiting)),
  };

  const signals = createSignals({
    store: engine.store,
    settings: engine.settings,
    redact: engine.redact,
    conversationId: subtask.conversation_id,
    doneTopic: subtask.done_topic,
    ownDone: !engine.settings.autoChildSignalDone,
    sent: note("signal_send"),
    received: note("signal_recv"),
    parked: (wait, waiting) => places.parked(wait, waiting),
  });

  const deadline = performance.now() + timeoutMs - Math.min(TO_GO_ON_MS, timeoutMs / 4);
  const requests = createScopeRequests({ engine, lease, tree, scope, slots: places, deadline });

  const barriers = createBarriers({ engine, lease, away: terminal.away, emit });

  const context: ToolContext = {
    agent: subtask.agent,
    taskId: task.task_id,
    conversationId: subtask.conversation_id,
    files: withCommitEvents(tree, (commit) =>
      emit({
        event: "commit",
        ...about,
        branch: commit.branch,
        commit: commit.commit,
        message: commit.message,
        files: commit.files,
      }),
    ),
    signals,
    chat: createChat(engine, lease),
    todos: createTodos(engine, lease),
    terminal,
    split: (request, waiting) =>
      splitFrom(engine, { task, subtask, signals, base: committedTip(tree) }, request, waiting),
    owner: (path) => {
      const owner = engine.registry.findOwner(path);
      return {
        path,
        owner: owner && { ...owner, window_person: engine.registry.windowPerson(owner.team) ?? null },
      };
    },
    barrier: (request, waiting) => barriers.run(request, { ...context, signal: waiting }),
    requestScope: (paths, reason, waiting) => requests.ask(paths, reason, { ...context, signal: waiting }),
    signal,
    ...(budget === undefined ? {} : { budget }),
  };
  return { context, signals, requests, barriers, terminal };
}

/** What is left of a run for going on without an answer, milliseconds. */
const TO_GO_ON_MS = 60_000;

interface Committed {
  readonly commit: string;
  readonly branch: string;
  readonly files: number;
  readonly message: string;
}

function withCommitEvents(tree: BranchTree, committed: (commit: Committed) => void): BranchFiles {
  return {
    list: (glob) => tree.list(glob),
    read: (path) => tree.read(path),
    search: (pattern, options, signal) => tree.search(pattern, options, signal),
    write: (path, content) => tree.write(path, content),
    move: (from, to) => tree.move(from, to),
    delete: (path) => tree.delete(path),
    apply: (changes) => tree.apply(changes),
    diff: (signal) => tree.diff(signal),
    async commit(message, signal) {
      const made = await tree.commit(message, signal);
      // Told, it is there for others too.
      if (made) await tree.published(signal);
      if (made) committed({ ...made, message: message.split("\n", 1)[0] ?? "" });
      return made;
    },
  };
}
