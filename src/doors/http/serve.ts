/** The network door (docs/service.md): opens what is needed, listens, works, and drains when it is asked to stop. */
import { once } from "node:events";
import type { App } from "../../app.ts";
import { createApi } from "./api.ts";
import type { Mount, Routes, Service } from "./contract.ts";
import { createGate, refuseUnguarded } from "./gate.ts";
import { keptAnswer } from "./health.ts";
import { type Limits, listen, type Listener, type Upgrades } from "./listener.ts";
import { createMetricsApi } from "./metrics.ts";
import type { StreamLimits } from "./stream-limits.ts";
import { serveSockets } from "./stream-ws.ts";
import { beginWork } from "./work.ts";

export interface ServeOptions {
  readonly host: string;
  /** 0: any free one, as for `metricsPort`. */
  readonly port: number;
  readonly metricsPort: number;
  /** `/metrics` without a token, also beyond this machine. */
  readonly metricsOpen?: boolean | undefined;
  readonly requireToken?: boolean | undefined;
  readonly allowOrigin?: readonly string[] | undefined;
  /** False: only serve. */
  readonly work?: boolean | undefined;
  readonly concurrency?: number | undefined;
  readonly version?: string | undefined;
  /** By path. */
  readonly mounts?: Readonly<Record<string, Mount>> | undefined;
  readonly limits?: Limits | undefined;
  readonly streams?: StreamLimits | undefined;
}

export interface ListeningAt {
  readonly url: string;
  readonly metrics_url: string;
}

type UpgradesOf = (portOf: () => number) => Upgrades;

/**
 * Serves until `signal` aborts, then drains for at most OXBOW_DRAIN_MS. `listening` is told the addresses once all accept
 * connections. Throws token_required, address_in_use, setting_invalid, and what the repository and the team are refused for.
 */
export async function serve(
  app: App,
  options: ServeOptions,
  listening: (at: ListeningAt) => void,
  signal: AbortSignal,
): Promise<void> {
  await refuseUnguarded(app, { bind: options.host, requireToken: options.requireToken ?? false });
  const stop = new AbortController();
  const stopping = AbortSignal.any([signal, stop.signal]);
  const [log, redact] = [await app.log(), await app.redact()];
  // From here on it counts.
  await app.metrics();
  const listeners: Listener[] = [];
  let goesOn = () => true;
  const service: Service = {
    app,
    version: options.version ?? "",
    log,
    redact,
    isHealthy: keptAnswer(async () => goesOn() && (await app.isHealthy())),
    stopping,
    streams: options.streams,
  };
  const open = async (port: number, make: (portOf: () => number) => Routes, upgrades?: UpgradesOf) => {
    let routes: Routes | null = null;
    let listener: Listener | null = null;
    const api = () => (routes ??= make(() => listener?.port ?? port));
    listener = await listen({ host: options.host, port, limits: options.limits }, api, log);
    listeners.push(listener);
    if (upgrades) listener.onUpgrade(upgrades(() => listener?.port ?? port));
    return listener.url;
  };
  const gate = (port: () => number) =>
    createGate(app, {
      bind: options.host,
      port,
      allowedOrigins: options.allowOrigin ?? [],
      requireToken: options.requireToken ?? false,
    });
  let ended: Promise<void> = Promise.resolve();
  try {
    const url = await open(
      options.port,
      (port) => createApi(service, gate(port), options.mounts),
      (port) => serveSockets(service, gate(port)),
    );
    const metricsUrl = await open(options.metricsPort, (port) =>
      createMetricsApi(service, gate(port), options.metricsOpen ?? false),
    );
    if (options.work !== false && !stopping.aborted) {
      const work = await beginWork(app, { concurrency: options.concurrency, log }, stopping);
      goesOn = () => work.goesOn;
      ended = work.ended;
    }
    log.info({ url, metrics_url: metricsUrl }, "service_listens");
    listening({ url, metrics_url: metricsUrl });
    if (!stopping.aborted) await once(stopping, "abort");
  } finally {
    stop.abort();
    await Promise.all([...listeners.map((each) => each.drain(app.settings.oxbowDrainMs)), ended]);
    log.info({}, "service_stopped");
  }
}
