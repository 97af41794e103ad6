/**
 * `oxbow worker`: a process that takes conversations of any live task of its store and works on them, until it is asked
 * to stop; then it hands back what runs. What wakes it are the events of all tasks; what it does is read from the rows.
 */
import type { EventFeed, Lease } from "../store/contract.ts";
import type { OutcomeKind } from "../core/model.ts";
import type { AttemptEnd } from "./attempt.ts";
import { setTimeout as delay } from "node:timers/promises";
import { ERRORS, hasCode, toErrorValue } from "../core/errors.ts";
import { createBell } from "./bell.ts";
import { createServiceWatch, type ServiceWatch, takenOf } from "./blocked.ts";
import { clearUp } from "./clear-up.ts";
import { noteCrashes } from "./crashes.ts";
import { createEventSink, type Engine } from "./engine.ts";
import { keepLeases, type LeaseKeeper, renewalMs } from "./leases.ts";
import { createDialogueDesk, type DialogueDesk } from "./dialogue-desk.ts";
import { createOrphans, type Orphans } from "./orphans.ts";
import { relaySoon } from "./relay.ts";
import { createScheduler, keepSchedule, type ScheduleKeeper } from "./scheduler.ts";
import { cleanError } from "./outcome.ts";
import { workFrom } from "./pool.ts";
import { createWorkList, type WorkList } from "./work-list.ts";
import type { Taken, WorkerOptions } from "./worker-events.ts";

export type { WorkerEvent, WorkerOptions } from "./worker-events.ts";

/** What wakes a worker before its next look. */
const WAKING = [
  "task_submitted",
  "task_started",
  "task_resumed",
  "child_announced",
  "child_finished",
  "handed_back",
  "assigned",
  "approval_decided",
  "cancel_requested",
  "agent_restarted",
  "restart_limit_exceeded",
  "task_finished",
  "agent_changed",
  "conversation_message",
] as const;

/** How often to look without being woken, milliseconds: no event tells of a lease that ran out. */
const LOOK_MS = 2_000;
/** Between tries while the store cannot be used: doubled from the first to the last, milliseconds. */
const RETRY_MS = { first: 500, last: 30_000 };

/**
 * Works until `signal` aborts. `current` gives the engine with the team as its file says it now. Throws what a person has
 * to correct (agent_unknown, team_config …); a store that cannot be reached for a while is waited for.
 */
export async function serve(
  current: () => Promise<Engine>,
  options: WorkerOptions,
  signal: AbortSignal,
): Promise<void> {
  const engine = await current();
  const { store, settings } = engine;
  const tell = options.onEvent ?? (() => undefined);
  const problem = (error: unknown) => {
    const shown = cleanError(toErrorValue(error), engine.redact);
    engine.log.error({ error: shown }, "worker_problem");
    tell({ event: "problem", error: shown });
  };
  const places = options.concurrency ?? engine.team.limits.maxParallel;
  const list = await createWorkList(current, { agents: options.agents, places, tell });
  await clearUp(engine);
  await list.refresh();
  const bell = createBell();
  const leases = keepLeases(engine, problem);
  tell({ event: "worker_started", worker_id: engine.workerId, places, ...list.about() });
  const beat = setInterval(() => void list.present().catch(problem), renewalMs(settings.oxbowLeaseMs));
  // While it drains it takes nothing more: others are not to count on it.
  const leave = () => {
    clearInterval(beat);
    store.removeWorker(engine.workerId).catch(problem);
  };
  signal.addEventListener("abort", leave, { once: true });
  const orphans = createOrphans(
    (task_id, state) => tell({ event: "task_ended", task_id, state }),
    problem,
    signal,
  );
  const schedule = keepSchedule(list.engine(), createScheduler(tell, problem), problem, signal);
  const talk = createDialogueDesk(problem);
  const service = createServiceWatch();
  const looking = lookOut(
    { engine, list, leases, orphans, schedule, talk, service, ring: bell.ring, problem },
    signal,
  );
  let ended = 0;
  try {
    await workFrom(
      {
        more: () => true,
        claim: () => list.claim().catch((error: unknown) => noteRetryable(error, problem)),
      },
      {
        places,
        leases,
        sink: createEventSink(store, problem),
        bell,
        failed: problem,
        drainMs: () => settings.oxbowDrainMs,
        taken: (lease) => tell({ event: "conversation_taken", ...taken(lease) }),
        ended(lease, end) {
          ended += 1;
          tell({ event: "conversation_ended", ...taken(lease), end: endOf(end) });
        },
      },
      signal,
    );
  } finally {
    clearInterval(beat);
    leases.close();
    await looking;
    await talk.close();
    await schedule.ended;
    await orphans.settled();
    await store.removeWorker(engine.workerId);
    tell({ event: "worker_stopped", ended });
  }
}

interface Looking {
  readonly engine: Engine;
  readonly list: WorkList;
  readonly leases: LeaseKeeper;
  readonly orphans: Orphans;
  readonly schedule: ScheduleKeeper;
  readonly talk: DialogueDesk;
  readonly service: ServiceWatch;
  ring(): void;
  problem(error: unknown): void;
}

/** Keeps the list of work fresh, stops what is cancelled, and takes over from the dead; ends with `signal`. */
async function lookOut(looking: Looking, signal: AbortSignal): Promise<void> {
  let wait = RETRY_MS.first;
  while (!signal.aborted) {
    try {
      using feed = await looking.engine.store.openFeed(WAKING);
      for (;;) {
        await look(looking);
        wait = RETRY_MS.first;
        await news(feed, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      looking.problem(error);
      await delay(wait, undefined, { signal }).catch(() => undefined);
      wait = Math.min(wait * 2, RETRY_MS.last);
    }
  }
}

async function look({ list, leases, orphans, schedule, talk, service, ring }: Looking): Promise<void> {
  const engine = list.engine();
  await leases.look();
  await noteCrashes(engine, leases.kept());
  await list.refresh();
  schedule.follow(list.engine());
  // Signals of a process that died between its outcome and their sending.
  await relaySoon(engine);
  ring();
  await talk.look(engine, list.about().agents);
  for (const { task } of list.orphans()) await service.look(engine, task, await takenOf(engine, task));
  orphans.end(engine, list.orphans());
}

/** Waits for an event that says more than that an agent is at work. */
async function news(feed: EventFeed, signal: AbortSignal): Promise<void> {
  const until = performance.now() + LOOK_MS;
  let left = LOOK_MS;
  while (left > 0) {
    const events = await feed.next(left, signal);
    left = events.length > 0 ? 0 : until - performance.now();
  }
}

/** A store that may be back soon is looked at again at the next ring; anything else ends the worker. */
function noteRetryable(error: unknown, problem: (error: unknown) => void): null {
  if (!hasCode(error) || !ERRORS[error.code].retryable) throw error;
  problem(error);
  return null;
}

function taken({ subtask, attempt }: Lease): Taken {
  const { task_id, subtask_id, conversation_id, agent } = subtask;
  return { task_id, subtask_id, conversation_id, agent, attempt };
}

function endOf(end: AttemptEnd): OutcomeKind | "handed_back" | "crashed" | "lost" {
  return end.kind === "finished" ? end.outcome.outcome : end.kind;
}
