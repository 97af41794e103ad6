/**
 * What a task and its children may use, and what they have used. An account is opened when its subtask starts, in the lane
 * in which all processes take turns; what a call has used is added to the row of its own subtask alone. Everything else (what
 * is spent, reserved and left at each level) follows from these rows and from which subtasks have their outcomes.
 */
import { type BudgetUse, type BudgetVerdict } from "../core/budget.ts";
import {
  type BudgetAsk,
  type BudgetRow,
  limitOf,
  readAsk,
  restoreBudget,
  type SavedBudget,
} from "../core/budget-saved.ts";
import type { Subtask } from "../core/model.ts";
import type { Database, Tx } from "./engine.ts";
import { toJson } from "./rows.ts";

export interface BudgetStore {
  /**
   * Reserves what a subtask may use, before it starts. One that has started before keeps what it has, and is refused when
   * nothing of that is left.
   */
  launch(subtask: Subtask): Promise<BudgetVerdict>;
  /** Adds what a call has used, also when the subtask has been taken over or has ended. */
  spend(taskId: string, subtaskId: string, use: BudgetUse): Promise<void>;
  /** One moment of the task's budget; null: neither it nor a child of it has one. */
  read(taskId: string): Promise<SavedBudget | null>;
  /**
   * Sets limits of the whole task; those not named stay. Wall time that counts already counts anew. Children that are there
   * already are under it from their next start. Throws nothing for an unknown task.
   */
  set(taskId: string, ask: BudgetAsk): Promise<BudgetAsk>;
}

const PER_DOLLAR = 1e9;
/** The row of the task as a whole. */
const WHOLE = "";

export function createBudgetStore({ db, now, write }: Database): BudgetStore {
  return {
    launch: (subtask) => write((tx) => launch(tx, subtask)),
    spend: (taskId, subtaskId, { tokens, usd }) =>
      write(async (tx) => {
        await tx.db
          .updateTable("budgets")
          .set((update) => ({
            spent_tokens: update("spent_tokens", "+", tokens),
            spent_nanousd: update("spent_nanousd", "+", Math.round((usd ?? 0) * PER_DOLLAR)),
            ...(usd === null ? { unpriced: 1 } : {}),
          }))
          .where("task_id", "=", taskId)
          .where("subtask_id", "=", subtaskId)
          .execute();
      }, "own"),
    async read(taskId) {
      const read = await readBudget(db, taskId, now());
      return read.ask === null && read.rows.every(({ account }) => account === null) ? null : read;
    },
    set: (taskId, ask) => write((tx) => setWhole(tx, taskId, ask)),
  };
}

/** Opens the account of a task that is being submitted. */
export async function openWhole(tx: Tx, taskId: string, ask: BudgetAsk): Promise<void> {
  await tx.db
    .insertInto("budgets")
    .values({ ...fresh(taskId, WHOLE, ask), started_at: null })
    .execute();
}

function fresh(task_id: string, subtask_id: string, ask: BudgetAsk) {
  return { task_id, subtask_id, ask: toJson(ask), spent_tokens: 0, spent_nanousd: 0, unpriced: 0 };
}

async function launch(tx: Tx, { task_id, subtask_id, budget: ask = {} }: Subtask): Promise<BudgetVerdict> {
  const saved = await readBudget(tx.db, task_id, tx.now);
  const { budget, parentOf } = restoreBudget(saved);
  const known = saved.rows.find((row) => row.subtask_id === subtask_id)?.account ?? null;
  if (known) return budget.mayCall(subtask_id, tx.now);
  const verdict = budget.launch({ id: subtask_id, parent: parentOf(subtask_id) }, limitOf(ask), tx.now);
  if (!verdict.ok) return verdict;
  await tx.db
    .insertInto("budgets")
    .values({ ...fresh(task_id, subtask_id, ask), started_at: tx.now })
    .execute();
  await tx.db
    .updateTable("budgets")
    .set({ started_at: tx.now })
    .where("task_id", "=", task_id)
    .where("subtask_id", "=", WHOLE)
    .where("started_at", "is", null)
    .execute();
  return verdict;
}

async function setWhole(tx: Tx, taskId: string, ask: BudgetAsk): Promise<BudgetAsk> {
  const whole = await wholeOf(tx.db, taskId);
  const all = { ...whole?.ask, ...ask };
  if (whole === null) await openWhole(tx, taskId, all);
  else
    await tx.db
      .updateTable("budgets")
      .set({
        ask: toJson(all),
        ...(ask.wall_ms === undefined || whole.started_at === null ? {} : { started_at: tx.now }),
      })
      .where("task_id", "=", taskId)
      .where("subtask_id", "=", WHOLE)
      .execute();
  await tx.db
    .updateTable("subtasks")
    .set({ budget: toJson({}) })
    .where("task_id", "=", taskId)
    .where("budget", "is", null)
    .execute();
  return all;
}

async function wholeOf(db: Database["db"], taskId: string) {
  const row = await db
    .selectFrom("budgets")
    .select(["ask", "started_at"])
    .where("task_id", "=", taskId)
    .where("subtask_id", "=", WHOLE)
    .executeTakeFirst();
  return row ? { ask: readAsk(JSON.parse(row.ask)) ?? {}, started_at: row.started_at } : null;
}

async function readBudget(db: Database["db"], taskId: string, now: number): Promise<SavedBudget> {
  const whole = await wholeOf(db, taskId);
  const rows = await db
    .selectFrom("subtasks as subtask")
    .innerJoin("leases as lease", "lease.conversation_id", "subtask.conversation_id")
    .leftJoin("budgets as budget", (join) =>
      join
        .onRef("budget.task_id", "=", "subtask.task_id")
        .onRef("budget.subtask_id", "=", "subtask.subtask_id"),
    )
    .select([
      "subtask.subtask_id",
      "subtask.conversation_id",
      "subtask.parent_conversation_id",
      "lease.state",
      "budget.ask",
      "budget.started_at",
      "budget.spent_tokens",
      "budget.spent_nanousd",
      "budget.unpriced",
    ])
    .where("subtask.task_id", "=", taskId)
    .orderBy("lease.message_seq")
    .execute();
  return {
    now,
    ask: whole?.ask ?? null,
    started_at: whole?.started_at ?? null,
    rows: rows.map(
      ({ subtask_id, conversation_id, parent_conversation_id, state, ask, ...account }): BudgetRow => ({
        subtask_id,
        conversation_id,
        parent_conversation_id,
        open: state !== "done",
        account:
          ask === null
            ? null
            : {
                ask: readAsk(JSON.parse(ask)) ?? {},
                started_at: account.started_at ?? 0,
                spent: {
                  tokens: account.spent_tokens ?? 0,
                  usd: (account.spent_nanousd ?? 0) / PER_DOLLAR,
                },
                unpriced: account.unpriced === 1,
              },
      }),
    ),
  };
}
