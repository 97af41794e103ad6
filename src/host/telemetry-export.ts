/**
 * Sends spans to a collector over OTLP/HTTP as JSON. Loaded only where an endpoint is configured. A collector that is slow,
 * dead or hostile costs spans, never work: what waits is bounded, and so is the time at the end.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ROOT_CONTEXT, type Span, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  RandomIdGenerator,
  type SpanExporter,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { hasCode } from "../core/errors.ts";
import { rootSpanIdOf, traceIdOf } from "../core/trace-id.ts";
import type { Attributes, OpenSpan, Telemetry } from "./telemetry.ts";

export interface TelemetryOptions {
  /** Where spans are posted to. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For a request to the collector, and for all that is left at the end. */
  readonly timeoutMs: number;
  readonly serviceName: string;
  redact(text: string): string;
  /** Is told once when spans cannot be sent, and again when that has changed meanwhile. */
  failed(error: Error): void;
}

const MOST_WAITING = 8_192;
/** Characters of an attribute. */
const LONGEST = 500;

export function openTelemetry(options: TelemetryOptions): Telemetry {
  const { url, headers, timeoutMs } = options;
  const random = new RandomIdGenerator();
  /** Of the next span, where it is not to be a new one. */
  let given: { readonly traceId: string; readonly spanId: string } | null = null;
  const exporter = told(
    new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: timeoutMs }),
    options.failed,
  );
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ "service.name": options.serviceName })),
    idGenerator: {
      generateTraceId: () => given?.traceId ?? random.generateTraceId(),
      generateSpanId: () => given?.spanId ?? random.generateSpanId(),
    },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: MOST_WAITING,
        scheduledDelayMillis: 2_000,
        exportTimeoutMillis: timeoutMs * 2,
      }),
    ],
  });
  const tracer = provider.getTracer("oxbow");
  const clean = (attributes: Attributes) => cleaned(attributes, options.redact);

  const opened = (one: Span): OpenSpan => ({
    child: (name, attributes) =>
      opened(
        tracer.startSpan(
          name,
          { attributes: clean(attributes) },
          trace.setSpanContext(ROOT_CONTEXT, one.spanContext()),
        ),
      ),
    note: (attributes) => {
      one.setAttributes(clean(attributes));
      markFailed(one, attributes["error.type"]);
    },
    end(error) {
      if (error !== undefined) {
        const type = hasCode(error) ? error.code : error instanceof Error ? error.name : "error";
        one.setAttributes(clean({ "error.type": type }));
        markFailed(one, type);
      }
      one.end();
    },
  });

  const below = (taskId: string) =>
    trace.setSpanContext(ROOT_CONTEXT, {
      traceId: traceIdOf(taskId),
      spanId: rootSpanIdOf(taskId),
      traceFlags: TraceFlags.SAMPLED,
      isRemote: true,
    });

  return {
    open: (taskId, name, attributes) =>
      opened(
        tracer.startSpan(
          name,
          { attributes: clean({ "oxbow.task_id": taskId, ...attributes }) },
          below(taskId),
        ),
      ),
    past(taskId, name, attributes, startedAt) {
      const found = clean({ "oxbow.task_id": taskId, ...attributes });
      const one = tracer.startSpan(name, { attributes: found, startTime: startedAt }, below(taskId));
      markFailed(one, attributes["error.type"]);
      one.end();
    },
    ended(taskId, attributes, startedAt) {
      given = { traceId: traceIdOf(taskId), spanId: rootSpanIdOf(taskId) };
      const found = clean({ "oxbow.task_id": taskId, ...attributes });
      const one = tracer.startSpan("oxbow.task", { attributes: found, startTime: startedAt }, ROOT_CONTEXT);
      given = null;
      markFailed(one, attributes["error.type"]);
      one.end();
    },
    async close() {
      const done = new AbortController();
      const late = delay(timeoutMs, undefined, { signal: done.signal }).catch(() => undefined);
      // What cannot be sent was told by the exporter.
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, late]);
      done.abort();
    },
  };
}

function markFailed(one: Span, type: Attributes[string]): void {
  if (typeof type === "string") one.setStatus({ code: SpanStatusCode.ERROR });
}

function cleaned(attributes: Attributes, redact: (text: string) => string) {
  const found: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    found[name] = typeof value === "string" ? redact(value).slice(0, LONGEST) : value;
  }
  return found;
}

/** The exporter, with its failures told: the library keeps them to itself. */
function told(exporter: OTLPTraceExporter, failed: (error: Error) => void): SpanExporter {
  let isFailing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const broke = result.error !== undefined;
        if (broke && !isFailing) failed(result.error ?? new Error("The collector did not take the spans."));
        isFailing = broke;
        // A failure has been told; the library would print it.
        done({ code: 0 });
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}
