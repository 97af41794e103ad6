/** One text for one JSON value, however its keys are ordered: equal texts, equal values. */
import type { Json } from "./model.ts";
import { OxbowError } from "./errors.ts";

/** Deeper values are refused: walking them would use up the stack. */
export const MAX_JSON_DEPTH = 64;

/** Throws payload_invalid for what is no JSON (not a number, infinity, undefined) or nested deeper than 64. */
export function canonicalJson(value: Json): string {
  return write(value, 0);
}

function write(value: Json, depth: number): string {
  if (depth > MAX_JSON_DEPTH)
    throw new OxbowError("payload_invalid", `The value is nested deeper than ${MAX_JSON_DEPTH}.`);
  if (typeof value === "number" && !Number.isFinite(value))
    throw new OxbowError("payload_invalid", `${value} is no JSON number.`);
  if (isList(value)) return `[${value.map((each) => write(each, depth + 1)).join(",")}]`;
  if (isJsonObject(value)) {
    const keys = Object.keys(value).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${write(value[key] ?? null, depth + 1)}`).join(",")}}`;
  }
  if (value === undefined) throw new OxbowError("payload_invalid", "`undefined` is no JSON value.");
  return JSON.stringify(value);
}

export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !isList(value);
}

/** `Array.isArray` alone does not narrow a readonly array away. */
export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
