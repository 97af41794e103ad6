/** The report for a person: a table, what conflicts, and the exact commands to go on with. */
import { budgetWords } from "../../core/budget-saved.ts";
import { evidenceLines } from "./evidence-text.ts";
import type { Report, ReportChild } from "../../core/events.ts";
import { clip, columns, duration, MARKS, tokens } from "./text.ts";

export function reportText(report: Report, { bare }: { bare: boolean }): string {
  const lines: string[] = [""];
  const parts = report.lead ? [report.lead, ...report.children] : [...report.children];
  const rows = parts.map((part) => [
    MARKS[part.outcome] ?? "▸",
    part.agent,
    part.outcome,
    mergeWord(part),
    part.usage.total_tokens > 0 ? `${tokens(part.usage.total_tokens)} tok` : "-",
    duration(part.elapsed_ms),
    part.branch ?? "-",
  ]);
  lines.push(...columns([["", "agent", "outcome", "merge", "tokens", "time", "branch"], ...rows]));
  for (const { agent, error, outcome } of parts)
    if (error && outcome !== "cancelled")
      lines.push(
        "",
        `${agent}: ${clip(error.message, 400)} [${error.code}]`,
        ...(error.hint ? [`  ${error.hint}`] : []),
      );
  lines.push(
    ...criteriaLines(report),
    ...mergeLines(report),
    ...conflictLines(report),
    ...evidenceLines(report),
    ...approvalLines(report),
    "",
    summaryLine(report, parts),
  );
  if (report.budget) lines.push(`Budget: ${budgetWords(report.budget)}.`);
  if (report.simulated.length > 0)
    lines.push(`Models were simulated (${report.simulated.join(", ")}): the edits come from a script file.`);
  lines.push(...nextLines(report, parts, bare));
  return `${lines.join("\n")}\n`;
}

function mergeWord(part: ReportChild): string {
  if (part.merged) return "merged";
  if (part.commit) return "not merged";
  return part.kept ? `kept ${part.kept.slice(0, 10)}` : "no commit";
}

const MOST_CONFLICTS = 20;

function conflictLines({ conflicts }: Report): string[] {
  if (conflicts.length === 0) return [];
  const rows = conflicts
    .slice(0, MOST_CONFLICTS)
    .map((conflict) => [
      `  ${conflict.path}`,
      conflict.kind.replaceAll("_", "/"),
      `changed by ${conflict.agents.join(", ")}`,
      conflict.owners.length > 0 ? `owner ${conflict.owners.join(", ")}` : "no owner",
    ]);
  const more = conflicts.length - rows.length;
  return [
    "",
    "Conflicts (nothing of either side was dropped; the branches are as their agents left them):",
    ...columns(rows),
    ...(more > 0 ? [`  … and ${more} more, in \`--json\``] : []),
  ];
}

/** What a person looks for, when the work is done. */
function criteriaLines({ plan }: Report): string[] {
  const criteria = plan?.acceptance_criteria ?? [];
  return criteria.length === 0
    ? []
    : ["", "It is done when:", ...criteria.slice(0, 20).map((each) => `  - ${clip(each, 200)}`)];
}

/** What was verified last, and the branches that a person has to look at. */
function mergeLines({ merges, verifications }: Report): string[] {
  const waiting = merges
    .filter(({ state }) => state === "escalated")
    .map(({ branch, reason }) => `  ${branch}: ${clip(reason?.message ?? "", 400)}`);
  const last = verifications.findLast(({ ok }) => ok);
  const took = duration(last?.runs.reduce((sum, run) => sum + run.duration_ms, 0) ?? 0);
  const commands = last?.runs.map(({ command }) => command).join(", ") ?? "";
  return [
    ...(last ? ["", `Verified before it landed, in ${took}: ${clip(commands, 200)}`] : []),
    ...(waiting.length > 0 ? ["", "Waits for a person:", ...waiting] : []),
  ];
}

function approvalLines({ approvals }: Report): string[] {
  const lines = approvals.map(({ approval_id, kind, agent, paths, state, owner, person, decided_by }) => {
    const what = kind === "gate" ? `${agent}, to begin` : `${agent}, for ${clip(paths.join(", "), 200)}`;
    return state === "open"
      ? `  ${what}: no answer from ${owner ?? person ?? "a person"} (${approval_id})`
      : `  ${what}: ${state}${decided_by === null ? "" : ` by ${decided_by}`}`;
  });
  return lines.length === 0 ? [] : ["", "A person was asked:", ...lines];
}

function summaryLine(report: Report, parts: readonly ReportChild[]): string {
  const done = parts.filter((part) => part.outcome === "completed").length;
  const cost = report.cost === null ? "" : `, $${report.cost.toFixed(4)}`;
  const used = report.usage.total_tokens > 0 ? `, ${tokens(report.usage.total_tokens)} tokens${cost}` : "";
  const stopped = report.state !== "waiting" && parts.some(isOpen);
  const state = stopped ? "stopped" : report.state;
  return `${state}: ${done} of ${parts.length} completed in ${duration(report.elapsed_ms)}${used}.`;
}

function isOpen({ outcome }: ReportChild): boolean {
  return outcome === "running" || outcome === "awaiting_approval";
}

/** The last line is what a person does next. */
function nextLines(report: Report, parts: readonly ReportChild[], bare: boolean): string[] {
  const { integration, state, task_id } = report;
  const open = report.approvals.filter((approval) => approval.state === "open");
  if (parts.some(isOpen))
    return [
      ...open.map(({ approval_id }) => `Answer first:  oxbow approvals grant ${approval_id}   (or deny)`),
      `The rest was handed back; go on with:  oxbow run --resume ${task_id}`,
    ];
  const kept = parts.some((part) => part.kept !== null && !part.commit);
  const unanswered =
    open.length > 0
      ? ["A request was not answered in time. Widen allowed_paths in team.yaml, or run it again and answer."]
      : [];
  const lines = kept ? ["Work marked as kept is a commit on no branch; look at it with git show."] : [];
  lines.unshift(...unanswered);
  const left = state === "conflict" ? parts.filter((part) => part.commit && !part.merged) : [];
  const target = `integration/${report.ticket}`;
  for (const { branch } of left)
    lines.push(
      `Settle ${branch} by hand${bare ? ", in a clone" : ""}:  git switch ${target} && git merge ${branch}`,
    );
  if (integration) {
    const { branch } = integration;
    lines.push(
      bare
        ? `Review ${branch}, and merge it in a clone:  git diff HEAD...${branch}`
        : `Review and merge ${branch}:  git diff HEAD...${branch} && git merge ${branch}`,
    );
  } else if (state === "cancelled") lines.push(`What was done is kept; see \`oxbow status ${task_id}\`.`);
  else if (left.length === 0) lines.push("Nothing was merged.");
  return lines;
}
