/** `/metrics`, on a port of its own (SPEC E4, C12): what Prometheus scrapes (docs/orchestration/metrics.md). */
import { routes, type Routes, type Service } from "./contract.ts";
import { requires } from "./access.ts";
import type { Gate } from "./gate.ts";
import { failed, gated, observed } from "./pipeline.ts";
import { unrouted } from "./unrouted.ts";

/** `open`: without a token. */
export function createMetricsApi(service: Service, gate: Gate, open: boolean): Routes {
  const api = routes();
  api.onError(failed(service));
  api.use(observed(service), gated(open ? withoutTokens(gate) : gate));
  api.get("/metrics", requires("read"), async (c) => {
    const { contentType, text } = await service.app.metrics();
    return c.body(await text(), 200, { "content-type": contentType });
  });
  api.notFound(unrouted(api));
  return api;
}

function withoutTokens(gate: Gate): Gate {
  return {
    ...gate,
    checkOrigin: (incoming) => gate.checkOrigin(incoming, true),
    whoIs: () => Promise.resolve({ name: "metrics", token_id: null, scopes: ["read"] }),
  };
}
