/** What a program does with tasks that are planned first: the part of the app that the library shows as it is. */
import type { Execution } from "./core/execution.ts";
import type { TaskView } from "./core/task-view.ts";

export interface OrchestrateCalls {
  /**
   * Plans a task and makes it durable: `planned`, with its subtasks, while nobody works on it. The same submission again
   * gives the same task (`created` false). `submission` is in the form of `POST /orchestrate`. Throws request_invalid,
   * task_conflict (another body under this id), repository_unknown, ticket_in_use, webhook_refused, and what a plan is
   * refused for.
   */
  orchestrate(
    submission: unknown,
    signal?: AbortSignal,
  ): Promise<{ readonly created: boolean; readonly view: TaskView }>;
  /**
   * Begins a planned task: live workers, or whoever resumes it, carry it out. Nothing when it has begun (`begun` false).
   * Throws task_unknown, subtask_unknown (a checkpoint), ticket_in_use.
   */
  execute(
    taskId: string,
    execution?: Execution,
  ): Promise<{ readonly begun: boolean; readonly view: TaskView }>;
  /** Throws task_unknown. */
  taskView(taskId: string): Promise<TaskView>;
}
