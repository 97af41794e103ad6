import { describe, expect, it } from "vitest";
import type { Json } from "../../src/core/model.ts";
import { type Evidence, type EvidenceOptions, weighEvidence } from "../../src/core/evidence.ts";
import { evidenceMovement, hasSettled } from "../../src/core/evidence-stop.ts";

const fieldOf = (evidence: Evidence, path: string) => {
  const found = evidence.fields.find((field) => field.path === path);
  if (!found) throw new Error(`no field ${path} among ${evidence.fields.map((each) => each.path).join(" ")}`);
  return found;
};
const one = (values: readonly Json[], options: EvidenceOptions = {}) =>
  fieldOf(weighEvidence(values, options), "");

describe("numbers", () => {
  it("have a median, quartiles and a MAD that one wild answer does not move", () => {
    const field = one([1, 2, 3, 4, 100]);
    expect(field).toMatchObject({ kind: "number", consensus: 3, state: "value", tied: false });
    expect(field.distribution).toEqual({
      kind: "number",
      count: 5,
      minimum: 1,
      q1: 2,
      median: 3,
      q3: 4,
      maximum: 100,
      mean: 22,
      iqr: 2,
      // Deviations from 3: 2 1 0 1 97, their median 1.
      mad: 1.482602218505602,
    });
  });

  it("are apart by their difference relative to both, or as a part of the range of the schema", () => {
    expect(one([90, 110]).distance.max).toBeCloseTo(0.1, 12);
    expect(one([-1, 1]).distance.max).toBe(1);
    const range = { type: "number", minimum: 0, maximum: 200 };
    expect(one([90, 110], { schema: range }).distance.max).toBeCloseTo(0.1, 12);
    expect(one([0, 10], { schema: range }).distance.max).toBeCloseTo(0.05, 12);
    expect(one([0, 10]).distance.max).toBe(1);
  });

  it("stay whole where the schema wants whole ones", () => {
    expect(one([1, 2]).consensus).toBe(1.5);
    expect(one([1, 2, 3, 4], { schema: { type: "integer" } }).consensus).toBe(2);
  });

  it("may be as large or small as numbers get", () => {
    const max = Number.MAX_VALUE;
    const field = one([max, -max, Number.MIN_VALUE]);
    expect(field).toMatchObject({ consensus: Number.MIN_VALUE, distance: { max: 1 } });
    expect(Object.values(field.distribution ?? {}).filter((each) => typeof each === "number")).toSatisfy(
      (all: number[]) => all.every(Number.isFinite),
    );
    expect(one([Number.MIN_VALUE, Number.MIN_VALUE]).consensus).toBe(Number.MIN_VALUE);
  });
});

describe("categories", () => {
  const schema = { enum: ["low", "medium", "high"] };

  it("have a mode, its share and Wilson's interval", () => {
    const field = one([...Array<string>(8).fill("high"), "low", "low"], { schema });
    expect(field).toMatchObject({ kind: "category", consensus: "high", tied: false });
    expect(field.agreement).toBeCloseTo(0.8, 12);
    // Wilson's interval for 8 of 10, as printed in textbooks: 0.4902 … 0.9433.
    expect(field.interval[0]).toBeCloseTo(0.4902, 4);
    expect(field.interval[1]).toBeCloseTo(0.9433, 4);
    expect(field.confidence).toBe(field.interval[0]);
    // Pairs that differ: 8 · 2 of 45.
    expect(field.distance.mean).toBeCloseTo(16 / 45, 12);
  });

  it("have an entropy, in bits and as a part of the most there could be", () => {
    const half = one(["low", "high", "low", "high"], { schema }).distribution;
    expect(half).toMatchObject({ entropy_bits: 1, distinct: 2, entropy: 1 / Math.log2(3) });
    expect(one(["low", "low"], { schema }).distribution).toMatchObject({ entropy_bits: 0, entropy: 0 });
    expect(one([true, false]).distribution).toMatchObject({ entropy: 1 });
  });

  it("say when two are as frequent, and take the same one in any order", () => {
    expect(one(["low", "high"], { schema })).toMatchObject({ consensus: "high", tied: true });
    expect(one(["high", "low"], { schema })).toMatchObject({ consensus: "high", tied: true });
  });

  it("are what values of different types are compared as", () => {
    expect(one([1, "1", 1])).toMatchObject({ kind: "category", consensus: 1 });
  });
});

describe("sets", () => {
  it("keep what more than half have, and are apart by Jaccard", () => {
    const field = one([
      ["a", "b"],
      ["a", "c"],
      ["a", "b"],
    ]);
    expect(field).toMatchObject({ kind: "set", consensus: ["a", "b"] });
    // {a,b} and {a,c}: 1 of 3 shared, twice; {a,b} and {a,b}: 0.
    expect(field.distance.mean).toBeCloseTo(4 / 9, 12);
    expect(field.distance.max).toBe(2 / 3);
    expect(field.agreement).toBeCloseTo(1 - 2 / 3 / 3, 12);
    expect(field.distribution).toEqual({
      kind: "set",
      count: 3,
      distinct: 3,
      others: 0,
      values: [
        { value: "a", count: 3, share: 1 },
        { value: "b", count: 2, share: 2 / 3 },
        { value: "c", count: 1, share: 1 / 3 },
      ],
    });
  });

  it("do not mind the order, and count what occurs twice twice", () => {
    expect(
      one([
        ["a", "b"],
        ["b", "a"],
      ]).distance.max,
    ).toBe(0);
    expect(one([["a", "a"], ["a"]]).distance.max).toBe(0.5);
    expect(one([[], []])).toMatchObject({ consensus: [], agreement: 1, distance: { max: 0 } });
    expect(one([["a", "a"], ["a", "a"], ["a"]]).consensus).toEqual(["a", "a"]);
  });

  it("leave out what exactly half have, and say so", () => {
    expect(one([["a", "b"], ["a"]])).toMatchObject({ consensus: ["a"], tied: true });
  });
});

describe("texts", () => {
  it("have a medoid: the one nearest to the others", () => {
    const field = one(["kitten", "sitten", "sittin"]);
    expect(field).toMatchObject({ kind: "text", consensus: "sitten" });
    // kitten and sittin are 2 edits apart, of 6 letters.
    expect(field.distance.max).toBeCloseTo(2 / 6, 12);
  });

  it("are compared by pairs of words when they are long", () => {
    const words = Array.from({ length: 60 }, (_, n) => `word${n}`);
    const [a, b] = [words.join(" "), words.with(30, "other").join("  ")];
    // 61 pairs each, of which the two with that word differ: 59 shared of 63.
    expect(one([a, b]).distance.max).toBeCloseTo(1 - 59 / 63, 12);
    expect(one([a, words.join("\n")]).distance.max).toBe(0);
    expect(one([a, words.toReversed().join(" ")]).distance.max).toBeGreaterThan(0.9);
  });

  it("take no time with the square of their length", () => {
    const long = "lorem ipsum ".repeat(20_000);
    expect(one([`${long}a`, `${long}b`]).distance.max).toBeLessThan(0.01);
  });
});

describe("objects", () => {
  const answers: readonly Json[] = [
    { risk: "high", cost: 10, where: { file: "a.ts", line: 3 } },
    { risk: "high", cost: 12, where: { file: "a.ts", line: 3 } },
    { risk: "low", cost: 10, where: { file: "b.ts", line: 3 }, note: null },
  ];

  it("are compared by path, and put together field by field", () => {
    const evidence = weighEvidence(answers, { schema: { properties: { risk: { enum: ["low", "high"] } } } });
    expect(evidence.fields.map((field) => field.path)).toEqual([
      "/cost",
      "/note",
      "/risk",
      "/where/file",
      "/where/line",
    ]);
    expect(evidence.consensus).toEqual({ risk: "high", cost: 10, where: { file: "a.ts", line: 3 } });
    expect(evidence.disagreements.map(({ path }) => path)).toEqual([
      "/cost",
      "/note",
      "/risk",
      "/where/file",
    ]);
    expect(evidence.disagreements.find(({ path }) => path === "/risk")).toEqual({
      path: "/risk",
      consensus: "high",
      source: "answers",
      tied: false,
      others: 0,
      answers: [
        { state: "value", value: "high", answers: [0, 1] },
        { state: "value", value: "low", answers: [2] },
      ],
    });
    expect(evidence.representative).toBe(0);
  });

  it("are apart by the mean of their fields", () => {
    const evidence = weighEvidence([
      { a: true, b: true },
      { a: true, b: false },
      { a: false, b: false },
    ]);
    expect(evidence.distances).toEqual({
      pairwise: [
        [0, 0.5, 1],
        [0.5, 0, 0.5],
        [1, 0.5, 0],
      ],
      mean: 2 / 3,
      max: 1,
    });
    const weighted = weighEvidence(
      [
        { a: 1, b: true },
        { a: 1, b: false },
      ],
      { fields: { "/b": { weight: 3 } } },
    );
    expect(weighted.distances.max).toBe(0.75);
  });

  it("tell null, left out and empty apart", () => {
    const field = fieldOf(weighEvidence([{ a: null }, { a: null }, {}, { a: 1 }]), "/a");
    expect(field).toMatchObject({ state: "null", nulls: 2, missing: 1, count: 4, consensus: null });
    expect(field.agreement).toBe(0.5);
    expect(weighEvidence([{ a: 1 }, {}, {}]).consensus).toEqual({});
    expect(weighEvidence([{ a: null }]).consensus).toEqual({ a: null });
    expect(weighEvidence([{}, {}])).toMatchObject({ consensus: {}, agreement: 1 });
  });

  it("that are sometimes null count as there or not, and their fields only where they are there", () => {
    const evidence = weighEvidence([{ at: { x: 1 } }, { at: { x: 1 } }, { at: null }]);
    expect(fieldOf(evidence, "/at")).toMatchObject({ kind: "presence", nulls: 1, count: 3 });
    expect(fieldOf(evidence, "/at/x")).toMatchObject({ count: 2, agreement: 1 });
    expect(evidence.consensus).toEqual({ at: { x: 1 } });
    expect(weighEvidence([{ at: { x: 1 } }, { at: null }, { at: null }]).consensus).toEqual({ at: null });
  });

  it("in lists are the same thing when the named keys are equal", () => {
    const found = (file: string, severity: string) => ({ file, severity });
    const evidence = weighEvidence(
      [
        { findings: [found("a", "high"), found("b", "low")] },
        { findings: [found("b", "low"), found("a", "low")] },
        { findings: [found("a", "high")] },
      ],
      { fields: { "/findings": { matchBy: ["file"] }, "/findings/*/severity": { kind: "category" } } },
    );
    expect(evidence.consensus).toEqual({ findings: [found("a", "high"), found("b", "low")] });
    expect(fieldOf(evidence, "/findings/a/severity")).toMatchObject({ kind: "category" });
    expect(fieldOf(evidence, "/findings/b")).toMatchObject({ kind: "presence", missing: 1 });
  });

  it("and lists whose positions count are compared place by place", () => {
    const evidence = weighEvidence(
      [
        [1, "a"],
        [1, "b"],
        [1, "b"],
      ],
      { fields: { "": { kind: "list" } } },
    );
    expect(evidence.consensus).toEqual([1, "b"]);
  });
});

describe("checks", () => {
  const answers: readonly Json[] = [{ builds: true }, { builds: true }, { builds: true }, { builds: false }];

  it("outweigh any number of answers", () => {
    const evidence = weighEvidence(answers, { checks: [{ path: "/builds", found: { value: false } }] });
    expect(evidence.consensus).toEqual({ builds: false });
    expect(fieldOf(evidence, "/builds")).toMatchObject({
      source: "check",
      confidence: 1,
      agreement: 0.25,
    });
    expect(evidence.disagreements).toMatchObject([{ path: "/builds", source: "check", consensus: false }]);
  });

  it("tell of unanimous answers that are wrong", () => {
    const evidence = weighEvidence([true, true], { checks: [{ path: "", found: { value: false } }] });
    expect(evidence.disagreements).toMatchObject([{ answers: [{ value: true, answers: [0, 1] }] }]);
    expect(evidence.agreement).toBe(0);
  });

  it("that could not be made leave the answers as they are", () => {
    const plain = weighEvidence(answers);
    expect(weighEvidence(answers, { checks: [{ path: "/builds", found: null }] })).toEqual(plain);
  });

  it("of what is no field are refused", () => {
    const wrong = () => weighEvidence(answers, { checks: [{ path: "/bilds", found: { value: true } }] });
    expect(wrong).toThrow(expect.objectContaining({ code: "tool_input" }));
  });
});

describe("stopping early", () => {
  const look = (values: readonly Json[]) => weighEvidence(values);

  it("happens when the estimate moves less than epsilon, and never before min_runs", () => {
    const rule = { epsilon: 0.05, minRuns: 3 };
    expect(hasSettled(null, look(["a"]), rule)).toBe(false);
    expect(hasSettled(look(["a"]), look(["a", "a"]), rule)).toBe(false);
    expect(hasSettled(look(["a", "a"]), look(["a", "a", "a"]), rule)).toBe(true);
    expect(hasSettled(look(["a", "a"]), look(["a", "a", "b"]), rule)).toBe(false);
    expect(hasSettled(look(["a", "a"]), look(["a", "a", "a"]), { ...rule, epsilon: 0 })).toBe(false);
  });

  it("measures the consensus and the agreement", () => {
    expect(evidenceMovement(look([100]), look([100, 100]))).toBe(0);
    // The median goes from 90 to 110: 20 of 200; the agreement stays 1.
    expect(evidenceMovement(look([90]), look([110]))).toBeCloseTo(0.1, 12);
    expect(evidenceMovement(look(["a", "a"]), look(["a", "a", "b"]))).toBeCloseTo(1 / 3, 12);
    expect(evidenceMovement(look([{}, {}]), look([{}, {}, { a: 1 }]))).toBeCloseTo(1 / 3, 12);
  });
});

describe("bad input", () => {
  it("is refused with a code", () => {
    const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)]);
    const code = (values: readonly Json[]) => {
      try {
        return weighEvidence(values).count;
      } catch (error) {
        return error instanceof Error && "code" in error ? error.code : error;
      }
    };
    expect(code([Number.NaN])).toBe("payload_invalid");
    expect(code([nested(80)])).toBe("payload_invalid");
    expect(code([nested(60)])).toBe(1);
    expect(code([Object.fromEntries(Array.from({ length: 2_001 }, (_, n) => [`k${n}`, n]))])).toBe(
      "limit_exceeded",
    );
  });

  it("of no answers is no evidence", () => {
    expect(weighEvidence([])).toMatchObject({
      count: 0,
      consensus: null,
      representative: null,
      agreement: 0,
    });
  });

  it("keeps hostile keys as keys", () => {
    const value: Json = JSON.parse('{"__proto__":{"x":1},"a/b~c":2}');
    const evidence = weighEvidence([value, value]);
    expect(JSON.stringify(evidence.consensus)).toBe('{"__proto__":{"x":1},"a/b~c":2}');
    expect(evidence.fields.map(({ path }) => path)).toEqual(["/__proto__/x", "/a~1b~0c"]);
  });
});

it("another measure can be given, for a kind or for a field", () => {
  const never = () => 0;
  expect(one(["a", "b"], { distances: { text: never } }).distance.max).toBe(0);
  expect(one(["a", "b"], { fields: { "": { distance: () => Number.NaN } } }).distance.max).toBe(1);
  const time = (value: Json) => (typeof value === "string" ? Date.parse(value) : Number.NaN);
  const days = (a: Json, b: Json) => Math.abs(time(a) - time(b)) / 864e5 / 365;
  expect(one(["2026-01-01", "2026-01-02"], { fields: { "": { distance: days } } }).distance.max).toBeCloseTo(
    1 / 365,
    9,
  );
});
