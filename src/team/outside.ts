/** What the tools of a run get that is no part of a task. */
import type { ToolContext } from "../core/tool.ts";
import { OxbowError } from "../core/errors.ts";

/** A run that belongs to no task has no branch, no conversation and no team. */
export function outsideOfTasks(agent: string): ToolContext {
  const refuse = (): never => {
    throw new OxbowError("tool_disabled", "This run belongs to no task, so it has no branch and no team.", {
      hint: "Give `context` with what the tools may use, or run the agent in a task with app.run().",
    });
  };
  return {
    agent,
    taskId: "",
    conversationId: "",
    files: {
      list: refuse,
      read: refuse,
      search: refuse,
      write: refuse,
      move: refuse,
      delete: refuse,
      apply: refuse,
      diff: refuse,
      commit: refuse,
    },
    signals: { send: refuse, wait: refuse, waitAny: refuse, waitAll: refuse },
    chat: { send: refuse },
    todos: { create: refuse, get: refuse, list: refuse, update: refuse, delete: refuse },
    terminal: { run: refuse },
    split: refuse,
    owner: refuse,
    requestScope: refuse,
    barrier: refuse,
    signal: new AbortController().signal,
  };
}
