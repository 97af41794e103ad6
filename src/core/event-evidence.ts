/** The schema of an evidence bundle (evidence-bundle.ts); docs/orchestration/evidence.md defines its numbers. */
import { z } from "zod";
import { count, dollars, errorValue, json, milliseconds, names, usage } from "./event-values.ts";
import type { EvidenceBundle, EvidenceRun } from "./evidence-bundle.ts";
import type { Distribution, FieldEvidence } from "./evidence.ts";

const counted = z.array(z.object({ value: json, count, share: z.number() })).readonly();
const runNumbers = z.array(count).readonly();
const numbers = {
  count,
  minimum: z.number(),
  q1: z.number(),
  median: z.number(),
  q3: z.number(),
  maximum: z.number(),
  mean: z.number(),
  iqr: z.number(),
  mad: z.number(),
};

const distribution: z.ZodType<Distribution> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("number"), ...numbers }),
  z.object({
    kind: z.enum(["category", "text"]),
    count,
    values: counted,
    others: count,
    distinct: count,
    entropy_bits: z.number(),
    entropy: z.number(),
  }),
  z.object({ kind: z.literal("set"), count, values: counted, others: count, distinct: count }),
]);

const field: z.ZodType<FieldEvidence> = z.object({
  path: z.string(),
  kind: z.enum(["number", "category", "set", "text", "presence"]),
  count,
  missing: count,
  nulls: count,
  state: z.enum(["value", "null", "missing"]),
  consensus: json,
  source: z.enum(["answers", "check"]),
  tied: z.boolean(),
  agreement: z.number(),
  confidence: z.number(),
  interval: z.tuple([z.number(), z.number()]).readonly(),
  distance: z.object({ mean: z.number(), max: z.number() }),
  distribution: distribution.nullable(),
});

const disagreement = z.object({
  path: z.string(),
  consensus: json,
  source: z.enum(["answers", "check"]),
  tied: z.boolean(),
  answers: z
    .array(z.object({ state: z.enum(["value", "null", "missing"]), value: json, runs: runNumbers }))
    .readonly(),
  others: count,
});

const run: z.ZodType<EvidenceRun> = z.object({
  run: count,
  agent: z.string(),
  valid: z.boolean(),
  value: json,
  stopped: z.boolean(),
  usage,
  cost: dollars,
  elapsed_ms: milliseconds,
  request_id: z.string().nullable(),
  trace_id: z.string(),
  error: errorValue.nullable(),
});

const check = z.object({
  path: z.string(),
  command: z.string(),
  found: json,
  exit_code: z.int().nullable(),
  output: z.string(),
  note: z.string().nullable(),
});

const share = z.object({ runs: count, answers: count, usage, cost: dollars, elapsed_ms: milliseconds });

const bundle = z.object({
  ok: z.boolean(),
  barrier_id: z.string(),
  k: count,
  answers: count,
  stopped_early: z.boolean(),
  movement: z.number().nullable(),
  consensus: json,
  consensus_valid: z.boolean(),
  representative: count.nullable(),
  agreement: z.number(),
  confidence: z.number(),
  fields: z.array(field).readonly(),
  disagreements: z.array(disagreement).readonly(),
  distances: z.object({
    runs: runNumbers,
    pairwise: z.array(z.array(z.number()).readonly()).readonly(),
    mean: z.number(),
    max: z.number(),
  }),
  checks: z.array(check).readonly(),
  runs: z.array(run).readonly(),
  by_agent: z.record(z.string(), share),
  usage,
  cost: dollars,
  elapsed_ms: milliseconds,
  left_out: names,
});

export const evidenceBundle: z.ZodType<EvidenceBundle> = bundle.meta({ id: "EvidenceBundle" });
/** As a report has it: with the subtask that asked. */
export const reportedEvidence: z.ZodType<EvidenceBundle & { readonly subtask_id: string }> = bundle
  .extend({ subtask_id: z.string() })
  .meta({ id: "ReportedEvidence" });
