/**
 * A tool's zod schema, turned into what a model is shown, and a model's arguments, turned into what the tool gets.
 *
 * The schema is plain (non-strict) JSON Schema: vendors' strict modes want every parameter required, and compatible
 * servers know none. Instead every call is checked here, and `null` stands for "left out" wherever a parameter is
 * optional, because models trained on strict mode send it.
 */
import { z } from "zod";
import { OxbowError } from "../core/errors.ts";
import type { ShownSchema, ToolDef } from "../core/tool.ts";

export type ToolSchema =
  | ShownSchema
  | {
      type: "object";
      properties: Record<string, unknown>;
      required: string[];
      additionalProperties: false;
      /** Parts of a recursive schema, which only a plugin's tool may have. */
      definitions?: object;
    };

const schemas = new WeakMap<ToolDef, ToolSchema>();

/** The JSON Schema of a tool's parameters: always the same bytes for the same definition. */
export function toolSchema(tool: ToolDef): ToolSchema {
  const known = tool.shownSchema ?? schemas.get(tool);
  if (known !== undefined) return known;
  const made = z.toJSONSchema(tool.parameters, {
    io: "input",
    target: "draft-7",
    override: ({ jsonSchema }) => {
      // zod spells out the bounds of a safe integer; a model gains nothing from reading them.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const schema: ToolSchema = {
    type: "object",
    properties: { ...made.properties },
    required: made.required ?? [],
    additionalProperties: false,
    ...(made.definitions == null ? {} : { definitions: made.definitions }),
  };
  schemas.set(tool, schema);
  return schema;
}

/** The one property of arguments that were no JSON object; its value is the text that the model sent. */
const MALFORMED = "malformed_arguments";

/** A JSON object as text, whatever the model sent: "" stands for no arguments, anything else is kept as text. */
export function wellFormedArguments(text: string): string {
  if (text.trim() === "") return "{}";
  return isRecord(parsedJson(text)) ? text : JSON.stringify({ [MALFORMED]: text });
}

/** For a call that was cut off: never a whole object, since nothing must be done on the word of half a call. */
export function cutArguments(text: string): string {
  return text.trim() === "" ? "{" : text;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

/** Checks a model's arguments. Throws tool_input, naming every parameter that is wrong. */
export function parseToolInput(tool: ToolDef, input: unknown): Record<string, unknown> {
  if (
    isRecord(input) &&
    typeof input[MALFORMED] === "string" &&
    !Object.hasOwn(tool.parameters.shape, MALFORMED)
  ) {
    const error = parsedJson(input[MALFORMED]);
    const why = error instanceof Error ? `: ${error.message}` : "";
    throw new OxbowError("tool_input", `The arguments of ${tool.name} are not a JSON object${why}.`, {
      hint: "Call the tool again with its arguments as one complete JSON object.",
    });
  }
  const parsed = tool.parameters.safeParse(withoutNulls(tool.parameters, input ?? {}));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "arguments"}: ${issue.message}`,
  );
  throw new OxbowError("tool_input", `The arguments of ${tool.name} are not valid: ${issues.join("; ")}`, {
    hint: `Parameters of ${tool.name}: ${Object.keys(tool.parameters.shape).join(", ") || "none"}.`,
  });
}

/** Follows the schema, so that a null inside free JSON (a signal's payload) stays. */
function withoutNulls(schema: z.core.$ZodType, value: unknown): unknown {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) {
    return Array.isArray(value) ? value.map((each) => withoutNulls(inner.element, each)) : value;
  }
  if (!(inner instanceof z.ZodObject) || !isRecord(value)) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    const known = Object.hasOwn(inner.shape, key) ? inner.shape[key] : undefined;
    if (each === null && known instanceof z.ZodOptional) continue;
    kept[key] = known === undefined ? each : withoutNulls(known, each);
  }
  return kept;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Error);
}
