/** The story of a ticket as `oxbow report` tells it, made up. */
import type { HistoryPart, HistoryTask, TicketHistory } from "../../src/team/handover-results.ts";

const START = Date.parse("2026-11-20T14:00:00Z");
const oid = (n: number) => n.toString(16).padStart(40, "0");

export function madePart(given: Partial<HistoryPart> = {}): HistoryPart {
  return {
    subtask_id: "Api::t-1::1",
    agent: "Api",
    root: false,
    parent: null,
    depends_on: [],
    supersedes: null,
    superseded: false,
    brief: "Add request ids to the API",
    branch: "feature/146/Api",
    commit: oid(2),
    verdict: "merged",
    merge_state: "landed",
    reason: null,
    outcome: "completed",
    summary: "Added it.",
    error: null,
    usage: { requests: 2, input_tokens: 1_000, output_tokens: 200, total_tokens: 1_200 },
    cost: 0.0024,
    elapsed_ms: 20_000,
    announced_at: START + 1_000,
    started_at: START + 2_000,
    ended_at: START + 22_000,
    merged_at: START + 25_000,
    merge_commit: oid(3),
    attempts: 1,
    commits: [{ commit: oid(2), message: "Add request ids", files: 2, at: START + 20_000 }],
    conflicts: [],
    refused: null,
    escalated: null,
    reworked_by: null,
    kept: null,
    used: { requests: 0, input_tokens: 0, output_tokens: 0, total_tokens: 0 },
    ...given,
  };
}

const BROKEN = madePart({
  subtask_id: "Web::t-1::1",
  agent: "Web",
  branch: "feature/146/Web",
  verdict: "failed",
  outcome: "failed",
  summary: "",
  error: { code: "command_failed", message: "It broke" },
  merged_at: null,
  merge_commit: null,
});

export function madeHistory(
  given: Partial<TicketHistory> = {},
  parts: readonly HistoryPart[] = [madePart(), BROKEN],
): TicketHistory {
  const title = given.title ?? "Add request ids";
  const live = given.live ?? false;
  const task: HistoryTask = {
    task_id: "t-1",
    title,
    state: live ? "running" : "completed",
    live,
    base: { ref: "main", commit: oid(1) },
    created_at: START,
    simulated: [],
    ended_at: live ? null : START + 30_000,
    ended_as: live ? null : "completed",
    moments: [],
    verifications: [],
    evidence: [],
    notices: [],
    approvals: [],
    parts,
  };
  return {
    ticket: "146",
    title,
    state: "completed",
    live,
    generated_at: START + 40_000,
    tasks: [task],
    integration: { branch: "integration/146", commit: oid(4) },
    usage: { requests: 4, input_tokens: 2_000, output_tokens: 400, total_tokens: 2_400 },
    cost: 0.0048,
    elapsed_ms: 30_000,
    ...given,
  };
}
