/** The todo list that the agents of a task share, as a tool sees it. */
import type { Todos } from "../core/tool.ts";
import type { Engine } from "./engine.ts";
import type { Lease } from "../store/contract.ts";
import { OxbowError } from "../core/errors.ts";
import { agentNamed } from "./engine.ts";

const MAX_TITLE_BYTES = 500;
const MAX_DETAILS_BYTES = 8_192;

export function createTodos(engine: Engine, { subtask }: Lease): Todos {
  const { todos } = engine.store;
  const { task_id, agent } = subtask;

  /** Checked and redacted; only what is given. */
  const clean = <T extends { title?: string; details?: string; owner?: string }>(fields: T): T => {
    if (fields.owner !== undefined) agentNamed(engine, fields.owner);
    return {
      ...fields,
      ...(fields.title === undefined ? {} : { title: engine.redact(titleOf(fields.title)) }),
      ...(fields.details === undefined ? {} : { details: engine.redact(detailsOf(fields.details)) }),
    };
  };

  return {
    create: (todo) =>
      todos.create(task_id, { details: "", state: "open", owner: agent, ...clean(todo), created_by: agent }),
    async get(id) {
      const found = await todos.get(task_id, id);
      if (found === null) throw unknown(id);
      return found;
    },
    list: (filter) => todos.list(task_id, filter),
    async update(id, change) {
      const made = await todos.update(task_id, id, clean(change));
      if (made === null) throw unknown(id);
      return made;
    },
    async delete(id) {
      if (!(await todos.delete(task_id, id))) throw unknown(id);
    },
  };
}

function titleOf(title: string): string {
  const line = title.trim();
  if (line === "") throw new OxbowError("tool_input", "The title is empty.");
  if (/[\r\n]/.test(line))
    throw new OxbowError("tool_input", "The title has more than one line.", {
      hint: "Put the rest into details.",
    });
  return atMost(line, MAX_TITLE_BYTES, "title");
}

function detailsOf(details: string): string {
  return atMost(details, MAX_DETAILS_BYTES, "details");
}

function atMost(text: string, limit: number, what: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= limit) return text;
  throw new OxbowError("payload_too_large", `The ${what} of a todo may have ${limit} bytes, not ${bytes}.`, {
    hint: "Say it shorter, or write it to a file of your branch.",
  });
}

function unknown(id: string): OxbowError {
  return new OxbowError("todo_unknown", `This task has no todo ${JSON.stringify(id.slice(0, 40))}.`);
}
