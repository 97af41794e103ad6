/** What a person does to work that is under way: cancels a part, gives it to another, has it tried again. */
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Json, Outcome, Subtask } from "../core/model.ts";
import type { NewChild } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { settleFree } from "./outcome.ts";
import { toJson } from "./rows.ts";
import { changeTask } from "./status.ts";
import { addChildren } from "./submit.ts";
import type { StopRequest } from "./supervision.ts";

async function leaseOf({ db }: Tx, subtaskId: string) {
  const found = await db
    .selectFrom("leases")
    .select(["conversation_id", "state", "expires_at", "attempt"])
    .where("subtask_id", "=", subtaskId)
    .executeTakeFirst();
  if (found) return found;
  throw new OxbowError("subtask_unknown", `There is no subtask ${subtaskId}.`, {
    details: { subtask_id: subtaskId },
  });
}

export async function cancelSubtask(
  tx: Tx,
  subtaskId: string,
  events: readonly EventBody[],
  make: (subtask: Subtask) => { outcome: Outcome; signalPayload: Json; event: EventBody },
): Promise<"ended" | "asked" | "over"> {
  const { conversation_id, state, expires_at } = await leaseOf(tx, subtaskId);
  if (state === "done") return "over";
  await appendEvents(tx, events);
  if (state !== "held" || expires_at <= tx.now) {
    await settleFree(tx, { subtaskId }, make);
    return "ended";
  }
  await tx.db
    .updateTable("leases")
    .set({ cancelled_at: tx.now })
    .where("conversation_id", "=", conversation_id)
    .execute();
  return "asked";
}

export async function assign(
  tx: Tx,
  subtaskId: string,
  { agent, allowedPaths }: { readonly agent: string; readonly allowedPaths: readonly string[] },
  events: readonly EventBody[],
): Promise<void> {
  const { conversation_id, state, attempt } = await leaseOf(tx, subtaskId);
  if (state === "held" || state === "done" || attempt > 0)
    throw new OxbowError("subtask_active", `${subtaskId} has begun.`, { details: { subtask_id: subtaskId } });
  for (const table of ["leases", "subtasks", "conversations"] as const)
    await tx.db.updateTable(table).set({ agent }).where("conversation_id", "=", conversation_id).execute();
  await tx.db
    .updateTable("subtasks")
    .set({ allowed_paths: toJson(allowedPaths) })
    .where("subtask_id", "=", subtaskId)
    .execute();
  await appendEvents(tx, events);
}

export async function reopen(
  tx: Tx,
  taskId: string,
  children: readonly NewChild[],
  events: readonly EventBody[],
): Promise<void> {
  const superseded = children.flatMap(({ subtask }) =>
    subtask.supersedes === null ? [] : [subtask.supersedes],
  );
  const known = await tx.db
    .selectFrom("subtasks")
    .select("supersedes")
    .where("task_id", "=", taskId)
    .where("supersedes", "in", superseded)
    .executeTakeFirst();
  if (known)
    throw new OxbowError("task_conflict", `${known.supersedes} is being tried again already.`, {
      details: { subtask_id: known.supersedes },
    });
  await changeTask(tx, taskId, "running", "retry");
  await tx.db.deleteFrom("disabled_agents").where("task_id", "=", taskId).execute();
  await tx.db
    .updateTable("drives")
    .set({ cancelled_at: null, cancel_code: null })
    .where("task_id", "=", taskId)
    .execute();
  await addChildren(tx, taskId, children, events);
}

/** Of leases that this worker holds. */
export async function stopRequests({ db }: Database, workerId: string): Promise<readonly StopRequest[]> {
  const rows = await db
    .selectFrom("leases")
    .select(["conversation_id", "token", "cancelled_at"])
    .where("worker_id", "=", workerId)
    .where("state", "=", "held")
    .where((where) =>
      where.or([where("cancelled_at", "is not", null), where("recall_token", "=", where.ref("token"))]),
    )
    .execute();
  return rows.map(({ conversation_id, token, cancelled_at }) => ({
    conversation_id,
    token,
    why: cancelled_at === null ? "recalled" : "cancelled",
  }));
}
