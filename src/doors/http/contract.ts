/**
 * What the files of this door share. A topic is one file that exports `routes(service): Routes` and is named in `api.ts`:
 *
 *   const show = createRoute({
 *     method: "get", path: "/things/{thing_id}", tags: ["things"], summary: "One thing.",
 *     ...access("read"),                       // who may, and 406 for who wants no JSON
 *     request: { params: z.object({ thing_id: id }) },
 *     responses: answers(thingSchema, "The thing."),
 *   });
 *   export const thingRoutes = (service: Service): Routes =>
 *     routes().openapi(show, async (c) => c.json(await service.app.thing(c.req.valid("param").thing_id), 200));
 *
 * Bodies are given as `request: { body: jsonBody(schema) }`: they are read, bounded and parsed before (`body.ts`), and what
 * a schema refuses becomes a 400 with `fields`. A handler throws OxbowErrors; `problem.ts` makes the answer of them.
 * What streams ends when `service.stopping` aborts.
 */
import type { HttpBindings } from "@hono/node-server";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { App, Log, Principal } from "../../app.ts";
import { invalidFields } from "./problem.ts";
import type { StreamLimits } from "./stream-limits.ts";

export interface Env {
  /** There are none where a test calls without a port. */
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    principal: Principal;
    /** The bytes of a body that is not for a route of ours (a mount's). */
    bytes: Uint8Array<ArrayBuffer>;
  };
}

export type Routes = OpenAPIHono<Env>;

export interface Service {
  readonly app: App;
  readonly version: string;
  readonly log: Log;
  redact(text: string): string;
  /** Whether what has to be alive is; see `health.ts`. */
  isHealthy(): Promise<boolean>;
  /** Aborts when the service is asked to stop. */
  readonly stopping: AbortSignal;
  /** Default: STREAM_LIMITS. */
  readonly streams?: StreamLimits | undefined;
}

/** Requests under a path that another door answers: MCP's at `/mcp`. It is authenticated; the scopes are for it to check. */
export type Mount = (request: Request, principal: Principal) => Promise<Response>;

/** An empty set of routes whose wrong input becomes a 400 that names the fields. */
export function routes(): Routes {
  return new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (!result.success) throw invalidFields(result.target, result.error.issues);
    },
  });
}

/** A name that somebody gave: of a task, a ticket, an approval. */
export const name = z
  .string()
  .min(1)
  .max(500)
  // No store keeps a NUL.
  .regex(/^[^\0]+$/, "must not have a NUL");
