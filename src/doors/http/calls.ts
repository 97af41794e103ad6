/** `/calls/<name>`: every operation that a person has over MCP, under its own name and with the same arguments. */
import { createRoute, z } from "@hono/zod-openapi";
import { OxbowError } from "../../core/errors.ts";
import { mayUse } from "../../core/token.ts";
import { PERSON_CALLS } from "../../person-calls.ts";
import { standaloneCalls } from "../../tool-calls.ts";
import { access, answers, offers } from "./access.ts";
import { addCall, bodyOf, runCall } from "./call-route.ts";
import { routes, type Routes, type Service } from "./contract.ts";
import { JSON_TYPE } from "./media.ts";

const list = createRoute({
  method: "get",
  path: "/calls",
  tags: ["calls"],
  summary: "The operations that the caller may use, with the schemas of their arguments.",
  ...access("read"),
  responses: answers(
    z
      .object({
        calls: z.array(
          z.object({
            name: z.string(),
            description: z.string(),
            scope: z.enum(["read", "submit", "approve", "admin"]),
            parameters: z.record(z.string(), z.unknown()).openapi({ description: "A JSON Schema." }),
          }),
        ),
      })
      .openapi("CallList"),
    "All of them, also tools that are on.",
  ),
});

const OWN: ReadonlySet<string> = new Set(PERSON_CALLS.map(({ name }) => name));

export function callRoutes(service: Service): Routes {
  const calls = routes();
  const { app } = service;
  calls.openapi(list, async (c) => {
    const { scopes } = c.get("principal");
    const all = [...PERSON_CALLS, ...(await standaloneCalls(app, OWN))];
    const shown = all
      .filter(({ scope }) => mayUse(scopes, scope))
      .map(({ name, description, scope, parameters }) => {
        const schema = z.toJSONSchema(parameters, { io: "input", unrepresentable: "any" });
        return { name, description, scope, parameters: { ...schema } };
      });
    return c.json({ calls: shown }, 200);
  });
  for (const call of PERSON_CALLS)
    addCall(calls, service, { call, method: "post", path: `/calls/${call.name}`, tag: "calls" });
  // Tools are known when the repository is open, so that none is in the description; `GET /calls` has them.
  calls.post("/calls/:name", offers(JSON_TYPE), async (c) => {
    const wanted = c.req.param("name");
    const call = (await standaloneCalls(app, OWN)).find((each) => each.name === wanted);
    if (call === undefined) throw new OxbowError("route_unknown", `There is nothing at ${c.req.path}.`);
    if (!mayUse(c.get("principal").scopes, call.scope))
      throw new OxbowError("scope_missing", `The token has not the scope ${call.scope}.`);
    return c.json(await runCall(service, call, await bodyOf(c), c), 200);
  });
  return calls;
}
