/** The network door (docs/service.md): listens, answers, and drains when it is asked to stop. */
import type { App } from "../../app.ts";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { Hono } from "hono";
import { getRequestListener } from "@hono/node-server";
import { OxbowError } from "../../core/errors.ts";

export async function serve(
  _app: App,
  options: { readonly host: string; readonly port: number; readonly metricsPort: number },
  listening: (at: { url: string; metrics_url: string }) => void,
  signal: AbortSignal,
): Promise<void> {
  const routes = new Hono().get("/healthz", (c) => c.text("ok"));
  const server = httpServer(routes);
  const metrics = httpServer(new Hono());
  listening({
    url: await listen(server, options.host, options.port),
    metrics_url: await listen(metrics, options.host, options.metricsPort),
  });
  if (!signal.aborted) await once(signal, "abort");
  await Promise.all([server, metrics].map((each) => new Promise((closed) => each.close(closed))));
}

function httpServer(routes: Hono): Server {
  const answer = getRequestListener(routes.fetch);
  return createServer((incoming, outgoing) => void answer(incoming, outgoing));
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("setting_invalid", `Nothing can listen on ${host}:${port}: ${why}`, {
      cause: error,
    });
  }
  const at = server.address();
  if (at === null || typeof at === "string") throw new OxbowError("internal", "The server has no address.");
  return `http://${at.family === "IPv6" ? `[${at.address}]` : at.address}:${at.port}`;
}
