/**
 * The report as one page: the river, what waits for a person, then everybody's work in words. It is complete in itself: no
 * script, no request, nothing from outside; a policy in it says so to the browser as well.
 */
import type { HistoryPart, HistoryTask, TicketHistory } from "./team/handover-results.ts";
import { budgetWords } from "./core/budget-saved.ts";
import { counted, dollars, duration, tokens } from "./core/amounts.ts";
import { escaped, oneLine } from "./markup.ts";
import { weighed } from "./report-weighed.ts";
import { moment } from "./report-moment.ts";
import { evidence, timeline, waiting } from "./report-sections.ts";
import { STYLE } from "./report-style.ts";
import { isDrawn } from "./river-input.ts";
import { GLYPHS, riverSvg } from "./river-svg.ts";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export function reportPage(history: TicketHistory): string {
  const { ticket, title, tasks, live, generated_at } = history;
  const many = tasks.some((task) => task.parts.length > 24);
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    '<meta name="generator" content="Oxbow">',
    `<title>${escaped(oneLine(`${ticket}: ${title}`, 120))}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    `<body class="${many ? "many" : "one"}">`,
    `<header><p class="over">Oxbow · ticket <bdi>${escaped(ticket)}</bdi></p>`,
    `<h1 dir="auto">${escaped(oneLine(title, 300))}</h1>`,
    factList(history),
    "</header>",
    "<main>",
    live
      ? `<p class="note">Work is still going on: this is what happened until ${moment(generated_at)}.</p>`
      : "",
    simulated(tasks),
    `<figure><div class="scroll" tabindex="0" role="region" aria-label="The river">${riverSvg(history)}</div>${legend(tasks)}</figure>`,
    waiting(history),
    ...tasks.map((task, i) => taskSection(task, tasks.length > 1 ? i + 1 : null)),
    evidence(history),
    weighed(history),
    timeline(history),
    "</main>",
    `<footer>Made by Oxbow from the task's rows and events on ${moment(generated_at)}. Times are UTC; secrets are redacted.</footer>`,
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

/** Said wherever results are shown. */
function simulated(tasks: readonly HistoryTask[]): string {
  const names = [...new Set(tasks.flatMap((task) => task.simulated))];
  if (names.length === 0) return "";
  return `<p class="note">Models were simulated (${escaped(names.join(", "))}): the edits come from a script file.</p>`;
}

function factList({ state, live, elapsed_ms, usage, cost, tasks, integration }: TicketHistory): string {
  const parts = tasks.flatMap((task) => task.parts);
  const agents = new Set(parts.map((part) => part.agent)).size;
  const commits = parts.reduce((sum, part) => sum + part.commits.length, 0);
  const [first] = tasks;
  const facts = [
    `<span class="pill st-${state}">${live ? "still running" : state}</span>`,
    `<b>${counted(agents, "agent")}</b>, <b>${counted(parts.length, "part")}</b>`,
    `<b>${counted(commits, "commit")}</b>`,
    `<b>${escaped(duration(elapsed_ms))}</b>`,
    ...(usage.total_tokens > 0 ? [`<b>${tokens(usage.total_tokens)}</b> tokens`] : []),
    ...(cost === null ? [] : [`<b>${dollars(cost)}</b>`]),
    ...(first
      ? [
          `from <code>${escaped(first.base.ref)}</code> at <code>${escaped(first.base.commit.slice(0, 10))}</code>`,
        ]
      : []),
    ...(integration
      ? [
          `to <code>${escaped(integration.branch)}</code> at <code>${escaped(integration.commit.slice(0, 10))}</code>`,
        ]
      : []),
  ];
  return `<ul class="facts">${facts.map((fact) => `<li>${fact}</li>`).join("")}</ul>`;
}

const LEGEND: Readonly<Record<string, string>> = {
  merged: "flowed back: merged",
  completed: "completed, nothing to merge",
  failed: "dried up: failed",
  timed_out: "dried up: timed out",
  cancelled: "dried up: cancelled",
  conflict: "held up: conflict",
  refused: "held up: outside of its paths",
  escalated: "held up: waits for a person",
  reworked: "held up, and done again",
  running: "still flowing",
  awaiting_approval: "not begun: waits for a person",
  planned: "not begun",
};

function legend(tasks: readonly HistoryTask[]): string {
  const drawn = tasks.flatMap((task) => task.parts.filter(isDrawn));
  const found = Map.groupBy(drawn, (part) => part.verdict);
  const rows = [...found].map(
    ([verdict, parts]) =>
      `<span class="v-${verdict}"${verdict === "merged" ? ' style="--k:var(--s0)"' : ""}>${LEGEND[verdict] ?? verdict} (${parts.length})</span>`,
  );
  return `<figcaption>${rows.join("")}</figcaption>`;
}

const NUMBER = ' class="n"';
const COLUMNS = [
  ["Agent", ""],
  ["Verdict", ""],
  ["Branch", ""],
  ["Commits", NUMBER],
  ["Tokens", NUMBER],
  ["Cost", NUMBER],
  ["Time", NUMBER],
  ["What it says", ""],
] as const;

function taskSection(task: HistoryTask, n: number | null): string {
  const head =
    n === null ? "<h2>Who did what</h2>" : `<h2 dir="auto">${n}. ${escaped(oneLine(task.title, 200))}</h2>`;
  const about =
    n === null
      ? ""
      : `<p class="over">${escaped(task.state.replace("_", " "))} · from <bdi>${escaped(task.base.ref)}</bdi> · ${moment(task.created_at)}</p>`;
  const header = `<tr>${COLUMNS.map(([name, kind]) => `<th scope="col"${kind}>${name}</th>`).join("")}</tr>`;
  return `<section>${head}${about}<div class="wide"><table><thead>${header}</thead><tbody>${task.parts.map(partRow).join("\n")}</tbody></table></div>${criteriaList(task)}${budgetLine(task)}</section>`;
}

function criteriaList({ plan }: HistoryTask): string {
  const items = (plan?.acceptance_criteria ?? [])
    .slice(0, 50)
    .map((each) => `<li dir="auto">${escaped(oneLine(each, 500))}</li>`);
  return items.length === 0 ? "" : `<p>Done when:</p><ul class="plain">${items.join("")}</ul>`;
}

function budgetLine({ budget }: HistoryTask): string {
  return budget ? `<p>Budget: <bdi>${escaped(oneLine(budgetWords(budget), 2_000))}</bdi>.</p>` : "";
}

const SUMMARY_CHARS = 280;
const WHOLE_CHARS = 6_000;

function partRow(part: HistoryPart): string {
  const { agent, root, verdict, superseded, branch, commits, usage, cost, elapsed_ms } = part;
  return [
    `<tr${superseded ? ' class="old"' : ""}>`,
    `<th scope="row" class="who"><bdi>${escaped(agent)}</bdi>${root ? " (lead)" : ""}</th>`,
    `<td><span class="verdict v-${verdict}">${GLYPHS[verdict]} ${escaped(verdict.replace("_", " "))}</span>${superseded && verdict !== "reworked" ? "<br>tried again" : ""}</td>`,
    `<td class="br">${branch === null ? "–" : `<code>${escaped(branch)}</code>`}</td>`,
    `<td class="n">${commits.length}</td>`,
    `<td class="n">${usage.total_tokens > 0 ? tokens(usage.total_tokens) : "–"}</td>`,
    `<td class="n">${cost === null ? "–" : dollars(cost)}</td>`,
    `<td class="n">${elapsed_ms === null ? "–" : escaped(duration(elapsed_ms))}</td>`,
    `<td class="said">${said(part)}</td></tr>`,
  ].join("");
}

function said({ summary, error, commits, brief, attempts, kept }: HistoryPart): string {
  const words = error ? `${error.message} [${error.code}]` : summary;
  const short = oneLine(words, SUMMARY_CHARS);
  const whole =
    words.length > SUMMARY_CHARS ? `<pre dir="auto">${escaped(words.slice(0, WHOLE_CHARS))}</pre>` : "";
  const list = commits.map(
    ({ commit, message, files }) =>
      `<li><code>${escaped(commit.slice(0, 10))}</code> <bdi>${escaped(oneLine(message, 120))}</bdi> (${counted(files, "file")})</li>`,
  );
  const more = [
    `<p dir="auto">Asked: ${escaped(oneLine(brief, 600))}</p>`,
    ...(list.length > 0 ? [`<ul class="plain">${list.join("")}</ul>`] : []),
    ...(attempts > 1 ? [`<p>${counted(attempts, "attempt")}</p>`] : []),
    ...(kept === null
      ? []
      : [`<p>Work that is on no branch: <code>git show ${escaped(kept.slice(0, 12))}</code></p>`]),
    whole,
  ];
  return `${short === "" ? "" : `<p dir="auto">${escaped(short)}</p>`}<details><summary>${list.length > 0 ? `${counted(list.length, "commit")}, and what was asked` : "What was asked"}</summary>${more.join("")}</details>`;
}
