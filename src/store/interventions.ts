/** What a person does to work that is under way: cancels a part, gives it to another, has it tried again. */
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Json, Outcome, Subtask } from "../core/model.ts";
import type { CancelledParts, Lease, NewChild } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { pardon } from "./blocked.ts";
import { appendEvents } from "./events.ts";
import { settleFree } from "./outcome.ts";
import { toJson } from "./rows.ts";
import { changeSubtask, changeTask } from "./status.ts";
import { addChildren } from "./submit.ts";
import type { StopRequest } from "./supervision.ts";

async function leaseOf({ db }: Tx, subtaskId: string) {
  const found = await db
    .selectFrom("leases")
    .select(["conversation_id", "task_id", "state", "attempt"])
    .where("subtask_id", "=", subtaskId)
    .executeTakeFirst();
  if (found) return found;
  throw new OxbowError("subtask_unknown", `There is no subtask ${subtaskId}.`, {
    details: { subtask_id: subtaskId },
  });
}

/**
 * The subtask and everything that was split from it. What was begun last is stopped first, so nobody hears the end of what
 * is below from above; what is at work learns it from its row, and can have no more children from here on.
 */
export async function cancelSubtask(
  tx: Tx,
  subtaskId: string,
  events: readonly EventBody[],
  make: (subtask: Subtask) => { outcome: Outcome; signalPayload: Json; event: EventBody },
): Promise<CancelledParts> {
  const open = (await treeBelow(tx, subtaskId)).filter(({ state }) => state !== "done");
  const atWork = open.filter(({ state, expires_at }) => state === "held" && expires_at > tx.now);
  const free = open.filter((each) => !atWork.includes(each));
  if (atWork.some(({ cancelled_at }) => cancelled_at === null) || free.length > 0)
    await appendEvents(tx, events);
  for (const { conversation_id } of atWork)
    await tx.db
      .updateTable("leases")
      .set({ cancelled_at: tx.now })
      .where("conversation_id", "=", conversation_id)
      .execute();
  for (const { subtask_id } of free) await settleFree(tx, { subtaskId: subtask_id }, make);
  return { ended: free.map(idOf), asked: atWork.map(idOf) };
}

function idOf({ subtask_id }: { readonly subtask_id: string }): string {
  return subtask_id;
}

/** The newest first, the subtask itself last. Throws subtask_unknown. */
async function treeBelow(tx: Tx, subtaskId: string) {
  const { task_id } = await leaseOf(tx, subtaskId);
  const all = await tx.db
    .selectFrom("subtasks")
    .innerJoin("leases", "leases.conversation_id", "subtasks.conversation_id")
    .select([
      "subtasks.subtask_id",
      "subtasks.conversation_id",
      "subtasks.parent_conversation_id",
      "leases.state",
      "leases.expires_at",
      "leases.cancelled_at",
    ])
    .where("subtasks.task_id", "=", task_id)
    .orderBy("leases.message_seq")
    .execute();
  const inside = new Set<string>();
  // A child is always newer than the one that split it off.
  const tree = all.filter(({ subtask_id, conversation_id, parent_conversation_id }) => {
    const below = parent_conversation_id !== null && inside.has(parent_conversation_id);
    return (subtask_id === subtaskId || below) && inside.add(conversation_id);
  });
  return tree.toReversed();
}

/** Throws cancelled: what a person has cancelled has no more children. */
export async function refuseCancelled({ db }: Tx, { conversation_id }: Lease): Promise<void> {
  const row = await db
    .selectFrom("leases")
    .select("cancelled_at")
    .where("conversation_id", "=", conversation_id)
    .executeTakeFirst();
  if ((row?.cancelled_at ?? null) !== null)
    throw new OxbowError("cancelled", "A person has cancelled it: it can have no more children.");
}

export async function assign(
  tx: Tx,
  subtaskId: string,
  to: { readonly agent: string; readonly allowedPaths: readonly string[]; readonly start?: string },
  events: readonly EventBody[],
): Promise<void> {
  const { agent, allowedPaths } = to;
  const { conversation_id, state, attempt } = await leaseOf(tx, subtaskId);
  const subtask = await tx.db
    .selectFrom("subtasks")
    .select("state")
    .where("subtask_id", "=", subtaskId)
    .executeTakeFirstOrThrow();
  const blocked = state === "ready" && subtask.state === "blocked";
  if (state === "held" || state === "done" || (attempt > 0 && !blocked))
    throw new OxbowError("subtask_active", `${subtaskId} has begun.`, { details: { subtask_id: subtaskId } });
  for (const table of ["leases", "subtasks", "conversations"] as const)
    await tx.db.updateTable(table).set({ agent }).where("conversation_id", "=", conversation_id).execute();
  await tx.db
    .updateTable("subtasks")
    .set({ allowed_paths: toJson(allowedPaths), branch: null })
    .where("subtask_id", "=", subtaskId)
    .execute();
  if (subtask.state === "awaiting_approval")
    await tx.db
      .updateTable("approvals")
      .set({ requested_by: agent })
      .where("subtask_id", "=", subtaskId)
      .where("state", "=", "open")
      .execute();
  if (attempt > 0) await beginAnew(tx, conversation_id, { since_attempt: attempt, ...startOf(to) });
  if (blocked) {
    await tx.db
      .updateTable("leases")
      .set({ not_before: 0, crashes: 0 })
      .where("conversation_id", "=", conversation_id)
      .execute();
    await changeSubtask(tx, subtaskId, "planned", "assign");
  }
  await appendEvents(tx, events);
}

function startOf({ start }: { readonly start?: string }): { readonly start?: string } {
  return start === undefined ? {} : { start };
}

/** For another agent: nothing of what the one before was told, said or left counts, but what its message says. */
async function beginAnew(
  tx: Tx,
  conversationId: string,
  said: Readonly<Record<string, Json>>,
): Promise<void> {
  for (const table of ["transcripts", "cursors"] as const)
    await tx.db.deleteFrom(table).where("conversation_id", "=", conversationId).execute();
  const message = await tx.db
    .selectFrom("messages")
    .innerJoin("leases", "leases.message_seq", "messages.seq")
    .select(["messages.seq", "messages.metadata"])
    .where("leases.conversation_id", "=", conversationId)
    .executeTakeFirstOrThrow();
  const metadata: unknown = JSON.parse(message.metadata);
  await tx.db
    .updateTable("messages")
    .set({ metadata: toJson({ ...(typeof metadata === "object" ? metadata : {}), ...said }) })
    .where("seq", "=", message.seq)
    .execute();
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
  const known =
    superseded.length === 0
      ? undefined
      : await tx.db
          .selectFrom("subtasks")
          .select("supersedes")
          .where("task_id", "=", taskId)
          .where("supersedes", "in", superseded)
          .executeTakeFirst();
  if (known)
    throw new OxbowError("task_conflict", `${known.supersedes} is being tried again already.`, {
      details: { subtask_id: known.supersedes },
    });
  // What is only planned stays so, with what was added.
  if (!(await isPlanned(tx, taskId))) await changeTask(tx, taskId, "running", "retry");
  await pardon(tx, taskId);
  await tx.db
    .updateTable("drives")
    .set({ cancelled_at: null, cancel_code: null })
    .where("task_id", "=", taskId)
    .execute();
  await addChildren(tx, taskId, children, events);
}

async function isPlanned({ db }: Tx, taskId: string): Promise<boolean> {
  const task = await db.selectFrom("tasks").select("state").where("task_id", "=", taskId).executeTakeFirst();
  return task?.state === "planned";
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
