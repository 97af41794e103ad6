/** What the answers to one field amount to: the value that is nearest to them, by the rule of its kind. */
import type { Json } from "./model.ts";
import type { FieldEvidence } from "./evidence.ts";
import type { Leaf } from "./evidence-fields.ts";
import { elementsOf, type Group, numbersOf, STATES } from "./evidence-groups.ts";
import { lowMedian, median } from "./evidence-statistics.ts";

export type Consensus = Pick<FieldEvidence, "state" | "consensus" | "tied">;

export function consensusOf(
  leaf: Leaf,
  groups: readonly Group[],
  distances: (a: number, b: number) => number,
): Consensus {
  const sizes = STATES.map((state) => ({
    state,
    size: groups.reduce((sum, each) => sum + (each.state === state ? each.answers.length : 0), 0),
  }));
  const most = Math.max(...sizes.map(({ size }) => size));
  const [winner, ...rivals] = sizes.filter(({ size }) => size === most);
  const state = most === 0 ? "missing" : (winner?.state ?? "missing");
  const rivalled = rivals.length > 0 && most > 0;
  if (state !== "value") return { state, consensus: null, tied: rivalled };
  const here = groups.flatMap((group, at) => (group.state === "value" ? [{ group, at }] : []));
  const { value, tied } = valueConsensus(leaf, here, distances);
  return { state, consensus: value, tied: tied || rivalled };
}

type Placed = { readonly group: Group; readonly at: number };

function valueConsensus(
  leaf: Leaf,
  here: readonly Placed[],
  distances: (a: number, b: number) => number,
): { value: Json; tied: boolean } {
  if (leaf.kind === "number") {
    const numbers = numbersOf(here.map(({ group }) => group));
    return { value: leaf.integer ? lowMedian(numbers) : median(numbers), tied: false };
  }
  if (leaf.kind === "set") return majoritySet(here.map(({ group }) => group));
  if (leaf.kind === "text") return medoid(here, distances);
  const [first, second] = here;
  const tied = second !== undefined && second.group.answers.length === first?.group.answers.length;
  return { value: first?.group.value ?? null, tied };
}

/** The text that is nearest to all, each counted as often as it was given. */
function medoid(here: readonly Placed[], distances: (a: number, b: number) => number) {
  const scored = here.map(({ group, at }) => ({
    value: group.value,
    sum: here
      .map((other) => other.group.answers.length * distances(at, other.at))
      .sort((a, b) => a - b)
      .reduce((sum, each) => sum + each, 0),
  }));
  const least = Math.min(...scored.map(({ sum }) => sum));
  const best = scored.filter(({ sum }) => sum === least);
  return { value: best[0]?.value ?? null, tied: best.length > 1 };
}

/** What more than half of the lists have, as often as more than half have it; in the order of their usual places. */
function majoritySet(groups: readonly Group[]): { value: Json; tied: boolean } {
  const count = groups.reduce((sum, { answers }) => sum + answers.length, 0);
  const elements = elementsOf(groups);
  const kept = elements.filter(({ support }) => 2 * support > count);
  const order = kept.toSorted(
    (a, b) => a.places / a.support - b.places / b.support || (a.key < b.key ? -1 : 1),
  );
  return {
    value: order.map(({ value }) => value),
    tied: elements.some(({ support }) => 2 * support === count),
  };
}
