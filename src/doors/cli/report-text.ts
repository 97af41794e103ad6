/** The report for a person: a table, what conflicts, and the exact commands to go on with. */
import type { Report, ReportChild } from "../../core/events.ts";
import { clip, columns, duration, MARKS, tokens } from "./text.ts";

export function reportText(report: Report): string {
  const lines: string[] = [""];
  const parts = report.lead ? [report.lead, ...report.children] : [...report.children];
  const rows = parts.map((part) => [
    MARKS[part.outcome] ?? "▸",
    part.agent,
    part.outcome,
    part.merged ? "merged" : part.commit ? "not merged" : "no commit",
    part.usage.total_tokens > 0 ? `${tokens(part.usage.total_tokens)} tok` : "-",
    duration(part.elapsed_ms),
    part.branch ?? "-",
  ]);
  lines.push(...columns([["", "agent", "outcome", "merge", "tokens", "time", "branch"], ...rows]));
  for (const part of parts)
    if (part.error && part.outcome !== "cancelled")
      lines.push("", `${part.agent}: ${clip(part.error.message, 400)} [${part.error.code}]`);
  lines.push(...conflictLines(report), "", summaryLine(report, parts));
  if (report.simulated.length > 0)
    lines.push(`Models were simulated (${report.simulated.join(", ")}): the edits come from a script file.`);
  lines.push(...nextLines(report));
  return `${lines.join("\n")}\n`;
}

function conflictLines({ conflicts }: Report): string[] {
  if (conflicts.length === 0) return [];
  const rows = conflicts.map((conflict) => [
    `  ${conflict.path}`,
    conflict.kind.replaceAll("_", "/"),
    `changed by ${conflict.agents.join(", ")}`,
    conflict.owners.length > 0 ? `owner ${conflict.owners.join(", ")}` : "no owner",
  ]);
  return [
    "",
    "Conflicts (nothing of either side was dropped; the branches are as their agents left them):",
    ...columns(rows),
  ];
}

function summaryLine(report: Report, parts: readonly ReportChild[]): string {
  const done = parts.filter((part) => part.outcome === "completed").length;
  const cost = report.cost === null ? "" : `, $${report.cost.toFixed(4)}`;
  const used = report.usage.total_tokens > 0 ? `, ${tokens(report.usage.total_tokens)} tokens${cost}` : "";
  return `${report.state}: ${done} of ${parts.length} completed in ${duration(report.elapsed_ms)}${used}.`;
}

/** The last line is what a person does next. */
function nextLines(report: Report): string[] {
  const { integration, base } = report;
  if (integration) {
    const from = base.ref === integration.branch ? base.commit.slice(0, 12) : base.ref;
    return [
      `Review and merge ${integration.branch}:  git diff ${from}...${integration.branch} && git merge ${integration.branch}`,
    ];
  }
  if (report.state === "cancelled")
    return [`What was done is on the branches above; see \`oxbow status ${report.task_id}\`.`];
  return ["Nothing was merged."];
}
