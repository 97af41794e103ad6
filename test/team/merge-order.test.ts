import fc from "fast-check";
import { expect, it } from "vitest";
import type { Subtask } from "../../src/core/model.ts";
import { mergeOrder } from "../../src/team/merge-order.ts";

function subtask(position: number, dependsOn: readonly number[]): Subtask {
  return {
    subtask_id: `A::t::${position}`,
    task_id: "t",
    conversation_id: `c${position}`,
    parent_conversation_id: null,
    agent: "A",
    root: false,
    brief: "b",
    responsibilities: [],
    allowed_paths: [],
    depends_on: dependsOn.map((on) => `A::t::${on}`),
    done_topic: "",
    depth: 0,
    position,
    branch: null,
    state: "planned",
    created_at: 0,
    supersedes: null,
    gate: null,
  };
}

it("merges what others depend on first, each once, and else in the order of the split", () => {
  const graphs = fc.array(fc.array(fc.nat({ max: 30 }), { maxLength: 4 }), { maxLength: 30 });
  fc.assert(
    fc.property(graphs, fc.boolean(), (edges, forwards) => {
      const last = edges.length - 1;
      const at = (i: number) => (forwards ? i : last - i);
      const subtasks = edges.map((on, i) => subtask(at(i), on.filter((each) => each < i).map(at)));
      const ordered = mergeOrder(subtasks).map((each) => each.position);
      expect([...ordered].sort((a, b) => a - b)).toEqual(
        subtasks.map((each) => each.position).sort((a, b) => a - b),
      );
      for (const each of subtasks)
        for (const on of each.depends_on) {
          const needed = Number(on.split("::")[2]);
          expect(ordered.indexOf(needed)).toBeLessThan(ordered.indexOf(each.position));
        }
    }),
  );
  expect(mergeOrder([subtask(2, []), subtask(0, []), subtask(1, [])]).map((each) => each.position)).toEqual([
    0, 1, 2,
  ]);
});
