/** What docs/orchestration says of events and tools, from the schemas that they are checked against. */
import { z } from "zod";
import { COMMON_FIELDS } from "../../src/core/event-form.ts";
import { EVENT_TOPICS, oxbowEventSchema } from "../../src/core/event-schemas.ts";
import { reportSchema } from "../../src/core/report-schema.ts";
import { builtinTools } from "../../tools/index.ts";

/** What is used of a JSON Schema. */
interface Shape {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly additionalProperties?: Shape | boolean;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly prefixItems?: readonly Shape[];
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
}

const shapeOf = (schema: z.ZodType): Shape =>
  JSON.parse(JSON.stringify(z.toJSONSchema(schema, { io: "input" })));

/** One table a topic, then the values that several events carry. */
export function eventTables(): string {
  const { $defs = {} } = shapeOf(z.union([oxbowEventSchema, reportSchema]));
  const topics = EVENT_TOPICS.map(({ topic, events }) => {
    const rows = events.map((each: z.ZodObject) => {
      const shape = shapeOf(each);
      const own = fields(shape, (name) => !COMMON_FIELDS.has(name));
      return `| \`${shape.properties?.["event"]?.const}\` | ${cell(each.description)} | ${own} |`;
    });
    return [`**${topic}**`, "", "| event | when | its fields |", "|---|---|---|", ...rows].join("\n");
  });
  const named = Object.entries($defs).filter(([, { properties }]) => properties !== undefined);
  const values = named
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, shape]) => `| \`${name}\` | ${fields(shape, () => true)} |`);
  const table = ["| value | its fields |", "|---|---|", ...values].join("\n");
  return [...topics, "**Values in them, and the report**", table].join("\n\n");
}

/** The arguments of each tool. */
export function toolTable(): string {
  const rows = builtinTools.map(({ name, parameters }) => {
    const given = fields(shapeOf(parameters), () => true);
    return `| \`${name}\` | ${given === "" ? "none" : given} |`;
  });
  return ["| tool | arguments |", "|---|---|", ...rows].join("\n");
}

function fields({ properties = {}, required = [] }: Shape, wanted: (name: string) => boolean): string {
  return Object.entries(properties)
    .filter(([name]) => wanted(name))
    .map(([name, shape]) => {
      const about = shape.description && !shape.$ref ? ` (${cell(shape.description)})` : "";
      return `\`${name}${required.includes(name) ? "" : "?"}\` ${words(shape)}${about}`;
    })
    .join("; ");
}

function cell(text = ""): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function words(shape: Shape): string {
  if (shape.$ref) return shape.$ref.split("/").at(-1)?.replace(/^__.*/, "JSON") ?? "";
  if (shape.const !== undefined) return `\`${shape.const}\``;
  if (shape.enum) return shape.enum.map((each) => `\`${each}\``).join(" or ");
  const either = shape.anyOf ?? shape.oneOf;
  if (either) return [...new Set(either.map(words))].join(" or ");
  if (Array.isArray(shape.type)) return shape.type.map((type) => words({ type })).join(" or ");
  switch (shape.type) {
    case "string":
      return "text";
    case "integer":
      return "whole number";
    case "boolean":
      return "true or false";
    case "array":
      return shape.prefixItems
        ? `[${shape.prefixItems.map(words).join(", ")}]`
        : `list of ${shape.items ? words(shape.items) : "JSON"}`;
    case "object":
      return shape.properties
        ? `{ ${Object.keys(shape.properties).join(", ")} }`
        : `mapping of ${typeof shape.additionalProperties === "object" ? words(shape.additionalProperties) : "JSON"}`;
    default:
      return typeof shape.type === "string" ? shape.type : "JSON";
  }
}
