/** All routes of this door, behind the gate; a topic is a file (see `contract.ts`). No port is needed to call it. */
import type { Mount, Routes, Service } from "./contract.ts";
import { aboutRoutes } from "./about.ts";
import { agentRoutes } from "./agents.ts";
import { approvalRoutes } from "./approvals.ts";
import { readBodies } from "./body.ts";
import { callRoutes } from "./calls.ts";
import { routes } from "./contract.ts";
import { conversationRoutes } from "./conversations.ts";
import type { Gate } from "./gate.ts";
import { healthRoutes } from "./health.ts";
import { describeApi, type OpenApiDocument } from "./openapi.ts";
import { orchestrateRoutes } from "./orchestrate.ts";
import { failed, gated, observed } from "./pipeline.ts";
import { reportRoutes } from "./reports.ts";
import { steeringRoutes } from "./steering.ts";
import { streamRoutes } from "./stream-sse.ts";
import { socketRoute } from "./stream-ws.ts";
import { taskRoutes } from "./tasks.ts";
import { unrouted } from "./unrouted.ts";
import { webhookRoutes } from "./webhooks.ts";

const TOPICS: readonly ((service: Service) => Routes)[] = [
  orchestrateRoutes,
  taskRoutes,
  reportRoutes,
  steeringRoutes,
  agentRoutes,
  approvalRoutes,
  conversationRoutes,
  webhookRoutes,
  callRoutes,
  streamRoutes,
  socketRoute,
  healthRoutes,
];

/** `mounts`: doors that are called through this one, by their path. */
export function createApi(
  service: Service,
  gate: Gate,
  mounts: Readonly<Record<string, Mount>> = {},
): Routes {
  const api = routes();
  api.onError(failed(service));
  api.use(
    observed(service),
    gated(gate),
    readBodies((path) => Object.hasOwn(mounts, path)),
  );
  for (const [path, mount] of Object.entries(mounts)) {
    api.all(path, (c) => {
      const { raw } = c.req;
      const bytes = c.get("bytes");
      const body = bytes !== undefined && bytes.length > 0 ? bytes : null;
      const { method, headers, signal } = raw;
      return mount(new Request(raw.url, { method, headers, body, signal }), c.get("principal"));
    });
  }
  let made: OpenApiDocument | null = null;
  api.route(
    "/",
    aboutRoutes(service, () => (made ??= describeApi(api, service.version))),
  );
  for (const topic of TOPICS) api.route("/", topic(service));
  api.notFound(unrouted(api));
  return api;
}
