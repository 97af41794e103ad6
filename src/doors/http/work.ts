/** The work that the service does beside serving: the same as `oxbow worker`, the schedule too. */
import type { App, Log } from "../../app.ts";
import { toErrorValue } from "../../core/errors.ts";

export interface Work {
  /** False once it has ended though nobody asked it to: the service is then not well. */
  readonly goesOn: boolean;
  /** What was at work has been handed back. */
  readonly ended: Promise<void>;
}

/**
 * Begins, and resolves once it takes work. Throws what a person has to correct before (team_config …); what ends it later
 * is logged, and shows in `/healthz`: who runs the service starts it again, and what it served can still be read.
 */
export async function beginWork(
  app: App,
  options: { readonly concurrency?: number | undefined; readonly log: Log },
  signal: AbortSignal,
): Promise<Work> {
  const { concurrency, log } = options;
  const begun = Promise.withResolvers<void>();
  const state = { goesOn: true };
  const running = app
    .work(
      {
        concurrency,
        followTeamFile: true,
        onEvent: (event) => {
          log.info({ worker: event }, event.event);
          if (event.event === "worker_started") begun.resolve();
        },
      },
      signal,
    )
    .finally(() => (state.goesOn = signal.aborted));
  await Promise.race([begun.promise, running]);
  return {
    get goesOn() {
      return state.goesOn;
    },
    ended: running.catch((error: unknown) => {
      log.error({ error: toErrorValue(error) }, "work_ended");
    }),
  };
}
