/**
 * Who is there to work, and which process carries which task. Such rows count until they expire; their process renews
 * them, so that one which died or stands still is soon counted no more.
 */
import type { Kysely } from "kysely";
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Driver, Lease, LiveTask, WorkerPresence } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { held } from "./queue.ts";
import { toJson, toTask, toWorker } from "./rows.ts";
import type { Schema } from "./schema.ts";
import type { AgentRecord } from "./supervision.ts";

/** How long the row of a process that said no goodbye is kept after it expired, milliseconds. */
const FORGET_MS = 60_000;

export async function heartbeat(tx: Tx, worker: WorkerPresence, ttlMs: number): Promise<void> {
  const row = {
    ...worker,
    agents: toJson(worker.agents),
    declined: toJson(worker.declined),
    expires_at: tx.now + ttlMs,
  };
  await tx.db
    .insertInto("workers")
    .values(row)
    .onConflict((conflict) => conflict.column("worker_id").doUpdateSet(row))
    .execute();
  await tx.db
    .deleteFrom("workers")
    .where("expires_at", "<", tx.now - FORGET_MS)
    .execute();
}

export async function removeWorker(tx: Tx, workerId: string): Promise<void> {
  await tx.db.deleteFrom("workers").where("worker_id", "=", workerId).execute();
}

/** Returns who carries the task now: `holder`, another whose time is not up, or nobody. Throws task_unknown. */
export async function drive(
  tx: Tx,
  taskId: string,
  { holder, ttlMs, shared }: Driver,
): Promise<string | null> {
  const task = await tx.db
    .selectFrom("tasks")
    .leftJoin("drives", "drives.task_id", "tasks.task_id")
    .select(["tasks.state", "drives.holder", "drives.expires_at"])
    .where("tasks.task_id", "=", taskId)
    .executeTakeFirst();
  if (!task)
    throw new OxbowError("task_unknown", `There is no task ${taskId}.`, { details: { task_id: taskId } });
  if (task.state !== "planned" && task.state !== "running") return null;
  const other = task.holder !== null && task.holder !== holder && (task.expires_at ?? 0) > tx.now;
  if (other && task.holder !== null) return task.holder;
  const row = { holder, expires_at: tx.now + ttlMs, shared: shared ? 1 : 0 };
  await tx.db
    .insertInto("drives")
    .values({ task_id: taskId, ...row, cancelled_at: null })
    .onConflict((conflict) => conflict.column("task_id").doUpdateSet(row))
    .execute();
  return holder;
}

/** Lets go of the task, when it was held; nothing is kept of one that has ended. */
export async function stopDriving(tx: Tx, taskId: string, holder: string): Promise<void> {
  await tx.db
    .updateTable("drives")
    .set({ holder: null, expires_at: 0 })
    .where("task_id", "=", taskId)
    .where("holder", "=", holder)
    .execute();
  await tx.db
    .deleteFrom("drives")
    .where("task_id", "=", taskId)
    .where("holder", "is", null)
    .where("task_id", "not in", (sub) =>
      sub.selectFrom("tasks").select("task_id").where("state", "in", ["planned", "running"]),
    )
    .execute();
}

export async function setCancelled(
  tx: Tx,
  taskId: string,
  cancelled: boolean,
  events: readonly EventBody[],
): Promise<boolean> {
  const found = await tx.db
    .selectFrom("drives")
    .select("cancelled_at")
    .where("task_id", "=", taskId)
    .executeTakeFirst();
  if (((found?.cancelled_at ?? null) !== null) === cancelled) return false;
  const cancelled_at = cancelled ? tx.now : null;
  await tx.db
    .insertInto("drives")
    .values({ task_id: taskId, holder: null, expires_at: 0, shared: 1, cancelled_at })
    .onConflict((conflict) =>
      conflict.column("task_id").doUpdateSet({ cancelled_at, ...(cancelled ? {} : { cancel_code: null }) }),
    )
    .execute();
  await appendEvents(tx, events);
  return true;
}

/** A conversation that waits for others keeps its lease, but does not count as being at work. */
export async function park(tx: Tx, lease: Lease, parked: boolean): Promise<boolean> {
  const { numUpdatedRows } = await held(tx, lease)
    .set({ parked: parked ? 1 : 0 })
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function openSubtasks(db: Kysely<Schema>, taskId: string): Promise<number> {
  const row = await db
    .selectFrom("leases")
    .select((count) => count.fn.countAll<number>().as("open"))
    .where("task_id", "=", taskId)
    .where("state", "<>", "done")
    .executeTakeFirstOrThrow();
  return Number(row.open);
}

async function agentRecords(
  db: Kysely<Schema>,
  now: number,
  taskIds: readonly string[],
): Promise<readonly AgentRecord[]> {
  if (taskIds.length === 0) return [];
  const leases = await db
    .selectFrom("leases")
    .select(["task_id", "agent", "state", "expires_at", "crashes", "attempt", "not_before"])
    .where("task_id", "in", taskIds)
    .execute();
  const disabled = await db
    .selectFrom("disabled_agents")
    .select(["task_id", "agent", "reason"])
    .where("task_id", "in", taskIds)
    .execute();
  const crashed = await db
    .selectFrom("attempts")
    .innerJoin("subtasks", "subtasks.subtask_id", "attempts.subtask_id")
    .select((select) => ["subtasks.task_id", "subtasks.agent", select.fn.max("attempts.ended_at").as("at")])
    .where("subtasks.task_id", "in", taskIds)
    .where("attempts.failure", "is not", null)
    .groupBy(["subtasks.task_id", "subtasks.agent"])
    .execute();
  const groups = Map.groupBy(leases, ({ task_id, agent }) => JSON.stringify([task_id, agent]));
  return [...groups.values()].flatMap((rows): AgentRecord[] => {
    const first = rows[0];
    if (!first) return [];
    const { task_id, agent } = first;
    const same = (row: { task_id: string; agent: string }) => row.task_id === task_id && row.agent === agent;
    return [
      {
        task_id,
        agent,
        working: rows.filter((row) => row.state === "held" && row.expires_at > now).length,
        waiting: rows.filter((row) => row.crashes > 0 && row.state === "ready").length,
        open: rows.filter((row) => row.state !== "done").length,
        crashes: rows.reduce((sum, row) => sum + row.crashes, 0),
        disabled: disabled.find(same)?.reason ?? null,
        last_crash_at: crashed.find(same)?.at ?? null,
      },
    ];
  });
}

export function createFleetReads({ db, now }: Database) {
  return {
    async workers(): Promise<readonly WorkerPresence[]> {
      const rows = await db
        .selectFrom("workers")
        .selectAll()
        .where("expires_at", ">", now())
        .orderBy("started_at")
        .orderBy("worker_id")
        .execute();
      return rows.map(toWorker);
    },
    async liveTasks(): Promise<readonly LiveTask[]> {
      const rows = await db
        .selectFrom("tasks")
        .leftJoin("drives", "drives.task_id", "tasks.task_id")
        .selectAll("tasks")
        .select([
          "drives.holder",
          "drives.expires_at",
          "drives.shared",
          "drives.cancelled_at",
          "drives.cancel_code",
        ])
        .where("tasks.state", "in", ["planned", "running"])
        .orderBy("tasks.created_at")
        .execute();
      return rows.map(({ holder, expires_at, shared, cancelled_at, cancel_code, ...task }) => ({
        task: toTask(task),
        driver: (expires_at ?? 0) > now() ? holder : null,
        shared: shared !== 0,
        // Null with a left join as well.
        cancelled: cancelled_at !== null,
        cancelCode: cancel_code,
      }));
    },
    openSubtasks: (taskId: string): Promise<number> => openSubtasks(db, taskId),
    agentRecords: (taskIds: readonly string[]): Promise<readonly AgentRecord[]> =>
      agentRecords(db, now(), taskIds),
    async holders() {
      const rows = await db
        .selectFrom("leases")
        .select(["task_id", "subtask_id", "conversation_id", "agent", "worker_id"])
        .where("state", "=", "held")
        .where("expires_at", ">", now())
        .orderBy("message_seq")
        .execute();
      return rows.flatMap(({ worker_id, ...row }) => (worker_id === null ? [] : [{ ...row, worker_id }]));
    },
  };
}
