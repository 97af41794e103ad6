/** The app's methods on tasks that are planned first, and begun when somebody says so. */
import type { Rooms } from "./rooms.ts";
import type { Engine } from "./team/engine.ts";
import type { OrchestrateCalls } from "./orchestration.ts";
import type { Webhooks } from "./webhooks.ts";

export type { TaskView } from "./core/task-view.ts";
export type { Execution } from "./core/execution.ts";
export type { OrchestrateCalls } from "./orchestration.ts";

export function orchestrateCalls(
  opened: () => Promise<Rooms>,
  engine: () => Promise<Engine>,
  { webhooks }: { readonly webhooks: Pick<Webhooks, "check" | "forTask"> },
): OrchestrateCalls {
  const taskView = async (taskId: string) => {
    const { viewTask } = await import("./team/task-view.ts");
    const { store, repo, secrets } = await opened();
    return secrets.value(await viewTask({ store, repo, now: Date.now }, taskId));
  };
  return {
    taskView,

    async orchestrate(given, signal = new AbortController().signal) {
      const { parseSubmission } = await import("./core/submission.ts");
      const { orchestrate } = await import("./team/orchestrate.ts");
      const submission = parseSubmission(given);
      const { callback_url: callback, task_id } = submission;
      if (callback !== undefined) await webhooks.check(callback);
      const { created } = await orchestrate(await engine(), submission, signal);
      // Also of one that was there: whoever made it may have died before this.
      if (callback !== undefined) await webhooks.forTask(task_id, callback);
      return { created, view: await taskView(task_id) };
    },

    async execute(taskId, execution = { mode: "auto" }) {
      const { executeTask } = await import("./team/execute.ts");
      const begun = await executeTask(await engine(), taskId, execution);
      return { begun, view: await taskView(taskId) };
    },
  };
}
