/** Requests made of the description alone: ones that fit it, and ones that do not. */
import fc, { type Arbitrary } from "fast-check";
import type { Operation } from "./openapi.ts";

export interface Request {
  readonly path: string;
  readonly body: unknown;
}

/** Values to use for names that mean something here, in place of what would fit the schema only. */
export type Known = Readonly<Record<string, readonly unknown[]>>;

type Make = (schema: any, name: string, depth: number) => Arbitrary<any>;

/** `known`: by the name of a field; a field whose list is empty is left out. */
export function requestsOf(document: any, known: Known): (operation: Operation) => Arbitrary<Request> {
  const make = valuesOf(document, known);
  return ({ template, described }) => {
    const given: readonly any[] = described.parameters ?? [];
    const parameters = given.filter((each) => each.in !== "header" && known[each.name]?.length !== 0);
    const placed = fc.tuple(
      ...parameters.map((each) =>
        fc.tuple(
          fc.constant(each),
          each.in === "path" || each.required === true
            ? make(each.schema, each.name, 0)
            : fc.option(make(each.schema, each.name, 0), { nil: undefined }),
        ),
      ),
    );
    const schema = described.requestBody?.content["application/json"].schema;
    const body = schema === undefined ? fc.constant(undefined) : make(schema, "", 0);
    return fc.record({ placed, body }).map(({ placed: values, body: given }) => {
      const query = new URLSearchParams();
      let path = template;
      for (const [{ in: where, name }, value] of values) {
        const texts = (Array.isArray(value) ? value : [value]).map((each) => String(each).toWellFormed());
        if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(texts[0] ?? ""));
        else if (value !== undefined) for (const text of texts) query.append(name, text);
      }
      return { path: query.size === 0 ? path : `${path}?${query.toString()}`, body: given };
    });
  };
}

/** One that fits, with a part taken out, replaced or added. */
export function broken(requests: Arbitrary<Request>): Arbitrary<Request> {
  const junk = fc.oneof(
    fc.constantFrom<unknown[]>(null, true, -1, 1e308, "", "\0", "\ud800", [], {}, [[]], "x".repeat(9_000)),
    fc.jsonValue({ maxDepth: 2 }),
  );
  return fc.tuple(requests, fc.nat(), junk).map(([{ path, body }, at, value]) => {
    const added = path.includes("?") ? `${path}&` : `${path}?`;
    if (body === undefined || at % 5 === 0)
      return { path: `${added}limit=${at % 2 ? "x" : "-1"}&unknown=1&cancel=maybe`, body };
    if (typeof body !== "object" || body === null || at % 5 === 1) return { path, body: value };
    if (at % 5 === 2) return { path, body: { ...body, unknown: value } };
    const keys = Object.keys(body);
    const key = keys[at % Math.max(keys.length, 1)] ?? "task";
    if (at % 5 === 3) return { path, body: { ...body, [key]: value } };
    return { path, body: Object.fromEntries(Object.entries(body).filter(([each]) => each !== key)) };
  });
}

function valuesOf(document: any, known: Known): Make {
  const make: Make = (schema, name, depth) => {
    const { [name]: values } = known;
    if (values !== undefined) return fc.constantFrom(...values);
    if (schema.$ref !== undefined)
      return make(document.components.schemas[schema.$ref.split("/").at(-1)], name, depth + 1);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices !== undefined)
      return fc.oneof(
        ...choices.slice(0, depth > 6 ? 1 : 10).map((each: any) => make(each, name, depth + 1)),
      );
    if (schema.allOf !== undefined) return make(schema.allOf[0], name, depth + 1);
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
    switch (type) {
      case "object":
        return objectOf(schema, depth);
      case "array": {
        const least = schema.minItems ?? 0;
        return fc.array(make(schema.items ?? {}, name, depth + 1), {
          minLength: least,
          maxLength: Math.max(least, depth > 5 ? 0 : 2),
        });
      }
      case "string":
        return textOf(schema);
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "integer":
      case "number":
        return fc.integer({
          min: schema.minimum ?? schema.exclusiveMinimum ?? -5,
          max: Math.min(schema.maximum ?? 1_000, 1_000),
        });
      default:
        return fc.jsonValue({ maxDepth: 1 });
    }
  };
  const objectOf = (schema: any, depth: number): Arbitrary<any> => {
    const properties = Object.entries<any>(schema.properties ?? {}).filter(
      ([name]) => known[name]?.length !== 0,
    );
    const required = (schema.required ?? []).filter((name: string) => known[name]?.length !== 0);
    return fc.record(
      Object.fromEntries(properties.map(([name, each]) => [name, make(each, name, depth + 1)])),
      {
        requiredKeys: required,
      },
    );
  };
  return make;
}

function textOf({ format, pattern, minLength = 0, maxLength = 20 }: any): Arbitrary<string> {
  if (format === "date-time") return fc.constant("2999-01-01T00:00:00Z");
  if (format === "date") return fc.constant("2999-01-01");
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern), { maxLength });
  const size = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, 12)) };
  return fc.oneof(fc.string(size), fc.string({ ...size, unit: "grapheme" }));
}
