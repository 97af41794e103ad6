/** The todo list of a task. Numbers count from 1 within it and are never given out twice. */
import { OxbowError } from "../core/errors.ts";
import type { Todo, TodoState } from "../core/model.ts";
import type { TodoStore } from "./contract.ts";
import type { Database } from "./engine.ts";
import type { TodoRow } from "./schema.ts";

/** Entries of one task. */
export const MAX_TODOS = 500;

export function createTodoStore({ db, write }: Database): TodoStore {
  const rows = (taskId: string) => db.selectFrom("todos").selectAll().where("task_id", "=", taskId);
  return {
    create: (taskId, todo) =>
      write(async (tx) => {
        // Its row is locked from here on, so that two writers neither share a number nor pass the limit together.
        const { last_number } = await tx.db
          .insertInto("todo_lists")
          .values({ task_id: taskId, last_number: 1 })
          .onConflict((conflict) =>
            conflict
              .column("task_id")
              .doUpdateSet((update) => ({ last_number: update("todo_lists.last_number", "+", 1) })),
          )
          .returning("last_number")
          .executeTakeFirstOrThrow();
        const { count } = await tx.db
          .selectFrom("todos")
          .select((select) => select.fn.countAll<number>().as("count"))
          .where("task_id", "=", taskId)
          .executeTakeFirstOrThrow();
        if (Number(count) >= MAX_TODOS) {
          throw new OxbowError("limit_exceeded", `The todo list of this task has ${MAX_TODOS} entries.`, {
            hint: "Delete entries that are done first.",
          });
        }
        const row = {
          ...todo,
          task_id: taskId,
          number: last_number,
          created_at: tx.now,
          updated_at: tx.now,
        };
        await tx.db.insertInto("todos").values(row).execute();
        return toTodo(row);
      }),
    async get(taskId, id) {
      const number = numberOf(id);
      if (number === null) return null;
      const row = await rows(taskId).where("number", "=", number).executeTakeFirst();
      return row ? toTodo(row) : null;
    },
    async list(taskId, { state, owner }) {
      let query = rows(taskId).orderBy("number");
      if (state !== undefined) query = query.where("state", "=", state);
      if (owner !== undefined) query = query.where("owner", "=", owner);
      return (await query.execute()).map(toTodo);
    },
    update: (taskId, id, change) =>
      write(async (tx) => {
        const number = numberOf(id);
        if (number === null) return null;
        const row = await tx.db
          .updateTable("todos")
          .set({ ...change, updated_at: tx.now })
          .where("task_id", "=", taskId)
          .where("number", "=", number)
          .returningAll()
          .executeTakeFirst();
        return row ? toTodo(row) : null;
      }),
    delete: (taskId, id) =>
      write(async (tx) => {
        const number = numberOf(id);
        if (number === null) return false;
        const { numDeletedRows } = await tx.db
          .deleteFrom("todos")
          .where("task_id", "=", taskId)
          .where("number", "=", number)
          .executeTakeFirst();
        return numDeletedRows === 1n;
      }),
  };
}

function toTodo({ task_id: _, number, state, ...row }: TodoRow): Todo {
  return { todo_id: `todo-${number}`, ...row, state: state as TodoState };
}

/** Null for a text that is no id of any list. The number alone will do: models shorten. */
function numberOf(id: string): number | null {
  const found = /^(?:todo-)?([1-9]\d{0,8})$/.exec(id);
  return found === null ? null : Number(found[1]);
}
