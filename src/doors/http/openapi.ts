/** The description of the routes: OpenAPI 3.1, whose schemas are JSON Schemas of the year 2020. */
import { z } from "@hono/zod-openapi";
import type { Routes } from "./contract.ts";

export type OpenApiDocument = ReturnType<Routes["getOpenAPI31Document"]>;

const SCHEMAS = "#/components/schemas/";
/** What the library calls the place of parts without a name. */
const SHARED = "__shared";

export function describeApi(api: Routes, version: string): OpenApiDocument {
  api.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description: "A token of `oxbow token create`. Calls from the machine itself need none.",
  });
  const document = api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Oxbow",
      version,
      description:
        "A team of coding agents on one Git repository: submit work, follow it, answer what it asks.",
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "tasks", description: "Work that was submitted, and its parts." },
      { name: "agents", description: "Who can do what, and how they are." },
      { name: "approvals", description: "What waits for a person." },
      { name: "conversations", description: "Talking with agents." },
      { name: "signals", description: "Small durable messages on topics." },
      { name: "webhooks", description: "Events that are sent to programs elsewhere." },
      { name: "calls", description: "The tools of the MCP server, one by one." },
      { name: "events", description: "The stream of events, as it happens." },
      { name: "service", description: "The service itself." },
    ],
  });
  return withOwnSchemas(document);
}

/**
 * Schemas that carry their name (`.meta({ id })`), as their own library writes them: the generator takes fields that may
 * be left out, but not be undefined, for required ones.
 */
function withOwnSchemas(document: OpenApiDocument): OpenApiDocument {
  const schemas = document.components?.schemas ?? {};
  const asked = namesIn(Object.values(document.paths ?? {}).flatMap(bodiesOf), schemas);
  const [given, taken] = [ownSchemas("output"), ownSchemas("input")];
  for (const name of Object.keys(schemas)) {
    const own = (asked.has(name) ? taken : given)[name];
    if (own !== undefined) schemas[name] = own;
  }
  const all: Record<string, Record<string, unknown>> = { ...taken, ...given };
  for (const name of namesIn(schemas, { ...all, ...schemas })) {
    const own = schemas[name] ?? all[name];
    if (own !== undefined) schemas[name] = own;
  }
  return document;
}

/** Their parts that have no name, but are met again within themselves, get one of their own for each direction. */
function ownSchemas(io: "input" | "output"): Readonly<Record<string, Record<string, unknown>>> {
  const uri = (id: string) => `${SCHEMAS}${id}`;
  const { schemas } = z.toJSONSchema(z.globalRegistry, { io, uri, unrepresentable: "any" });
  const part = (name: string) => `Part_${io}_${name}`;
  const refs = new RegExp(`"\\$ref":"(?:${SCHEMAS}${SHARED}#|#)/\\$defs/([^"]+)"`, "g");
  const own = (schema: object): Record<string, unknown> => {
    const text = JSON.stringify(schema).replaceAll(
      refs,
      (_all, name: string) => `"$ref":"${uri(part(name))}"`,
    );
    const { $id: _, $schema: __, ...rest }: Record<string, unknown> = JSON.parse(text);
    return rest;
  };
  const { [SHARED]: shared, ...named } = schemas;
  return Object.fromEntries([
    ...Object.entries(named).map(([name, schema]) => [name, own(schema)] as const),
    ...Object.entries(shared?.$defs ?? {}).map(
      ([name, schema]) => [part(name), own(Object(schema))] as const,
    ),
  ]);
}

function bodiesOf(item: object): readonly unknown[] {
  return Object.values(item).flatMap((operation: unknown) =>
    typeof operation === "object" && operation !== null && "requestBody" in operation
      ? [operation.requestBody]
      : [],
  );
}

/** The names of all schemas that these refer to, however far. */
function namesIn(roots: unknown, schemas: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const names = new Set<string>();
  const waiting = [roots];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const [, name = ""] of JSON.stringify(next).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      if (names.has(name)) continue;
      names.add(name);
      waiting.push(schemas[name]);
    }
  }
  return names;
}
