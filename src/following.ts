/** Shows a task's events while something is done with it. */
import type { OxbowEvent } from "./core/events.ts";
import type { Task } from "./core/model.ts";
import type { Engine } from "./team/engine.ts";
import { hasCode } from "./core/errors.ts";

export interface FollowHooks {
  /** Every event of the task from here on, in order; of a new task from the first. */
  readonly onEvent?: ((event: OxbowEvent) => void) | undefined;
  /** The task is durable: from here on `resume` can go on with it. */
  readonly onSubmitted?: ((task: Task) => void) | undefined;
}

/** Shows every event of the task while `work` runs, to the last one. */
export async function following<T>(
  engine: Engine,
  hooks: FollowHooks,
  work: (submitted: (task: Task, after: string | null) => void) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  let shown: string | null = null;
  let taskId: string | null = null;
  let showing: Promise<void> = Promise.resolve();
  let broken: { readonly error: unknown } | null = null;
  const show = (event: OxbowEvent) => {
    shown = event.id;
    const { event: name, id: _id, ts: _ts, ...about } = event;
    engine.log.info(about, name);
    hooks.onEvent?.(event);
  };
  const follow = async (id: string) => {
    for await (const event of engine.store.watch(id, shown, ended.signal)) show(event);
  };
  const showRest = async (id: string) => {
    for (;;) {
      const events = await engine.store.events(id, shown, PAGE);
      for (const event of events) show(event);
      if (events.length < PAGE) return;
    }
  };
  try {
    return await work((task, after) => {
      taskId = task.task_id;
      shown = after;
      hooks.onSubmitted?.(task);
      showing = follow(task.task_id).catch((error: unknown) => {
        if (!ended.signal.aborted) broken = { error };
      });
    });
  } finally {
    ended.abort();
    await showing;
    throwUnlessAway(broken);
    // What was written between the last look and the end, or since the store could not be followed.
    if (taskId !== null) await showRest(taskId);
  }
}

const PAGE = 10_000;

/** A store that was away has all that was not shown. */
function throwUnlessAway(broken: { readonly error: unknown } | null): void {
  if (broken && !hasCode(broken.error, "store_failed")) throw broken.error;
}
