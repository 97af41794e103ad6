/** What a person does to work that is under way, in whichever process it is: cancel, try again, give to another. */
import type { Subtask, Task } from "../core/model.ts";
import type { EventBody } from "../core/events.ts";
import type { Engine } from "./engine.ts";
import type { Assigned, Cancelled, Reopened } from "./intervention-results.ts";
import { isLive } from "../core/model.ts";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode, OxbowError } from "../core/errors.ts";
import { STOP } from "../core/stop.ts";
import { conclude, endCancelled, requestCancel } from "./conclude.ts";
import { newDriver, takeDrive } from "./driving.ts";
import { agentNamed } from "./engine.ts";
import { freeDeadLeases } from "./fleet.ts";
import { fits, scopeFor, tryAgain } from "./generations.ts";
import { relaySoon } from "./relay.ts";
import { bringWork } from "./remote.ts";
import { unheldOutcome } from "./unheld.ts";

/** How often to look whether others have ended what was cancelled, milliseconds. */
const LOOK_MS = 250;

/** Finds a subtask by its id, else a task by its id or ticket (its newest live one). Throws task_unknown. */
async function find(
  { store }: Engine,
  wanted: string,
): Promise<{ readonly task: Task; readonly subtask: Subtask | null }> {
  const taskId = wanted.split("::").at(-2);
  const owner = taskId === undefined ? null : await store.task(taskId);
  const subtask = owner && (await store.subtasks(owner.task_id)).find((each) => each.subtask_id === wanted);
  if (owner && subtask) return { task: owner, subtask };
  const byTicket = await store.tasksByTicket(wanted);
  const task = (await store.task(wanted)) ?? byTicket.find(isLive) ?? byTicket[0];
  if (task) return { task, subtask: null };
  if (taskId !== undefined)
    throw new OxbowError("subtask_unknown", `There is no subtask ${wanted} in this repository.`);
  throw new OxbowError("task_unknown", `No task, ticket or subtask here is called ${wanted}.`);
}

/** Waits at most `waitMs` for whoever works on it. Throws task_unknown, subtask_unknown. */
export async function cancel(engine: Engine, wanted: string, waitMs: number): Promise<Cancelled> {
  const { task, subtask } = await find(engine, wanted);
  return subtask ? cancelPart(engine, task, subtask, waitMs) : cancelWhole(engine, task, waitMs);
}

async function cancelWhole(engine: Engine, task: Task, waitMs: number): Promise<Cancelled> {
  const { store } = engine;
  const { task_id } = task;
  const about = { task_id, subtask_id: null, parts: [] };
  if (!isLive(task)) return { ...about, changed: false, state: task.state };
  await requestCancel(engine, task);
  for (const end = performance.now() + waitMs; performance.now() < end; await delay(LOOK_MS)) {
    await endHere(engine, task);
    const now = await store.task(task_id);
    if (now && !isLive(now)) return { ...about, changed: true, state: now.state };
  }
  return { ...about, changed: true, state: "cancelling" };
}

/** Where no process carries the task, this one brings it to its end. */
async function endHere(engine: Engine, task: Task): Promise<void> {
  try {
    await using drive = await takeDrive(engine, task.task_id, newDriver(engine, true));
    await endCancelled(engine, task, drive.lost);
    await conclude(engine, task, drive, true);
  } catch (error) {
    if (!hasCode(error, "task_active")) throw error;
  }
}

/** The part, and what was split from it. A holder that stands still is waited for until its lease has run out. */
async function cancelPart(
  engine: Engine,
  task: Task,
  { subtask_id, conversation_id, agent }: Subtask,
  waitMs: number,
): Promise<Cancelled> {
  const { store } = engine;
  const { task_id } = task;
  const reason = STOP.cancelled.message;
  const asking: EventBody = {
    event: "cancel_requested",
    task_id,
    subtask_id,
    conversation_id,
    source: agent,
    reason,
  };
  const ask = async () => {
    await freeDeadLeases(engine);
    const parts = await store.cancelSubtask(
      subtask_id,
      [asking],
      await unheldOutcome(engine, task, "cancelled", STOP.cancelled),
    );
    await relaySoon(engine);
    return parts;
  };
  const first = await ask();
  let running = first.asked;
  for (const end = performance.now() + waitMs; running.length > 0 && performance.now() < end; ) {
    await delay(LOOK_MS);
    running = (await ask()).asked;
  }
  const parts = [...first.ended, ...first.asked];
  const now = (await store.subtasks(task_id)).find((each) => each.subtask_id === subtask_id);
  const state = running.length > 0 ? "cancelling" : (now?.state ?? "cancelled");
  return { task_id, subtask_id, parts, changed: parts.length > 0, state };
}

/** Throws task_unknown, subtask_unknown, and what `tryAgain` throws. */
export async function retry(engine: Engine, wanted: string): Promise<Reopened> {
  const { task, subtask } = await find(engine, wanted);
  return reopened(engine, await tryAgain(engine, task, subtask?.subtask_id ?? null));
}

/**
 * One that has not begun is moved, and one that is blocked for want of its agent; one that has ended without success is
 * tried again by the other. Throws as `retry`, agent_unknown.
 */
export async function assign(engine: Engine, wanted: string, agent: string): Promise<Assigned> {
  const { task, subtask } = await find(engine, wanted);
  if (!subtask)
    throw new OxbowError("subtask_unknown", `${wanted} is a task; name one of its subtasks.`, {
      hint: `Run \`oxbow status ${wanted}\` to see them.`,
    });
  const spec = agentNamed(engine, agent);
  const { subtask_id, conversation_id } = subtask;
  const ended = (await engine.store.outcomes(task.task_id)).some((each) => each.subtask_id === subtask_id);
  if (ended) return { ...(await reopened(engine, await tryAgain(engine, task, subtask_id, agent))), agent };
  const allowedPaths = scopeFor(engine, subtask, spec);
  const start = await startFor(engine, task, { ...subtask, agent, allowed_paths: allowedPaths });
  await engine.store.assign(subtask_id, { agent, allowedPaths, ...start }, [
    {
      event: "assigned",
      task_id: task.task_id,
      subtask_id,
      conversation_id,
      source: agent,
      from: subtask.agent,
      agent,
    },
  ]);
  return { ...(await reopened(engine, { task, parts: [] })), agent };
}

/** What its agent had committed, unless the new one may not write that. */
async function startFor(engine: Engine, task: Task, subtask: Subtask): Promise<{ readonly start?: string }> {
  if (subtask.branch === null) return {};
  await bringWork(engine, [subtask]);
  const tip = await engine.repo.readRef(`refs/heads/${subtask.branch}`);
  return tip !== null && (await fits(engine, task, subtask, tip)) ? { start: tip } : {};
}

async function reopened(
  engine: Engine,
  { task, parts }: { readonly task: Task; readonly parts: Reopened["parts"] },
): Promise<Reopened> {
  const live = (await engine.store.liveTasks()).find((each) => each.task.task_id === task.task_id);
  const driver = live?.driver ?? null;
  return { task_id: task.task_id, parts, carried: driver !== null && !engine.workerIsDead(driver) };
}
