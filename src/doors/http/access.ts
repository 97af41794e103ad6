/** What a route says of itself: who may call it, what it answers, what it takes. */
import type { z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import type { Scope } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";
import { mayUse } from "../../core/token.ts";
import type { Env } from "./contract.ts";
import { chosen, JSON_TYPE } from "./media.ts";
import { PROBLEM_TYPE, problemSchema } from "./problem.ts";

/** Refuses who may not. Throws scope_missing. */
export function requires(scope: Scope): MiddlewareHandler<Env> {
  return async (c, next) => {
    const { scopes, name } = c.get("principal");
    if (!mayUse(scopes, scope))
      throw new OxbowError("scope_missing", `The token ${name} has not the scope ${scope}.`);
    await next();
  };
}

/** Refuses who accepts none of these. Throws not_acceptable. */
export function offers(...types: readonly string[]): MiddlewareHandler<Env> {
  return async (c, next) => {
    chosen(c.req.header("accept"), types);
    await next();
  };
}

/** For `createRoute`: the scope, in the document too, and the types that are offered. */
export function access(scope: Scope, ...types: readonly string[]) {
  return {
    middleware: [requires(scope), offers(...(types.length > 0 ? types : [JSON_TYPE]))],
    security: [{ token: [scope] }],
  };
}

export const problems = {
  default: {
    description: "What went wrong.",
    content: { [PROBLEM_TYPE]: { schema: problemSchema } },
  },
};

/** For `createRoute`: this as JSON, or a problem. */
export function answers<T extends z.ZodType>(schema: T, description: string) {
  return { 200: { description, content: { "application/json": { schema } } }, ...problems };
}

/** The same for other media types. */
export function answersWith<C extends Record<string, { readonly schema: z.ZodType }>>(
  content: C,
  description: string,
) {
  return { 200: { description, content }, ...problems };
}

/** For `request.body` of `createRoute`. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}
