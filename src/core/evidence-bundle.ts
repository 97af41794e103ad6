/**
 * What a barrier comes back with: the answers of several runs and what they amount to, small enough for a model to read at
 * once. Runs are named by their number, from 1.
 */
import type { Disagreement, Evidence, FieldEvidence } from "./evidence.ts";
import type { ErrorValue } from "./errors.ts";
import { totalCost } from "./cost.ts";
import { addUsage, type Json, NO_USAGE, type Usage } from "./model.ts";

export interface EvidenceRun {
  readonly run: number;
  readonly agent: string;
  /** It gave an answer that meets the schema. */
  readonly valid: boolean;
  readonly value: Json;
  /** Ended because the others had settled it: neither an answer nor a failure. */
  readonly stopped: boolean;
  readonly usage: Usage;
  readonly cost: number | null;
  readonly elapsed_ms: number;
  readonly request_id: string | null;
  readonly trace_id: string;
  readonly error: ErrorValue | null;
}

export interface EvidenceCheck {
  /** JSON Pointer of the field it settles. */
  readonly path: string;
  readonly command: string;
  /** Null: the command came to no end, or no answer has the field, and the vote stands. */
  readonly found: Json;
  readonly exit_code: number | null;
  /** The end of what it wrote. */
  readonly output: string;
  readonly note: string | null;
}

export interface AgentShare {
  readonly runs: number;
  readonly answers: number;
  readonly usage: Usage;
  readonly cost: number | null;
  /** Of its runs together, milliseconds. */
  readonly elapsed_ms: number;
}

type BundledDisagreement = Omit<Disagreement, "answers"> & {
  readonly answers: readonly {
    readonly state: "value" | "null" | "missing";
    readonly value: Json;
    readonly runs: readonly number[];
  }[];
};

/** `ok`: there is at least one answer. Otherwise the same shape, with the errors of the runs. */
export interface EvidenceBundle {
  readonly ok: boolean;
  readonly barrier_id: string;
  readonly k: number;
  readonly answers: number;
  readonly stopped_early: boolean;
  /** How far the last answer moved the estimate, 0 … 1; null before the second. */
  readonly movement: number | null;
  readonly consensus: Json;
  /** Whether it meets the schema: put together field by field, it need not. */
  readonly consensus_valid: boolean;
  /** The run whose answer is nearest to all others. */
  readonly representative: number | null;
  readonly agreement: number;
  readonly confidence: number;
  readonly fields: readonly FieldEvidence[];
  readonly disagreements: readonly BundledDisagreement[];
  readonly distances: Evidence["distances"] & { readonly runs: readonly number[] };
  readonly checks: readonly EvidenceCheck[];
  readonly runs: readonly EvidenceRun[];
  readonly by_agent: Readonly<Record<string, AgentShare>>;
  readonly usage: Usage;
  readonly cost: number | null;
  readonly elapsed_ms: number;
  /** What is not in it, to keep it small. */
  readonly left_out: readonly string[];
}

/** Bytes of JSON; a tool may give a model 60,000. */
export const MAX_BUNDLE_BYTES = 48_000;

export function bundleOf(
  facts: Pick<
    EvidenceBundle,
    "barrier_id" | "k" | "stopped_early" | "movement" | "consensus_valid" | "checks" | "runs" | "elapsed_ms"
  >,
  evidence: Evidence,
): EvidenceBundle {
  const { runs } = facts;
  // In the order in which the evidence has the answers.
  const numbers = runs.filter(({ valid }) => valid).map(({ run }) => run);
  const numberOf = (position: number): number => numbers[position] ?? 0;
  const { pairwise, mean, max } = evidence.distances;
  return kept({
    ok: numbers.length > 0,
    ...facts,
    answers: numbers.length,
    consensus: evidence.consensus,
    representative: evidence.representative === null ? null : numberOf(evidence.representative),
    agreement: evidence.agreement,
    confidence: evidence.confidence,
    fields: evidence.fields,
    disagreements: evidence.disagreements.map(({ answers, ...rest }) => ({
      ...rest,
      answers: answers.map(({ state, value, answers: positions }) => ({
        state,
        value,
        runs: positions.map(numberOf),
      })),
    })),
    distances: {
      runs: numbers,
      pairwise: pairwise.map((row) => row.map((distance) => Math.round(distance * 1e4) / 1e4)),
      mean,
      max,
    },
    by_agent: sharesOf(runs),
    usage: sumOf(runs),
    cost: totalCost(runs),
    left_out: [],
  });
}

function sumOf(runs: readonly EvidenceRun[]): Usage {
  return runs.map(({ usage }) => usage).reduce(addUsage, NO_USAGE);
}

function sharesOf(runs: readonly EvidenceRun[]): Readonly<Record<string, AgentShare>> {
  const agents = [...new Set(runs.map(({ agent }) => agent))];
  return Object.fromEntries(
    agents.map((name) => {
      const own = runs.filter(({ agent }) => agent === name);
      const share: AgentShare = {
        runs: own.length,
        answers: own.filter(({ valid }) => valid).length,
        usage: sumOf(own),
        cost: totalCost(own),
        elapsed_ms: own.reduce((sum, { elapsed_ms }) => sum + elapsed_ms, 0),
      };
      return [name, share] as const;
    }),
  );
}

interface Cut {
  readonly name: string;
  readonly cut: (bundle: EvidenceBundle) => Partial<EvidenceBundle>;
}

/** What goes first is what is missed least. */
const CUTS: readonly Cut[] = [
  { name: "distances.pairwise", cut: ({ distances }) => ({ distances: { ...distances, pairwise: [] } }) },
  {
    name: "fields.distribution",
    cut: ({ fields }) => ({ fields: fields.map((field) => ({ ...field, distribution: null })) }),
  },
  {
    name: "runs.value (but the representative's)",
    cut: ({ runs, representative }) => ({
      runs: runs.map((run) => (run.run === representative ? run : { ...run, value: null })),
    }),
  },
  {
    name: "fields that all agree on",
    cut: ({ fields }) => ({
      fields: fields.filter(({ agreement, source }) => agreement < 1 || source === "check"),
    }),
  },
  { name: "fields", cut: () => ({ fields: [] }) },
  {
    name: "checks.output",
    cut: ({ checks }) => ({ checks: checks.map((check) => ({ ...check, output: "" })) }),
  },
  {
    name: "disagreements beyond the first 10",
    cut: ({ disagreements }) => ({
      disagreements: disagreements
        .slice(0, 10)
        .map((each) => ({ ...each, answers: each.answers.slice(0, 3) })),
    }),
  },
  { name: "disagreements", cut: () => ({ disagreements: [] }) },
  { name: "runs.value", cut: ({ runs }) => ({ runs: runs.map((run) => ({ ...run, value: null })) }) },
  { name: "consensus", cut: () => ({ consensus: null }) },
];

function kept(whole: EvidenceBundle): EvidenceBundle {
  let bundle = whole;
  for (const { name, cut } of CUTS) {
    if (bytesOf(bundle) <= MAX_BUNDLE_BYTES) return bundle;
    bundle = { ...bundle, ...cut(bundle), left_out: [...bundle.left_out, name] };
  }
  return bundle;
}

function bytesOf(bundle: EvidenceBundle): number {
  return new TextEncoder().encode(JSON.stringify(bundle)).length;
}
