import { join } from "node:path";
import { expect, it } from "vitest";
import { openApp } from "../../src/app.ts";
import { createMetrics, type Metrics } from "../../src/host/metrics.ts";
import type { EventBody } from "../../src/core/events.ts";
import { NO_USAGE } from "../../src/core/model.ts";
import { plainEnvironment } from "../support/cli.ts";
import { makeMergeShop, say, TICKET, write } from "../support/merge-team.ts";

/** The value of a line such as `name{label="a"}`; null: there is none. */
function valueOf(text: string, line: string): number | null {
  const found = text.split("\n").find((each) => each.startsWith(`${line} `));
  return found === undefined ? null : Number(found.slice(line.length + 1));
}

const OPTIONS = {
  by: null,
  provider: null,
  model: null,
  runtime: null,
  command: null,
  maxParallel: null,
} as const;

it("a run is counted: its children, turns, tools, merges, and how long it took", async () => {
  using shop = makeMergeShop({
    parts: {
      A: { steps: [write("a/new.txt", "1\n"), say("Done.")] },
      B: { steps: [write("c/not-mine.txt", "1\n"), write("b/new.txt", "1\n"), say("Done.")] },
    },
  });
  await using app = openApp({ repo: shop.dir, env: plainEnvironment({ ENABLE_ORCHESTRATE_TOOL: "1" }) });
  const page = await app.metrics();
  const request = {
    title: "Do it",
    ticket: TICKET,
    options: { ...OPTIONS, script: join(shop.dir, "script.yaml") },
  };
  const report = await app.run(request, { workers: "none" }, new AbortController().signal);
  expect(report.state).toBe("completed");

  const text = await page.text();
  expect(page.contentType).toContain("text/plain");
  const at = (line: string) => valueOf(text, line);
  expect(at("orchestrator_tasks_active")).toBe(0);
  expect(at('agent_state{agent="A"}')).toBe(1);
  // Events are counted as they are read, a moment after they were written.
  await expect
    .poll(async () => valueOf(await page.text(), 'orchestrator_latency_seconds_count{state="completed"}'))
    .toBe(1);
  const counted = await page.text();
  expect(valueOf(counted, 'oxbow_subtask_seconds_count{agent="A",outcome="completed"}')).toBe(1);
  expect(valueOf(counted, 'oxbow_commits_total{agent="B"}')).toBe(1);
  expect(valueOf(counted, 'oxbow_tool_calls_total{tool="write_file",ok="false"}')).toBe(1);
  expect(valueOf(counted, 'oxbow_merges_total{result="merged"}')).toBe(2);
  expect(valueOf(counted, 'oxbow_tool_calls_total{tool="write_file",ok="true"}')).toBe(2);
  expect(
    valueOf(counted, 'orchestrator_subtask_failures_total{agent="B",outcome="failed",code="internal"}'),
  ).toBeNull();
});

let id = 0;
function fold(metrics: Metrics, body: EventBody): void {
  metrics.fold(
    { ...body, id: `${++id}`, ts: "2026-11-21T00:00:10.000Z" },
    Date.parse("2026-11-21T00:00:00Z"),
  );
}

it("retries, breakers and failures are metrics; what a source cannot say is left out", async () => {
  const told: unknown[] = [];
  const metrics = await createMetrics({
    activeTasks: () => Promise.reject(new Error("away")),
    agents: () => Promise.resolve([{ agent: "A", up: false }]),
    failed: (error) => void told.push(error),
  });
  const about = { task_id: "t", subtask_id: "A::t::1", source: "A" };
  fold(metrics, { event: "retry", ...about, reason: "429", attempt: 1, delay_ms: 10 });
  fold(metrics, { event: "retry", ...about, reason: "429", attempt: 2, delay_ms: 10 });
  fold(metrics, { event: "breaker", ...about, provider: "openai", state: "open", reason: "500" });
  fold(metrics, {
    event: "turn",
    ...about,
    turn: 1,
    usage: { requests: 1, input_tokens: 5, output_tokens: 7, total_tokens: 12 },
  });
  const result = {
    subtask_id: "A::t::1",
    conversation_id: "c",
    task_id: "t",
    agent: "A",
    outcome: "timed_out" as const,
    branch: null,
    commit: null,
    summary: "",
    usage: NO_USAGE,
    cost: 0.25,
    error: { code: "timed_out", message: "late" },
    attempt: 3,
    elapsed_ms: 2_000,
  };
  fold(metrics, { event: "child_finished", ...about, outcome: "timed_out", result });
  fold(metrics, { event: "task_finished", task_id: "t", state: "failed" });
  const text = await metrics.text();
  expect(told).toMatchObject([{ message: "away" }]);
  for (const [line, value] of [
    ["orchestrator_tasks_active", null],
    ['agent_state{agent="A"}', 0],
    ['oxbow_retries_total{agent="A"}', 2],
    ['oxbow_breaker_state{provider="openai"}', 2],
    ['oxbow_model_requests_total{agent="A"}', 1],
    ['oxbow_model_tokens_total{agent="A",direction="output"}', 7],
    ['oxbow_cost_dollars_total{agent="A"}', 0.25],
    ['orchestrator_subtask_failures_total{agent="A",outcome="timed_out",code="timed_out"}', 1],
    ['orchestrator_latency_seconds_sum{state="failed"}', 10],
  ] as const)
    expect(valueOf(text, line), line).toBe(value);
  expect(text).toContain("process_cpu_seconds_total");
});

it("names that models make up do not fill the memory", async () => {
  const metrics = await createMetrics({
    activeTasks: () => Promise.resolve(2),
    agents: () => Promise.resolve([]),
    failed: () => undefined,
  });
  for (let n = 0; n < 1_000; n++)
    fold(metrics, {
      event: "tool_result",
      task_id: "t",
      tool: `made_up_${n}`,
      call_id: "c",
      ok: false,
      elapsed_ms: 1,
    });
  const text = await metrics.text();
  expect(valueOf(text, "orchestrator_tasks_active")).toBe(2);
  expect(valueOf(text, 'oxbow_tool_calls_total{tool="other",ok="false"}')).toBe(800);
});
