/**
 * The whole story of a ticket, for people who were not there: every task, part, commit, merge and verdict, from rows and
 * events alone. Nothing is measured here; what the events do not say is null.
 */
import type { HistoryPart, HistoryState, HistoryTask, TicketHistory, Verdict } from "./handover-results.ts";
import type { MergeEntry } from "../core/merging.ts";
import type { Outcome, Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import type { Ticket } from "./ticket.ts";
import { budgetOf } from "./budget.ts";
import { runOptions } from "./engine.ts";
import { addUsage, isLive, NO_USAGE } from "../core/model.ts";
import { currentOf } from "./lines.ts";
import { totalCost } from "../core/cost.ts";
import { allEvents } from "./report.ts";
import { foldTask, type PartFacts } from "./history-fold.ts";

export type HistorySource = Pick<Engine, "store" | "repo" | "now">;

export async function ticketHistory(source: HistorySource, ticket: Ticket): Promise<TicketHistory> {
  const tasks = await Promise.all(ticket.tasks.map((task) => taskHistory(source, task)));
  const commit = await source.repo.readRef(`refs/heads/${ticket.branch}`);
  const parts = tasks.flatMap((task) => task.parts);
  const now = source.now();
  return {
    ticket: ticket.ticket,
    title: ticket.tasks[0].title,
    state: stateOf(tasks),
    live: tasks.some((task) => task.live),
    generated_at: now,
    tasks,
    integration: commit === null ? null : { branch: ticket.branch, commit },
    usage: parts.map((part) => part.usage).reduce(addUsage, NO_USAGE),
    cost: totalCost(parts),
    elapsed_ms: tasks.reduce((sum, task) => sum + ((task.ended_at ?? now) - task.created_at), 0),
  };
}

export async function taskHistory({ store }: HistorySource, task: Task): Promise<HistoryTask> {
  const { task_id } = task;
  const [subtasks, outcomes, merges, approvals, events] = await Promise.all([
    store.subtasks(task_id),
    store.outcomes(task_id),
    store.merges.list({ taskId: task_id }),
    store.approvals.list({ taskId: task_id }),
    allEvents({ store }, task_id),
  ]);
  const { parts, ...facts } = foldTask(events);
  const byId = new Map(outcomes.map((each) => [each.subtask_id, each]));
  const inQueue = new Map(merges.map((each) => [each.subtask_id, each]));
  const current = new Set(currentOf(subtasks));
  const byConversation = new Map(subtasks.map((each) => [each.conversation_id, each.subtask_id]));
  const live = isLive(task);
  const budget = await budgetOf({ store }, task_id, { subtasks, outcomes });
  return {
    task_id,
    title: task.title,
    state: task.state,
    live,
    base: { ref: task.base_ref, commit: task.base_commit },
    created_at: task.created_at,
    simulated: isScripted(task) ? ["scripted"] : [],
    ...facts,
    ended_at: live ? null : (facts.ended_at ?? task.updated_at),
    approvals,
    ...(budget === null ? {} : { budget }),
    parts: subtasks.map((subtask) =>
      describe(
        subtask,
        byId.get(subtask.subtask_id),
        inQueue.get(subtask.subtask_id),
        parts(subtask.subtask_id),
        {
          superseded: !current.has(subtask),
          parent: byConversation.get(subtask.parent_conversation_id ?? "") ?? null,
        },
      ),
    ),
  };
}

function isScripted(task: Task): boolean {
  const { provider, script } = runOptions(task);
  return provider === "scripted" || (provider === null && script !== null);
}

function describe(
  subtask: Subtask,
  outcome: Outcome | undefined,
  merge: MergeEntry | undefined,
  facts: PartFacts,
  where: { superseded: boolean; parent: string | null },
): HistoryPart {
  const { subtask_id, agent, root, depends_on, supersedes, brief } = subtask;
  return {
    subtask_id,
    agent,
    root,
    depends_on,
    supersedes,
    brief,
    ...where,
    ...facts,
    branch: outcome ? outcome.branch : subtask.branch,
    commit: outcome?.commit ?? null,
    merge_state: merge?.state ?? null,
    reason: merge?.reason?.message ?? facts.escalated ?? facts.refused,
    verdict: subtask.state === "awaiting_approval" ? subtask.state : verdictOf(outcome, merge, facts),
    outcome: outcome?.outcome ?? null,
    summary: outcome?.summary ?? "",
    error: outcome?.error ?? null,
    usage: outcome?.usage ?? facts.used,
    cost: outcome?.cost ?? null,
    elapsed_ms: outcome?.elapsed_ms ?? null,
  };
}

function verdictOf(outcome: Outcome | undefined, merge: MergeEntry | undefined, facts: PartFacts): Verdict {
  if (outcome === undefined) return facts.started_at === null ? "planned" : "running";
  if (outcome.outcome !== "completed") return outcome.outcome;
  if (merge?.state === "landed" || facts.merged_at !== null) return "merged";
  if (merge?.state === "rework" || facts.reworked_by !== null) return "reworked";
  if (merge?.state === "escalated" || facts.escalated !== null) return "escalated";
  if (facts.conflicts.length > 0) return "conflict";
  return facts.refused === null && merge?.state !== "failed" ? "completed" : "refused";
}

/** Work that is done and not where it belongs. */
const UNSETTLED: ReadonlySet<Verdict> = new Set<Verdict>(["conflict", "escalated"]);
const GOOD: ReadonlySet<Verdict> = new Set<Verdict>(["merged", "completed"]);

function stateOf(tasks: readonly HistoryTask[]): HistoryState {
  if (tasks.some((task) => task.live)) return "running";
  const verdicts = tasks.flatMap((task) =>
    task.parts.filter((part) => !part.superseded).map(({ verdict }) => verdict),
  );
  if (verdicts.some((verdict) => UNSETTLED.has(verdict))) return "conflict";
  if (tasks.at(-1)?.state === "cancelled") return "cancelled";
  const good = verdicts.filter((verdict) => GOOD.has(verdict)).length;
  if (good === verdicts.length) return "completed";
  return good > 0 ? "partial" : "failed";
}

/** Parts of a ticket whose work is not on its integration branch, and why. */
export function unlanded(history: TicketHistory): { subtask_id: string; agent: string; reason: Verdict }[] {
  return history.tasks.flatMap(({ parts }) =>
    parts
      .filter((part) => !part.superseded && !isLanded(part))
      .map(({ subtask_id, agent, verdict }) => ({ subtask_id, agent, reason: verdict })),
  );
}

function isLanded({ verdict, commit }: HistoryPart): boolean {
  return verdict === "merged" || (verdict === "completed" && commit === null);
}
