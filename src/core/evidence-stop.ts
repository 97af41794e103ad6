/** When further answers would not change anything: the estimate has stopped moving. */
import { type Evidence, type EvidenceOptions, weighEvidence } from "./evidence.ts";

export interface StopRule {
  /** The estimate has settled when it moves by less than this (0 … 1). 0: never. */
  readonly epsilon: number;
  /** Never before so many answers. */
  readonly minRuns: number;
}

/**
 * How far the estimate went from one look to the next: the most that the consensus or the agreement of any field moved,
 * 0 (nothing did) to 1. `options` are those of both looks.
 */
export function evidenceMovement(before: Evidence, now: Evidence, options: EvidenceOptions = {}): number {
  // A field that nobody had is one that all agreed to leave out.
  const agreement = ({ fields }: Evidence) => new Map(fields.map((field) => [field.path, field.agreement]));
  const [was, is] = [agreement(before), agreement(now)];
  const paths = new Set([...was.keys(), ...is.keys()]);
  const shifts = [...paths].map((path) => Math.abs((was.get(path) ?? 1) - (is.get(path) ?? 1)));
  const { fields } = weighEvidence([before.consensus, now.consensus], { ...options, checks: [] });
  return Math.max(0, ...shifts, ...fields.map(({ distance }) => distance.max));
}

export function hasSettled(
  before: Evidence | null,
  now: Evidence,
  { epsilon, minRuns }: StopRule,
  options: EvidenceOptions = {},
): boolean {
  return before !== null && now.count >= minRuns && evidenceMovement(before, now, options) < epsilon;
}
