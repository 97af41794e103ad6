/** One field of several answers: what they amount to, how far they are apart, and how sure that is. */
import type { Json } from "./model.ts";
import type { Counted, Disagreement, Distribution, FieldEvidence } from "./evidence.ts";
import type { Leaf } from "./evidence-fields.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type Consensus, consensusOf } from "./evidence-consensus.ts";
import { elementsOf, type Group, groupsOf, numbersOf, sameJson } from "./evidence-groups.ts";
import {
  entropyBits,
  MAD_TO_SIGMA,
  median,
  medianAbsoluteDeviation,
  quantile,
  wilsonInterval,
  within01,
} from "./evidence-statistics.ts";

export interface Weighed {
  readonly field: FieldEvidence;
  readonly disagreement: Disagreement | null;
  /** Between two answers; null where one of them could not have the field. */
  between(i: number, j: number): number | null;
}

/** Kinds of values listed in a distribution, and answers listed in a disagreement. */
const MOST_LISTED = 10;

export function weighLeaf(leaf: Leaf): Weighed {
  const groups = groupsOf(leaf.cells);
  const count = groups.reduce((sum, { answers }) => sum + answers.length, 0);
  const sized = (state: Group["state"]) =>
    groups.reduce((sum, each) => sum + (each.state === state ? each.answers.length : 0), 0);
  const here = groups.filter(({ state }) => state === "value");
  const distances = distancesOf(leaf, groups);
  const consensus = consensusOf(leaf, groups, distances);
  const apart = groups.map((group) => ({
    group,
    distance: fromConsensus(leaf, group, consensus),
  }));
  const agreement = agreementOf(apart, count);
  const interval = wilsonInterval(agreement, count);
  const field: FieldEvidence = {
    path: leaf.path,
    kind: leaf.kind,
    count,
    missing: sized("missing"),
    nulls: sized("null"),
    ...consensus,
    source: "answers",
    agreement,
    confidence: interval[0],
    interval,
    distance: overPairs(groups, distances, count),
    distribution: here.length === 0 ? null : distributionOf(leaf, here),
  };
  const groupAt = new Map(
    groups.flatMap(({ answers }, at) => answers.map((answer) => [answer, at] as const)),
  );
  return {
    field,
    disagreement: disagreementOf(field, groups),
    between(i, j) {
      const [a, b] = [groupAt.get(i), groupAt.get(j)];
      return a === undefined || b === undefined ? null : distances(a, b);
    },
  };
}

/** Null when all say the same, and that is the consensus. */
export function disagreementOf(field: FieldEvidence, groups: readonly Group[]): Disagreement | null {
  const { path, consensus, source, tied } = field;
  const [only, ...more] = groups;
  const same = only === undefined || (only.state === field.state && sameJson(only.value, consensus));
  if (more.length === 0 && same) return null;
  const listed = groups.slice(0, MOST_LISTED);
  const others = groups.slice(MOST_LISTED).reduce((sum, { answers }) => sum + answers.length, 0);
  return { path, consensus, source, tied, answers: listed, others };
}

/** Each pair of kinds of answers is measured once, however many answers say the same. */
function distancesOf(leaf: Leaf, groups: readonly Group[]): (a: number, b: number) => number {
  const size = groups.length;
  const known = new Float64Array(size * size).fill(Number.NaN);
  // Asked in the order of their texts, so that no order of the answers changes it.
  const texts = groups.map(({ value }) => canonicalJson(value));
  const measure = (a: number, b: number): number => {
    const [x, y] = [groups[a], groups[b]];
    if (x === undefined || y === undefined || x.state !== "value" || y.state !== "value") return 1;
    const ordered = (texts[a] ?? "") < (texts[b] ?? "");
    return ordered ? leaf.distance(x.value, y.value) : leaf.distance(y.value, x.value);
  };
  return (a, b) => {
    if (a === b) return 0;
    const at = a < b ? a * size + b : b * size + a;
    const found = known[at] ?? 0;
    if (!Number.isNaN(found)) return found;
    return (known[at] = measure(a, b));
  };
}

function fromConsensus(leaf: Leaf, group: Group, { state, consensus }: Consensus): number {
  if (group.state !== state) return 1;
  if (state !== "value" || sameJson(group.value, consensus)) return 0;
  return leaf.distance(group.value, consensus);
}

function agreementOf(apart: readonly { group: Group; distance: number }[], count: number): number {
  if (count === 0) return 0;
  const sum = apart
    .map(({ group, distance }) => group.answers.length * distance)
    .sort((a, b) => a - b)
    .reduce((total, each) => total + each, 0);
  return within01(1 - sum / count);
}

function overPairs(groups: readonly Group[], distances: (a: number, b: number) => number, count: number) {
  const parts: number[] = [];
  let max = 0;
  for (const [i, a] of groups.entries())
    for (const [j, b] of groups.slice(0, i).entries()) {
      const distance = distances(i, j);
      parts.push(distance * a.answers.length * b.answers.length);
      max = Math.max(max, distance);
    }
  const sum = parts.sort((a, b) => a - b).reduce((total, each) => total + each, 0);
  return { mean: count < 2 ? 0 : within01(sum / ((count * (count - 1)) / 2)), max };
}

function distributionOf(leaf: Leaf, groups: readonly Group[]): Distribution {
  const count = groups.reduce((sum, { answers }) => sum + answers.length, 0);
  if (leaf.kind === "number") {
    const sorted = numbersOf(groups);
    const [q1, q3] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
    return {
      kind: "number",
      count,
      minimum: sorted[0] ?? 0,
      q1,
      median: median(sorted),
      q3,
      maximum: sorted.at(-1) ?? 0,
      // Divided first: the sum of finite numbers may be infinite.
      mean: sorted.reduce((sum, value) => sum + value / count, 0),
      iqr: Math.min(Number.MAX_VALUE, q3 - q1),
      mad: Math.min(Number.MAX_VALUE, medianAbsoluteDeviation(sorted) * MAD_TO_SIGMA),
    };
  }
  if (leaf.kind === "set") {
    const elements = elementsOf(groups).map(({ value, support }) => ({ value, count: support }));
    return { kind: "set", count, ...listed(elements, count) };
  }
  const values = groups.map(({ value, answers }) => ({ value, count: answers.length }));
  const entropy_bits = entropyBits(values.map((each) => each.count));
  const most = Math.log2(Math.min(count, leaf.options ?? count));
  return {
    kind: leaf.kind === "text" ? "text" : "category",
    count,
    ...listed(values, count),
    entropy_bits,
    entropy: most > 0 ? within01(entropy_bits / most) : 0,
  };
}

function listed(all: readonly { value: Json; count: number }[], count: number) {
  const values: readonly Counted[] = all
    .slice(0, MOST_LISTED)
    .map((each) => ({ ...each, share: each.count / count }));
  const others = all.slice(MOST_LISTED).reduce((sum, each) => sum + each.count, 0);
  return { values, others, distinct: all.length };
}
