/** Shows a task's events while something is done with it. */
import type { OxbowEvent, Report } from "./core/events.ts";
import type { Task } from "./core/model.ts";
import type { Engine } from "./team/engine.ts";

export interface FollowHooks {
  /** Every event of the task from here on, in order; of a new task from the first. */
  readonly onEvent?: ((event: OxbowEvent) => void) | undefined;
  /** The task is durable: from here on `resume` can go on with it. */
  readonly onSubmitted?: ((task: Task) => void) | undefined;
}

/** Shows every event of the task while `work` runs, to the last one. */
export async function following(
  engine: Engine,
  hooks: FollowHooks,
  work: (submitted: (task: Task, after: string | null) => void) => Promise<Report>,
): Promise<Report> {
  const ended = new AbortController();
  let shown: string | null = null;
  let taskId: string | null = null;
  let showing: Promise<void> = Promise.resolve();
  const show = (event: OxbowEvent) => {
    shown = event.id;
    const { event: name, id: _id, ts: _ts, ...about } = event;
    engine.log.info(about, name);
    hooks.onEvent?.(event);
  };
  const follow = async (id: string) => {
    for await (const event of engine.store.watch(id, shown, ended.signal)) show(event);
  };
  try {
    return await work((task, after) => {
      taskId = task.task_id;
      shown = after;
      hooks.onSubmitted?.(task);
      showing = follow(task.task_id).catch((error: unknown) => {
        if (!ended.signal.aborted) throw error;
      });
    });
  } finally {
    ended.abort();
    await showing;
    // What was written between the last look and the end.
    if (taskId !== null) for (const event of await engine.store.events(taskId, shown, 10_000)) show(event);
  }
}
