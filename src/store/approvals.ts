/** Requests that somebody has to answer. Whoever answers first decides; everybody after that is told who it was. */
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { Approval, ApprovalState } from "../core/model.ts";
import { approvalRow, toApproval } from "./approval-rows.ts";
import type { Lease } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { passGate } from "./gates.ts";
import { type EndedUnheld, settleFree } from "./outcome.ts";
import { confirm } from "./queue.ts";

/** Requests of one subtask. */
export const MAX_APPROVALS = 50;

export type NewApproval = Pick<Approval, "approval_id" | "paths" | "reason" | "owner" | "person">;

export interface Decision {
  readonly state: "granted" | "denied";
  readonly decidedBy: string;
  readonly answer: string;
}

/** An event is made of the request as it is then, and written with it. */
type Told = (approval: Approval) => EventBody;

export interface ApprovalStore {
  /**
   * Asks, unless this subtask has asked for the same paths before: then that request, with its answer if it has one.
   * Throws limit_exceeded, and fenced when the lease is no longer ours.
   */
  request(lease: Lease, wanted: NewApproval, told: Told): Promise<Approval>;
  get(id: string): Promise<Approval | null>;
  /** The oldest first. */
  list(filter: { taskId?: string; subtaskId?: string; state?: ApprovalState }): Promise<readonly Approval[]>;
  /**
   * `first` is false when it was decided before: the request as it was decided then. Null: there is none of that id. With
   * the yes to a gate its subtask can be taken; with the no the subtask ends as `denied` says.
   */
  decide(
    id: string,
    decision: Decision,
    told: Told,
    denied: EndedUnheld,
  ): Promise<{ readonly approval: Approval; readonly first: boolean } | null>;
  /** From the owner to the window person; nothing when it is decided by now. */
  escalate(id: string, told: Told): Promise<void>;
}

export function createApprovalStore({ db, write }: Database): ApprovalStore {
  return {
    request: (lease, wanted, told) =>
      write(async (tx) => {
        await confirm(tx, lease);
        const { task_id, subtask_id, agent } = lease.subtask;
        const all = await scopeRequestsOf(tx, subtask_id);
        const asked = [...wanted.paths].sort().join("\n");
        const known = all.find(({ paths }) => [...paths].sort().join("\n") === asked);
        if (known) return known;
        if (all.length >= MAX_APPROVALS)
          throw new OxbowError("limit_exceeded", `${subtask_id} has asked ${MAX_APPROVALS} times already.`, {
            hint: "Go on without, and say in your answer what is left to do.",
          });
        const approval: Approval = {
          ...wanted,
          kind: "scope",
          task_id,
          subtask_id,
          agent,
          state: "open",
          decided_by: null,
          answer: null,
          created_at: tx.now,
          decided_at: null,
        };
        await tx.db.insertInto("approvals").values(approvalRow(approval)).execute();
        await appendEvents(tx, [told(approval)]);
        return approval;
      }),

    async get(id) {
      const row = await db
        .selectFrom("approvals")
        .selectAll()
        .where("approval_id", "=", id)
        .executeTakeFirst();
      return row ? toApproval(row) : null;
    },

    async list({ taskId, subtaskId, state }) {
      let query = db.selectFrom("approvals").selectAll().orderBy("created_at").orderBy("approval_id");
      if (taskId !== undefined) query = query.where("task_id", "=", taskId);
      if (subtaskId !== undefined) query = query.where("subtask_id", "=", subtaskId);
      if (state !== undefined) query = query.where("state", "=", state);
      return (await query.execute()).map(toApproval);
    },

    decide: (id, { state, decidedBy, answer }, told, denied) =>
      write(async (tx) => {
        const found = await one(tx, id);
        if (!found) return null;
        const decided: Approval = { ...found, state, decided_by: decidedBy, answer, decided_at: tx.now };
        if (!(await replaceOpen(tx, decided)))
          return { approval: (await one(tx, id)) ?? found, first: false };
        await appendEvents(tx, [told(decided)]);
        if (found.kind === "gate") {
          const { subtask_id: subtaskId } = found;
          if (state === "granted") await passGate(tx, subtaskId, decidedBy);
          else await settleFree(tx, { subtaskId }, (subtask) => denied(subtask, decided));
        }
        return { approval: decided, first: true };
      }),

    escalate: (id, told) =>
      write(async (tx) => {
        const found = await one(tx, id);
        if (!found) return;
        const put: Approval = { ...found, owner: null };
        if (await replaceOpen(tx, put)) await appendEvents(tx, [told(put)]);
      }),
  };
}

async function scopeRequestsOf(tx: Tx, subtaskId: string): Promise<readonly Approval[]> {
  const rows = await tx.db
    .selectFrom("approvals")
    .selectAll()
    .where("subtask_id", "=", subtaskId)
    .where("kind", "=", "scope")
    .execute();
  return rows.map(toApproval);
}

async function one(tx: Tx, id: string): Promise<Approval | null> {
  const row = await tx.db
    .selectFrom("approvals")
    .selectAll()
    .where("approval_id", "=", id)
    .executeTakeFirst();
  return row ? toApproval(row) : null;
}

/** The compare-and-swap: only what is open changes. */
async function replaceOpen(tx: Tx, approval: Approval): Promise<boolean> {
  const { approval_id, ...row } = approvalRow(approval);
  const { numUpdatedRows } = await tx.db
    .updateTable("approvals")
    .set(row)
    .where("approval_id", "=", approval_id)
    .where("state", "=", "open")
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
