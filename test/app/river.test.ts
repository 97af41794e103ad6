import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layOutRiver, type RiverBranch, type RiverInput } from "../../src/river-layout.ts";

const DAY = 86_400_000;
const branch = fc.record({
  start: fc.integer({ min: 0, max: 2 * DAY }),
  work: fc.integer({ min: 0, max: DAY }),
  waits: fc.option(fc.integer({ min: 0, max: DAY }), { nil: null }),
  commits: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  weight: fc.integer({ min: 0, max: 5_000 }),
  name: fc.string({ maxLength: 26 }),
});
/** Whatever a run may have been: in a burst, one by one, all at the same moment, with and without merges. */
const river = fc
  .record({ all: fc.array(branch, { maxLength: 60 }), pace: fc.constantFrom(0, 1e-9, 1e-4, 1) })
  .map(({ all, pace }): RiverInput => {
    const branches = all.map((each, i): RiverBranch => {
      const start = Math.round(each.start * pace);
      const end = start + Math.round(each.work * pace);
      return {
        id: `part-${i}`,
        name: each.name,
        note: "2 commits",
        start,
        end,
        merged: each.waits === null ? null : end + Math.round(each.waits * pace),
        commits: each.commits.map((share) => start + (end - start) * share).sort((a, b) => a - b),
        weight: each.weight,
        from: i > 0 && i % 5 === 0 ? [`part-${i - 1}`] : [],
      };
    });
    const to = Math.max(1, ...branches.map((each) => each.merged ?? each.end));
    return { spans: [{ from: 0, to }], branches };
  });

const always = (check: (input: RiverInput) => void) => fc.assert(fc.property(river, check), { numRuns: 150 });

describe("the river's layout", () => {
  it("draws every branch once, inside of the picture, with numbers that are numbers", () => {
    always((input) => {
      const layout = layOutRiver(input);
      expect(layout.lanes.map(({ id }) => id).sort()).toEqual(input.branches.map(({ id }) => id).sort());
      for (const lane of layout.lanes) {
        const xs = [lane.forkX, lane.bodyFrom, lane.bodyTo, lane.mergeX ?? 0, ...lane.commits];
        for (const x of xs) expect(x >= 0 && x <= layout.width, `${lane.id} at ${x}`).toBe(true);
        for (const y of [
          lane.y - lane.width / 2,
          lane.y + lane.width / 2,
          lane.label.y,
          lane.label.y - layout.fontSize,
        ])
          expect(y >= 0 && y < layout.axisY, `${lane.id} at ${y}`).toBe(true);
      }
      expect(layout.bed.to).toBeLessThan(layout.width);
      expect(layout.axisY).toBeLessThan(layout.height);
    });
  });

  it("lets no two branches flow in one place, nor over the name of another", () => {
    always((input) => {
      const { lanes, bed, fontSize } = layOutRiver(input);
      const most = Math.max(...bed.swells.map(({ half }) => half));
      for (const [i, a] of lanes.entries()) {
        expect(Math.abs(a.y - bed.y)).toBeGreaterThan(most + 8);
        for (const b of lanes.slice(i + 1)) {
          if (a.y === b.y) expect(a.until < b.forkX || b.until < a.forkX, `${a.id} and ${b.id}`).toBe(true);
          else expect(Math.abs(a.y - b.y)).toBeGreaterThan((a.width + b.width) / 2 + fontSize * 0.9);
        }
      }
    });
  });

  it("keeps the order of time: a branch goes on, comes back after it ended, and merges follow each other", () => {
    always((input) => {
      const { lanes, bed } = layOutRiver(input);
      const byId = new Map(input.branches.map((each) => [each.id, each]));
      for (const { forkX, bodyFrom, bodyTo, turnX, mergeX, commits } of lanes) {
        expect(forkX < bodyFrom && bodyFrom < bodyTo).toBe(true);
        if (turnX !== null && mergeX !== null) expect(bodyTo <= turnX && turnX < mergeX).toBe(true);
        expect(commits).toEqual(commits.toSorted((a, b) => a - b));
      }
      const at = (key: "start" | "merged") =>
        lanes.map((lane) => ({ lane, at: byId.get(lane.id)?.[key] ?? null }));
      for (const a of at("start"))
        for (const b of at("start"))
          if (a.at !== null && b.at !== null && a.at < b.at)
            expect(a.lane.forkX).toBeLessThanOrEqual(b.lane.forkX);
      for (const a of at("merged"))
        for (const b of at("merged"))
          if (a.at !== null && b.at !== null && a.at < b.at)
            expect(a.lane.mergeX ?? 0).toBeLessThan(b.lane.mergeX ?? 0);
      const halves = bed.swells.map(({ half }) => half);
      expect(halves).toEqual(halves.toSorted((a, b) => a - b));
    });
  });

  it("is the same for the same run, and grows lower where lanes can be used again", () => {
    const one = (i: number, apart: number): RiverBranch => ({
      id: `part-${i}`,
      name: "Api",
      note: "",
      start: i * apart,
      end: i * apart + 1_000,
      merged: i * apart + 1_500,
      commits: [],
      weight: 1,
      from: [],
    });
    const run = (apart: number) => {
      const branches = Array.from({ length: 40 }, (_, i) => one(i, apart));
      return layOutRiver({ spans: [{ from: 0, to: 40 * apart + 1_500 }], branches });
    };
    const { x: _, ...first } = run(1);
    const { x: __, ...again } = run(1);
    expect(again).toEqual(first);
    expect(run(400).height).toBeLessThan(first.height / 1.5);
  });

  it("draws a night between two tasks short", () => {
    const hour = 3_600_000;
    const layout = layOutRiver({
      spans: [
        { from: 0, to: hour },
        { from: 20 * hour, to: 21 * hour },
      ],
      branches: [],
    });
    expect(layout.breaks).toHaveLength(1);
    expect(layout.x(20 * hour) - layout.x(hour)).toBeLessThan(layout.x(hour) - layout.x(0));
  });
});
