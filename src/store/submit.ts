/** How tasks and children come into the store. */
import { isLive } from "../core/model.ts";
import { failPoint } from "../host/fail-point.ts";
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Subtask, SubtaskState, Task } from "../core/model.ts";
import type { NewChild } from "./contract.ts";
import type { Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { announcement, putInOutbox } from "./outbox.ts";
import { messageRow, subtaskRow, taskRow, toTask } from "./rows.ts";
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
  await insertChildren(tx, children);
  await appendEvents(tx, events);
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
    .select("task_id")
    .where("task_id", "=", taskId)
    .executeTakeFirst();
  if (!task)
    throw new OxbowError("task_unknown", `There is no task ${taskId}.`, { details: { task_id: taskId } });
  await insertChildren(tx, children);
  await appendEvents(tx, events);
}

async function insertChildren(tx: Tx, children: readonly NewChild[]): Promise<void> {
  const ids = new Set(children.map(({ subtask }) => subtask.subtask_id));
  for (const batch of batches([...ids])) await refuseKnown(tx, batch);
  const settled = await settledDependencies(tx, children, ids);
  for (const batch of batches(children)) {
    await insertBatch(
      tx,
      batch.map(({ subtask, ...rest }) => ({
        ...rest,
        subtask: { ...subtask, state: firstState(subtask, settled) },
      })),
    );
  }
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

/** The dependencies that have an outcome. Throws plan_invalid for one that is neither in the store nor among `own`. */
async function settledDependencies(tx: Tx, children: readonly NewChild[], own: ReadonlySet<string>) {
  const wanted = new Set(children.flatMap(({ subtask }) => subtask.depends_on).filter((id) => !own.has(id)));
  const settled = new Set<string>();
  for (const batch of batches([...wanted])) {
    const rows = await tx.db
      .selectFrom("subtasks as subtask")
      .leftJoin("outcomes as outcome", "outcome.subtask_id", "subtask.subtask_id")
      .select(["subtask.subtask_id", "outcome.outcome"])
      .where("subtask.subtask_id", "in", batch)
      .execute();
    for (const { subtask_id, outcome } of rows) {
      wanted.delete(subtask_id);
      if (outcome !== null) settled.add(subtask_id);
    }
  }
  const [unknown] = wanted;
  if (unknown === undefined) return settled;
  throw new OxbowError("plan_invalid", `A child depends on ${unknown}, which does not exist.`, {
    details: { depends_on: unknown },
  });
}

function firstState(subtask: Subtask, settled: ReadonlySet<string>): SubtaskState {
  if (subtask.state === "awaiting_approval") return subtask.state;
  return subtask.depends_on.every((id) => settled.has(id)) ? "planned" : "blocked";
}

async function insertBatch(tx: Tx, children: readonly NewChild[]): Promise<void> {
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
    .values(children.map(({ subtask }) => queueRow(subtask, seqs.get(subtask.conversation_id))))
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

function queueRow(subtask: Subtask, messageSeq: number | undefined) {
  if (messageSeq === undefined) {
    throw new OxbowError("internal", `The message of ${subtask.subtask_id} is on another conversation.`);
  }
  return {
    conversation_id: subtask.conversation_id,
    task_id: subtask.task_id,
    subtask_id: subtask.subtask_id,
    agent: subtask.agent,
    message_seq: messageSeq,
    state: subtask.state === "planned" ? ("ready" as const) : ("waiting" as const),
    worker_id: null,
    token: 0,
    attempt: 0,
    expires_at: 0,
  };
}
