/** The schemas of a person's operations for the description: as their own library writes them, named parts and all. */
import { z } from "@hono/zod-openapi";
import type { Routes } from "./contract.ts";

const COMPONENTS = "#/components/schemas/";

/** Puts the schema into the description under this name, and returns what refers to it there. */
export function describeSchema(
  api: Routes,
  name: string,
  schema: z.ZodType,
  io: "input" | "output",
): { $ref: string } {
  const { $schema: _, $defs = {}, ...own } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  // What has a name of its own keeps it: it is the same wherever it is met.
  const called = (part: string) => (part.startsWith("__") ? `${name}${part}` : part);
  const moved = (value: object): Record<string, unknown> =>
    JSON.parse(
      JSON.stringify(value)
        .replaceAll(/"\$ref":"#\/\$defs\/([^"]+)"/g, (_all, part: string) => refTo(called(part)))
        .replaceAll('"$ref":"#"', refTo(name)),
    );
  for (const [part, definition] of Object.entries($defs)) register(api, called(part), moved(definition));
  register(api, name, moved(own));
  return { $ref: `${COMPONENTS}${name}` };
}

const refTo = (name: string) => `"$ref":"${COMPONENTS}${name}"`;

function register(api: Routes, name: string, schema: Record<string, unknown>): void {
  // The same operation is at several routes.
  const isThere = api.openAPIRegistry.definitions.some(
    (each) => each.type === "component" && each.componentType === "schemas" && each.name === name,
  );
  if (!isThere) api.openAPIRegistry.registerComponent("schemas", name, schema);
}

/** `send_message` → `SendMessage`. */
export function pascal(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join("");
}
