/** docs/team-yaml.md, from the schema that checks the file. */
import { z } from "zod";
import { NOT_YET, teamSchema } from "../../src/core/team-schema.ts";

/** What is used of a JSON Schema. */
interface Shape {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly additionalProperties?: Shape | boolean;
  readonly anyOf?: readonly Shape[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

const LATER: ReadonlySet<string> = new Set([
  ...NOT_YET.team,
  ...NOT_YET.repo.map((key) => `repo.${key}`),
  ...NOT_YET.agents.map((key) => `agents[].${key}`),
  ...NOT_YET.sandbox.map((key) => `agents[].sandbox.${key}`),
]);

/** The tables of keys: one for the file, one for each mapping in it. */
export function teamTables(): string {
  const schema: Shape = JSON.parse(JSON.stringify(z.toJSONSchema(teamSchema, { io: "input" })));
  return tables("", schema).join("\n\n");
}

function tables(path: string, shape: Shape): string[] {
  const rows = Object.entries(shape.properties ?? {}).map(([key, value]) => {
    const name = path === "" ? key : `${path}.${key}`;
    const must = shape.required?.includes(key) ? " **Required.**" : "";
    const later = LATER.has(name) ? " *Read but not acted on yet.*" : "";
    return `| \`${key}\` | ${values(value)} | ${value.description ?? ""}${must}${later} |`;
  });
  const below = Object.entries(shape.properties ?? {}).flatMap(([key, value]) => {
    const found = mapping(value);
    return found === null ? [] : tables(`${path === "" ? "" : `${path}.`}${key}${found.suffix}`, found.shape);
  });
  const key = path.replace(/(?:\[\]|\.<agent>)$/, "");
  const later = LATER.has(key) ? [`*\`${key}:\` is read but not acted on yet.*`] : [];
  const title = path === "" ? [] : [`## \`${path}\``];
  const table = ["| key | value | meaning |", "|---|---|---|", ...rows].join("\n");
  return [...title, ...later, table, ...below];
}

/** The mapping that a key holds itself, in a list, or by name. */
function mapping(value: Shape): { suffix: string; shape: Shape } | null {
  if (value.properties) return { suffix: "", shape: value };
  if (value.items?.properties) return { suffix: "[]", shape: value.items };
  const named = typeof value.additionalProperties === "object" ? value.additionalProperties : null;
  const found = named?.anyOf?.find((each) => each.properties);
  return found ? { suffix: ".<agent>", shape: found } : null;
}

function values(value: Shape): string {
  if (value.anyOf) return value.anyOf.map(values).join(", or a ");
  if (value.enum) return value.enum.map((each) => `\`${each}\``).join(", ");
  switch (value.type) {
    case "array":
      return value.items?.properties ? "list of mappings" : "list of texts";
    case "boolean":
      return "`true`, `false`";
    case "integer":
      return `whole number, ${range(value)}`;
    case "number":
      return `number above ${value.exclusiveMinimum ?? value.minimum}`;
    case "object":
      return "mapping";
    default:
      return "text";
  }
}

function range({ minimum = 0, maximum = 0 }: Shape): string {
  const open = maximum >= 2_147_483_647;
  return open ? `at least ${minimum}` : `${minimum} to ${maximum}`;
}
