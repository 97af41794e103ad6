/** Subtasks that take the place of others (`supersedes`), as lines from the newest back. */
import type { Subtask } from "../core/model.ts";

/** Those whose place no other has taken, in their order. */
export function currentOf(subtasks: readonly Subtask[]): readonly Subtask[] {
  const replaced = new Set(subtasks.map((subtask) => subtask.supersedes));
  return subtasks.filter(({ subtask_id }) => !replaced.has(subtask_id));
}

/** The subtask itself, and those whose place it took, the newest first. */
export function lineOf(subtasks: readonly Subtask[], subtask: Subtask): readonly Subtask[] {
  const line = [subtask];
  for (let at: Subtask | undefined = subtask; at?.supersedes; ) {
    const earlier: Subtask | undefined = subtasks.find((each) => each.subtask_id === at?.supersedes);
    if (earlier) line.push(earlier);
    at = earlier;
  }
  return line;
}
