/** What of one task is still open, as its event stream tells it. */
import type { Engine } from "./engine.ts";
import type { Bell } from "./bell.ts";

export interface OpenWork {
  /** Subtasks announced and not finished. Throws what the event stream broke with. */
  count(): number;
  close(): void;
}

const RINGING: ReadonlySet<string> = new Set([
  "handed_back",
  "assigned",
  "cancel_requested",
  "approval_decided",
]);

/** `bell` rings at every announcement, end, hand-back, assignment, answer of a person and cancellation, and when the stream breaks. */
export async function watchOpenWork(
  { store }: Pick<Engine, "store">,
  taskId: string,
  bell: Bell,
  signal: AbortSignal,
): Promise<OpenWork> {
  const closed = new AbortController();
  const until = AbortSignal.any([signal, closed.signal]);
  const [subtasks, outcomes] = [await store.subtasks(taskId), await store.outcomes(taskId)];
  const ended = new Set(outcomes.map((outcome) => outcome.subtask_id));
  const open = new Set(subtasks.map((subtask) => subtask.subtask_id).filter((id) => !ended.has(id)));
  const follow = async () => {
    for await (const event of store.watch(taskId, null, until)) {
      const id = event.subtask_id;
      if (event.event === "child_announced" && id !== undefined && !ended.has(id)) open.add(id);
      else if (event.event === "child_finished" && id !== undefined) {
        ended.add(id);
        open.delete(id);
      } else if (!RINGING.has(event.event)) continue;
      bell.ring();
    }
  };
  let broken: unknown = null;
  const following = follow()
    .catch((error: unknown) => {
      if (!until.aborted) broken = error;
    })
    .finally(() => bell.ring());
  return {
    count() {
      if (broken) throw broken;
      return open.size;
    },
    close() {
      closed.abort();
      void following;
    },
  };
}
