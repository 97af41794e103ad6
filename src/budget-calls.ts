/** The app's methods on what a task may use. */
import { type BudgetAsk, checkAsk, type TaskBudget } from "./core/budget-saved.ts";
import type { Rooms } from "./rooms.ts";

export interface BudgetCalls {
  /**
   * What a task (by id or ticket) may use, and what it has used; null: nothing limits it. With limits it sets these first,
   * also while the task runs; those not named stay, and wall time counts anew. Throws task_unknown, usage.
   */
  budget(taskIdOrTicket: string, limits?: BudgetAsk): Promise<TaskBudget | null>;
}

export function budgetCalls(opened: () => Promise<Rooms>): BudgetCalls {
  return {
    async budget(wanted, limits = {}) {
      const { findTicket } = await import("./team/ticket.ts");
      const { budgetOf } = await import("./team/budget.ts");
      checkAsk(limits);
      const { store } = await opened();
      const { tasks } = await findTicket(store, wanted);
      const task = tasks.at(-1) ?? tasks[0];
      if (Object.keys(limits).length > 0) await store.budgets.set(task.task_id, limits);
      const summary = await budgetOf({ store }, task.task_id);
      return summary && { task_id: task.task_id, ticket: task.ticket, ...summary };
    },
  };
}
