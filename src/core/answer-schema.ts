/**
 * The part of JSON Schema that an answer can be asked to meet. A schema may come from a model, so every keyword that is
 * not understood is refused, not ignored, and so are those that a hostile one could keep a process busy with (`pattern`,
 * `$ref`).
 */
import { z } from "zod";
import type { Json } from "./model.ts";
import { canonicalJson, isJsonObject, isList, type JsonObject } from "./canonical-json.ts";
import { OxbowError } from "./errors.ts";

export interface AnswerSchema {
  readonly schema: JsonObject;
  /** What is wrong with a value, at most ten lines; empty: nothing. */
  problems(value: Json): readonly string[];
}

const MAX_BYTES = 16_384;
const MAX_DEPTH = 16;
const MAX_PROBLEMS = 10;

const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"];
const FORMATS = ["date", "date-time", "time", "email", "uri", "uuid"];

type Check = (value: Json) => boolean;
const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number";
const isCount: Check = (value) => typeof value === "number" && Number.isInteger(value) && value >= 0;
const isFlag: Check = (value) => typeof value === "boolean";
const isScalar: Check = (value) => value === null || typeof value !== "object";
const isAnything: Check = () => true;
const oneOf =
  (known: readonly string[]): Check =>
  (value) =>
    typeof value === "string" && known.includes(value);
const someOf =
  (check: Check): Check =>
  (value) =>
    isList(value) && value.length > 0 && value.every(check);

const KEYWORDS: Readonly<Record<string, Check>> = {
  type: (value) => oneOf(TYPES)(value) || someOf(oneOf(TYPES))(value),
  enum: someOf(isScalar),
  const: isScalar,
  format: oneOf(FORMATS),
  properties: (value) => isJsonObject(value),
  required: (value) => isList(value) && value.every(isText),
  additionalProperties: (value) => isFlag(value) || isJsonObject(value),
  items: (value) => isJsonObject(value),
  prefixItems: someOf(isJsonObject),
  anyOf: someOf(isJsonObject),
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  multipleOf: (value) => typeof value === "number" && value > 0,
  minLength: isCount,
  maxLength: isCount,
  minItems: isCount,
  maxItems: isCount,
  uniqueItems: isFlag,
  title: isText,
  description: isText,
  $schema: isText,
  default: isAnything,
  examples: isAnything,
};

/** Throws tool_input, naming the place and the keyword. */
export function readAnswerSchema(given: Json): AnswerSchema {
  if (!isJsonObject(given)) throw refused("", "it is no object");
  const bytes = new TextEncoder().encode(canonicalJson(given)).length;
  if (bytes > MAX_BYTES) throw refused("", `it has ${bytes} bytes, of ${MAX_BYTES} at most`);
  checkNode(given, "", 0);
  const meets = compiled(given);
  return {
    schema: given,
    problems(value) {
      const result = meets.safeParse(value);
      if (result.success) return [];
      const lines = result.error.issues.map(({ path, message }) => `/${path.join("/")}: ${message}`);
      return lines.length <= MAX_PROBLEMS ? lines : [...lines.slice(0, MAX_PROBLEMS), "and more"];
    },
  };
}

function checkNode(node: JsonObject, path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw refused(path, `it is nested deeper than ${MAX_DEPTH}`);
  for (const [keyword, value] of Object.entries(node)) {
    const check = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
    if (check === undefined) throw refused(path, `the keyword ${keyword} is not supported`);
    if (!check(value)) throw refused(path, `the value of ${keyword} is not allowed`);
  }
  if (["type", "enum", "const", "anyOf"].every((keyword) => node[keyword] === undefined))
    throw refused(path, "it has no `type`");
  for (const [place, child] of childrenOf(node)) checkNode(child, `${path}/${place}`, depth + 1);
}

function childrenOf(node: JsonObject): readonly (readonly [place: string, child: JsonObject])[] {
  const { properties, prefixItems, anyOf } = node;
  const single = ["items", "additionalProperties"].map((key) => [key, node[key]] as const);
  const listed = Object.entries({ prefixItems, anyOf }).flatMap(([key, list]) =>
    isList(list) ? list.map((each, at) => [`${key}/${at}`, each] as const) : [],
  );
  const named = isJsonObject(properties)
    ? Object.entries(properties).map(([key, each]) => [`properties/${key}`, each] as const)
    : [];
  return [...named, ...single, ...listed].flatMap(([place, child]) => {
    if (child === undefined || (place === "additionalProperties" && typeof child === "boolean")) return [];
    if (!isJsonObject(child)) throw refused(place, "it is no schema");
    return [[place, child] as const];
  });
}

function compiled(schema: JsonObject): z.ZodType {
  try {
    // A copy: what zod is given is not ours to share, and its type knows only what JSON Schema has.
    return z.fromJSONSchema(structuredClone({ ...schema }));
  } catch (error) {
    throw refused("", error instanceof Error ? error.message : "it cannot be read", error);
  }
}

function refused(path: string, why: string, cause?: unknown): OxbowError {
  const where = path === "" ? "The schema" : `The schema at ${path}`;
  return new OxbowError("tool_input", `${where} cannot be used: ${why}.`, {
    hint: `Use ${Object.keys(KEYWORDS).slice(0, 20).join(", ")}; each part says its type.`,
    ...(cause === undefined ? {} : { cause }),
  });
}
