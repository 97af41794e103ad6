/** JSON Schemas of the document in words: types, rows of fields, and the shape of a value. */
import { z } from "@hono/zod-openapi";

const schemaShape = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  format: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  items: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
});

export type JsonSchema = z.infer<typeof schemaShape> & { readonly name?: string };
type Resolve = (schema: unknown) => JsonSchema;

export interface FieldRow {
  /** Such as `agents[].load.open`. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly about: string;
}

/** A schema or what it refers to, with the name that has. */
export function resolver(schemas: Readonly<Record<string, unknown>>): Resolve {
  return (given) => {
    const schema = schemaShape.safeParse(given).data ?? {};
    const name = /^#\/components\/schemas\/(.+)$/.exec(schema.$ref ?? "")?.[1];
    if (name === undefined) return schema;
    return { ...schemaShape.safeParse(schemas[name]).data, name };
  };
}

export function typeOf(schema: JsonSchema, resolve: Resolve): string {
  const { type, items, format, minimum, maximum, anyOf, oneOf } = schema;
  const choices = anyOf ?? oneOf;
  if (choices) return choices.map((each) => typeOf(resolve(each), resolve)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = typeof type === "string" ? [type] : (type ?? ["any"]);
  const words = types.map((each) => (each === "array" ? `${typeOf(resolve(items), resolve)}[]` : each));
  const range = minimum === undefined || maximum === undefined ? "" : ` ${minimum}–${maximum}`;
  const start = schema.default === undefined ? "" : `, else ${JSON.stringify(schema.default)}`;
  return `${schema.name ?? words.join(" or ")}${format === undefined ? "" : ` (${format})`}${range}${start}`;
}

const MOST_DEEP = 5;

export function propertyRows(
  schema: JsonSchema,
  resolve: Resolve,
  before = "",
  deep = 0,
): readonly FieldRow[] {
  if (deep > MOST_DEEP) return [];
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const field = resolve(value);
    const path = `${before}${key}`;
    const row = {
      path,
      type: typeOf(field, resolve),
      required: required.has(key),
      about: field.description ?? "",
    };
    const inner = field.items === undefined ? field : resolve(field.items);
    const below = field.items === undefined ? `${path}.` : `${path}[].`;
    return [row, ...propertyRows(inner, resolve, below, deep + 1)];
  });
}

/** A value of that shape, its leaves in words. */
export function exampleOf(schema: JsonSchema, resolve: Resolve, deep = 0): unknown {
  if (schema.items !== undefined) return [exampleOf(resolve(schema.items), resolve, deep + 1)];
  if (schema.properties === undefined || deep > MOST_DEEP) return typeOf(schema, resolve);
  return Object.fromEntries(
    Object.entries(schema.properties).map(([key, value]) => [
      key,
      exampleOf(resolve(value), resolve, deep + 1),
    ]),
  );
}
