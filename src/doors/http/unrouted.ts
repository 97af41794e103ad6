/** Requests that no route takes: 404, 405 with what would be taken, and OPTIONS. */
import type { Context } from "hono";
import { OxbowError } from "../../core/errors.ts";
import type { Env, Routes } from "./contract.ts";

/** For `notFound`, once all routes are there. */
export function unrouted(api: Routes): (c: Context<Env>) => Response {
  const known = api.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => ({ method, parts: path.split("/") }));
  return (c) => {
    const asked = c.req.path.split("/");
    const taken = new Set(known.flatMap(({ method, parts }) => (fits(asked, parts) ? [method] : [])));
    if (taken.size === 0) throw new OxbowError("route_unknown", `There is nothing at ${c.req.path}.`);
    if (taken.has("GET")) taken.add("HEAD");
    const allow = [...taken, "OPTIONS"].sort().join(", ");
    c.header("allow", allow);
    if (c.req.method === "OPTIONS") return c.body(null, 204);
    throw new OxbowError("method_not_allowed", `${c.req.path} takes ${allow}.`);
  };
}

/** A route's path has `:names` where anything may stand. */
function fits(asked: readonly string[], parts: readonly string[]): boolean {
  if (asked.length !== parts.length) return false;
  return parts.every((part, i) => part === asked[i] || (part.startsWith(":") && asked[i] !== ""));
}
