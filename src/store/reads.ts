/** What others may look at. Each is one moment of the store; nothing is locked. */
import type { Kysely } from "kysely";
import type { Subtask, Task, TaskState } from "../core/model.ts";
import type { Database } from "./engine.ts";
import { toMessage, toOutcome, toSubtask, toTask } from "./rows.ts";
import type { Schema, SubtaskRow } from "./schema.ts";

const TASKS = 1000;

export interface TaskFilter {
  readonly limit?: number | undefined;
  readonly before?: Pick<Task, "created_at" | "task_id"> | undefined;
  readonly state?: TaskState | undefined;
  readonly ticket?: string | undefined;
}

/** Dependencies are written with their subtask and never change, so they may be read after it. */
export async function withDependencies(
  db: Kysely<Schema>,
  rows: readonly SubtaskRow[],
  of: { readonly taskId: string } | { readonly subtaskId: string },
): Promise<Subtask[]> {
  const all = db.selectFrom("dependencies").select(["subtask_id", "depends_on"]).orderBy("position");
  const found = await ("taskId" in of
    ? all.where("subtask_id", "in", (sub) =>
        sub.selectFrom("subtasks").select("subtask_id").where("task_id", "=", of.taskId),
      )
    : all.where("subtask_id", "=", of.subtaskId)
  ).execute();
  const bySubtask = Map.groupBy(found, ({ subtask_id }) => subtask_id);
  return rows.map((row) =>
    toSubtask(
      row,
      (bySubtask.get(row.subtask_id) ?? []).map(({ depends_on }) => depends_on),
    ),
  );
}

export function createReads({ db, now }: Database) {
  return {
    async task(taskId: string) {
      const row = await db.selectFrom("tasks").selectAll().where("task_id", "=", taskId).executeTakeFirst();
      return row ? toTask(row) : null;
    },
    async tasks({ limit = TASKS, before, state, ticket }: TaskFilter = {}) {
      let query = db.selectFrom("tasks").selectAll().orderBy("created_at", "desc").orderBy("task_id", "desc");
      if (state !== undefined) query = query.where("state", "=", state);
      if (ticket !== undefined) query = query.where("ticket", "=", ticket);
      if (before !== undefined)
        query = query.where((where) =>
          where.or([
            where("created_at", "<", before.created_at),
            where.and([where("created_at", "=", before.created_at), where("task_id", "<", before.task_id)]),
          ]),
        );
      return (await query.limit(limit).execute()).map(toTask);
    },
    async tasksByTicket(ticket: string) {
      const rows = await db
        .selectFrom("tasks")
        .selectAll()
        .where("ticket", "=", ticket)
        .orderBy("created_at", "desc")
        .orderBy("task_id", "desc")
        .limit(TASKS)
        .execute();
      return rows.map(toTask);
    },
    async subtasks(taskId: string) {
      // In the order in which they were added.
      const rows = await db
        .selectFrom("subtasks")
        .innerJoin("leases", "leases.conversation_id", "subtasks.conversation_id")
        .selectAll("subtasks")
        .where("subtasks.task_id", "=", taskId)
        .orderBy("leases.message_seq")
        .execute();
      return withDependencies(db, rows, { taskId });
    },
    async branches(taskId: string, first: string) {
      const rows = await db
        .selectFrom("subtasks")
        .select("branch")
        .where("task_id", "=", taskId)
        .where("branch", ">=", first)
        // The character after "-".
        .where("branch", "<", `${first}.`)
        .execute();
      return rows.flatMap(({ branch }) => (branch === null ? [] : [branch]));
    },
    async outcomes(taskId: string) {
      const rows = await db
        .selectFrom("outcomes")
        .innerJoin("leases", "leases.conversation_id", "outcomes.conversation_id")
        .selectAll("outcomes")
        .where("outcomes.task_id", "=", taskId)
        .orderBy("leases.message_seq")
        .execute();
      return rows.map(toOutcome);
    },
    async isChild(conversationId: string) {
      const row = await db
        .selectFrom("leases")
        .select("conversation_id")
        .where("conversation_id", "=", conversationId)
        .executeTakeFirst();
      return row !== undefined;
    },
    async messages(conversationId: string) {
      const rows = await db
        .selectFrom("messages")
        .selectAll()
        .where("conversation_id", "=", conversationId)
        .orderBy("seq")
        .execute();
      return rows.map(toMessage);
    },
    async liveWorkers(taskId: string) {
      const rows = await db
        .selectFrom("leases")
        .select("worker_id")
        .distinct()
        .where("task_id", "=", taskId)
        .where("state", "=", "held")
        .where("expires_at", ">", now())
        .orderBy("worker_id")
        .execute();
      return rows.flatMap(({ worker_id }) => (worker_id === null ? [] : [worker_id]));
    },
    async cursor(conversationId: string, topic: string) {
      const row = await db
        .selectFrom("cursors")
        .select("position")
        .where("conversation_id", "=", conversationId)
        .where("topic", "=", topic)
        .executeTakeFirst();
      return row?.position ?? null;
    },
  };
}
