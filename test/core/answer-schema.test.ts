import { describe, expect, it } from "vitest";
import type { Json } from "../../src/core/model.ts";
import { readAnswerSchema } from "../../src/core/answer-schema.ts";
import { jsonIn } from "../../src/core/json-text.ts";
import { createMergeStrategies, jsonPassthrough } from "../../src/core/merge-strategy.ts";

const refusal = (schema: Json): string => {
  try {
    readAnswerSchema(schema);
    return "";
  } catch (error) {
    expect(error).toMatchObject({ code: "tool_input" });
    return error instanceof Error ? error.message : "";
  }
};

describe("the schema of an answer", () => {
  const { problems } = readAnswerSchema({
    type: "object",
    properties: {
      risk: { enum: ["low", "high", null] },
      lines: { type: "array", items: { type: "integer", minimum: 1 }, uniqueItems: true, maxItems: 3 },
      note: { type: ["string", "null"], maxLength: 5 },
      at: { anyOf: [{ type: "object", properties: { x: { type: "number" } } }, { type: "null" }] },
    },
    required: ["risk"],
    additionalProperties: false,
  });

  it.each<[Json, string]>([
    [{ risk: "low" }, ""],
    [{ risk: null, lines: [1, 2], note: null, at: null }, ""],
    [{ risk: "low", at: { x: 1.5, y: 2 } }, ""],
    [{}, "/risk"],
    [{ risk: "mid" }, "/risk"],
    [{ risk: "low", lines: [0] }, "/lines/0"],
    [{ risk: "low", lines: [1, 1] }, "/lines/1"],
    [{ risk: "low", lines: [1, 2, 3, 4] }, "/lines"],
    [{ risk: "low", note: "too long" }, "/note"],
    [{ risk: "low", at: { x: "1" } }, "/at"],
    [{ risk: "low", more: 1 }, "more"],
    ["low", "object"],
    [[], "object"],
  ])("says of %j what is wrong: %s", (value, told) => {
    const found = problems(value);
    expect(found.length > 0).toBe(told !== "");
    expect(found.join("\n")).toContain(told);
  });

  it.each<[Json, string]>([
    [true, "no object"],
    [{}, "no `type`"],
    [{ type: "strnig" }, "type"],
    [{ type: "string", pattern: "(a+)+$" }, "pattern is not supported"],
    [{ $ref: "#" }, "$ref is not supported"],
    [{ type: "object", properties: { a: { type: "string", if: {} } } }, "at /properties/a"],
    [{ type: "object", properties: { a: "string" } }, "at properties/a"],
    [{ type: "object", required: "a" }, "required"],
    [{ enum: [] }, "enum"],
    [{ enum: [{ a: 1 }] }, "enum"],
    [{ type: "number", multipleOf: 0 }, "multipleOf"],
    [{ type: "string", title: "x".repeat(20_000) }, "bytes"],
  ])("%j is refused: %s", (schema, told) => {
    expect(refusal(schema)).toContain(told);
  });

  it("is refused when it is nested too deeply", () => {
    let schema: Json = { type: "string" };
    for (let depth = 0; depth < 20; depth++) schema = { type: "array", items: schema };
    expect(refusal(schema)).toContain("nested deeper");
  });
});

describe("JSON in a text", () => {
  it.each<[string, readonly Json[]]>([
    ['{"a":1}', [{ a: 1 }]],
    ["  7\n", [7]],
    ['Here it is:\n```json\n{"a":1}\n```\nDone.', [{ a: 1 }]],
    ['```\n{"a":1}\n```\n\n```json\n{"b":2}\n```', [{ a: 1 }, { b: 2 }]],
    ['```ts\nconst a = {};\n```\n```json\n{"b":2}\n```', [{ b: 2 }]],
    ['I say {"a": {"b": [1]}}, and no more.', [{ a: { b: [1] } }]],
    ['First {"a":1}, then {"b":2}.', []],
    ['  ```json  \r\n  {"a":1}\r\n  ```\r\nDone', [{ a: 1 }]],
    ['```json\n{"a":1}', [{ a: 1 }]],
    ["There are 3 of them, { and } too.", []],
    ["", []],
  ])("%j", (text, found) => {
    expect(jsonIn(text)).toEqual(found);
  });

  it("is looked for in time that grows with the text", () => {
    expect(jsonIn("{[".repeat(500_000))).toEqual([]);
    expect(jsonIn("```\n".repeat(200_000))).toEqual([]);
    expect(jsonIn("```json\n".repeat(200_000))).toEqual([]);
    expect(jsonIn(`\`\`\`${" ".repeat(500_000)}x`)).toEqual([]);
  });
});

describe("merging", () => {
  const signal = new AbortController().signal;
  const merged = (...outputs: string[]) =>
    jsonPassthrough.merge(
      outputs.map((output, n) => ({ agent: `A${n}`, output, failed: false })),
      signal,
    );

  it("puts texts in order, and lets JSON through only if there is exactly one object", () => {
    expect(merged("one", "two")).toEqual({ output: "one\n\ntwo", json: null });
    expect(merged("Fine.", '{"a":1}')).toEqual({ output: 'Fine.\n\n{"a":1}', json: { a: 1 } });
    expect(merged('{"a":1}', '{"a":1}')).toMatchObject({ json: null });
    expect(merged("[1]", "7")).toMatchObject({ json: null });
    expect(merged()).toEqual({ output: "", json: null });
  });

  it("takes nothing from a run that failed", () => {
    const outputs = [
      { agent: "A", output: '{"a":1}', failed: true },
      { agent: "B", output: '{"b":1}', failed: false },
    ];
    expect(jsonPassthrough.merge(outputs, signal)).toEqual({ output: '{"b":1}', json: { b: 1 } });
  });

  it("knows strategies by name, each name once", () => {
    const strategies = createMergeStrategies();
    const newest = { name: "newest", merge: () => ({ output: "", json: null }) };
    strategies.register(newest);
    expect(strategies.get("newest")).toBe(newest);
    expect(strategies.get()).toBe(jsonPassthrough);
    const usage = expect.objectContaining({ code: "usage" });
    expect(() => strategies.register(newest)).toThrow(usage);
    expect(() => strategies.register({ ...newest, name: "No good" })).toThrow(usage);
    expect(() => strategies.get("none")).toThrow(usage);
  });
});
