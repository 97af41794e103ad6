import type { Subtask } from "../core/model.ts";

/** The part of an event that says whose it is. */
export function aboutLease({ subtask }: { readonly subtask: Subtask }) {
  return {
    task_id: subtask.task_id,
    subtask_id: subtask.subtask_id,
    conversation_id: subtask.conversation_id,
    source: subtask.agent,
  };
}
