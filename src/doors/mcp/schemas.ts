/**
 * A schema as it is sent: JSON Schema, made once. What comes in is checked where the operation is called, so that wrong
 * arguments have a code and name their fields whichever door they came through.
 */
import type { StandardSchemaWithJSON } from "@modelcontextprotocol/server";
import type { PersonCall } from "../../person-calls.ts";

export type WireSchema = StandardSchemaWithJSON<unknown, unknown>;

export function schemaOf(schema: PersonCall["parameters"], io: "input" | "output"): WireSchema {
  const made = schema["~standard"].jsonSchema[io]({ target: "draft-2020-12" });
  const json = () => made;
  return {
    "~standard": {
      version: 1,
      vendor: "oxbow",
      validate: (value) => ({ value }),
      jsonSchema: { input: json, output: json },
    },
  };
}
