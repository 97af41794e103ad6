/**
 * Attempts that ended without an outcome because something broke: the process died, or the engine threw. Each is noted
 * once, in one transaction with all that follows from it; what follows is decided by the caller, from the rows.
 */
import type { ErrorValue } from "../core/errors.ts";
import type { Lease } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import type { Crash, CrashVerdict, EndedAttempt } from "./supervision.ts";
import { appendEvents } from "./events.ts";
import { endAttempt, held } from "./queue.ts";
import { toJson, toSubtask, toTask } from "./rows.ts";
import { changeSubtask } from "./status.ts";

export type Decide = (crash: Crash) => CrashVerdict;

export interface ReapOptions {
  /** Only tasks of this team: its file says what follows. */
  readonly team: string;
  /** Conversations whose holder is here and well, though it was late. */
  readonly except: readonly string[];
  readonly failure: ErrorValue;
}

/** Who is at work on it without a live lease is taken for dead. */
export async function reap(database: Database, options: ReapOptions, decide: Decide): Promise<number> {
  // Nearly always there is none, and a look costs no turn among the writers.
  if ((await expired(database, database.now(), options)).length === 0) return 0;
  return database.write(async (tx) => {
    const rows = await expired(tx, tx.now, options);
    for (const row of rows) {
      await freeLease(tx, row.conversation_id);
      await note(tx, row, options.failure, decide);
    }
    return rows.length;
  });
}

function expired({ db }: Pick<Tx, "db"> | Pick<Database, "db">, now: number, { team, except }: ReapOptions) {
  let query = db
    .selectFrom("leases")
    .innerJoin("tasks", "tasks.task_id", "leases.task_id")
    .select(["leases.conversation_id", "leases.subtask_id", "leases.attempt", "leases.worker_id"])
    .where("leases.state", "=", "held")
    .where("leases.expires_at", "<=", now)
    .where("tasks.team", "=", team)
    // What is cancelled ends where it is.
    .where("leases.task_id", "not in", (sub) =>
      sub.selectFrom("drives").select("task_id").where("cancelled_at", "is not", null),
    )
    .orderBy("leases.message_seq");
  if (except.length > 0) query = query.where("leases.conversation_id", "not in", except);
  return query.execute();
}

async function freeLease(tx: Tx, conversationId: string): Promise<void> {
  await tx.db
    .updateTable("leases")
    .set({ state: "ready", worker_id: null, expires_at: 0 })
    .where("conversation_id", "=", conversationId)
    .execute();
}

/** The holder says it itself. False when the lease is no longer its own: then somebody else has noted it. */
export async function crash(tx: Tx, lease: Lease, failure: ErrorValue, decide: Decide): Promise<boolean> {
  const { numUpdatedRows } = await held(tx, lease)
    .set({ state: "ready", worker_id: null, expires_at: 0 })
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  const { conversation_id, attempt, worker_id } = lease;
  await note(
    tx,
    { conversation_id, subtask_id: lease.subtask.subtask_id, attempt, worker_id },
    failure,
    decide,
  );
  return true;
}

interface Crashed {
  readonly conversation_id: string;
  readonly subtask_id: string;
  readonly attempt: number;
  readonly worker_id: string | null;
}

async function note(tx: Tx, crashed: Crashed, failure: ErrorValue, decide: Decide): Promise<void> {
  const { conversation_id, subtask_id, attempt } = crashed;
  await endAttempt(tx, subtask_id, attempt, "lost");
  await tx.db
    .updateTable("attempts")
    .set({ failure: toJson(failure) })
    .where("subtask_id", "=", subtask_id)
    .where("attempt", "=", attempt)
    .execute();
  await changeSubtask(tx, subtask_id, "planned", crashed.worker_id ?? "engine");
  const { crashes } = await tx.db
    .updateTable("leases")
    .set((update) => ({ crashes: update("crashes", "+", 1) }))
    .where("conversation_id", "=", conversation_id)
    .returning("crashes")
    .executeTakeFirstOrThrow();
  const subtask = await tx.db
    .selectFrom("subtasks")
    .selectAll()
    .where("subtask_id", "=", subtask_id)
    .executeTakeFirstOrThrow();
  const task = await tx.db
    .selectFrom("tasks")
    .selectAll()
    .where("task_id", "=", subtask.task_id)
    .executeTakeFirstOrThrow();
  const log = await endedAttempts(tx, task.task_id);
  const verdict = decide({
    task: toTask(task),
    subtask: toSubtask(subtask, []),
    attempt,
    crashes,
    failure,
    log,
    at: tx.now,
  });
  await carryOut(tx, task.task_id, conversation_id, verdict);
}

/** How the task's attempts ended since a person last said that it is to go on, in the order of their ends. */
async function endedAttempts({ db }: Tx, taskId: string): Promise<readonly EndedAttempt[]> {
  const since = await db
    .selectFrom("events")
    .select((select) => select.fn.max("at").as("at"))
    .where("task_id", "=", taskId)
    .where("event", "in", ["task_resumed", "task_reopened"])
    .executeTakeFirst();
  const rows = await db
    .selectFrom("attempts")
    .innerJoin("subtasks", "subtasks.subtask_id", "attempts.subtask_id")
    .select([
      "subtasks.agent",
      "attempts.state",
      "attempts.worker_id",
      "attempts.started_at",
      "attempts.ended_at",
    ])
    .where("subtasks.task_id", "=", taskId)
    .where("attempts.state", "in", ["finished", "lost", "late"])
    .where("attempts.ended_at", ">=", since?.at ?? 0)
    .orderBy("attempts.ended_at")
    .orderBy("attempts.token")
    .execute();
  return rows.map(({ agent, state, worker_id, started_at, ended_at }) => ({
    agent,
    crashed: state !== "finished",
    worker_id,
    started_at,
    ended_at: ended_at ?? started_at,
  }));
}

async function carryOut(
  tx: Tx,
  taskId: string,
  conversationId: string,
  verdict: CrashVerdict,
): Promise<void> {
  await tx.db
    .updateTable("leases")
    .set({ not_before: tx.now + verdict.delayMs })
    .where("conversation_id", "=", conversationId)
    .execute();
  const stopped = [...verdict.restart, ...verdict.disable.map(({ agent }) => agent)];
  if (stopped.length > 0)
    await tx.db
      .updateTable("leases")
      .set((update) => ({ recall_token: update.ref("token") }))
      .where("task_id", "=", taskId)
      .where("agent", "in", stopped)
      .where("state", "=", "held")
      .execute();
  for (const { agent, reason } of verdict.disable)
    await tx.db
      .insertInto("disabled_agents")
      .values({ task_id: taskId, agent, reason, at: tx.now })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  if (verdict.cancelCode !== null)
    await tx.db
      .insertInto("drives")
      .values({
        task_id: taskId,
        holder: null,
        expires_at: 0,
        shared: 1,
        cancelled_at: tx.now,
        cancel_code: verdict.cancelCode,
      })
      .onConflict((conflict) =>
        conflict.column("task_id").doUpdateSet({ cancelled_at: tx.now, cancel_code: verdict.cancelCode }),
      )
      .execute();
  await appendEvents(tx, verdict.events);
}
