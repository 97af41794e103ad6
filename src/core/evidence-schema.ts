/** What a JSON Schema tells about how the values at a place are to be compared. */
import type { Json } from "./model.ts";
import type { FieldKind } from "./evidence.ts";
import { isJsonObject, isList, type JsonObject } from "./canonical-json.ts";

export interface SchemaHint {
  /** Null: the schema does not say. */
  readonly kind: FieldKind | null;
  readonly integer: boolean;
  readonly range: readonly [minimum: number, maximum: number] | null;
  /** How many values there can be. */
  readonly size: number | null;
  /** An array whose positions mean different things. */
  readonly tuple: boolean;
  readonly schema: JsonObject | null;
}

const NOTHING: SchemaHint = {
  kind: null,
  integer: false,
  range: null,
  size: null,
  tuple: false,
  schema: null,
};

export function hintOf(given: Json | undefined): SchemaHint {
  const schema = withoutNull(given);
  if (schema === null) return NOTHING;
  const type = typeOf(schema);
  const choices = schema["enum"];
  if (isList(choices) || schema["const"] !== undefined) {
    const size = isList(choices) ? choices.filter((each) => each !== null).length : 1;
    return { ...NOTHING, schema, kind: "category", size };
  }
  if (type === "boolean") return { ...NOTHING, schema, kind: "category", size: 2 };
  if (type === "number" || type === "integer")
    return { ...NOTHING, schema, kind: "number", integer: type === "integer", range: rangeOf(schema) };
  // A date or an address is the same or another one; it is no prose.
  if (type === "string")
    return { ...NOTHING, schema, kind: schema["format"] === undefined ? "text" : "category" };
  if (type === "array") return { ...NOTHING, schema, kind: "set", tuple: isList(schema["prefixItems"]) };
  return { ...NOTHING, schema };
}

export function propertyHint({ schema }: SchemaHint, key: string): SchemaHint {
  const properties = schema?.["properties"];
  if (isJsonObject(properties) && Object.hasOwn(properties, key)) return hintOf(properties[key]);
  return hintOf(schema?.["additionalProperties"]);
}

export function itemHint({ schema }: SchemaHint, key: string): SchemaHint {
  const first = schema?.["prefixItems"];
  return hintOf((isList(first) ? first[Number(key)] : undefined) ?? schema?.["items"]);
}

/** The one alternative that is not null: null is counted beside the values. */
function withoutNull(schema: Json | undefined): JsonObject | null {
  if (!isJsonObject(schema)) return null;
  const choices = schema["anyOf"] ?? schema["oneOf"];
  if (!isList(choices)) return schema;
  const others = choices.filter((each) => !(isJsonObject(each) && each["type"] === "null"));
  const [only] = others;
  return others.length === 1 && isJsonObject(only) ? withoutNull(only) : null;
}

function typeOf(schema: JsonObject): Json | undefined {
  const type = schema["type"];
  if (!isList(type)) return type;
  const others = type.filter((each) => each !== "null");
  return others.length === 1 ? others[0] : undefined;
}

function rangeOf(schema: JsonObject): readonly [number, number] | null {
  const bound = (...names: readonly string[]) =>
    names.map((name) => schema[name]).find((each) => typeof each === "number");
  const minimum = bound("minimum", "exclusiveMinimum");
  const maximum = bound("maximum", "exclusiveMaximum");
  return minimum !== undefined && maximum !== undefined && minimum < maximum ? [minimum, maximum] : null;
}
