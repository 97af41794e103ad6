/** One task's events, folded into what each part went through and when. */
import type { OxbowEvent, ReportState } from "../core/events.ts";
import type { EvidenceBundle } from "../core/evidence-bundle.ts";
import type { Verification } from "../core/merging.ts";
import type { Plan } from "../core/plan.ts";
import { addUsage, type Conflict, NO_USAGE, type Usage } from "../core/model.ts";

export interface PartCommit {
  readonly commit: string;
  readonly message: string;
  readonly files: number;
  readonly at: number;
}

export interface PartFacts {
  readonly announced_at: number | null;
  readonly started_at: number | null;
  /** Its outcome was written. */
  readonly ended_at: number | null;
  readonly merged_at: number | null;
  readonly merge_commit: string | null;
  readonly attempts: number;
  readonly commits: readonly PartCommit[];
  /** With what was on the integration branch by then. */
  readonly conflicts: readonly Conflict[];
  /** Why it was not merged. */
  readonly refused: string | null;
  readonly escalated: string | null;
  /** The part that goes on with it after a conflict. */
  readonly reworked_by: string | null;
  /** A commit with work that is on no branch. */
  readonly kept: string | null;
  /** Turn by turn, for a part without an outcome. */
  readonly used: Usage;
}

/** Something that happened to the task as a whole. */
export interface Moment {
  readonly kind:
    | "split"
    | "resumed"
    | "reopened"
    | "cancelled"
    | "verified"
    | "landed"
    | "pull_request"
    | "finished";
  readonly at: number;
  readonly text: string;
  readonly ok: boolean;
}

export interface TaskFacts {
  readonly parts: (subtaskId: string) => PartFacts;
  readonly ended_at: number | null;
  /** How its last run ended; null: it never did. */
  readonly ended_as: ReportState | null;
  readonly moments: readonly Moment[];
  /** What `verify:` said, of each tree it was asked about. */
  readonly verifications: readonly (Verification & { readonly at: number })[];
  /** What barriers came back with: several runs of one question. */
  readonly evidence: readonly (EvidenceBundle & { readonly subtask_id: string; readonly at: number })[];
  readonly notices: readonly string[];
  /** What it followed, where it was planned. */
  readonly plan?: Plan;
  /** The URL of the last one, where there is one. */
  readonly pull_request?: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Growing = Omit<Mutable<PartFacts>, "commits"> & { commits: PartCommit[] };

const nothing = (): Growing => ({
  announced_at: null,
  started_at: null,
  ended_at: null,
  merged_at: null,
  merge_commit: null,
  attempts: 0,
  commits: [],
  conflicts: [],
  refused: null,
  escalated: null,
  reworked_by: null,
  kept: null,
  used: NO_USAGE,
});

export function foldTask(events: readonly OxbowEvent[]): TaskFacts {
  const parts = new Map<string, Growing>();
  const moments: Moment[] = [];
  const verifications: (Verification & { at: number })[] = [];
  const evidence: (EvidenceBundle & { subtask_id: string; at: number })[] = [];
  const notices: string[] = [];
  let plan: Plan | null = null;
  let pullRequest: string | null = null;
  let ended: number | null = null;
  let endedAs: ReportState | null = null;
  for (const event of events) {
    const at = Date.parse(event.ts);
    if (event.subtask_id !== undefined) {
      const part = parts.get(event.subtask_id) ?? nothing();
      parts.set(event.subtask_id, part);
      foldPart(part, event, at);
    }
    const moment = momentOf(event, at);
    if (moment) moments.push(moment);
    if (event.event === "planned") plan = event.plan;
    if (event.event === "pull_request") pullRequest = event.url;
    if (event.event === "verify_finished") verifications.push({ ...event.verification, at });
    if (event.event === "evidence")
      evidence.push({ ...event.bundle, subtask_id: event.subtask_id ?? "", at });
    if (event.event === "notice") notices.push(event.message);
    if (event.event === "refused" && event.tool === undefined) notices.push(event.message);
    if (event.event === "task_resumed" || event.event === "task_reopened") ended = null;
    if (event.event === "task_finished") {
      ended = at;
      endedAs = event.state;
    }
  }
  return {
    parts: (id) => parts.get(id) ?? nothing(),
    ended_at: ended,
    ended_as: endedAs,
    moments,
    verifications,
    evidence,
    notices,
    ...(plan === null ? {} : { plan }),
    ...(pullRequest === null ? {} : { pull_request: pullRequest }),
  };
}

function foldPart(part: Growing, event: OxbowEvent, at: number): void {
  switch (event.event) {
    case "child_announced":
      part.announced_at ??= at;
      break;
    case "child_started":
      part.started_at ??= at;
      part.attempts = Math.max(part.attempts, event.attempt);
      break;
    case "turn":
      part.used = addUsage(part.used, event.usage);
      break;
    case "work_saved":
      part.kept = event.commit;
      break;
    case "commit":
      part.kept = null;
      if (!part.commits.some(({ commit }) => commit === event.commit))
        part.commits.push({ commit: event.commit, message: event.message, files: event.files, at });
      break;
    case "child_finished":
      part.ended_at = at;
      break;
    case "merged":
      part.merged_at = at;
      part.merge_commit = event.merge_commit;
      part.conflicts = [];
      part.refused = part.escalated = null;
      break;
    case "merge_conflict":
      part.conflicts = event.conflicts;
      break;
    case "merge_escalated":
      part.escalated = event.reason.message;
      break;
    case "merge_rework":
      part.reworked_by = event.by;
      break;
    case "refused":
      if (event.tool === undefined) part.refused = event.message;
      break;
    default:
      break;
  }
}

function momentOf(event: OxbowEvent, at: number): Moment | null {
  switch (event.event) {
    case "split": {
      const n = event.children.length;
      const who = event.source === undefined ? "Split" : `${event.source} split it`;
      return { kind: "split", at, ok: true, text: `${who} into ${n} ${n === 1 ? "part" : "parts"}` };
    }
    case "task_resumed":
      return { kind: "resumed", at, ok: true, text: "Resumed" };
    case "task_reopened": {
      const n = event.parts.length;
      const text = n === 0 ? "Conflicts settled" : `${n} ${n === 1 ? "part" : "parts"} tried again`;
      return { kind: "reopened", at, ok: true, text };
    }
    case "cancel_requested":
      return event.subtask_id === undefined ? { kind: "cancelled", at, ok: false, text: event.reason } : null;
    case "verify_finished": {
      const { ok, branches } = event.verification;
      const what = `${branches.length} ${branches.length === 1 ? "branch" : "branches"}`;
      return { kind: "verified", at, ok, text: ok ? `Verified with ${what}` : `Verify failed with ${what}` };
    }
    case "landed":
      return { kind: "landed", at, ok: true, text: `Landed in ${event.into}` };
    case "pull_request":
      return { kind: "pull_request", at, ok: true, text: `Pull request for ${event.into}: ${event.url}` };
    case "task_finished":
      return { kind: "finished", at, ok: event.state === "completed", text: `Ended: ${event.state}` };
    default:
      return null;
  }
}
