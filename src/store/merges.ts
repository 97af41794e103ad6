/**
 * The merge queue: finished branches by their target, and a lease on each target, with a token that only ever grows while
 * anybody holds it. Whoever has the newest token may change what becomes of a branch; everybody else is told so.
 */
import { type Selectable, sql } from "kysely";
import { failPoint } from "../host/fail-point.ts";
import { OxbowError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import type { MergeEntry, MergeState } from "../core/merging.ts";
import type { NewChild } from "./contract.ts";
import type { Database, Tx } from "./engine.ts";
import { appendEvents } from "./events.ts";
import { toJson } from "./rows.ts";
import type { MergeRow } from "./schema.ts";
import { addChildren } from "./submit.ts";

/** The right to merge into one target. */
export interface MergeLease {
  readonly target: string;
  readonly holder: string;
  readonly token: number;
}

type Detail = Pick<MergeEntry, "reason" | "conflicts" | "verification" | "onto" | "draft" | "reworked_by">;

export type NewMerge = Pick<
  MergeEntry,
  "subtask_id" | "task_id" | "agent" | "target" | "branch" | "commit" | "round" | "reason"
> & { readonly state: "queued" | "escalated" | "failed" };

/** What becomes of an entry; fields that are left out stay as they are. */
export type MergeChange = Pick<MergeEntry, "subtask_id" | "state"> &
  Partial<Detail & Pick<MergeEntry, "landed_commit" | "commit">>;

export interface MergeStore {
  /** Takes the target for `ttlMs` from nobody, from itself, or from one whose time is up; else says who has it. */
  take(
    target: string,
    holder: string,
    ttlMs: number,
  ): Promise<{ readonly lease: MergeLease } | { readonly holder: string }>;
  /** False when the lease is no longer ours. */
  renew(lease: MergeLease, ttlMs: number): Promise<boolean>;
  /** Throws fenced. */
  confirm(lease: MergeLease): Promise<void>;
  /** Lets go of it; nothing when another has it. */
  release(lease: Pick<MergeLease, "target" | "holder">): Promise<void>;
  /** Adds entries with their events; a subtask that has one keeps it, without the event. Returns the ids of new ones. */
  enqueue(entries: readonly { entry: NewMerge; events: readonly EventBody[] }[]): Promise<readonly string[]>;
  /** In the order in which they were added. */
  list(filter: { taskId?: string; target?: string; state?: MergeState }): Promise<readonly MergeEntry[]>;
  /** Notes the commits by which entries are to land, before the target moves. Throws fenced. */
  plan(
    lease: MergeLease,
    landings: readonly Pick<MergeEntry, "subtask_id" | "landed_commit">[],
  ): Promise<void>;
  /**
   * Writes what became of entries that are queued or escalated, new subtasks of their task, and events: one transaction.
   * One that has ended otherwise by now stays as it is. Throws fenced, and what `addChildren` throws.
   */
  settle(
    lease: MergeLease,
    changes: readonly MergeChange[],
    also: { readonly children?: readonly NewChild[]; readonly events: readonly EventBody[] },
  ): Promise<void>;
}

/** Rows of one insert: engines bound the number of parameters. */
const BATCH = 100;

export function createMergeStore({ db, write }: Database): MergeStore {
  return {
    take: (target, holder, ttlMs) => write((tx) => take(tx, target, holder, ttlMs)),
    renew: (lease, ttlMs) =>
      write(async (tx) => {
        const { numUpdatedRows } = await held(tx, lease)
          .set({ expires_at: tx.now + ttlMs })
          .executeTakeFirst();
        return numUpdatedRows === 1n;
      }, "own"),
    confirm: (lease) => write((tx) => confirm(tx, lease), "own"),
    release: ({ target, holder }) =>
      write(async (tx) => {
        await tx.db
          .deleteFrom("merge_targets")
          .where("target", "=", target)
          .where("holder", "=", holder)
          .execute();
      }),
    enqueue: (entries) => write((tx) => enqueue(tx, entries)),
    async list({ taskId, target, state }) {
      let query = db.selectFrom("merges").selectAll().orderBy("seq");
      if (taskId !== undefined) query = query.where("task_id", "=", taskId);
      if (target !== undefined) query = query.where("target", "=", target);
      if (state !== undefined) query = query.where("state", "=", state);
      return (await query.execute()).map(toEntry);
    },
    plan: (lease, landings) =>
      write(async (tx) => {
        await confirm(tx, lease);
        for (let from = 0; from < landings.length; from += BATCH) {
          const batch = landings.slice(from, from + BATCH);
          const cases = batch.map((each) => sql`when ${each.subtask_id} then ${each.landed_commit}`);
          await tx.db
            .updateTable("merges")
            .set({
              landed_commit: sql<string>`case subtask_id ${sql.join(cases, sql` `)} end`,
              updated_at: tx.now,
            })
            .where(
              "subtask_id",
              "in",
              batch.map(({ subtask_id }) => subtask_id),
            )
            .where("state", "=", "queued")
            .execute();
        }
      }),
    settle: (lease, changes, { children = [], events }) =>
      write(async (tx) => {
        await confirm(tx, lease);
        const told = changes.filter((change) => Object.keys(change).length > 2);
        for (const change of told) await settleOne(tx, change);
        const plain = changes.filter((change) => !told.includes(change));
        for (const [state, same] of Map.groupBy(plain, (change) => change.state))
          await settleAll(tx, state, same);
        failPoint("settle.inside");
        const taskId = children[0]?.subtask.task_id;
        if (taskId === undefined) await appendEvents(tx, events);
        else await addChildren(tx, taskId, children, events);
      }),
  };
}

async function take(tx: Tx, target: string, holder: string, ttlMs: number) {
  const found = await tx.db
    .selectFrom("merge_targets")
    .selectAll()
    .where("target", "=", target)
    .executeTakeFirst();
  if (found && found.holder !== holder && found.expires_at > tx.now) return { holder: found.holder };
  const token = (found?.token ?? 0) + 1;
  const row = { holder, token, expires_at: tx.now + ttlMs };
  await tx.db
    .insertInto("merge_targets")
    .values({ target, ...row })
    .onConflict((conflict) => conflict.column("target").doUpdateSet(row))
    .execute();
  return { lease: { target, holder, token } };
}

/** The update that finds the row only while the lease is the newest. */
function held(tx: Tx, { target, holder, token }: MergeLease) {
  return tx.db
    .updateTable("merge_targets")
    .where("target", "=", target)
    .where("holder", "=", holder)
    .where("token", "=", token);
}

async function confirm(tx: Tx, lease: MergeLease): Promise<void> {
  const { numUpdatedRows } = await held(tx, lease).set({ holder: lease.holder }).executeTakeFirst();
  if (numUpdatedRows === 1n) return;
  throw new OxbowError("fenced", `Another process merges into ${lease.target} now.`, {
    details: { target: lease.target },
  });
}

async function enqueue(
  tx: Tx,
  entries: readonly { readonly entry: NewMerge; readonly events: readonly EventBody[] }[],
): Promise<readonly string[]> {
  const added: string[] = [];
  const events: EventBody[] = [];
  for (let from = 0; from < entries.length; from += BATCH) {
    const batch = entries.slice(from, from + BATCH);
    const ids = batch.map(({ entry }) => entry.subtask_id);
    const rows = await tx.db
      .selectFrom("merges")
      .select("subtask_id")
      .where("subtask_id", "in", ids)
      .execute();
    const known = new Set(rows.map(({ subtask_id }) => subtask_id));
    const fresh = batch.filter(({ entry }) => !known.has(entry.subtask_id));
    if (fresh.length === 0) continue;
    await tx.db
      .insertInto("merges")
      .values(fresh.map(({ entry }) => newRow(entry, tx.now)))
      .execute();
    added.push(...fresh.map(({ entry }) => entry.subtask_id));
    events.push(...fresh.flatMap((each) => each.events));
  }
  await appendEvents(tx, events);
  return added;
}

function newRow({ reason, commit, ...entry }: NewMerge, now: number) {
  const detail: Detail = { ...NOTHING_TOLD, reason };
  return {
    ...entry,
    commit_id: commit,
    landed_commit: null,
    detail: toJson(detail),
    created_at: now,
    updated_at: now,
  };
}

const NOTHING_TOLD: Detail = {
  reason: null,
  conflicts: [],
  verification: null,
  onto: null,
  draft: null,
  reworked_by: null,
};

async function settleOne(
  tx: Tx,
  { subtask_id, state, landed_commit, commit, ...told }: MergeChange,
): Promise<void> {
  const row = await tx.db
    .selectFrom("merges")
    .select("detail")
    .where("subtask_id", "=", subtask_id)
    .where("state", "in", ["queued", "escalated"])
    .executeTakeFirst();
  if (!row) return;
  await tx.db
    .updateTable("merges")
    .set({
      state,
      updated_at: tx.now,
      detail: toJson({ ...detailOf(row), ...told }),
      ...(landed_commit === undefined ? {} : { landed_commit }),
      ...(commit === undefined ? {} : { commit_id: commit }),
    })
    .where("subtask_id", "=", subtask_id)
    .execute();
}

/** Those of which nothing more is told. */
async function settleAll(tx: Tx, state: MergeState, changes: readonly MergeChange[]): Promise<void> {
  const ids = changes.map(({ subtask_id }) => subtask_id);
  for (let from = 0; from < ids.length; from += BATCH)
    await tx.db
      .updateTable("merges")
      .set({ state, updated_at: tx.now })
      .where("subtask_id", "in", ids.slice(from, from + BATCH))
      .where("state", "in", ["queued", "escalated"])
      .execute();
}

function detailOf({ detail }: Pick<MergeRow, "detail">): Detail {
  return JSON.parse(detail) as Detail;
}

function toEntry({ seq: _, detail, commit_id, ...row }: Selectable<MergeRow>): MergeEntry {
  return { ...row, state: row.state as MergeState, commit: commit_id, ...detailOf({ detail }) };
}
