/**
 * Routes made of a person's operations (`person-calls.ts`): what one takes, gives and needs is said there, once for all
 * doors; here is only where it stands and which of its arguments are parts of the path, or of the query.
 */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { OxbowError } from "../../core/errors.ts";
import { callAsPerson, PERSON_CALLS, type PersonCall } from "../../person-calls.ts";
import { access, problems } from "./access.ts";
import { describeSchema, pascal } from "./call-schemas.ts";
import { type Env, name, type Routes, type Service } from "./contract.ts";
import { invalidFields } from "./problem.ts";

export interface CallRoute {
  readonly call: PersonCall;
  readonly method: "get" | "post" | "put" | "delete";
  /** `/subtasks/{subtask_id}/assign` */
  readonly path: string;
  readonly tag: string;
  /** By the name in the path or the query, the argument of the call. Default: the same name. */
  readonly as?: Readonly<Record<string, string>>;
  /** What a GET or DELETE takes, as it is written there. */
  readonly query?: z.ZodObject;
  /** In place of all arguments that the path does not have. */
  readonly body?: z.ZodObject;
  /** Default 200. */
  readonly status?: 200 | 201;
  /** In place of the call's own result. */
  readonly result?: { readonly name: string; readonly schema: z.ZodType; from(given: Shown): object };
  readonly example?: object;
}

type Shown = Readonly<Record<string, unknown>>;

/** A call of the list; what is not there is a mistake in the program. */
export function callNamed(wanted: string): PersonCall {
  const call = PERSON_CALLS.find((each) => each.name === wanted);
  if (call === undefined) throw new Error(`There is no operation ${wanted}.`);
  return call;
}

/** Adds the route, and its description. */
export function addCall(api: Routes, service: Service, route: CallRoute): void {
  const { call, method, path, query, as = {}, status = 200, result } = route;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, part = ""]) => part);
  const params = z.object(Object.fromEntries(inPath.map((part) => [part, name])));
  const takesBody = method === "post" || method === "put";
  const body = takesBody
    ? (route.body ?? restOf(call, new Set(inPath.map((part) => as[part] ?? part))))
    : null;
  const { middleware, security } = access(call.scope);
  describe(api, route, { params, body, security });

  const rename = (given: Shown) =>
    Object.fromEntries(Object.entries(given).map(([key, value]) => [as[key] ?? key, value]));
  const at = path.replaceAll(/\{(\w+)\}/g, ":$1");
  api.on(method.toUpperCase(), [at], ...middleware, async (c) => {
    const found = {
      ...(body === null ? {} : checked("json", body, await bodyOf(c))),
      ...rename(checked("param", params, c.req.param())),
      ...(query === undefined ? {} : rename(checked("query", query, queryOf(c, query)))),
    };
    const given = await runCall(service, call, found, c);
    return c.json(result === undefined ? given : result.from(given), status);
  });
}

/** The operation for one request. Throws what it throws, and service_stopping. */
export async function runCall(
  { app, stopping }: Service,
  call: PersonCall,
  given: unknown,
  c: Context<Env>,
): Promise<Shown> {
  const gone = c.req.raw.signal;
  const { token_id, name: caller } = c.get("principal");
  const as = token_id === null ? undefined : caller;
  try {
    const signal = AbortSignal.any([gone, stopping]);
    return await callAsPerson(app, call, given, { signal, progress: () => undefined, as });
  } catch (error) {
    throw endedBy(error, { stopping, gone });
  }
}

/** What ended a wait, in words of the table. */
export function endedBy(
  error: unknown,
  { stopping, gone }: { readonly stopping: AbortSignal; readonly gone: AbortSignal },
): unknown {
  if (error instanceof OxbowError) return error;
  if (stopping.aborted) return new OxbowError("service_stopping", "The service stops.", { cause: error });
  return gone.aborted ? new OxbowError("cancelled", "The caller went away.", { cause: error }) : error;
}

function restOf({ parameters }: PersonCall, taken: ReadonlySet<string>): z.ZodObject {
  return z.strictObject(
    Object.fromEntries(Object.entries(parameters.shape).filter(([key]) => !taken.has(key))),
  );
}

/** As it came, not as the schema reads it: the call reads it itself. Throws request_invalid. */
function checked(target: string, schema: z.ZodObject, given: unknown): Shown {
  const read = schema.safeParse(given);
  if (!read.success) throw invalidFields(target, read.error.issues);
  return target === "json" && isRecord(given) ? given : read.data;
}

function isRecord(given: unknown): given is Shown {
  return typeof given === "object" && given !== null;
}

/** `{}` where there is none. */
export async function bodyOf(c: Context<Env>): Promise<unknown> {
  return c.req.bodyCache.json === undefined ? {} : c.req.json();
}

function queryOf(c: Context<Env>, schema: z.ZodObject): Shown {
  return Object.fromEntries(
    Object.entries(c.req.queries()).map(([key, values]) => [
      key,
      schema.shape[key] instanceof z.ZodArray || values.length > 1 ? values : values[0],
    ]),
  );
}

function describe(
  api: Routes,
  { call, method, path, tag, query, status = 200, result, example }: CallRoute,
  {
    params,
    body,
    security,
  }: { params: z.ZodObject; body: z.ZodObject | null; security: { token: string[] }[] },
): void {
  const [summary = "", ...more] = call.description.split(/(?<=[.:;]) /);
  const output =
    result === undefined
      ? describeSchema(api, `${pascal(call.name)}Result`, call.result, "output")
      : describeSchema(api, result.name, result.schema, "output");
  const where = pascal(`${method} ${path}`);
  const taken = body === null ? null : describeSchema(api, `${where}Body`, body, "input");
  const required = body !== null && !body.safeParse({}).success;
  api.openAPIRegistry.registerPath({
    method,
    path,
    tags: [tag],
    summary: summary.replace(/[:;]$/, "."),
    ...(more.length > 0 ? { description: call.description } : {}),
    security,
    request: {
      ...(Object.keys(params.shape).length > 0 ? { params } : {}),
      ...(query === undefined ? {} : { query }),
      ...(taken === null
        ? {}
        : {
            body: {
              required,
              content: { "application/json": { schema: taken, ...(example ? { example } : {}) } },
            },
          }),
    },
    responses: {
      [status]: { description: "What it came to.", content: { "application/json": { schema: output } } },
      ...problems,
    },
  });
}
