/** `/metrics`, on a port of its own (SPEC E4): what Prometheus scrapes. */
import { OxbowError } from "../../core/errors.ts";
import { routes, type Routes, type Service } from "./contract.ts";
import { requires } from "./access.ts";
import type { Gate } from "./gate.ts";
import { failed, gated, observed } from "./pipeline.ts";
import { unrouted } from "./unrouted.ts";

const TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** `open`: without a token. */
export function createMetricsApi(service: Service, gate: Gate, open: boolean): Routes {
  const api = routes();
  api.onError(failed(service));
  api.use(observed(service), gated(open ? withoutTokens(gate) : gate));
  api.get("/metrics", requires("read"), async (c) => {
    return c.body(await metricsText(service), 200, { "content-type": TYPE });
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

async function metricsText({ app }: Service): Promise<string> {
  const cards = await app.agentCards();
  const lines = cards.map(
    ({ name, health }) => `agent_state{agent=${label(name)}} ${health === "healthy" ? 1 : 0}`,
  );
  return [
    "# HELP agent_state 1 while the agent is ready or at work; 0 from a crash until it is ready again.",
    "# TYPE agent_state gauge",
    ...lines,
    "",
  ].join("\n");
}

function label(value: string): string {
  if (value.includes("\0")) throw new OxbowError("internal", "A name has a NUL.");
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
