/** Events of the way into `integration/<ticket>`. */
import { z } from "zod";
import { event } from "./event-form.ts";
import { conflict, count, mergeReason, names, verification, waiver } from "./event-values.ts";

const branchAndCommit = { branch: z.string(), commit: z.string() };

export const MERGE_EVENTS = [
  event("merge_started", "A finished branch has its turn.", branchAndCommit),
  event("merged", "It is in its target.", {
    ...branchAndCommit,
    into: z.string(),
    merge_commit: z.string(),
  }),
  event("merge_conflict", "It does not merge cleanly.", {
    ...branchAndCommit,
    conflicts: z.array(conflict).readonly(),
  }),
  event("merge_skipped", "There is nothing of it to merge.", {
    branch: z.string().nullable(),
    reason: z.string(),
  }),
  event(
    "merge_rework",
    "A new subtask, `by`, has taken its place: it begins with the target and the branch put together.",
    {
      ...branchAndCommit,
      reason: mergeReason,
      by: z.string(),
      agent: z.string(),
      round: count.describe("from 1"),
    },
  ),
  event("merge_escalated", "A person has to settle it.", {
    ...branchAndCommit,
    reason: mergeReason,
    person: z.string().nullable(),
  }),
  event("conflict_settled", "A person settled a path of a branch that waited for it.", {
    branch: z.string(),
    path: z.string(),
    how: z.enum(["ours", "theirs", "both", "file"]),
    waived: z.array(waiver).readonly().describe("what of either side was given up by that"),
    by: z.string(),
  }),
  event("verify_started", "The commands of `verify:` run on a tree that is to land.", {
    target: z.string(),
    commit: z.string(),
    branches: names,
  }),
  event("verify_finished", "What they said.", { verification }),
] as const;
