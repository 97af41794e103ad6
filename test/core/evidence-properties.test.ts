import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/core/model.ts";
import { type Evidence, type EvidenceOptions, weighEvidence } from "../../src/core/evidence.ts";
import { evidenceMovement } from "../../src/core/evidence-stop.ts";

/** Answers that mostly have one shape, as validated ones do, and now and then do not. */
const scalar: fc.Arbitrary<Json> = fc.oneof(
  fc.boolean(),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom("low", "high", "a longer text", ""),
  fc.string({ maxLength: 6, unit: "binary" }),
  fc.constant(null),
);
const list = fc.array(scalar, { maxLength: 4 });
const record = fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__", "a/b"), fc.oneof(scalar, list), {
  maxKeys: 4,
});
const answer: fc.Arbitrary<Json> = fc.oneof(
  record,
  fc.record({ inner: fc.oneof(record, fc.constant(null)), found: fc.array(record, { maxLength: 3 }) }),
  scalar,
  list,
);
const answers = fc.array(answer, { maxLength: 7 });
const options: EvidenceOptions = { fields: { "/found": { matchBy: ["a"] }, "/inner/a": { kind: "list" } } };

function numbersIn(value: unknown): readonly number[] {
  if (typeof value === "number") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}

/** Levenshtein's table, as in textbooks. */
function edits(a: readonly string[], b: readonly string[]): number {
  const rows = [b.map((_, j) => j + 1)].map((row) => [0, ...row]);
  for (const [i, letter] of a.entries()) {
    const row = [i + 1];
    const above = rows.at(-1) ?? [];
    for (const [j, other] of b.entries())
      row.push(
        Math.min((above[j] ?? 0) + (letter === other ? 0 : 1), (above[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1),
      );
    rows.push(row);
  }
  return rows.at(-1)?.at(-1) ?? 0;
}

/** Everything that does not name answers by their position. */
const anonymous = ({ fields, consensus, agreement, confidence, distances }: Evidence) => ({
  fields,
  consensus,
  agreement,
  confidence,
  mean: distances.mean,
  max: distances.max,
});

describe("evidence of any answers", () => {
  it("does not depend on their order", () => {
    const withOrder = answers.chain((values) =>
      fc.tuple(fc.constant(values), fc.shuffledSubarray(values, { minLength: values.length })),
    );
    fc.assert(
      fc.property(withOrder, ([values, shuffled]) => {
        const [a, b] = [weighEvidence(values, options), weighEvidence(shuffled, options)];
        expect(anonymous(b)).toEqual(anonymous(a));
        expect(b.representative === null ? null : shuffled[b.representative]).toEqual(
          a.representative === null ? null : values[a.representative],
        );
      }),
    );
  });

  it("keeps every share between 0 and 1, and has no NaN anywhere", () => {
    const unit = (value: number) => value >= 0 && value <= 1;
    fc.assert(
      fc.property(answers, (values) => {
        const evidence = weighEvidence(values, options);
        expect(numbersIn(evidence).every(Number.isFinite)).toBe(true);
        const { agreement, confidence, distances, fields } = evidence;
        expect([agreement, confidence, distances.mean, distances.max].every(unit)).toBe(true);
        expect(distances.pairwise.flat().every(unit)).toBe(true);
        for (const field of fields) {
          const { mean, max } = field.distance;
          expect([field.agreement, ...field.interval, mean, max].every(unit)).toBe(true);
          expect(field.interval[0]).toBeLessThanOrEqual(field.agreement);
          expect(field.interval[1]).toBeGreaterThanOrEqual(field.agreement);
          expect(field.missing + field.nulls).toBeLessThanOrEqual(field.count);
        }
      }),
    );
  });

  it("keeps an agreement of 0 inside its interval", () => {
    const [field] = weighEvidence([{ a: ["low"] }, {}, { a: [0] }]).fields;
    expect(field).toMatchObject({ agreement: 0, interval: [0, expect.any(Number)], confidence: 0 });
  });

  it("says of unanimous answers: no distance, their own value, the most confidence so many can give", () => {
    fc.assert(
      fc.property(answer, fc.integer({ min: 1, max: 6 }), (value, count) => {
        const evidence = weighEvidence(
          Array.from({ length: count }, () => value),
          options,
        );
        expect(evidence.distances).toMatchObject({ mean: 0, max: 0 });
        expect(evidence.disagreements).toEqual([]);
        expect(evidence.agreement).toBe(1);
        for (const field of evidence.fields) {
          expect(field).toMatchObject({ agreement: 1, tied: false, distance: { mean: 0, max: 0 } });
          // Wilson's lower end for n of n is n / (n + z²).
          expect(field.confidence).toBeCloseTo(field.count / (field.count + 3.841458820694124), 12);
        }
        expect(evidenceMovement(evidence, evidence, options)).toBe(0);
      }),
    );
  });

  it("gives the consensus of unanimous answers as they are", () => {
    fc.assert(
      fc.property(record, fc.integer({ min: 1, max: 6 }), (value, count) => {
        const copies = Array.from({ length: count }, () => value);
        expect(JSON.parse(JSON.stringify(weighEvidence(copies).consensus))).toEqual(
          JSON.parse(JSON.stringify(value)),
        );
      }),
    );
  });

  it("measures short texts by their edits", () => {
    const letter = fc.constantFrom("a", "b", "c", "\u{1F600}");
    const word = fc.oneof(
      fc.array(letter, { maxLength: 8 }),
      fc.array(letter, { minLength: 28, maxLength: 32 }),
    );
    fc.assert(
      fc.property(word, word, (a, b) => {
        const [field] = weighEvidence([a.join(""), b.join("")]).fields;
        const longer = Math.max(a.length, b.length);
        expect(field?.distance.max).toBe(longer === 0 ? 0 : edits(a, b) / longer);
      }),
    );
  });

  it("has symmetric distances that are 0 to itself", () => {
    fc.assert(
      fc.property(answers, (values) => {
        const { pairwise } = weighEvidence(values, options).distances;
        for (const [i, row] of pairwise.entries()) {
          expect(row[i]).toBe(0);
          for (const [j, distance] of row.entries()) expect(pairwise[j]?.[i]).toBe(distance);
        }
      }),
    );
  });

  it("is more confident with every further answer that agrees", () => {
    fc.assert(
      fc.property(scalar, fc.integer({ min: 1, max: 30 }), (value, count) => {
        const confidence = (n: number) => weighEvidence(Array.from({ length: n }, () => value)).confidence;
        expect(confidence(count + 1)).toBeGreaterThan(confidence(count));
      }),
    );
  });

  it("moves between 0 and 1", () => {
    fc.assert(
      fc.property(answers, answer, (values, next) => {
        const [a, b] = [weighEvidence(values, options), weighEvidence([...values, next], options)];
        expect(evidenceMovement(a, b, options)).toSatisfy((moved: number) => moved >= 0 && moved <= 1);
      }),
    );
  });

  it("measures each pair of different values once, however many answers repeat them", () => {
    const calls = { count: 0 };
    const distance = () => {
      calls.count += 1;
      return 0.5;
    };
    const fields = { "/a": { distance }, "/b": { distance } };
    const values = Array.from({ length: 50 }, (_, n) => ({ a: `text ${n % 3}`, b: `text ${n % 2}` }));
    weighEvidence(values, { fields });
    // Three pairs and one, and each different value once to the consensus.
    expect(calls.count).toBeLessThanOrEqual(3 + 1 + 3 + 2);
  });
});
