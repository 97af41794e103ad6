/** The app's metrics: counted from the events of all tasks of the store, whoever works on them, from the first call on. */
import { setTimeout as delay } from "node:timers/promises";
import type { Engine } from "./team/engine.ts";
import type { Metrics } from "./host/metrics.ts";
import { toErrorValue } from "./core/errors.ts";

/** Prometheus' text, and its content type. */
export type MetricsPage = Pick<Metrics, "contentType" | "text">;

export interface MetricsCalls {
  /** Counting begins with the first call and ends with the app; every call returns the same. */
  metrics(): Promise<MetricsPage>;
}

/** How long one look at the stream lasts, and how long until a store that was away is looked at again. */
const LOOK_MS = 60_000;
const AWAY_MS = 1_000;
/** Ready for work, or at it. */
const UP: ReadonlySet<string> = new Set(["idle", "processing"]);

export function createMetricsCalls(
  engine: () => Promise<Engine>,
): MetricsCalls & { readonly close: () => Promise<void> } {
  const stop = new AbortController();
  let asked: Promise<Metrics> | null = null;
  let following: Promise<void> = Promise.resolve();

  const begin = async (): Promise<Metrics> => {
    const [bound, { createMetrics }, { agentStates }] = await Promise.all([
      engine(),
      import("./host/metrics.ts"),
      import("./team/agent-states.ts"),
    ]);
    const metrics = await createMetrics({
      activeTasks: async () =>
        (await bound.store.liveTasks()).filter(({ task }) => task.state === "running").length,
      agents: async () =>
        (await agentStates(bound)).map(({ agent, state }) => ({ agent, up: UP.has(state) })),
      failed: (error) => bound.log.error({ error: toErrorValue(error) }, "a metric cannot be read"),
    });
    await new Promise<void>((counting) => {
      following = follow(bound, metrics, counting, stop.signal);
    });
    return metrics;
  };

  return {
    metrics: () => (asked ??= begin()),
    async close() {
      stop.abort();
      await asked?.catch(() => undefined);
      await following;
    },
  };
}

/** `counting` is told when nothing is missed any more, or cannot be seen for now. */
async function follow(
  { store, log }: Engine,
  metrics: Metrics,
  counting: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      using feed = await store.openFeed(metrics.counted);
      counting();
      while (!signal.aborted)
        for (const event of await feed.next(LOOK_MS, signal)) {
          const ended = event.event === "task_finished" ? await store.task(event.task_id) : null;
          metrics.fold(event, ended?.created_at);
        }
    } catch (error) {
      counting();
      if (signal.aborted) return;
      log.error({ error: toErrorValue(error) }, "metrics miss what happens while the store is away");
      await delay(AWAY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
