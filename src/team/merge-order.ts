import type { Subtask } from "../core/model.ts";

/** Dependencies first, then the order of the split. */
export function mergeOrder(subtasks: readonly Subtask[]): Subtask[] {
  const byId = new Map(subtasks.map((subtask) => [subtask.subtask_id, subtask]));
  const ordered = new Set<Subtask>();
  const place = (subtask: Subtask) => {
    if (ordered.has(subtask)) return;
    for (const id of subtask.depends_on) {
      const needed = byId.get(id);
      if (needed && !ordered.has(needed)) place(needed);
    }
    ordered.add(subtask);
  };
  for (const subtask of [...subtasks].sort((a, b) => a.position - b.position)) place(subtask);
  return [...ordered];
}
