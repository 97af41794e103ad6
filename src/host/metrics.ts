/**
 * What Prometheus is told (docs/observability.md): counts folded from the event stream, and what is read from the
 * rows when somebody asks. The library is loaded by whoever serves them, and by nobody else.
 */
import type { OxbowEvent } from "../core/events.ts";

export interface MetricSources {
  /** Tasks that have begun and not ended. */
  activeTasks(): Promise<number>;
  /** Up: not crashed, disabled or stopped. */
  agents(): Promise<readonly { readonly agent: string; readonly up: boolean }[]>;
  /** Is told why a source has nothing to say; its metric is then left out. */
  failed(error: unknown): void;
}

export interface Metrics {
  /** The kinds of events that `fold` counts. */
  readonly counted: readonly OxbowEvent["event"][];
  /** Counts what an event says. `startedAt`: when its task was submitted, Unix milliseconds, for `task_finished`. */
  fold(event: OxbowEvent, startedAt?: number): void;
  readonly contentType: string;
  /** In Prometheus' text format. */
  text(): Promise<string>;
}

const COUNTED = [
  "task_finished",
  "child_finished",
  "turn",
  "tool_result",
  "refused",
  "retry",
  "breaker",
  "agent_restarted",
  "alert",
  "commit",
  "merged",
  "merge_conflict",
  "verify_finished",
] as const satisfies readonly OxbowEvent["event"][];

const BREAKER = { closed: 0, half_open: 1, open: 2 } as const;
const SECONDS = [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];
/** Values of one label: models make up names of tools, and nothing may grow without bound. */
const MOST_VALUES = 200;

export async function createMetrics(sources: MetricSources): Promise<Metrics> {
  const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } = await import("prom-client");
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const known = new Map<string, Set<string>>();
  const bounded = (label: string, value: string): string => {
    const values = known.get(label) ?? new Set();
    known.set(label, values);
    if (values.size < MOST_VALUES) values.add(value);
    return values.has(value) ? value : "other";
  };

  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const seconds = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Histogram({ name, help, labelNames: [...labelNames], buckets: SECONDS, registers });
  /** A gauge whose values are looked up when they are asked for. */
  const looked = (
    name: string,
    help: string,
    labels: readonly string[],
    look: (set: Setter) => Promise<void>,
  ) =>
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers,
      async collect() {
        this.reset();
        if (labels.length === 0) this.remove();
        await look((values, value) => this.set({ ...values }, value)).catch(sources.failed);
      },
    });

  looked("orchestrator_tasks_active", "Tasks that have begun and not ended.", [], async (set) =>
    set({}, await sources.activeTasks()),
  );
  looked(
    "agent_state",
    "1: up; 0: crashed and not begun again, disabled, or stopped.",
    ["agent"],
    async (set) => {
      for (const { agent, up } of await sources.agents()) set({ agent }, up ? 1 : 0);
    },
  );
  const latency = seconds("orchestrator_latency_seconds", "From a task's submission to its end.", ["state"]);
  const failures = counter(
    "orchestrator_subtask_failures_total",
    "Subtasks whose outcome is failed or timed_out.",
    ["agent", "outcome", "code"],
  );
  const subtasks = seconds("oxbow_subtask_seconds", "What the attempt that ended a subtask took.", [
    "agent",
    "outcome",
  ]);
  const cost = counter("oxbow_cost_dollars_total", "Of subtasks that ended, where the price is known.", [
    "agent",
  ]);
  const requests = counter("oxbow_model_requests_total", "Requests that models answered.", ["agent"]);
  const tokens = counter("oxbow_model_tokens_total", "Tokens as providers counted them.", [
    "agent",
    "direction",
  ]);
  const tools = counter("oxbow_tool_calls_total", "Calls of tools that came back.", ["tool", "ok"]);
  const refused = counter("oxbow_refusals_total", "Calls and branches that a rule refused.", ["code"]);
  const retries = counter("oxbow_retries_total", "Requests to providers that were tried again.", ["agent"]);
  const breaker = new Gauge({
    name: "oxbow_breaker_state",
    help: "0: the provider works; 1: it is tried once for all; 2: it is held to be down.",
    labelNames: ["provider"],
    registers,
  });
  const restarts = counter("oxbow_restarts_total", "Attempts that crashed and were followed by another.", [
    "agent",
  ]);
  const alerts = counter("oxbow_alerts_total", "Subtasks that nobody could work on.", ["code"]);
  const commits = counter("oxbow_commits_total", "Commits of agents.", ["agent"]);
  const merges = counter("oxbow_merges_total", "Branches that were merged, or conflicted.", ["result"]);
  const verified = counter("oxbow_verifications_total", "Trees that `verify:` was asked about.", ["ok"]);

  return {
    counted: COUNTED,
    contentType: registry.contentType,
    text: () => registry.metrics(),
    fold(event, startedAt) {
      const agent = bounded("agent", event.source ?? "unknown");
      switch (event.event) {
        case "task_finished":
          if (startedAt !== undefined)
            latency.observe({ state: event.state }, Math.max(0, Date.parse(event.ts) - startedAt) / 1000);
          return;
        case "child_finished": {
          const { outcome, error, elapsed_ms, cost: dollars } = event.result;
          const own = { agent: bounded("agent", event.result.agent), outcome };
          subtasks.observe(own, elapsed_ms / 1000);
          if (dollars !== null) cost.inc({ agent: own.agent }, dollars);
          if (outcome === "failed" || outcome === "timed_out")
            failures.inc({ ...own, code: bounded("code", error?.code ?? "none") });
          return;
        }
        case "turn":
          requests.inc({ agent }, event.usage.requests);
          tokens.inc({ agent, direction: "input" }, event.usage.input_tokens);
          return tokens.inc({ agent, direction: "output" }, event.usage.output_tokens);
        case "tool_result":
          return tools.inc({ tool: bounded("tool", event.tool), ok: String(event.ok) });
        case "refused":
          return refused.inc({ code: bounded("code", event.code) });
        case "retry":
          return retries.inc({ agent });
        case "breaker":
          return breaker.set({ provider: bounded("provider", event.provider) }, BREAKER[event.state]);
        case "agent_restarted":
          return restarts.inc({ agent: bounded("agent", event.agent) });
        case "alert":
          return alerts.inc({ code: bounded("code", event.code) });
        case "commit":
          return commits.inc({ agent });
        case "merged":
          return merges.inc({ result: "merged" });
        case "merge_conflict":
          return merges.inc({ result: "conflict" });
        case "verify_finished":
          return verified.inc({ ok: String(event.verification.ok) });
        default:
      }
    },
  };
}

type Setter = (labels: Readonly<Record<string, string>>, value: number) => void;
