/** Histories of the merge queue from seeds: a few here, thousands with `MERGE_HISTORIES=2000`, one again with `MERGE_SEED`. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type History, play } from "./merge-play.ts";

const runs = Number(process.env["MERGE_HISTORIES"] ?? 6);
const seed = Number(process.env["MERGE_SEED"] ?? 20261120);

const branch = fc.record({
  edits: fc.array(
    fc.record({
      file: fc.nat({ max: 2 }),
      line: fc.nat({ max: 7 }),
      how: fc.constantFrom("replace" as const, "after" as const, "new_file" as const),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  bad: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  stacked: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  completes: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
});

const history: fc.Arbitrary<History> = fc.record({
  branches: fc.array(branch, { minLength: 2, maxLength: 5 }),
  pair: fc.option(fc.constant([0, 1] as const), { freq: 4 }),
  reworks: fc.array(fc.constantFrom("both", "both", "both", "drop", "nothing", "fail"), { maxLength: 6 }),
  deaths: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 4 }),
  humans: fc.uniqueArray(fc.nat({ max: 40 }), { maxLength: 3 }),
  verify: fc.boolean(),
  squash: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  policy: fc.constantFrom("rework", "rework", "owner", "escalate"),
});

it("whatever dies, moves or conflicts: nothing is lost, what landed was verified, every branch has an end", {
  timeout: runs * 20_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(history, async (one) => {
      expect(await play(one)).toEqual([]);
    }),
    { numRuns: runs, seed, endOnFailure: runs <= 20 },
  );
});
