/** A task as programs are shown it: from rows and events alone. */
import type { OxbowEvent } from "../core/events.ts";
import type { Approval, Outcome, Subtask, Task } from "../core/model.ts";
import type { TaskView } from "../core/task-view.ts";
import type { Repository } from "../git/contract.ts";
import type { Store } from "../store/contract.ts";
import { integrationBranch } from "../core/branch-name.ts";
import { totalCost } from "../core/cost.ts";
import { OxbowError } from "../core/errors.ts";
import { addUsage, isLive, NO_USAGE } from "../core/model.ts";
import { priorityOf } from "../core/priority.ts";
import { deadlineOf, type Submission } from "../core/submission.ts";
import { AUDITED, auditOf, MOST_AUDIT } from "./audit.ts";
import { submissionOf } from "./orchestrate.ts";

const MOST_CHANGES = 1_000;

export interface ViewSource {
  readonly store: Store;
  readonly repo: Pick<Repository, "refs">;
  readonly now: () => number;
}

/** Throws task_unknown. */
export async function viewTask({ store, repo, now }: ViewSource, taskId: string): Promise<TaskView> {
  const task = await store.task(taskId);
  if (!task)
    throw new OxbowError("task_unknown", `There is no task ${taskId}.`, { details: { task_id: taskId } });
  const [subtasks, outcomes, approvals, merges, history, events, planned, proposed, heads] =
    await Promise.all([
      store.subtasks(taskId),
      store.outcomes(taskId),
      store.approvals.list({ taskId }),
      store.merges.list({ taskId }),
      store.gates.statusHistory(taskId, MOST_CHANGES),
      auditEvents(store, taskId),
      store.events(taskId, null, 1, ["planned"]),
      store.events(taskId, null, MOST_AUDIT, ["pull_request"]),
      repo.refs("refs/heads/"),
    ]);
  const landed = new Set(merges.flatMap(({ state, subtask_id }) => (state === "landed" ? [subtask_id] : [])));
  const last = proposed.at(-1);
  const pullRequest = last?.event === "pull_request" ? last.url : null;
  const ended = new Map(outcomes.map((outcome) => [outcome.subtask_id, outcome]));
  const shown = subtasks.map((subtask) =>
    viewSubtask(subtask, {
      outcome: ended.get(subtask.subtask_id),
      approvals: approvals.filter(({ subtask_id }) => subtask_id === subtask.subtask_id),
      heads,
      merged: landed.has(subtask.subtask_id),
      pullRequest,
      supersededBy: subtasks.find(({ supersedes }) => supersedes === subtask.subtask_id)?.subtask_id ?? null,
    }),
  );
  const submission = submissionOf(task);
  const end = history.findLast(({ subtask_id, to_state }) => subtask_id === null && to_state === task.state);
  const endedAt = isLive(task) ? null : (end?.at ?? task.updated_at);
  const dueAt = submission === null ? null : deadlineOf(submission.metadata, task.created_at);
  return {
    task_id: task.task_id,
    title: task.title,
    status: task.state,
    priority: priorityOf(task.options),
    ticket: task.ticket,
    requester: requesterOf(submission),
    due_at: dueAt === null ? null : iso(dueAt),
    created_at: iso(task.created_at),
    ended_at: endedAt === null ? null : iso(endedAt),
    plan: planOf(planned),
    subtasks: shown,
    dependencies: subtasks.flatMap(({ subtask_id, depends_on }) =>
      depends_on.map((on) => ({ subtask_id, depends_on: on })),
    ),
    artifacts: artifactsOf(task, shown, heads),
    status_history: history.map(({ at, subtask_id, from_state, to_state, who }) => ({
      at: iso(at),
      subtask_id,
      from: from_state,
      to: to_state,
      who,
    })),
    audit: auditOf(events, requesterOf(submission)),
    metrics: metricsOf(task, subtasks, outcomes, { until: endedAt ?? now(), dueAt }),
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

function requesterOf(submission: Submission | null): string | null {
  return submission?.metadata.requester ?? null;
}

/** The last ones that tell who did what. */
async function auditEvents(store: Store, taskId: string): Promise<readonly OxbowEvent[]> {
  let last: readonly OxbowEvent[] = [];
  for (let after: string | null = null; ; ) {
    const page = await store.events(taskId, after, MOST_AUDIT, AUDITED);
    last = [...last, ...page].slice(-MOST_AUDIT);
    after = page.at(-1)?.id ?? null;
    if (page.length < MOST_AUDIT || after === null) return last;
  }
}

function planOf([planned]: readonly OxbowEvent[]): TaskView["plan"] {
  if (planned?.event !== "planned") return null;
  const { planner, objectives, constraints, acceptance_criteria, notices } = planned.plan;
  return {
    planner,
    objectives: [...objectives],
    constraints: [...constraints],
    acceptance_criteria: [...acceptance_criteria],
    notices: [...notices],
  };
}

function viewSubtask(
  subtask: Subtask,
  about: {
    readonly outcome: Outcome | undefined;
    readonly approvals: readonly Approval[];
    readonly heads: ReadonlyMap<string, string>;
    readonly merged: boolean;
    /** Of the task's work. */
    readonly pullRequest: string | null;
    readonly supersededBy: string | null;
  },
): TaskView["subtasks"][number] {
  const { outcome, heads, merged, pullRequest, supersededBy } = about;
  const branch = outcome ? outcome.branch : subtask.branch;
  const commit = outcome ? outcome.commit : (heads.get(`refs/heads/${branch}`) ?? null);
  const proposal = merged && pullRequest !== null ? { pull_request: pullRequest } : {};
  return {
    subtask_id: subtask.subtask_id,
    agent: subtask.agent,
    state: subtask.state,
    brief: subtask.brief,
    allowed_paths: [...subtask.allowed_paths],
    depends_on: [...subtask.depends_on],
    approvals: approvalsOf(subtask, about.approvals),
    ...(branch === null ? {} : { outputs: { branch, commit, ...proposal } }),
    merged,
    summary: outcome?.summary ?? null,
    error: outcome?.error ?? null,
    superseded_by: supersededBy,
  };
}

/** Those that were asked, and the gate that is still before it. */
function approvalsOf(
  { gate }: Subtask,
  approvals: readonly Approval[],
): TaskView["subtasks"][number]["approvals"] {
  const asked = approvals.map(({ approval_id, kind, state, reason, decided_by }) => ({
    approval_id,
    kind,
    state,
    reason,
    decided_by,
  }));
  if (gate === null || asked.some(({ kind }) => kind === "gate")) return asked;
  const { reason } = gate;
  return [{ approval_id: null, kind: "gate", state: "planned", reason, decided_by: null }, ...asked];
}

function artifactsOf(
  task: Task,
  subtasks: TaskView["subtasks"],
  heads: ReadonlyMap<string, string>,
): TaskView["artifacts"] {
  const target = `refs/heads/${integrationBranch(task.ticket)}`;
  const integration = heads.get(target);
  return [
    ...subtasks.flatMap(({ subtask_id, outputs }) =>
      outputs === undefined
        ? []
        : [
            {
              kind: "branch" as const,
              reference: `refs/heads/${outputs.branch}`,
              commit: outputs.commit,
              subtask_id,
            },
          ],
    ),
    ...(integration === undefined || !subtasks.some(({ merged }) => merged)
      ? []
      : [{ kind: "integration_branch" as const, reference: target, commit: integration, subtask_id: null }]),
  ];
}

function metricsOf(
  task: Task,
  subtasks: readonly Subtask[],
  outcomes: readonly Outcome[],
  { until, dueAt }: { readonly until: number; readonly dueAt: number | null },
): TaskView["metrics"] {
  return {
    elapsed_seconds: Math.max(0, Math.floor((until - task.created_at) / 1_000)),
    on_time: dueAt === null ? null : until <= dueAt,
    subtasks: subtasks.length,
    completed: outcomes.filter(({ outcome }) => outcome === "completed").length,
    open: subtasks.length - outcomes.length,
    usage: outcomes.map(({ usage }) => usage).reduce(addUsage, NO_USAGE),
    cost: totalCost(outcomes),
  };
}
