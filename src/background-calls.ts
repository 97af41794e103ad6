/** Tasks that this process carries while whoever asked for them goes on: a server's, or those of an MCP client. */
import type { RunHooks, RunTask } from "./app.ts";
import type { Report } from "./core/events.ts";
import type { Task } from "./core/model.ts";
import { hasCode, OxbowError } from "./core/errors.ts";
import { STOP } from "./core/stop.ts";

export interface Started {
  readonly task: Task;
  /** Its report; null when this process cannot carry it on. Never rejects. */
  readonly ended: Promise<Report | null>;
}

export interface BackgroundCalls {
  /**
   * Makes a task durable and returns; this process carries it to its end, with the live workers. When the app is closed
   * before, it is handed back for others. Throws as `run` does before the task is durable, and limit_exceeded.
   */
  start(request: RunTask, onEvent?: RunHooks["onEvent"]): Promise<Started>;
  /** Goes on with a task in the same way. False: it has ended, or another process carries it. Throws task_unknown, limit_exceeded. */
  goOn(taskId: string): Promise<boolean>;
}

export interface Background extends BackgroundCalls {
  /** Hands back what runs, and waits for that. */
  close(): Promise<void>;
}

/** Tasks that one process carries so. */
const MOST = 100;

type Work = (hooks: RunHooks, signal: AbortSignal) => Promise<Report>;

export function createBackground(calls: {
  run(request: RunTask, hooks: RunHooks, signal: AbortSignal): Promise<Report>;
  resume(taskId: string, hooks: RunHooks, signal: AbortSignal): Promise<Report>;
  /** Is told why a task that had begun cannot be carried on here. */
  failed(error: unknown): Promise<void>;
}): Background {
  const stop = new AbortController();
  const running = new Set<Promise<unknown>>();

  /** The task once it is durable; null when the work ended without one. */
  const begin = (work: Work, onEvent?: RunHooks["onEvent"]): Promise<Started | null> => {
    if (running.size >= MOST)
      throw new OxbowError("limit_exceeded", `This process carries ${MOST} tasks already.`, {
        hint: "Wait until one of them has ended, or start `oxbow worker` beside it.",
      });
    return new Promise((resolve, reject) => {
      let begun = false;
      const onSubmitted = (task: Task) => {
        begun = true;
        // `ended` is there by then: nothing is submitted before its first wait.
        resolve({ task, ended });
      };
      const ended = work({ onSubmitted, onEvent }, stop.signal)
        .then(
          (report) => {
            resolve(null);
            return report;
          },
          async (error: unknown) => {
            if (begun) await calls.failed(error);
            else reject(error);
            return null;
          },
        )
        .finally(() => running.delete(ended));
      running.add(ended);
    });
  };

  return {
    async start(request, onEvent) {
      const started = await begin((hooks, signal) => calls.run(request, hooks, signal), onEvent);
      if (started === null) throw new OxbowError("internal", "The task ended before it was durable.");
      return started;
    },
    async goOn(taskId) {
      try {
        return (await begin((hooks, signal) => calls.resume(taskId, hooks, signal))) !== null;
      } catch (error) {
        if (hasCode(error, "task_active")) return false;
        throw error;
      }
    },
    async close() {
      stop.abort(STOP.handBack);
      await Promise.all(running);
    },
  };
}
