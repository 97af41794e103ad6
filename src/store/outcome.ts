/** How a subtask ends: exactly one outcome, its signal in the outbox, and those who waited for it set free. */
import { failPoint } from "../host/fail-point.ts";
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Approval, Json, Outcome, Subtask } from "../core/model.ts";
import type { Lease } from "./contract.ts";
import type { Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { setFree, withdraw } from "./gates.ts";
import { announcement, putInOutbox } from "./outbox.ts";
import { endAttempt, held } from "./queue.ts";
import { withDependencies } from "./reads.ts";
import { outcomeRow, toJson } from "./rows.ts";
import { changeSubtask } from "./status.ts";

/** Who ends what nobody held. */
const ENGINE = "engine";

export async function finish(
  tx: Tx,
  lease: Lease,
  outcome: Outcome,
  signalPayload: Json,
  events: readonly EventBody[],
): Promise<boolean> {
  const { numUpdatedRows } = await held(tx, lease)
    .set({ state: "done", worker_id: null, expires_at: 0 })
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) {
    await recordLate(tx, lease, outcome);
    return false;
  }
  await settle(tx, lease.subtask, outcome, signalPayload, lease.worker_id);
  await endAttempt(tx, lease.subtask.subtask_id, lease.attempt, "finished", toJson(outcome));
  await appendEvents(tx, events);
  failPoint("outcome.inside");
  return true;
}

/** The result of an attempt that was taken over: kept on its row, told once, never signalled. */
async function recordLate(tx: Tx, lease: Lease, outcome: Outcome): Promise<void> {
  const { subtask_id, task_id, conversation_id, agent } = lease.subtask;
  const { numUpdatedRows } = await tx.db
    .updateTable("attempts")
    .set((update) => ({
      state: "late",
      result: toJson(outcome),
      ended_at: update.fn.coalesce("ended_at", update.val(tx.now)),
    }))
    .where("subtask_id", "=", subtask_id)
    .where("attempt", "=", lease.attempt)
    .where("token", "=", lease.token)
    .where("result", "is", null)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return;
  await appendEvents(tx, [
    {
      event: "late_result",
      task_id,
      subtask_id,
      conversation_id,
      source: agent,
      attempt: lease.attempt,
      outcome: outcome.outcome,
      commit: outcome.commit,
    },
  ]);
}

async function settle(
  tx: Tx,
  subtask: Subtask,
  outcome: Outcome,
  signalPayload: Json,
  who: string,
): Promise<void> {
  const { subtask_id, conversation_id, done_topic } = subtask;
  if (outcome.subtask_id !== subtask_id || outcome.conversation_id !== conversation_id) {
    throw new OxbowError("internal", `The outcome of ${outcome.subtask_id} was given for ${subtask_id}.`);
  }
  await tx.db.insertInto("outcomes").values(outcomeRow(outcome, tx.now)).execute();
  await putInOutbox(tx, [announcement(`done:${conversation_id}`, done_topic, signalPayload)]);
  await tx.db
    .updateTable("messages")
    .set({ acked_at: tx.now })
    .where("conversation_id", "=", conversation_id)
    .where("acked_at", "is", null)
    .execute();
  failPoint("ack.inside");
  const before = await changeSubtask(tx, subtask_id, outcome.outcome, who);
  if (before === "awaiting_approval") await withdraw(tx, subtask_id);
  await unblock(tx, subtask_id, who);
}

/** Those that waited for this one last. */
async function unblock(tx: Tx, subtaskId: string, who: string): Promise<void> {
  const free = await tx.db
    .selectFrom("dependencies as waiting")
    .innerJoin("subtasks", "subtasks.subtask_id", "waiting.subtask_id")
    .select([
      "subtasks.subtask_id",
      "subtasks.task_id",
      "subtasks.conversation_id",
      "subtasks.agent",
      "subtasks.gate",
    ])
    .where("waiting.depends_on", "=", subtaskId)
    .where("subtasks.state", "=", "blocked")
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("dependencies as other")
            .leftJoin("outcomes", "outcomes.subtask_id", "other.depends_on")
            .select("other.depends_on")
            .whereRef("other.subtask_id", "=", "waiting.subtask_id")
            .where("outcomes.subtask_id", "is", null),
        ),
      ),
    )
    .execute();
  for (const waiting of free) await setFree(tx, waiting, who);
}

/** What becomes of a subtask that is ended while nobody works on it. */
type Unheld = (subtask: Subtask) => { outcome: Outcome; signalPayload: Json; event: EventBody };
/** The same, by the answer to its request. */
export type EndedUnheld = (subtask: Subtask, answer: Approval) => ReturnType<Unheld>;

/** Ends what nobody is at work on: of a whole task, or one subtask. */
export async function settleFree(
  tx: Tx,
  of: { readonly taskId: string } | { readonly subtaskId: string },
  make: Unheld,
): Promise<number> {
  const all = tx.db
    .selectFrom("leases")
    .innerJoin("subtasks", "subtasks.conversation_id", "leases.conversation_id")
    .selectAll("subtasks");
  const wanted =
    "taskId" in of
      ? all.where("leases.task_id", "=", of.taskId)
      : all.where("leases.subtask_id", "=", of.subtaskId);
  const rows = await wanted
    .where((where) =>
      where.or([
        where("leases.state", "in", ["waiting", "ready"]),
        where.and([where("leases.state", "=", "held"), where("leases.expires_at", "<=", tx.now)]),
      ]),
    )
    .orderBy("leases.message_seq")
    .execute();
  const events: EventBody[] = [];
  for (const subtask of await withDependencies(tx.db, rows, of)) {
    const { outcome, signalPayload, event } = make(subtask);
    const { attempt } = await tx.db
      .updateTable("leases")
      .set({ state: "done", worker_id: null, expires_at: 0 })
      .where("conversation_id", "=", subtask.conversation_id)
      .returning("attempt")
      .executeTakeFirstOrThrow();
    await endAttempt(tx, subtask.subtask_id, attempt, "lost");
    await settle(tx, subtask, outcome, signalPayload, ENGINE);
    events.push(event);
  }
  await appendEvents(tx, events);
  return rows.length;
}
