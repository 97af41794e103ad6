import { type Alert, type App, openApp, type ShownApproval, type TaskStatus } from "../../app.ts";
import { clip, duration } from "./text.ts";

export async function list(options: {
  repo: string;
  task?: string;
  all?: boolean;
  json?: boolean;
}): Promise<number> {
  await using app = openApp({ repo: options.repo });
  const found = await app.approvals({
    ...(options.task === undefined ? {} : { taskId: options.task }),
    all: options.all === true,
  });
  const alerts = await app.alerts(options.task);
  const merges = (await app.status(options.task)).flatMap(waitingMerges);
  const all = [...found.map(text), ...alerts.map(alertText), ...merges.map(mergeText)];
  if (options.json) process.stdout.write(`${JSON.stringify([...found, ...alerts, ...merges])}\n`);
  else if (all.length === 0) process.stdout.write("Nobody waits for an answer.\n");
  else process.stdout.write(all.join("\n"));
  return 0;
}

/** Branches that a person has to settle. */
function waitingMerges({ task, merges, subtasks }: TaskStatus) {
  const replaced = new Set(subtasks.map(({ supersedes }) => supersedes));
  return merges
    .filter(({ state, subtask_id }) => state === "escalated" && !replaced.has(subtask_id))
    .map(({ subtask_id, task_id, agent, branch, target, reason, updated_at }) => ({
      subtask_id,
      task_id,
      ticket: task.ticket,
      agent,
      branch,
      target,
      reason,
      since: new Date(updated_at).toISOString(),
    }));
}

function mergeText({
  branch,
  target,
  ticket,
  reason,
  since,
}: ReturnType<typeof waitingMerges>[number]): string {
  const ago = duration(Date.now() - Date.parse(since));
  return `${branch} is not in ${target}, and waits for a person since ${ago}\n  reason: ${clip(reason?.message ?? "", 300)}\n  oxbow report ${ticket}\n`;
}

export async function decide(
  id: string,
  granted: boolean,
  options: { repo: string; reason?: string; json?: boolean },
): Promise<number> {
  await using app = openApp({ repo: options.repo });
  const decided = await app.decide(id, { granted, reason: options.reason ?? "" });
  if (options.json) process.stdout.write(`${JSON.stringify(decided)}\n`);
  else if (decided.kind === "gate") process.stdout.write(await gateAnswer(app, decided));
  else {
    const may = granted ? "may write" : "may not write";
    const late = decided.waiting ? "" : " Its work has ended, so this changes nothing any more.";
    process.stdout.write(`${decided.agent} ${may} ${decided.paths.join(", ")}.${late}\n`);
  }
  return 0;
}

/** What follows from it, and who sees to that. */
async function gateAnswer(app: App, { state, subtask_id, task_id }: ShownApproval): Promise<string> {
  const text =
    state === "granted"
      ? `${subtask_id} may begin.\n`
      : `${subtask_id} is cancelled; what depends on it does not begin either.\n`;
  const [status] = await app.status(task_id);
  const carried = status?.driver !== null || (await app.workers()).length > 0;
  return carried ? text : `${text}No process carries the task: oxbow resume ${task_id}\n`;
}

function alertText({ subtask_id, agent, message, since, until }: Alert): string {
  const ago = duration(Date.now() - Date.parse(since));
  const left = duration(Math.max(0, Date.parse(until) - Date.now()));
  return `${subtask_id} is blocked: ${agent} is not available, since ${ago}; it ends in ${left}\n  reason: ${clip(message, 300)}\n  oxbow assign ${subtask_id} AGENT   or   oxbow cancel ${subtask_id}\n`;
}

function stateText({ state, owner, person, decided_by }: ShownApproval): string {
  if (state === "open") return `asked of ${owner ?? person ?? "a person"}`;
  return state === "withdrawn" ? "not answered" : `${state} by ${decided_by ?? "?"}`;
}

function text(approval: ShownApproval): string {
  const { approval_id, kind, agent, task_id, subtask_id, paths, reason, waiting } = approval;
  const state = [
    stateText(approval),
    `${duration(Date.now() - approval.created_at)} ago`,
    ...(waiting ? [] : ["its work has ended"]),
  ];
  const answer = approval.answer ? `  answer: ${clip(approval.answer, 200)}\n` : "";
  const next =
    approval.state === "open"
      ? `  oxbow approvals grant ${approval_id}   or   oxbow approvals deny ${approval_id} --reason …\n`
      : "";
  const who =
    kind === "gate"
      ? `${subtask_id} waits to begin`
      : `${agent} (${task_id}) asks for ${clip(paths.join(", "), 300)}`;
  return `${approval_id} ${who}: ${state.join(", ")}\n  reason: ${clip(reason, 300)}\n${answer}${next}`;
}
