/** What dead processes left is saved and said, whichever task it belongs to. */
import { failPoint } from "../host/fail-point.ts";
import type { EventBody } from "../core/events.ts";
import type { Engine } from "./engine.ts";

export async function clearUp(engine: Engine): Promise<void> {
  failPoint("cleanup.before");
  const { saved } = await engine.repo.sweep();
  failPoint("cleanup.after");
  const events = saved.map(
    (work): EventBody => ({
      event: "work_saved",
      task_id: work.taskId,
      subtask_id: work.subtaskId,
      conversation_id: work.conversationId,
      source: work.agent,
      commit: work.commit,
      files: work.files,
    }),
  );
  if (events.length > 0) await engine.store.append(events);
}
