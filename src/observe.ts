/** Traces, where a collector is configured. */
import type { Settings } from "./core/settings.ts";
import { collectorOf } from "./core/observe-settings.ts";
import type { Log } from "./host/log.ts";
import type { Secrets } from "./secrets.ts";
import { NO_TELEMETRY, type Telemetry } from "./host/telemetry.ts";

export async function telemetryOf(settings: Settings, secrets: Secrets, log: Log): Promise<Telemetry> {
  const collector = collectorOf(settings);
  if (collector === null) return NO_TELEMETRY;
  secrets.know(Object.values(collector.headers));
  const { openTelemetry } = await import("./host/telemetry-export.ts");
  return openTelemetry({
    ...collector,
    serviceName: settings.otelServiceName,
    redact: secrets.redact,
    failed: (error) => log.error({ error: { message: error.message } }, "traces are not sent"),
  });
}
