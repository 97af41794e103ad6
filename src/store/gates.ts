/**
 * Subtasks that wait for a person: `awaiting_approval` from when all they depend on has completed until somebody answers.
 * Meanwhile their conversation is `waiting`, so that nobody can take it. Tasks that are only planned wait as a whole.
 */
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import { gateRequest, requestedEvent } from "../core/gates.ts";
import type { Gate, Subtask } from "../core/model.ts";
import { approvalRow } from "./approval-rows.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { toGate, toJson } from "./rows.ts";
import type { StatusHistoryRow, SubtaskRow } from "./schema.ts";
import { changeSubtask, changeTask } from "./status.ts";

export interface GateStore {
  /**
   * A planned task begins: what depends on nothing can be leased, or waits for a person. `gates` (by subtask) are besides
   * those it was planned with. False, and nothing is written, when it has begun. Throws task_unknown, ticket_in_use.
   */
  begin(
    taskId: string,
    gates: Readonly<Record<string, Gate>>,
    events: readonly EventBody[],
    who: string,
  ): Promise<boolean>;
  /** The last `limit` changes of the state of a task (`subtask_id` null) and its subtasks, the oldest first. */
  statusHistory(taskId: string, limit: number): Promise<readonly Omit<StatusHistoryRow, "seq">[]>;
}

export function createGateStore({ db, write }: Database): GateStore {
  return {
    begin: (taskId, gates, events, who) => write((tx) => begin(tx, taskId, gates, events, who)),
    async statusHistory(taskId, limit) {
      const rows = await db
        .selectFrom("status_history")
        .select(["task_id", "subtask_id", "from_state", "to_state", "who", "at"])
        .where("task_id", "=", taskId)
        .orderBy("seq", "desc")
        .limit(limit)
        .execute();
      return rows.toReversed();
    },
  };
}

type Waiting = Pick<SubtaskRow, "task_id" | "subtask_id" | "conversation_id" | "agent" | "gate">;

/** Asks for those that are `awaiting_approval`. */
export async function askAtGates(
  tx: Tx,
  subtasks: readonly Pick<Subtask, "task_id" | "subtask_id" | "conversation_id" | "agent" | "gate">[],
): Promise<void> {
  for (const subtask of subtasks) {
    const request = gateRequest(subtask, tx.now);
    if (request === null) continue;
    await tx.db.insertInto("approvals").values(approvalRow(request)).execute();
    await appendEvents(tx, [requestedEvent(request, subtask.conversation_id)]);
  }
}

/** All it depends on has an outcome: it may be taken, or a person is asked first. What cannot begin anyway asks nobody. */
export async function setFree(tx: Tx, waiting: Waiting, who: string): Promise<void> {
  const { subtask_id, conversation_id, gate } = waiting;
  if (gate !== null && (await dependenciesCompleted(tx, subtask_id))) {
    await changeSubtask(tx, subtask_id, "awaiting_approval", who);
    await askAtGates(tx, [{ ...waiting, gate: toGate(gate) }]);
    return;
  }
  await changeSubtask(tx, subtask_id, "planned", who);
  await tx.db
    .updateTable("leases")
    .set({ state: "ready" })
    .where("conversation_id", "=", conversation_id)
    .where("state", "=", "waiting")
    .execute();
}

async function dependenciesCompleted(tx: Tx, subtaskId: string): Promise<boolean> {
  const other = await tx.db
    .selectFrom("dependencies")
    .innerJoin("outcomes", "outcomes.subtask_id", "dependencies.depends_on")
    .select("outcomes.subtask_id")
    .where("dependencies.subtask_id", "=", subtaskId)
    .where("outcomes.outcome", "<>", "completed")
    .executeTakeFirst();
  return other === undefined;
}

/** A person said yes. Nothing when it does not wait for that any more. */
export async function passGate(tx: Tx, subtaskId: string, who: string): Promise<void> {
  const subtask = await tx.db
    .selectFrom("subtasks")
    .select(["state", "conversation_id"])
    .where("subtask_id", "=", subtaskId)
    .executeTakeFirst();
  if (subtask?.state !== "awaiting_approval") return;
  await changeSubtask(tx, subtaskId, "planned", who);
  await tx.db
    .updateTable("leases")
    .set({ state: "ready" })
    .where("conversation_id", "=", subtask.conversation_id)
    .where("state", "=", "waiting")
    .execute();
}

/** It ended while a person was asked whether it may begin: there is nothing to answer any more. */
export async function withdraw(tx: Tx, subtaskId: string): Promise<void> {
  await tx.db
    .updateTable("approvals")
    .set({ state: "withdrawn", decided_at: tx.now })
    .where("subtask_id", "=", subtaskId)
    .where("kind", "=", "gate")
    .where("state", "=", "open")
    .execute();
}

async function begin(
  tx: Tx,
  taskId: string,
  gates: Readonly<Record<string, Gate>>,
  events: readonly EventBody[],
  who: string,
): Promise<boolean> {
  const task = await tx.db
    .selectFrom("tasks")
    .select("state")
    .where("task_id", "=", taskId)
    .executeTakeFirst();
  if (!task)
    throw new OxbowError("task_unknown", `There is no task ${taskId}.`, { details: { task_id: taskId } });
  if (task.state !== "planned") return false;
  await changeTask(tx, taskId, "running", who);
  await appendEvents(tx, events);
  const waits = new Set(await waitingForOthers(tx, taskId));
  for (const planned of await plannedOf(tx, taskId)) {
    const { subtask_id } = planned;
    const added = gates[subtask_id];
    const gate = added === undefined ? planned.gate : toJson(added);
    if (added !== undefined)
      await tx.db.updateTable("subtasks").set({ gate }).where("subtask_id", "=", subtask_id).execute();
    if (waits.has(subtask_id)) await changeSubtask(tx, subtask_id, "blocked", who);
    else await setFree(tx, { ...planned, gate }, who);
  }
  return true;
}

async function plannedOf({ db }: Tx, taskId: string): Promise<readonly Waiting[]> {
  return db
    .selectFrom("subtasks")
    .innerJoin("leases", "leases.conversation_id", "subtasks.conversation_id")
    .select([
      "subtasks.task_id",
      "subtasks.subtask_id",
      "subtasks.conversation_id",
      "subtasks.agent",
      "subtasks.gate",
    ])
    .where("subtasks.task_id", "=", taskId)
    .where("leases.state", "=", "waiting")
    .orderBy("leases.message_seq")
    .execute();
}

/** Those that depend on something without an outcome. */
async function waitingForOthers({ db }: Tx, taskId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("dependencies")
    .innerJoin("subtasks", "subtasks.subtask_id", "dependencies.subtask_id")
    .leftJoin("outcomes", "outcomes.subtask_id", "dependencies.depends_on")
    .select("dependencies.subtask_id")
    .distinct()
    .where("subtasks.task_id", "=", taskId)
    .where("outcomes.subtask_id", "is", null)
    .execute();
  return rows.map(({ subtask_id }) => subtask_id);
}
