/** How tasks and children come into the store. */
import { isLive } from "../core/model.ts";
import { readAsk } from "../core/budget-saved.ts";
import { failPoint } from "../host/fail-point.ts";
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Subtask, SubtaskState, Task } from "../core/model.ts";
import { priorityOf, queuedAt } from "../core/priority.ts";
import type { NewChild } from "./contract.ts";
import type { Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { openWhole } from "./budgets.ts";
import { askAtGates } from "./gates.ts";
import { announcement, putInOutbox } from "./outbox.ts";
import { messageRow, subtaskRow, taskRow, toOptions, toTask } from "./rows.ts";
import { refuseUsedTicket } from "./status.ts";

/** Rows of one insert: engines bound the number of parameters. */
const BATCH = 100;

function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) =>
    all.slice(i * BATCH, (i + 1) * BATCH),
  );
}

export async function submitTask(
  tx: Tx,
  task: Task,
  children: readonly NewChild[],
  events: readonly EventBody[],
): Promise<{ task: Task; created: boolean }> {
  const known = await tx.db
    .selectFrom("tasks")
    .selectAll()
    .where("task_id", "=", task.task_id)
    .executeTakeFirst();
  if (known && known.body_hash !== task.body_hash) {
    throw new OxbowError("task_conflict", `Task ${task.task_id} exists already with another body.`, {
      details: { task_id: task.task_id },
    });
  }
  if (known) return { task: toTask(known), created: false };
  if (isLive(task)) await refuseUsedTicket(tx, task.ticket, task.task_id);
  await tx.db.insertInto("tasks").values(taskRow(task)).execute();
  await tx.db
    .insertInto("status_history")
    .values({
      task_id: task.task_id,
      subtask_id: null,
      from_state: null,
      to_state: task.state,
      who: "submit",
      at: tx.now,
    })
    .execute();
  const budget = readAsk(task.options["budget"]);
  if (budget !== null) await openWhole(tx, task.task_id, budget);
  const added = await insertChildren(tx, task, children);
  await appendEvents(tx, events);
  await askAtGates(tx, added);
  return { task, created: true };
}

/** Throws task_unknown, task_conflict (a subtask is there already), plan_invalid (an unknown dependency). */
export async function addChildren(
  tx: Tx,
  taskId: string,
  children: readonly NewChild[],
  events: readonly EventBody[],
): Promise<void> {
  const task = await tx.db
    .selectFrom("tasks")
    .select(["state", "options"])
    .where("task_id", "=", taskId)
    .executeTakeFirst();
  if (!task)
    throw new OxbowError("task_unknown", `There is no task ${taskId}.`, { details: { task_id: taskId } });
  const options = toOptions(task.options);
  const added = await insertChildren(tx, { state: task.state, options }, children);
  await appendEvents(tx, events);
  await askAtGates(tx, added);
}

/** Returns those that wait for a person. */
async function insertChildren(
  tx: Tx,
  task: { readonly state: string; readonly options: Task["options"] },
  children: readonly NewChild[],
): Promise<readonly Subtask[]> {
  const ids = new Set(children.map(({ subtask }) => subtask.subtask_id));
  for (const batch of batches([...ids])) await refuseKnown(tx, batch);
  const settled = await settledDependencies(tx, children, ids);
  const held = task.state === "planned";
  const added = children.map(({ subtask, ...rest }) => ({
    ...rest,
    subtask: { ...subtask, state: held ? ("planned" as const) : firstState(subtask, settled) },
  }));
  const queue = { held, queuedAt: queuedAt(priorityOf(task.options), tx.now) };
  for (const batch of batches(added)) await insertBatch(tx, batch, queue);
  const dependencies = children.flatMap(({ subtask }) =>
    [...new Set(subtask.depends_on)].map((depends_on, position) => ({
      subtask_id: subtask.subtask_id,
      depends_on,
      position,
    })),
  );
  for (const batch of batches(dependencies)) await tx.db.insertInto("dependencies").values(batch).execute();
  failPoint("announce.inside");
  await putInOutbox(
    tx,
    children.map(({ subtask: { agent, conversation_id, task_id, subtask_id } }) =>
      announcement(`announce:${conversation_id}`, `chat:${agent}`, { conversation_id, task_id, subtask_id }),
    ),
  );
  return added.map(({ subtask }) => subtask).filter(({ state }) => state === "awaiting_approval");
}

async function refuseKnown(tx: Tx, ids: readonly string[]): Promise<void> {
  const known = await tx.db
    .selectFrom("subtasks")
    .select("subtask_id")
    .where("subtask_id", "in", ids)
    .executeTakeFirst();
  if (!known) return;
  throw new OxbowError("task_conflict", `Subtask ${known.subtask_id} exists already.`, {
    details: { subtask_id: known.subtask_id },
  });
}

/** The dependencies that have an outcome, and which. Throws plan_invalid for one that is neither in the store nor among `own`. */
async function settledDependencies(tx: Tx, children: readonly NewChild[], own: ReadonlySet<string>) {
  const wanted = new Set(children.flatMap(({ subtask }) => subtask.depends_on).filter((id) => !own.has(id)));
  const settled = new Map<string, string>();
  for (const batch of batches([...wanted])) {
    const rows = await tx.db
      .selectFrom("subtasks as subtask")
      .leftJoin("outcomes as outcome", "outcome.subtask_id", "subtask.subtask_id")
      .select(["subtask.subtask_id", "outcome.outcome"])
      .where("subtask.subtask_id", "in", batch)
      .execute();
    for (const { subtask_id, outcome } of rows) {
      wanted.delete(subtask_id);
      if (outcome !== null) settled.set(subtask_id, outcome);
    }
  }
  const [unknown] = wanted;
  if (unknown === undefined) return settled;
  throw new OxbowError("plan_invalid", `A child depends on ${unknown}, which does not exist.`, {
    details: { depends_on: unknown },
  });
}

function firstState({ depends_on, gate }: Subtask, settled: ReadonlyMap<string, string>): SubtaskState {
  if (!depends_on.every((id) => settled.has(id))) return "blocked";
  // What cannot begin anyway asks nobody.
  return gate !== null && depends_on.every((id) => settled.get(id) === "completed")
    ? "awaiting_approval"
    : "planned";
}

interface Queue {
  /** Nothing of it is to be taken yet. */
  readonly held: boolean;
  readonly queuedAt: number;
}

async function insertBatch(tx: Tx, children: readonly NewChild[], queue: Queue): Promise<void> {
  await tx.db
    .insertInto("conversations")
    .values(children.map(({ conversation }) => conversation))
    .execute();
  await tx.db
    .insertInto("subtasks")
    .values(children.map(({ subtask }) => subtaskRow(subtask)))
    .execute();
  const messages = await tx.db
    .insertInto("messages")
    .values(children.map(({ message }) => messageRow(message)))
    .returning(["conversation_id", "seq"])
    .execute();
  const seqs = new Map(messages.map(({ conversation_id, seq }) => [conversation_id, seq]));
  await tx.db
    .insertInto("leases")
    .values(children.map(({ subtask }) => queueRow(subtask, seqs.get(subtask.conversation_id), queue)))
    .execute();
  await tx.db
    .insertInto("status_history")
    .values(
      children.map(({ subtask: { task_id, subtask_id, state }, message }) => ({
        task_id,
        subtask_id,
        from_state: null,
        to_state: state,
        who: message.sender,
        at: tx.now,
      })),
    )
    .execute();
}

function queueRow(subtask: Subtask, messageSeq: number | undefined, queue: Queue) {
  if (messageSeq === undefined) {
    throw new OxbowError("internal", `The message of ${subtask.subtask_id} is on another conversation.`);
  }
  return {
    conversation_id: subtask.conversation_id,
    task_id: subtask.task_id,
    subtask_id: subtask.subtask_id,
    agent: subtask.agent,
    message_seq: messageSeq,
    queued_at: queue.queuedAt,
    state: subtask.state === "planned" && !queue.held ? ("ready" as const) : ("waiting" as const),
    worker_id: null,
    token: 0,
    attempt: 0,
    expires_at: 0,
  };
}
