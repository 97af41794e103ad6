/**
 * Subtasks that nobody can work on: their agent was given up, or no worker takes it. Such a one is `blocked` while its
 * conversation is free (one that waits for others is `blocked` too, but its conversation waits). A person gives it to
 * another agent, or it ends when its time is up.
 */
import type { EventBody } from "../core/events.ts";
import type { Lease } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { settleFree } from "./outcome.ts";
import { endAttempt, held } from "./queue.ts";
import { changeSubtask } from "./status.ts";

/** A free conversation, from what its row and its task's say. Times are Unix milliseconds. */
export interface FreeSubtask {
  readonly subtask_id: string;
  readonly conversation_id: string;
  readonly agent: string;
  /** Since when it is `blocked`; null: it is not. */
  readonly blocked_at: number | null;
  /** Why its agent is not started any more in this task. */
  readonly disabled: string | null;
}

/** Of one task, in the order in which they were added. */
export async function freeSubtasks({ db }: Database, taskId: string): Promise<readonly FreeSubtask[]> {
  const rows = await db
    .selectFrom("leases")
    .innerJoin("subtasks", "subtasks.subtask_id", "leases.subtask_id")
    .leftJoin("disabled_agents as disabled", (join) =>
      join.onRef("disabled.task_id", "=", "leases.task_id").onRef("disabled.agent", "=", "leases.agent"),
    )
    .select((select) => [
      "leases.subtask_id",
      "leases.conversation_id",
      "leases.agent",
      "subtasks.state",
      "disabled.reason",
      select
        .selectFrom("status_history")
        .select((sub) => sub.fn.max("at").as("at"))
        .whereRef("status_history.subtask_id", "=", "leases.subtask_id")
        .where("status_history.task_id", "=", taskId)
        .where("to_state", "=", "blocked")
        .as("at"),
    ])
    .where("leases.task_id", "=", taskId)
    .where("leases.state", "=", "ready")
    .orderBy("leases.message_seq")
    .execute();
  return rows.map(({ state, at, reason, ...row }) => ({
    ...row,
    blocked_at: state === "blocked" ? Number(at ?? 0) : null,
    disabled: reason,
  }));
}

/** Its holder found that its agent is not to be started. False when the lease is no longer ours. */
export async function blockHeld(
  tx: Tx,
  lease: Lease,
  waitMs: number,
  events: readonly EventBody[],
): Promise<boolean> {
  const { subtask_id } = lease.subtask;
  const { numUpdatedRows } = await held(tx, lease)
    .set({ state: "ready", worker_id: null, expires_at: 0, not_before: tx.now + waitMs })
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  await endAttempt(tx, subtask_id, lease.attempt, "released");
  await changeSubtask(tx, subtask_id, "blocked", lease.worker_id);
  await appendEvents(tx, events);
  return true;
}

/** The same while nobody holds it; whoever can work on it may take it at any time. False when somebody holds it by now. */
export async function blockFree(tx: Tx, subtaskId: string, events: readonly EventBody[]): Promise<boolean> {
  if (!(await isFree(tx, subtaskId, "planned"))) return false;
  await changeSubtask(tx, subtaskId, "blocked", "engine");
  await appendEvents(tx, events);
  return true;
}

/** There is somebody again who can work on it. */
export async function unblock(tx: Tx, subtaskId: string): Promise<void> {
  if (await isFree(tx, subtaskId, "blocked")) await changeSubtask(tx, subtaskId, "planned", "engine");
}

/** Its time is up. False when somebody holds it by now, or it was given to another agent. */
export async function finishBlocked(
  tx: Tx,
  subtaskId: string,
  make: Parameters<typeof settleFree>[2],
): Promise<boolean> {
  if (!(await isFree(tx, subtaskId, "blocked"))) return false;
  return (await settleFree(tx, { subtaskId }, make)) > 0;
}

/** A person says that the task goes on: agents that were given up in it may work again, at once. */
export async function pardon(tx: Tx, taskId: string): Promise<void> {
  await tx.db.deleteFrom("disabled_agents").where("task_id", "=", taskId).execute();
  const free = await tx.db
    .updateTable("leases")
    .set({ not_before: 0 })
    .where("task_id", "=", taskId)
    .where("state", "=", "ready")
    .returning("subtask_id")
    .execute();
  for (const { subtask_id } of free) await unblock(tx, subtask_id);
}

async function isFree({ db }: Tx, subtaskId: string, state: "planned" | "blocked"): Promise<boolean> {
  const found = await db
    .selectFrom("leases")
    .innerJoin("subtasks", "subtasks.subtask_id", "leases.subtask_id")
    .select("leases.subtask_id")
    .where("leases.subtask_id", "=", subtaskId)
    .where("leases.state", "=", "ready")
    .where("subtasks.state", "=", state)
    .executeTakeFirst();
  return found !== undefined;
}
