import fc from "fast-check";
import { expect, it } from "vitest";
import type { Json } from "../../src/core/model.ts";
import { bundleOf, type EvidenceRun, MAX_BUNDLE_BYTES } from "../../src/core/evidence-bundle.ts";
import { weighEvidence } from "../../src/core/evidence.ts";

const usage = { requests: 1, input_tokens: 2, output_tokens: 3, total_tokens: 5 };
const runOf = (run: number, agent: string, value: Json, valid = true): EvidenceRun => ({
  run,
  agent,
  valid,
  value: valid ? value : null,
  stopped: false,
  usage,
  cost: 0.25,
  elapsed_ms: 10,
  request_id: null,
  trace_id: "t",
  error: valid ? null : { code: "model_behaviour", message: "No JSON." },
});
const bundled = (runs: readonly EvidenceRun[]) =>
  bundleOf(
    {
      barrier_id: "b",
      k: runs.length,
      stopped_early: false,
      movement: null,
      consensus_valid: true,
      checks: [],
      runs,
      elapsed_ms: 20,
    },
    weighEvidence(runs.filter(({ valid }) => valid).map(({ value }) => value)),
  );

it("names runs by their number, also where some gave no answer, and sums by agent", () => {
  const bundle = bundled([
    runOf(1, "A", null, false),
    runOf(2, "B", "yes"),
    runOf(3, "A", "no"),
    runOf(4, "B", "yes"),
  ]);
  expect(bundle.disagreements[0]?.answers).toEqual([
    { state: "value", value: "yes", runs: [2, 4] },
    { state: "value", value: "no", runs: [3] },
  ]);
  expect(bundle).toMatchObject({
    answers: 3,
    representative: 2,
    distances: { runs: [2, 3, 4] },
    usage: { requests: 4, total_tokens: 20 },
    cost: 1,
    by_agent: { A: { runs: 2, answers: 1, elapsed_ms: 20, cost: 0.5 }, B: { runs: 2, answers: 2 } },
    left_out: [],
  });
});

it("stays small enough for a model, and says what it leaves out", () => {
  const fields = fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 400 }), { maxKeys: 60 });
  fc.assert(
    fc.property(fc.array(fields, { minLength: 1, maxLength: 12 }), (values) => {
      const bundle = bundled(values.map((value, at) => runOf(at + 1, "A", value)));
      expect(Buffer.byteLength(JSON.stringify(bundle))).toBeLessThanOrEqual(MAX_BUNDLE_BYTES);
    }),
    { numRuns: 20 },
  );
  const large = Array.from({ length: 32 }, (_, at) =>
    runOf(at + 1, "A", { text: `${at}`.repeat(5_000), same: true }),
  );
  const bundle = bundled(large);
  expect(Buffer.byteLength(JSON.stringify(bundle))).toBeLessThanOrEqual(MAX_BUNDLE_BYTES);
  expect(bundle.left_out).toContain("runs.value (but the representative's)");
  expect(bundle.consensus).toMatchObject({ same: true });
});
