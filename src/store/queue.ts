/**
 * The queue: a lease on a conversation's row, with a token that only ever grows. Whoever holds the newest token may
 * change the conversation; everybody else is told so and changes nothing.
 */
import { sql } from "kysely";
import { failPoint } from "../host/fail-point.ts";
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Lease } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { withDependencies } from "./reads.ts";
import { toFailure, toMessage, toTask } from "./rows.ts";
import { changeSubtask } from "./status.ts";

export interface ClaimOptions {
  readonly workerId: string;
  readonly taskId?: string;
  readonly tasks?: readonly string[];
  readonly agents?: readonly string[];
  readonly exceptAgents?: readonly string[];
  /** By task: how many of its conversations may be at work at once. */
  readonly limits?: Readonly<Record<string, number>>;
  readonly onlyReady?: boolean;
  readonly leaseMs: number;
}

/** The one that was queued first of those that are free, or whose holder let the lease run out. */
async function firstClaimable({ lockForClaim }: Database["engine"], tx: Tx, options: ClaimOptions) {
  if (options.agents?.length === 0 || options.tasks?.length === 0) return undefined;
  const full = await fullTasks(tx, options.limits ?? {});
  const from = (state: "ready" | "held") => {
    let query = tx.db
      .selectFrom("leases")
      .select([
        "conversation_id",
        "subtask_id",
        "task_id",
        "agent",
        "token",
        "attempt",
        "message_seq",
        "queued_at",
        "crashes",
        "cancelled_at",
      ])
      .where("state", "=", state)
      .limit(1);
    // All of one task have one priority: there the order of the messages says it all, by the index of the task's rows.
    query =
      options.taskId === undefined
        ? query.orderBy("queued_at").orderBy("message_seq")
        : query.where("task_id", "=", options.taskId).orderBy("message_seq");
    if (options.tasks !== undefined) query = query.where("task_id", "in", options.tasks);
    if (options.agents !== undefined) query = query.where("agent", "in", options.agents);
    if (options.exceptAgents?.length) query = query.where("agent", "not in", options.exceptAgents);
    if (full.length > 0) query = query.where("task_id", "not in", full);
    return query.where("task_id", "not in", (sub) =>
      sub.selectFrom("drives").select("task_id").where("cancelled_at", "is not", null),
    );
  };
  const ready = await lockForClaim(from("ready").where("not_before", "<=", tx.now)).executeTakeFirst();
  if (options.onlyReady) return ready;
  const expired = await lockForClaim(from("held").where("expires_at", "<=", tx.now)).executeTakeFirst();
  if (!ready || !expired) return ready ?? expired;
  const first = ready.queued_at - expired.queued_at || ready.message_seq - expired.message_seq;
  return first < 0 ? ready : expired;
}

/** The tasks that have as many conversations at work as they may. */
async function fullTasks(tx: Tx, limits: Readonly<Record<string, number>>): Promise<readonly string[]> {
  const limited = Object.keys(limits);
  if (limited.length === 0) return [];
  const rows = await tx.db
    .selectFrom("leases")
    .select(["task_id", (count) => count.fn.countAll<number>().as("working")])
    .where("state", "=", "held")
    .where("parked", "=", 0)
    .where("expires_at", ">", tx.now)
    .where("task_id", "in", limited)
    .groupBy("task_id")
    .execute();
  return rows
    .filter(({ task_id, working }) => Number(working) >= (limits[task_id] ?? Infinity))
    .map(({ task_id }) => task_id);
}

export async function claim(database: Database, tx: Tx, options: ClaimOptions): Promise<Lease | null> {
  const found = await firstClaimable(database.engine, tx, options);
  if (!found) return null;
  const { conversation_id, subtask_id } = found;
  const token = found.token + 1;
  const attempt = found.attempt + 1;
  const { db, now } = tx;
  await db
    .updateTable("leases")
    .set({
      state: "held",
      worker_id: options.workerId,
      token,
      attempt,
      expires_at: now + options.leaseMs,
      parked: 0,
      recall_token: null,
    })
    .where("conversation_id", "=", conversation_id)
    .execute();
  await endAttempt(tx, subtask_id, found.attempt, "lost");
  await db
    .insertInto("attempts")
    .values({
      subtask_id,
      attempt,
      token,
      worker_id: options.workerId,
      state: "running",
      started_at: now,
      ended_at: null,
      result: null,
      failure: null,
    })
    .execute();
  const before = await changeSubtask(tx, subtask_id, "running", options.workerId);
  failPoint("lease.inside");
  return {
    conversation_id,
    worker_id: options.workerId,
    token,
    attempt,
    crashes: found.crashes,
    cancelled: found.cancelled_at !== null,
    blocked: before === "blocked",
    ...(await work(tx, found)),
    ...(await past(tx, found)),
  };
}

/** What there is to know of the attempts before. */
async function past(
  { db }: Tx,
  of: { subtask_id: string; task_id: string; agent: string; crashes: number },
): Promise<Pick<Lease, "failure" | "disabled">> {
  // An agent that crashed too often in the task, or that a person has shut down for the whole team.
  const disabled = await db
    .selectFrom("disabled_agents")
    .select("reason")
    .where("task_id", "=", of.task_id)
    .where("agent", "=", of.agent)
    .unionAll((union) =>
      union
        .selectFrom("agents")
        .innerJoin("tasks", "tasks.team", "agents.team")
        .select(sql<string>`${`${of.agent} was shut down.`}`.as("reason"))
        .where("agents.name", "=", of.agent)
        .where("agents.state", "=", "shut_down")
        .where("tasks.task_id", "=", of.task_id),
    )
    .executeTakeFirst();
  const reason = disabled?.reason ?? null;
  if (of.crashes === 0) return { failure: null, disabled: reason };
  const last = await db
    .selectFrom("attempts")
    .select("failure")
    .where("subtask_id", "=", of.subtask_id)
    .where("failure", "is not", null)
    .orderBy("attempt", "desc")
    .executeTakeFirst();
  return { failure: toFailure(last?.failure ?? null), disabled: reason };
}

async function work({ db }: Tx, of: { subtask_id: string; task_id: string; message_seq: number }) {
  const message = db.selectFrom("messages").selectAll().where("seq", "=", of.message_seq);
  const task = db.selectFrom("tasks").selectAll().where("task_id", "=", of.task_id);
  const row = await db
    .selectFrom("subtasks")
    .selectAll()
    .where("subtask_id", "=", of.subtask_id)
    .executeTakeFirstOrThrow();
  const subtask = (await withDependencies(db, [row], { subtaskId: of.subtask_id }))[0];
  if (!subtask) throw new OxbowError("internal", `Subtask ${of.subtask_id} vanished.`);
  return {
    message: toMessage(await message.executeTakeFirstOrThrow()),
    subtask,
    task: toTask(await task.executeTakeFirstOrThrow()),
  };
}

/** Closes an attempt's row if it is still open. */
export async function endAttempt(
  tx: Tx,
  subtaskId: string,
  attempt: number,
  state: "finished" | "released" | "lost",
  result: string | null = null,
): Promise<void> {
  await tx.db
    .updateTable("attempts")
    .set({ state, ended_at: tx.now, result })
    .where("subtask_id", "=", subtaskId)
    .where("attempt", "=", attempt)
    .where("ended_at", "is", null)
    .execute();
}

/** The update every holder's change begins with: it finds the row only while the token is current. */
export function held(tx: Tx, lease: Lease) {
  return tx.db
    .updateTable("leases")
    .where("conversation_id", "=", lease.conversation_id)
    .where("token", "=", lease.token)
    .where("worker_id", "=", lease.worker_id)
    .where("state", "=", "held");
}

export async function renew(tx: Tx, lease: Lease, leaseMs: number): Promise<boolean> {
  const { numUpdatedRows } = await held(tx, lease)
    .set({ expires_at: tx.now + leaseMs })
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function release(tx: Tx, lease: Lease, events: readonly EventBody[]): Promise<void> {
  const { numUpdatedRows } = await held(tx, lease)
    .set({ state: "ready", worker_id: null, expires_at: 0 })
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return;
  await endAttempt(tx, lease.subtask.subtask_id, lease.attempt, "released");
  await changeSubtask(tx, lease.subtask.subtask_id, "planned", lease.worker_id);
  await appendEvents(tx, events);
}

/** Sets nothing new: it is the question whether the lease is still ours, asked with the row locked. */
async function stillHeld(tx: Tx, lease: Lease): Promise<boolean> {
  const { numUpdatedRows } = await held(tx, lease).set({ worker_id: lease.worker_id }).executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Throws fenced. */
export async function confirm(tx: Tx, lease: Lease): Promise<void> {
  if (await stillHeld(tx, lease)) return;
  throw new OxbowError("fenced", "Another worker has taken this conversation over.", {
    details: { conversation_id: lease.conversation_id, attempt: lease.attempt },
  });
}

export async function setBranch(tx: Tx, lease: Lease, branch: string): Promise<boolean> {
  if (!(await stillHeld(tx, lease))) return false;
  const { subtask_id, task_id } = lease.subtask;
  const other = await tx.db
    .selectFrom("subtasks")
    .select("subtask_id")
    .where("task_id", "=", task_id)
    .where("branch", "=", branch)
    .where("subtask_id", "!=", subtask_id)
    .executeTakeFirst();
  if (other) return false;
  await tx.db.updateTable("subtasks").set({ branch }).where("subtask_id", "=", subtask_id).execute();
  return true;
}

export async function expireLeases(tx: Tx, workerId: string): Promise<number> {
  const { numUpdatedRows } = await tx.db
    .updateTable("leases")
    .set({ expires_at: 0 })
    .where("worker_id", "=", workerId)
    .where("state", "=", "held")
    .where("expires_at", ">", tx.now)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}
