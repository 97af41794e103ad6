/** The settings of logs, traces and prices. Names that begin with OTEL are OpenTelemetry's own. */
import { flag, readUrl, type Row, text, whole } from "./setting-rows.ts";

const url = (name: string, description: string): Row<string | undefined> => ({
  ...text(name, "state", undefined, description),
  allowed: "an http or https URL",
  parse: readUrl,
});

export const OBSERVE_ROWS = {
  oxbowPrices: text(
    "OXBOW_PRICES",
    "model",
    undefined,
    "A file with prices of models, in place of the ones that Oxbow comes with (docs/providers.md).",
  ),
  oxbowLogStderr: flag(
    "OXBOW_LOG_STDERR",
    "state",
    undefined,
    "Log lines on stderr too, one JSON object each. Unset: only those of `oxbow serve`.",
  ),
  otelEndpoint: url(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "A collector of OpenTelemetry, such as http://127.0.0.1:4318; unset: nothing is sent anywhere.",
  ),
  otelTracesEndpoint: url(
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "The same, with the whole path, for traces alone.",
  ),
  otelHeaders: {
    ...text("OTEL_EXPORTER_OTLP_HEADERS", "state", undefined, "Headers for the collector: `name=value,…`."),
    secret: true,
  },
  otelTimeoutMs: whole(
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "state",
    [1, 600_000],
    2_000,
    "How long the collector may take, milliseconds; so long, at most, the end of a process waits for it.",
  ),
  otelServiceName: text("OTEL_SERVICE_NAME", "state", "oxbow", "The name of the service in traces."),
  otelSdkDisabled: flag("OTEL_SDK_DISABLED", "state", false, "Sends no traces, whatever else says so."),
} as const;

/** Their values; `value` reads one. */
export function observeValues(value: <T>(row: Row<T>) => T) {
  const rows = OBSERVE_ROWS;
  return {
    oxbowPrices: value(rows.oxbowPrices),
    oxbowLogStderr: value(rows.oxbowLogStderr),
    otelEndpoint: value(rows.otelEndpoint),
    otelTracesEndpoint: value(rows.otelTracesEndpoint),
    otelHeaders: value(rows.otelHeaders),
    otelTimeoutMs: value(rows.otelTimeoutMs),
    otelServiceName: value(rows.otelServiceName),
    otelSdkDisabled: value(rows.otelSdkDisabled),
  };
}

type Wanted = Pick<
  ReturnType<typeof observeValues>,
  "otelEndpoint" | "otelTracesEndpoint" | "otelHeaders" | "otelTimeoutMs" | "otelSdkDisabled"
>;

export interface Collector {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** Where traces go; null: nowhere. */
export function collectorOf(settings: Wanted): Collector | null {
  const { otelEndpoint, otelTracesEndpoint, otelHeaders = "", otelTimeoutMs: timeoutMs } = settings;
  if (settings.otelSdkDisabled) return null;
  const base = otelEndpoint === undefined ? undefined : `${otelEndpoint.replace(/\/+$/, "")}/v1/traces`;
  const url = otelTracesEndpoint ?? base;
  return url === undefined ? null : { url, headers: readHeaders(otelHeaders), timeoutMs };
}

/** As W3C Baggage has it: `name=value` between commas, the values percent-encoded. */
function readHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    if (at > 0) headers[pair.slice(0, at).trim()] = decoded(pair.slice(at + 1).trim());
  }
  return headers;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    // A stray percent sign: then it is what is written.
    if (error instanceof URIError) return value;
    throw error;
  }
}
