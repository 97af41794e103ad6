/** The report: rows and the event stream, folded. The same value for people, JSON and (later) every other door. */
import type { OxbowEvent, Report, ReportChild, ReportState } from "../core/events.ts";
import type { MergeEntry, Verification } from "../core/merging.ts";
import type { Plan } from "../core/plan.ts";
import { totalCost } from "../core/cost.ts";
import { addUsage, type Conflict, NO_USAGE, type Outcome, type Subtask, type Task } from "../core/model.ts";
import { integrationBranch } from "../core/branch-name.ts";
import { waitsForPerson } from "../core/gates.ts";
import { budgetOf } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { currentOf } from "./lines.ts";
import { providerOf, runOptions, runtimeOf } from "./engine.ts";

const PAGE = 1_000;

export async function allEvents(engine: Pick<Engine, "store">, taskId: string): Promise<OxbowEvent[]> {
  const events: OxbowEvent[] = [];
  for (;;) {
    const page = await engine.store.events(taskId, events.at(-1)?.id ?? null, PAGE);
    events.push(...page);
    if (page.length < PAGE) return events;
  }
}

export async function makeReport(engine: Engine, task: Task): Promise<Report> {
  const all = await engine.store.subtasks(task.task_id);
  const subtasks = currentOf(all);
  const ended = await engine.store.outcomes(task.task_id);
  const outcomes = new Map(ended.map((each) => [each.subtask_id, each]));
  const budget = await budgetOf(engine, task.task_id, { subtasks: all, outcomes: ended });
  const approvals = await engine.store.approvals.list({ taskId: task.task_id });
  const { merged, kept, conflicts, refused, notices, verifications, evidence, plan, endedAt, cancelled } =
    fold(await allEvents(engine, task.task_id));
  const shown = (subtask: Subtask) => describe(subtask, outcomes.get(subtask.subtask_id), merged, kept);
  const merges = await engine.store.merges.list({ taskId: task.task_id });
  const open = merges.filter((merge) => subtasks.some(({ subtask_id }) => subtask_id === merge.subtask_id));
  const parts = subtasks.map((subtask) => ({ subtask, child: shown(subtask) }));
  const superseded = all.filter((subtask) => !subtasks.includes(subtask)).map(shown);
  const lead = parts.find(({ subtask }) => subtask.root)?.child ?? null;
  const children = parts.filter(({ subtask }) => !subtask.root).map(({ child }) => child);
  const everyone = lead ? [lead, ...children] : children;
  const branch = integrationBranch(task.ticket);
  const ref = `refs/heads/${branch}`;
  const tip = (await engine.repo.refs(ref)).get(ref);
  return {
    event: "report",
    task_id: task.task_id,
    ticket: task.ticket,
    title: task.title,
    state: waitsForPerson(subtasks)
      ? "waiting"
      : stateOf(everyone, [...conflicts.values()].flat(), unlanded(open, refused), cancelled),
    integration: tip !== undefined && merged.size > 0 ? { branch, commit: tip } : null,
    lead,
    children,
    superseded,
    conflicts: [...conflicts.values()].flat(),
    merges,
    verifications,
    evidence,
    approvals,
    usage: [...everyone, ...superseded].map((part) => part.usage).reduce(addUsage, NO_USAGE),
    cost: totalCost([...everyone, ...superseded]),
    ...(budget === null ? {} : { budget }),
    ...(plan === null ? {} : { plan }),
    elapsed_ms: (endedAt ?? engine.now()) - task.created_at,
    simulated: simulated(engine, task, subtasks),
    base: { ref: task.base_ref, commit: task.base_commit },
    notices,
  };
}

function fold(events: readonly OxbowEvent[]) {
  const merged = new Set<string>();
  const kept = new Map<string, string>();
  const conflicts = new Map<string, readonly Conflict[]>();
  const refused = new Set<string>();
  const notices: string[] = [];
  const verifications: Verification[] = [];
  const evidence: Report["evidence"][number][] = [];
  let plan: Plan | null = null;
  let endedAt: number | null = null;
  /** As a whole, by a person. */
  let cancelled = false;
  for (const event of events) {
    const id = event.subtask_id ?? "";
    if (event.event === "work_saved") kept.set(id, event.commit);
    else if (event.event === "commit") kept.delete(id);
    else if (event.event === "merged") {
      merged.add(id);
      conflicts.delete(id);
    } else if (event.event === "merge_conflict") conflicts.set(id, event.conflicts);
    else if (event.event === "refused" && event.tool === undefined) {
      refused.add(id);
      notices.push(event.message);
    } else if (event.event === "notice") notices.push(event.message);
    else if (event.event === "planned") plan = event.plan;
    else if (event.event === "verify_finished") verifications.push(event.verification);
    else if (event.event === "evidence") evidence.push({ ...event.bundle, subtask_id: id });
    else if (event.event === "merge_rework") {
      // What took its place speaks for it.
      conflicts.delete(id);
      refused.delete(id);
    } else if (event.event === "cancel_requested")
      cancelled ||= event.subtask_id === undefined && event.code === undefined;
    else if (event.event === "task_resumed" || event.event === "task_reopened") cancelled = false;
    else if (event.event === "task_finished") endedAt = Date.parse(event.ts);
  }
  return { merged, kept, conflicts, refused, notices, verifications, evidence, plan, endedAt, cancelled };
}

/** The branches that did not land, by code, beside those whose children did not complete. */
function unlanded(merges: readonly MergeEntry[], refused: ReadonlySet<string>): ReadonlyMap<string, string> {
  const found = new Map([...refused].map((id) => [id, "refused"]));
  for (const { subtask_id, state, reason } of merges)
    if (state === "failed" || state === "escalated") found.set(subtask_id, reason?.code ?? state);
  return found;
}

function describe(
  subtask: Subtask,
  outcome: Outcome | undefined,
  merged: ReadonlySet<string>,
  kept: ReadonlyMap<string, string>,
): ReportChild {
  return {
    subtask_id: subtask.subtask_id,
    conversation_id: subtask.conversation_id,
    agent: subtask.agent,
    branch: outcome ? outcome.branch : subtask.branch,
    commit: outcome?.commit ?? null,
    outcome: outcome?.outcome ?? (subtask.state === "awaiting_approval" ? subtask.state : "running"),
    summary: outcome?.summary ?? "",
    usage: outcome?.usage ?? NO_USAGE,
    cost: outcome?.cost ?? null,
    error: outcome?.error ?? null,
    merged: merged.has(subtask.subtask_id),
    kept: kept.get(subtask.subtask_id) ?? null,
    elapsed_ms: outcome?.elapsed_ms ?? 0,
  };
}

function stateOf(
  parts: readonly ReportChild[],
  conflicts: readonly Conflict[],
  unlanded: ReadonlyMap<string, string>,
  cancelled: boolean,
): ReportState {
  const count = (outcome: ReportChild["outcome"]) => parts.filter((part) => part.outcome === outcome).length;
  const left = [...unlanded.values()];
  const stopped = count("cancelled") > 0 || left.includes("cancelled");
  const open = count("running") + count("awaiting_approval");
  if ((cancelled && stopped) || open > 0) return "cancelled";
  if (conflicts.length > 0) return "conflict";
  const completed = count("completed");
  if (completed === parts.length && left.length === 0) return "completed";
  return completed > 0 ? "partial" : "failed";
}

function simulated(engine: Engine, task: Task, subtasks: readonly Subtask[]): string[] {
  const options = runOptions(task);
  const names = new Set<string>();
  for (const name of new Set(subtasks.map((subtask) => subtask.agent))) {
    const agent = engine.registry.get(name);
    if (!agent || runtimeOf(options, agent) === "command") continue;
    const provider = providerOf(options, agent, engine.team);
    if (provider === "scripted") names.add(provider);
  }
  return [...names];
}
