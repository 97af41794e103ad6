/** The story of a ticket for a terminal: one table a task, then what waits for a person. */
import type { TicketHistory } from "../../app.ts";
import type { HistoryPart, HistoryTask } from "../../handover-calls.ts";
import { budgetWords } from "../../core/budget-saved.ts";
import { clip, columns, duration, MARKS, tokens } from "./text.ts";

const VERDICT_MARKS: Readonly<Record<string, string>> = {
  ...MARKS,
  merged: "✓",
  conflict: "◆",
  refused: "✗",
  escalated: "⚑",
  awaiting_approval: "⚑",
  reworked: "↻",
};

export function historyText(history: TicketHistory): string {
  const { ticket, title, state, live, tasks, integration, usage, cost, elapsed_ms } = history;
  const used = usage.total_tokens > 0 ? `, ${tokens(usage.total_tokens)} tokens` : "";
  const price = cost === null ? "" : `, $${cost.toFixed(4)}`;
  const lines = [
    `${ticket}: ${clip(title, 100)}`,
    `${live ? "still running" : state}, ${duration(elapsed_ms)}${used}${price}`,
    ...(integration ? [`${integration.branch} at ${integration.commit.slice(0, 10)}`] : []),
    ...tasks.flatMap((task) => ["", ...taskLines(task, tasks.length > 1)]),
  ];
  const simulated = [...new Set(tasks.flatMap((task) => task.simulated))];
  if (simulated.length > 0)
    lines.push("", `Models were simulated (${simulated.join(", ")}): the edits come from a script file.`);
  if (live) lines.push("", "This is what happened so far.");
  return `${lines.join("\n")}\n`;
}

function taskLines(task: HistoryTask, named: boolean): string[] {
  const rows = task.parts.map((part) => row(part));
  const heading = named ? [`${task.task_id} ${task.state}: ${clip(task.title, 80)}`] : [];
  const header = ["", "agent", "verdict", "commits", "tokens", "cost", "time", "branch"];
  const moments = task.moments
    .filter(({ kind }) => kind !== "finished" && kind !== "split")
    .map(({ at, text, ok }) => `  ${ok ? "·" : "✗"} ${new Date(at).toISOString()}  ${clip(text, 120)}`);
  return [
    ...heading,
    ...columns([header, ...rows]),
    ...task.parts.flatMap(troubleLines),
    ...(moments.length > 0 ? ["", ...moments] : []),
    ...task.approvals.map(
      ({ agent, kind, paths, state, decided_by }) =>
        `  ${agent} asked ${kind === "gate" ? "to begin" : `for ${clip(paths.join(", "), 100)}`}: ${state === "open" ? "no answer yet" : decided_by === null ? state : `${state} by ${decided_by}`}`,
    ),
    ...(task.plan?.acceptance_criteria ?? []).slice(0, 20).map((each) => `  Done when: ${clip(each, 200)}`),
    ...(task.budget ? [`  Budget: ${clip(budgetWords(task.budget), 400)}.`] : []),
    ...task.notices.map((notice) => `  ${clip(notice, 200)}`),
  ];
}

function row(part: HistoryPart): string[] {
  const { verdict, superseded, agent, commits, usage, cost, elapsed_ms, branch } = part;
  return [
    VERDICT_MARKS[verdict] ?? "·",
    agent,
    superseded && verdict !== "reworked"
      ? `${verdict.replace("_", " ")}, tried again`
      : verdict.replace("_", " "),
    String(commits.length),
    usage.total_tokens > 0 ? tokens(usage.total_tokens) : "-",
    cost === null ? "-" : `$${cost.toFixed(4)}`,
    elapsed_ms === null ? "-" : duration(elapsed_ms),
    branch ?? "-",
  ];
}

function troubleLines({ agent, error, reason, conflicts, superseded }: HistoryPart): string[] {
  if (superseded) return [];
  const why = error ? `${error.message} [${error.code}]` : reason;
  return [
    ...(why === null ? [] : ["", `${agent}: ${clip(why, 400)}`]),
    ...conflicts
      .slice(0, 10)
      .map(
        ({ path, kind, agents }) =>
          `  ${clip(path, 120)}: ${kind.replaceAll("_", "/")}, changed by ${agents.join(", ")}`,
      ),
  ];
}
