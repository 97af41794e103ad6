/** A task that has ended, let go of: its rows, its events, and the entries of its children's topics. */
import { isLive } from "../core/model.ts";
import { sql } from "kysely";
import { OxbowError } from "../core/errors.ts";
import type { TaskState } from "../core/model.ts";
import type { Database, Tx } from "./engine.ts";
import type { TopicTransport } from "./topics.ts";
import { hasUndelivered } from "./webhook-sending.ts";

/** False when there is no such task. All or nothing. Throws task_active. */
export async function forget(database: Database, topics: TopicTransport, taskId: string): Promise<boolean> {
  const forgotten = await database.write(async (tx) => {
    const row = await tx.db
      .selectFrom("tasks")
      .select("state")
      .where("task_id", "=", taskId)
      .executeTakeFirst();
    if (!row) return null;
    await refuseActive(tx, taskId, row.state as TaskState);
    const children = await tx.db
      .selectFrom("subtasks")
      .select(["done_topic", "agent", "conversation_id"])
      .where("task_id", "=", taskId)
      .execute();
    await removeTopics(tx, taskId, new Set(children.map(({ agent }) => `chat:${agent}`)));
    await removeRows(tx, taskId);
    return {
      topics: new Set(children.map(({ done_topic }) => done_topic)),
      events: new Set(children.map(({ conversation_id }) => `announce:${conversation_id}`)),
    };
  });
  if (forgotten === null) return false;
  await topics.drop(({ topic, event_id }) => forgotten.topics.has(topic) || forgotten.events.has(event_id));
  return true;
}

async function refuseActive(tx: Tx, taskId: string, state: TaskState): Promise<void> {
  const why = isLive({ state })
    ? `is ${state}`
    : (await hasLease(tx, taskId))
      ? "is still worked on"
      : (await hasUnsent(tx, taskId))
        ? "has signals that are still to be sent"
        : (await hasUndelivered(tx, taskId))
          ? "has events that a webhook is still to be told of"
          : null;
  if (why === null) return;
  throw new OxbowError("task_active", `The task ${taskId} ${why}.`, { details: { task_id: taskId } });
}

async function hasLease(tx: Tx, taskId: string): Promise<boolean> {
  const held = await tx.db
    .selectFrom("leases")
    .select("conversation_id")
    .where("task_id", "=", taskId)
    .where("state", "=", "held")
    .where("expires_at", ">", tx.now)
    .executeTakeFirst();
  return held !== undefined;
}

async function hasUnsent(tx: Tx, taskId: string): Promise<boolean> {
  const unsent = await tx.db
    .selectFrom("outbox")
    .select("seq")
    .where("topic", "in", (sub) =>
      sub.selectFrom("subtasks").select("done_topic").where("task_id", "=", taskId),
    )
    .executeTakeFirst();
  return unsent !== undefined;
}

async function removeTopics(tx: Tx, taskId: string, chats: ReadonlySet<string>): Promise<void> {
  await tx.db
    .deleteFrom("topic_entries")
    .where("topic", "in", (sub) =>
      sub.selectFrom("subtasks").select("done_topic").where("task_id", "=", taskId),
    )
    .execute();
  // Each child was announced to its agent once.
  for (const table of ["topic_entries", "outbox"] as const)
    for (const topic of chats)
      await tx.db
        .deleteFrom(table)
        .where("topic", "=", topic)
        .where("event_id", "in", (sub) =>
          sub
            .selectFrom("conversations")
            .select(sql<string>`'announce:' || conversation_id`.as("event_id"))
            .where("task_id", "=", taskId),
        )
        .execute();
}

/** Those first that refer to others. */
async function removeRows(tx: Tx, taskId: string): Promise<void> {
  const { db } = tx;
  for (const table of ["cursors", "transcripts", "messages", "leases", "dialogues"] as const)
    await db
      .deleteFrom(table)
      .where("conversation_id", "in", (sub) =>
        sub.selectFrom("conversations").select("conversation_id").where("task_id", "=", taskId),
      )
      .execute();
  for (const table of ["dependencies", "attempts", "outcomes"] as const)
    await db
      .deleteFrom(table)
      .where("subtask_id", "in", (sub) =>
        sub.selectFrom("subtasks").select("subtask_id").where("task_id", "=", taskId),
      )
      .execute();
  for (const table of TABLES) await db.deleteFrom(table).where("task_id", "=", taskId).execute();
}

const TABLES = [
  "todos",
  "todo_lists",
  "disabled_agents",
  "artifacts",
  "approvals",
  "merges",
  "webhooks",
  "webhook_tries",
  "budgets",
  "status_history",
  "events",
  "drives",
  "subtasks",
  "conversations",
  "tasks",
] as const;
