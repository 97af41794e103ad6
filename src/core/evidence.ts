/**
 * What several answers to one question amount to: K JSON values of one schema, compared field by field. Pure and
 * deterministic; nothing depends on the order of the values except the positions that name them. Every number, and where
 * it comes from, is defined in docs/orchestration/evidence.md.
 */
import type { Json } from "./model.ts";
import type { Distance } from "./evidence-distance.ts";
import { OxbowError } from "./errors.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type CheckResult, settleByChecks } from "./evidence-check.ts";
import { fieldTree, leavesOf, type Leaf, valueOf } from "./evidence-fields.ts";
import type { Group } from "./evidence-groups.ts";
import { weighLeaf } from "./evidence-weigh.ts";

export type { CheckResult, Distance, Group };

export type FieldKind = "number" | "category" | "set" | "text";

// A path is a JSON Pointer; the elements of a list are `*`, as in `/findings/*/severity`.
/** How one field is to be compared. */
export interface FieldRule {
  /** Default: by the schema, else by the values. `list`: an array whose positions count. */
  readonly kind?: FieldKind | "list";
  /** An array of objects: those with equal values of these keys are the same thing, and compared field by field. */
  readonly matchBy?: readonly string[];
  readonly distance?: Distance;
  /** In the distance of two answers. Default 1. */
  readonly weight?: number;
}

export interface EvidenceOptions {
  /** JSON Schema of the values: it tells numbers with a range, categories and prose apart. */
  readonly schema?: Json;
  readonly fields?: Readonly<Record<string, FieldRule>>;
  /** In place of the measures of this package. */
  readonly distances?: Partial<Readonly<Record<FieldKind, Distance>>>;
  /** What was found out by looking: it outweighs the answers. */
  readonly checks?: readonly CheckResult[];
}

export type Distribution =
  | {
      readonly kind: "number";
      readonly count: number;
      readonly minimum: number;
      readonly q1: number;
      readonly median: number;
      readonly q3: number;
      readonly maximum: number;
      readonly mean: number;
      readonly iqr: number;
      readonly mad: number;
    }
  | {
      readonly kind: "category" | "text";
      readonly count: number;
      readonly values: readonly Counted[];
      /** Answers whose values are not listed. */
      readonly others: number;
      readonly distinct: number;
      readonly entropy_bits: number;
      /** Of the most there could be: 0 (all the same) to 1. */
      readonly entropy: number;
    }
  | {
      readonly kind: "set";
      readonly count: number;
      /** `share`: of the answers, those that have it. */
      readonly values: readonly Counted[];
      readonly others: number;
      readonly distinct: number;
    };

export interface Counted {
  readonly value: Json;
  readonly count: number;
  readonly share: number;
}

export interface FieldEvidence {
  /** JSON Pointer (RFC 6901); "" is the value as a whole. */
  readonly path: string;
  /** `presence`: whether an object that may be absent or null is there. */
  readonly kind: FieldKind | "presence";
  /** Answers in which the field could occur, and how many of them leave it out or say null. */
  readonly count: number;
  readonly missing: number;
  readonly nulls: number;
  readonly state: "value" | "null" | "missing";
  readonly consensus: Json;
  /** `check`: the consensus is what was found out by looking. */
  readonly source: "answers" | "check";
  /** Another value has as much for it. */
  readonly tied: boolean;
  /** 1 − the mean distance of the answers to the consensus. */
  readonly agreement: number;
  /** 95 % interval of the agreement that more answers would show; `confidence` is its lower end. */
  readonly confidence: number;
  readonly interval: readonly [low: number, high: number];
  /** Over all pairs of answers. */
  readonly distance: { readonly mean: number; readonly max: number };
  readonly distribution: Distribution | null;
}

export interface Disagreement {
  readonly path: string;
  readonly consensus: Json;
  readonly source: "answers" | "check";
  readonly tied: boolean;
  /** Who said what, the most frequent first; at most 10. */
  readonly answers: readonly Group[];
  readonly others: number;
}

export interface Evidence {
  readonly count: number;
  /** Put together field by field: nobody may have said it as a whole. Compare `representative`. */
  readonly consensus: Json;
  /** The position of the answer that is nearest to all others; null without answers. */
  readonly representative: number | null;
  /** The mean of the fields. */
  readonly agreement: number;
  /** Of the field that is least certain. */
  readonly confidence: number;
  readonly fields: readonly FieldEvidence[];
  readonly disagreements: readonly Disagreement[];
  readonly distances: {
    /** `pairwise[i][j]`, between answers i and j: 0 … 1. */
    readonly pairwise: readonly (readonly number[])[];
    readonly mean: number;
    readonly max: number;
  };
}

/**
 * Takes time in proportion to the fields, and to the square of the number of answers. Throws payload_invalid for what is no
 * JSON, limit_exceeded for more than 2,000 fields, tool_input for a check of a field that is none.
 */
export function weighEvidence(values: readonly Json[], options: EvidenceOptions = {}): Evidence {
  if (!Array.isArray(values)) throw new OxbowError("usage", "The answers to weigh must be a list.");
  for (const value of values) canonicalJson(value);
  const tree = fieldTree(values, options);
  const leaves = leavesOf(tree);
  const voted = leaves.map((leaf) => weighLeaf(leaf));
  const settled = settleByChecks(leaves, voted, options.checks ?? []);
  const pairwise = pairDistances(
    values.length,
    leaves,
    voted.map(({ between }) => between),
  );
  const pairs = pairwise.flatMap((row, i) => row.slice(0, i));
  const fields = settled.map(({ field }) => field);
  const byPath = new Map(fields.map((field) => [field.path, field]));
  return {
    count: values.length,
    consensus: valueOf(tree, (path) => byPath.get(path)) ?? null,
    representative: nearest(values, pairwise),
    agreement: mean(fields.map(({ agreement }) => agreement)),
    confidence: fields.reduce((least, { confidence }) => Math.min(least, confidence), 1),
    fields,
    disagreements: settled.flatMap(({ disagreement }) => (disagreement === null ? [] : [disagreement])),
    distances: { pairwise, mean: mean(pairs), max: pairs.reduce((most, each) => Math.max(most, each), 0) },
  };
}

/** Gower's coefficient (1971): the weighted mean over the fields that both answers could have. */
function pairDistances(
  count: number,
  leaves: readonly Leaf[],
  between: readonly ((i: number, j: number) => number | null)[],
): readonly (readonly number[])[] {
  const rows = Array.from({ length: count }, () => Array.from({ length: count }, () => 0));
  for (let i = 0; i < count; i++)
    for (let j = 0; j < i; j++) {
      let sum = 0;
      let weights = 0;
      for (const [at, leaf] of leaves.entries()) {
        const distance = between[at]?.(i, j) ?? null;
        if (distance === null) continue;
        sum += leaf.weight * distance;
        weights += leaf.weight;
      }
      const distance = weights === 0 ? 0 : sum / weights;
      for (const [a, b] of [
        [i, j],
        [j, i],
      ] as const) {
        const row = rows[a];
        if (row) row[b] = distance;
      }
    }
  return rows;
}

/** The medoid; of several, the one whose text comes first, so that the order of the answers does not matter. */
function nearest(values: readonly Json[], pairwise: readonly (readonly number[])[]): number | null {
  let best: { at: number; sum: number; text: string } | null = null;
  for (const [at, value] of values.entries()) {
    // Sorted, so that rounding is the same in whatever order they came.
    const sum = [...(pairwise[at] ?? [])].sort((a, b) => a - b).reduce((total, each) => total + each, 0);
    const text = canonicalJson(value);
    if (best === null || sum < best.sum || (sum === best.sum && text < best.text)) best = { at, sum, text };
  }
  return best?.at ?? null;
}

function mean(values: readonly number[]): number {
  if (values.length === 0) return 0;
  return [...values].sort((a, b) => a - b).reduce((sum, each) => sum + each, 0) / values.length;
}
