/** A field that can be looked up: what looking found outweighs what any number of answers say. */
import type { Json } from "./model.ts";
import type { FieldEvidence } from "./evidence.ts";
import type { Leaf } from "./evidence-fields.ts";
import { OxbowError } from "./errors.ts";
import { groupsOf } from "./evidence-groups.ts";
import { disagreementOf, type Weighed } from "./evidence-weigh.ts";

/** `found` null: it could not be looked up, and the answers stand as they are. */
export interface CheckResult {
  /** JSON Pointer of a field. */
  readonly path: string;
  readonly found: { readonly value: Json } | null;
}

/** Throws tool_input for a path that is no field of any answer, or a field that two checks contradict each other about. */
export function settleByChecks(
  leaves: readonly Leaf[],
  voted: readonly Weighed[],
  checks: readonly CheckResult[],
): readonly Pick<Weighed, "field" | "disagreement">[] {
  const found = new Map<string, Json>();
  for (const { path, found: seen } of checks) {
    if (!leaves.some((leaf) => leaf.path === path))
      throw new OxbowError("tool_input", `A check is for ${path || "the whole"}, which is no field.`, {
        hint: `The fields are: ${leaves.map((leaf) => leaf.path || '""').join(", ")}`.slice(0, 1_000),
      });
    if (seen === null) continue;
    if (found.has(path)) throw new OxbowError("tool_input", `${path} has two checks; a field has one.`);
    found.set(path, seen.value);
  }
  return voted.map((each, at) => {
    const { field } = each;
    const leaf = leaves[at];
    const value = found.get(field.path);
    return value === undefined || leaf === undefined ? each : settled(field, leaf, value);
  });
}

/** Looked at, not estimated: its confidence is 1. The agreement is with what was found. */
function settled(before: FieldEvidence, leaf: Leaf, value: Json): Pick<Weighed, "field" | "disagreement"> {
  const groups = groupsOf(leaf.cells);
  const wrong = groups.reduce((sum, group) => {
    if (group.state !== (value === null ? "null" : "value")) return sum + group.answers.length;
    return value === null ? sum : sum + group.answers.length * leaf.distance(group.value, value);
  }, 0);
  const field: FieldEvidence = {
    ...before,
    state: value === null ? "null" : "value",
    consensus: value,
    source: "check",
    tied: false,
    agreement: before.count === 0 ? 0 : Math.max(0, 1 - wrong / before.count),
    confidence: 1,
    interval: [1, 1],
  };
  return { field, disagreement: disagreementOf(field, groups) };
}
