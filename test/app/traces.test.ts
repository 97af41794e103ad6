import { createHash } from "node:crypto";
import net from "node:net";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { openApp } from "../../src/library.ts";
import { plainEnvironment } from "../support/cli.ts";
import { makeShop, SHOP_TEAM } from "../support/shop.ts";
import { makeMergeShop, say, TICKET, write } from "../support/merge-team.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";

/** However busy the machine is. */
const PATIENT = { OTEL_EXPORTER_OTLP_TIMEOUT: "20000" };
const SECRET = "sk-live-0123456789abcdefghijkl";

const shopOf = () =>
  makeMergeShop({
    policy: `verify: ["git log --oneline -1"]`,
    parts: {
      A: { steps: [write("a/new.txt", `${SECRET}\n`), say(`Done with ${SECRET}.`)] },
      B: { steps: [write("c/not-mine.txt", "1\n"), say("Done.")] },
    },
  });

async function runIn(dir: string, env: Record<string, string>) {
  await using app = openApp({
    repo: dir,
    env: plainEnvironment({ ENABLE_ORCHESTRATE_TOOL: "1", OPENAI_API_KEY: SECRET, ...env }),
  });
  return await app.run(`Do it with ${SECRET}`, {
    ticket: TICKET,
    script: join(dir, "script.yaml"),
    workers: "none",
  });
}

/** `parent > child` for every span, each once. */
function treeOf(spans: readonly ReceivedSpan[]): ReadonlySet<string> {
  const label = (span: ReceivedSpan | undefined): string =>
    span === undefined
      ? "nothing"
      : [span.name, span.attributes["gen_ai.agent.name"] ?? span.attributes["gen_ai.tool.name"]]
          .filter((part) => part !== undefined && span.name !== "oxbow.turn")
          .join(" ") || span.name;
  return new Set(
    spans.map((span) => `${label(spans.find((each) => each.spanId === span.parentSpanId))} > ${label(span)}`),
  );
}

describe("a run with a collector", { timeout: 90_000 }, () => {
  it("is one tree of spans in the task's trace, and tells no secret", async () => {
    using shop = shopOf();
    await using collector: OtlpReceiver = await startOtlpReceiver();
    const report = await runIn(shop.dir, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: "x-collector-key=abc%20def",
      OTEL_SERVICE_NAME: "my-team",
      ...PATIENT,
    });
    expect(report.state).toBe("completed");
    const { spans } = collector;
    const trace = createHash("sha256").update(report.task_id).digest("hex").slice(0, 32);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([trace]));
    expect(treeOf(spans)).toEqual(
      new Set([
        "nothing > oxbow.task",
        "oxbow.task > orchestrator.plan",
        "oxbow.task > orchestrator.dispatch",
        "oxbow.task > oxbow.subtask Lead",
        "oxbow.subtask Lead > oxbow.turn",
        "oxbow.subtask Lead > oxbow.tool orchestrate_split",
        "oxbow.tool orchestrate_split > orchestrator.dispatch",
        "oxbow.subtask Lead > oxbow.tool signal_wait_all",
        "oxbow.task > oxbow.subtask A",
        "oxbow.subtask A > oxbow.turn",
        "oxbow.subtask A > oxbow.tool write_file",
        "oxbow.subtask A > oxbow.git.commit",
        "oxbow.task > oxbow.subtask B",
        "oxbow.subtask B > oxbow.turn",
        "oxbow.subtask B > oxbow.tool write_file",
        "oxbow.task > orchestrator.aggregate",
        "orchestrator.aggregate > oxbow.git.merge",
        "orchestrator.aggregate > oxbow.verify",
      ]),
    );
    const refused = spans.find(({ name, isError }) => name === "oxbow.tool" && isError);
    expect(refused?.attributes).toMatchObject({ "error.type": "out_of_scope" });
    expect(collector.headers[0]).toMatchObject({ "x-collector-key": "abc def" });
    const sent = collector.bodies.join("\n");
    expect(sent).toContain("my-team");
    expect(sent).not.toContain(SECRET);
    expect(sent).not.toContain("Done");
  });

  it("is the same trace where a worker does the work, and a program is a span too", async () => {
    using shop = makeShop({ team: SHOP_TEAM });
    await using collector = await startOtlpReceiver();
    const env = plainEnvironment({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      TERMINAL_SANDBOX: "off",
      ...PATIENT,
    });
    const stop = new AbortController();
    const finished = await (async () => {
      await using worker = openApp({ repo: shop.dir, env: { ...env, OTEL_SERVICE_NAME: "worker" } });
      const working = worker.work({}, stop.signal);
      await using app = openApp({ repo: shop.dir, env });
      const report = await app.run("See", {
        by: "owner",
        runtime: "command",
        command: ["node", "-e", "0", "{paths}"],
        workers: "only",
      });
      stop.abort();
      await working;
      return report;
    })();
    expect(finished.state).toBe("completed");
    const { spans } = collector;
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const told = new Set(spans.map(({ name, service }) => `${String(service)}: ${name}`));
    expect([...told].sort()).toEqual([
      "oxbow: orchestrator.aggregate",
      "oxbow: orchestrator.dispatch",
      "oxbow: orchestrator.plan",
      "oxbow: oxbow.task",
      "worker: oxbow.program",
      "worker: oxbow.subtask",
    ]);
    expect(treeOf(spans)).toContain("oxbow.task > oxbow.subtask Api");
  });

  it("that never answers ends as it would without", async () => {
    using shop = shopOf();
    await using deaf = await startOtlpReceiver({ hangs: true });
    expect((await runIn(shop.dir, { OTEL_EXPORTER_OTLP_ENDPOINT: deaf.url })).state).toBe("completed");
    expect(deaf.bodies.length).toBeGreaterThan(0);
  });
});

it("a run without one opens no connection, and loads nothing for it", async () => {
  using shop = shopOf();
  const connected = vi.spyOn(net.Socket.prototype, "connect");
  try {
    expect((await runIn(shop.dir, {})).state).toBe("completed");
    expect((await runIn(shop.dir, { OTEL_SERVICE_NAME: "alone" })).state).toBe("completed");
    expect(connected.mock.calls.filter(([to]) => !String(JSON.stringify(to)).includes('"path"'))).toEqual([]);
  } finally {
    connected.mockRestore();
  }
});
