/** What every request goes through before a route sees it: an id, a line in the log, the gate, CORS, its body. */
import { randomUUID } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import type { Env, Service } from "./contract.ts";
import { type Gate, incomingFrom } from "./gate.ts";
import { problemOf, problemResponse, toOxbowError } from "./problem.ts";

/** Answers without a token; what it tells is only whether the service is well. */
export const HEALTH_PATH = "/healthz";

/** Takes the caller's `X-Request-Id` where it is a plain one. */
export function requestId(given: string | undefined): string {
  return given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** One line for each request, and the headers that all answers have. */
export function observed({ log, stopping }: Service): MiddlewareHandler<Env> {
  return async (c, next) => {
    const id = requestId(c.req.header("x-request-id"));
    c.set("requestId", id);
    const began = performance.now();
    await next();
    const { headers, status } = c.res;
    headers.set("x-request-id", id);
    for (const [name, value] of Object.entries(HEADERS)) if (!headers.has(name)) headers.set(name, value);
    if (stopping.aborted) headers.set("connection", "close");
    if (QUIET.has(c.req.path) && status < 400) return;
    const ms = Math.round(performance.now() - began);
    const caller = c.get("principal")?.name ?? null;
    log.info({ request_id: id, method: c.req.method, path: c.req.path, status, ms, caller }, "request");
  };
}

/** Asked for every few seconds: only what goes wrong is worth a line. */
const QUIET = new Set([HEALTH_PATH, "/metrics"]);

const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Host, Origin, then the token; answers preflights. */
export function gated(gate: Gate): MiddlewareHandler<Env> {
  return async (c, next) => {
    const incoming = incomingFrom((name) => c.req.header(name), c.env?.incoming?.rawHeaders ?? []);
    const isPreflight = c.req.method === "OPTIONS";
    gate.checkOrigin(incoming, isPreflight || c.req.path === HEALTH_PATH);
    const { origin } = incoming;
    const headers = origin !== undefined && gate.isAllowed(origin) ? corsHeaders(origin, isPreflight) : {};
    if (isPreflight && c.req.header("access-control-request-method") !== undefined)
      return c.body(null, 204, headers);
    // Also on what is refused from here on: the page is to see why.
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    if (!isPreflight && c.req.path !== HEALTH_PATH) c.set("principal", await gate.whoIs(incoming));
    return next();
  };
}

function corsHeaders(origin: string, isPreflight: boolean): Record<string, string> {
  const always = {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "X-Request-Id, Location, Retry-After",
    vary: "Origin",
  };
  if (!isPreflight) return always;
  return {
    ...always,
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers":
      "Authorization, Content-Type, Last-Event-ID, X-Request-Id, Mcp-Session-Id, Mcp-Protocol-Version",
    "access-control-max-age": "600",
  };
}

/** The answer to what was thrown, and its line in the log. */
export function failed({ log, redact }: Service): (thrown: unknown, c: Context<Env>) => Response {
  return (thrown, c) => {
    const error = toOxbowError(thrown);
    const id = c.get("requestId");
    const about = { request_id: id, code: error.code, message: error.message };
    if (error.code === "internal")
      log.error({ ...about, stack: error.stack, cause: error.cause }, "request_failed");
    else log.info(about, "request_refused");
    // A body that was not read to its end leaves nothing to go on with.
    const ends = error.code === "request_too_large" ? { connection: "close" } : {};
    const made = problemResponse(problemOf(error, id, redact), ends);
    const cors = ["access-control-allow-origin", "access-control-expose-headers", "vary"];
    for (const name of cors) {
      const value = c.res.headers.get(name);
      if (value !== null) made.headers.set(name, value);
    }
    return made;
  };
}
