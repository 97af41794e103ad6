/** Events of merging and of approvals as lines for a person. */
import type { OxbowEvent } from "../../core/events.ts";
import { clip, duration } from "./text.ts";

type ApprovalEvent = Extract<OxbowEvent, { event: "approval_requested" | "approval_decided" }>;

export function approvalText(event: ApprovalEvent): string {
  const gate = event.kind === "gate";
  const what = gate ? "to begin" : clip(event.paths.join(", "), 200);
  if (event.event === "approval_decided")
    return `[${event.agent}] ${event.state} by ${event.decided_by}: ${what}`;
  const whom = event.owner ?? event.person ?? "a person";
  const reason = clip(event.reason, 200);
  const asks = gate
    ? `[${event.agent}] waits for ${whom} before it begins: ${reason}`
    : `[${event.agent}] asks ${whom} for ${what}: ${reason}`;
  if (event.owner !== null) return asks;
  return `${asks}\n  Answer it elsewhere:  oxbow approvals grant ${event.approval_id}   or   oxbow approvals deny ${event.approval_id}`;
}

export function alertText(event: Extract<OxbowEvent, { event: "alert" }>): string {
  const id = event.subtask_id ?? "";
  return `[${event.agent}] blocked: ${event.message}\n  Give it to another:  oxbow assign ${id} AGENT   or   oxbow cancel ${id}\n  Without that it ends at ${event.until}.`;
}

type MergeEvent = Extract<
  OxbowEvent,
  { event: "merge_rework" | "merge_escalated" | "verify_started" | "verify_finished" }
>;

export function mergeText(event: MergeEvent): string {
  const who = event.source ? `[${event.source}] ` : "";
  switch (event.event) {
    case "verify_started": {
      const { length } = event.branches;
      return `verifying ${length === 0 ? "the target by itself" : `${length} ${length === 1 ? "branch" : "branches"} together`}`;
    }
    case "verify_finished": {
      const { ok, runs } = event.verification;
      const took = duration(runs.reduce((sum, run) => sum + run.duration_ms, 0));
      const failed = runs.find((run) => !run.ok);
      return ok || !failed
        ? `verified in ${took}`
        : `verify failed: ${clip(failed.tail.split("\n")[0] ?? "", 160)}`;
    }
    case "merge_rework":
      return `${who}${event.branch} goes back to ${event.agent}: ${clip(event.reason.message, 160)}`;
    case "merge_escalated":
      return `${who}${event.branch} waits for ${event.person ?? "a person"}: ${clip(event.reason.message, 200)}`;
  }
}

export function conflictText(conflicts: readonly { readonly path: string }[]): string {
  const more = conflicts.length > 3 ? ` and ${conflicts.length - 3} more` : "";
  return `conflict in ${conflicts
    .slice(0, 3)
    .map((conflict) => conflict.path)
    .join(", ")}${more}`;
}
