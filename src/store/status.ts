/** Every change of a state leaves a row: who, when, from what to what. */
import type { SubtaskState, TaskState } from "../core/model.ts";
import { isLive } from "../core/model.ts";
import { OxbowError } from "../core/errors.ts";
import type { Tx } from "./engine.ts";

/** Returns what it was before. */
export async function changeSubtask(
  tx: Tx,
  subtaskId: string,
  to: SubtaskState,
  who: string,
): Promise<string> {
  const { state: from, task_id } = await tx.db
    .selectFrom("subtasks")
    .select(["state", "task_id"])
    .where("subtask_id", "=", subtaskId)
    .executeTakeFirstOrThrow();
  if (from === to) return from;
  await tx.db.updateTable("subtasks").set({ state: to }).where("subtask_id", "=", subtaskId).execute();
  await tx.db
    .insertInto("status_history")
    .values({ task_id, subtask_id: subtaskId, from_state: from, to_state: to, who, at: tx.now })
    .execute();
  return from;
}

/** Throws task_unknown, ticket_in_use (the task would be live again while another has its ticket). */
export async function changeTask(tx: Tx, taskId: string, to: TaskState, who: string): Promise<void> {
  const row = await tx.db
    .selectFrom("tasks")
    .select(["state", "ticket"])
    .where("task_id", "=", taskId)
    .executeTakeFirst();
  if (!row)
    throw new OxbowError("task_unknown", `There is no task ${taskId}.`, { details: { task_id: taskId } });
  if (row.state === to) return;
  if (isLive({ state: to })) await refuseUsedTicket(tx, row.ticket, taskId);
  await tx.db
    .updateTable("tasks")
    .set({ state: to, updated_at: tx.now })
    .where("task_id", "=", taskId)
    .execute();
  await tx.db
    .insertInto("status_history")
    .values({ task_id: taskId, subtask_id: null, from_state: row.state, to_state: to, who, at: tx.now })
    .execute();
}

/** Throws ticket_in_use when a live task other than `taskId` has the ticket. */
export async function refuseUsedTicket(tx: Tx, ticket: string, taskId: string): Promise<void> {
  const other = await tx.db
    .selectFrom("tasks")
    .select("task_id")
    .where("ticket", "=", ticket)
    .where("state", "in", ["planned", "running"])
    .where("task_id", "<>", taskId)
    .executeTakeFirst();
  if (!other) return;
  throw new OxbowError("ticket_in_use", `Ticket ${ticket} is in use by the live task ${other.task_id}.`, {
    details: { ticket, task_id: other.task_id },
  });
}
