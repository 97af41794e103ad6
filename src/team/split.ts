/** `orchestrate_split`: children that are durable before anyone hears of them, and the optional fan-in. */
import { failPoint } from "../host/fail-point.ts";
import { span } from "../host/telemetry.ts";
import type { Signals, SplitRequest, SplitResult } from "../core/tool.ts";
import type { Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import type { NewChild } from "../store/contract.ts";
import type { SavedSignals } from "./signals.ts";
import { hasCode, OxbowError } from "../core/errors.ts";
import { planSplit } from "../core/split.ts";
import { leftOf } from "./budget.ts";
import { announcements, type Birth, makeChildren } from "./children.ts";
import { refuseShutDown, runOptions } from "./engine.ts";
import { overlapOfSplit } from "./overlap.ts";
import { createSignals } from "./signals.ts";
import { planTask, submitTask, targetAgent } from "./submit.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const TRIES = 5;

export interface Parent {
  readonly task: Task;
  readonly subtask: Subtask;
  readonly signals: SavedSignals;
  /** The parent's branch, when it holds commits its children should start from. */
  readonly base: string | null;
}

/**
 * Throws split_invalid, limit_exceeded, agent_unknown, plan_invalid, nothing_to_split; then nothing was made.
 * `wait: true` bounds only the fan-in: children go on after `timeoutMs`.
 */
export async function splitFrom(
  engine: Engine,
  parent: Parent,
  request: SplitRequest,
  signal: AbortSignal,
): Promise<SplitResult> {
  const { task } = parent;
  if (request.ticket !== undefined && request.ticket !== task.ticket)
    throw new OxbowError("split_invalid", `A split stays on its task's ticket, ${task.ticket}.`, {
      hint: "Leave `ticket` out.",
    });
  const children = await span("orchestrator.dispatch", {}, async (note) => {
    const born = await bear(engine, parent, request);
    note({ "oxbow.parts": born.length });
    return born;
  });
  const result = await answer(children, request, parent.signals, signal);
  const left = await leftOf(engine, parent.subtask);
  return left === null ? result : { ...result, budget: { left } };
}

async function bear(engine: Engine, parent: Parent, request: SplitRequest): Promise<readonly NewChild[]> {
  for (let tried = 1; ; tried++) {
    try {
      return await bearOnce(engine, parent, request);
    } catch (error) {
      // Another conversation of the task split at the same moment and took the numbers: plan again after it.
      if (!hasCode(error, "task_conflict") || tried === TRIES) throw error;
    }
  }
}

/** Plans the children and makes them durable; all of them or none. */
async function bearOnce(engine: Engine, parent: Parent, request: SplitRequest): Promise<readonly NewChild[]> {
  const { task, subtask } = parent;
  refuseShutDown(engine, request);
  const siblings = await engine.store.subtasks(task.task_id);
  const files =
    request.by === "owner" ? (await engine.repo.listFiles(task.base_commit)).map((file) => file.path) : [];
  const { children: planned } = planSplit(request, {
    agents: engine.registry.list(),
    limits: engine.team.limits,
    depth: subtask.depth,
    existingChildren: siblings.filter((other) => !other.root).length,
    targetAgent: targetAgent(engine, request.targetAgent),
    files,
    ownership: engine.registry.ownership(),
    // A lead hands on what it may not touch itself; a child is bounded by its own agent's paths (see scope.ts).
    parentScope: null,
  });
  const birth: Birth = {
    taskId: task.task_id,
    parent: { conversationId: subtask.conversation_id, agent: subtask.agent, depth: subtask.depth },
    root: false,
    base: parent.base,
    siblings,
    budgeted: subtask.budget !== undefined,
  };
  const children = makeChildren(engine, planned, birth);
  if (birth.base !== null) await engine.repo.remote?.offer([birth.base]);
  failPoint("announce.before");
  const overlap = await overlapOfSplit(
    engine,
    task,
    children.map((child) => child.subtask),
  );
  await engine.store.addChildren(task.task_id, children, [...announcements(children, birth), ...overlap]);
  failPoint("announce.after");
  return children;
}

/**
 * A split by a caller outside of any task: a task of its own, durable with its children, for the workers to carry out.
 * Throws as `splitFrom`, and ticket_in_use, branch_conflict, branch_checked_out.
 */
export async function splitTask(
  engine: Engine,
  request: SplitRequest,
  signal: AbortSignal,
): Promise<SplitResult> {
  const { task: title, ticket, wait: _wait, timeoutMs: _timeoutMs, ...parts } = request;
  const options = runOptions({ options: {} });
  const plan = await planTask(engine, { title, ticket, options, split: { task: title, ...parts } });
  const { children } = await submitTask(engine, plan);
  const { store, settings } = engine;
  return answer(children, request, createSignals({ store, settings, redact: engine.redact }), signal);
}

async function answer(
  children: readonly NewChild[],
  request: SplitRequest,
  signals: Signals,
  signal: AbortSignal,
): Promise<SplitResult> {
  const topics = children.map((child) => child.subtask.done_topic);
  const made = { children: children.map((child) => child.conversation.conversation_id), topics };
  if (!request.wait) return { ok: true, ...made };
  const fanIn = await signals.waitAll(topics, {}, request.timeoutMs ?? DEFAULT_TIMEOUT_MS, signal);
  const results = topics.flatMap((topic) => (fanIn.messages[topic] ? [fanIn.messages[topic].message] : []));
  return { ok: fanIn.ok, ...made, wait: { ok: fanIn.ok, results, running: fanIn.missing } };
}
