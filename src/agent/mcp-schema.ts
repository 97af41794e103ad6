/** A tool's JSON Schema as its server gives it: what a model is shown of it, and what its arguments are checked with. */
import { OxbowError } from "../core/errors.ts";
import type { ShownSchema } from "../core/tool.ts";
import type { McpTool } from "./mcp-connection.ts";
import { isFields } from "./wire-values.ts";

/** Bytes of JSON. */
export const MAX_SCHEMA_BYTES = 32_768;

/** Providers take an object with properties, and nothing beside them at the top. Null: it is too large for any. */
export function shownSchema({ inputSchema }: Pick<McpTool, "inputSchema">): ShownSchema | null {
  const { properties, required, $defs, definitions } = inputSchema;
  const shown: ShownSchema = {
    type: "object",
    properties: isFields(properties) ? { ...properties } : {},
    required: Array.isArray(required) ? required.filter((name) => typeof name === "string") : [],
    additionalProperties: true,
    ...(isFields($defs) ? { $defs } : {}),
    ...(isFields(definitions) ? { definitions } : {}),
  };
  return Buffer.byteLength(JSON.stringify(shown)) > MAX_SCHEMA_BYTES ? null : shown;
}

export type InputCheck = (input: Record<string, unknown>) => Record<string, unknown>;

/**
 * Checks arguments, and leaves out a null that stands for "left out" (models trained on strict schemas send it). The check
 * throws tool_input. A schema that cannot be compiled, or is
 * as large as none should be, checks nothing: the server does.
 */
export async function inputCheck(
  name: string,
  { inputSchema }: Pick<McpTool, "inputSchema">,
): Promise<InputCheck> {
  const { AjvJsonSchemaValidator } = await import("@modelcontextprotocol/client/validators/ajv");
  const isLarge = Buffer.byteLength(JSON.stringify(inputSchema)) > MAX_SCHEMA_BYTES;
  const validate = isLarge
    ? () => null
    : compiled(new AjvJsonSchemaValidator(), withoutPatterns(inputSchema));
  const required = new Set(Array.isArray(inputSchema.required) ? inputSchema.required : []);
  const properties = isFields(inputSchema.properties) ? inputSchema.properties : {};
  return (given) => {
    const input = Object.fromEntries(
      Object.entries(given).filter(
        ([key, value]) =>
          value !== null ||
          required.has(key) ||
          !Object.hasOwn(properties, key) ||
          mayBeNull(properties[key]),
      ),
    );
    const problem = validate(input);
    if (problem === null) return input;
    throw new OxbowError("tool_input", `The arguments of ${name} are not valid: ${problem}`, {
      hint: `Parameters of ${name}: ${Object.keys(properties).join(", ") || "none"}.`,
    });
  };
}

function compiled(
  validator: InstanceType<
    typeof import("@modelcontextprotocol/client/validators/ajv").AjvJsonSchemaValidator
  >,
  schema: Record<string, unknown>,
): (input: unknown) => string | null {
  try {
    const validate = validator.getValidator<unknown>(schema);
    return (input) => {
      const { valid, errorMessage } = validate(input);
      return valid ? null : (errorMessage ?? "they do not fit the schema");
    };
  } catch {
    // Another dialect, or a reference that leads nowhere.
    return () => null;
  }
}

function mayBeNull(schema: unknown): boolean {
  if (!isFields(schema)) return true;
  const { type } = schema;
  return type === undefined || type === "null" || (Array.isArray(type) && type.includes("null"));
}

/** A regular expression of somebody else's could keep the whole process busy. */
function withoutPatterns(schema: unknown): Record<string, unknown> {
  const clean = (value: unknown, isMap: boolean): unknown => {
    if (Array.isArray(value)) return value.map((each) => clean(each, false));
    if (!isFields(value)) return value;
    const left = isMap ? [] : ["pattern", ...("patternProperties" in value ? BESIDE_PATTERNS : [])];
    const kept = Object.entries(value).filter(([key]) => !left.includes(key));
    return Object.fromEntries(
      kept.map(([key, each]) => [
        key,
        !isMap && VALUES.has(key) ? each : clean(each, !isMap && MAPS.has(key)),
      ]),
    );
  };
  const result = clean(schema, false);
  return isFields(result) ? { ...result } : {};
}

/** Whose keys are names, not keywords. */
const MAPS = new Set(["properties", "$defs", "definitions", "dependentSchemas"]);
const VALUES = new Set(["const", "enum", "default", "examples"]);
/** Without the patterns they would refuse what those allow. */
const BESIDE_PATTERNS = ["patternProperties", "additionalProperties", "unevaluatedProperties"];
