import { expect, it } from "vitest";
import type { MergeEntry, MergeState } from "../../src/core/merging.ts";
import { sortOut } from "../../src/team/fan-in.ts";
import { aChild } from "../support/store-data.ts";

const subtask = (n: number, dependsOn: readonly number[] = []) => aChild("t", n, { dependsOn }).subtask;

function entry(n: number, state: MergeState, over: Partial<MergeEntry> = {}): MergeEntry {
  return {
    subtask_id: `Api::t::${n}`,
    task_id: "t",
    agent: "Api",
    target: "integration/t",
    branch: `feature/t/Api-${n}`,
    commit: "c",
    state,
    landed_commit: null,
    reason: null,
    conflicts: [],
    verification: null,
    onto: null,
    draft: null,
    reworked_by: null,
    round: 0,
    created_at: 0,
    updated_at: 0,
    ...over,
  };
}

const ids = (entries: readonly MergeEntry[]) => entries.map(({ subtask_id }) => Number(subtask_id.at(-1)));

it("lets a branch land with or after what it stands on, and waits for a rework of that", () => {
  const chain = [subtask(1), subtask(2, [1]), subtask(3, [2])];
  const all = (states: readonly MergeState[]) => states.map((state, i) => entry(i + 1, state));
  expect(ids(sortOut(all(["queued", "queued", "queued"]), chain).ready)).toEqual([1, 2, 3]);
  expect(ids(sortOut(all(["landed", "queued", "queued"]), chain).ready)).toEqual([2, 3]);
  const reworked = [entry(1, "rework", { reworked_by: "Api::t::4" }), ...all(["landed", "queued"]).slice(1)];
  const four = { ...subtask(4), supersedes: "Api::t::1" };
  const waits = sortOut([reworked[0] as MergeEntry, entry(2, "queued")], [...chain, four]);
  expect([ids(waits.ready), waits.lost]).toEqual([[], []]);
  const landed = sortOut(
    [reworked[0] as MergeEntry, entry(2, "queued"), entry(4, "landed")],
    [...chain, four],
  );
  expect(ids(landed.ready)).toEqual([2]);
  expect(landed.needs.get("Api::t::2")).toEqual(["Api::t::4"]);
});

it("gives up what stands on a branch that never lands, and takes it up again once a person settled that", () => {
  const chain = [subtask(1), subtask(2, [1])];
  const { lost } = sortOut([entry(1, "escalated"), entry(2, "queued")], chain);
  expect(lost.map(({ entry: each, on }) => [each.subtask_id, on.subtask_id])).toEqual([
    ["Api::t::2", "Api::t::1"],
  ]);
  const reason = { code: "dependency_not_landed", message: "" };
  const waiting = entry(2, "escalated", { reason });
  expect(sortOut([entry(1, "queued"), waiting], chain)).toMatchObject({
    again: [],
    ready: [{ branch: "feature/t/Api-1" }],
  });
  expect(ids(sortOut([entry(1, "landed"), waiting], chain).again)).toEqual([2]);
  // What committed nothing has no entry, and keeps nobody waiting.
  expect(ids(sortOut([entry(2, "queued")], chain).ready)).toEqual([2]);
});
