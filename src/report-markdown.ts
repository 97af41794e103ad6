/** The report for the text of a pull request: GitHub's Markdown, in which nothing that agents wrote is obeyed. */
import type { HistoryPart, HistoryTask, TicketHistory } from "./team/handover-results.ts";
import { budgetWords } from "./core/budget-saved.ts";
import { counted, dollars, duration, tokens } from "./core/amounts.ts";
import { escaped, oneLine, visible } from "./markup.ts";

/** GitHub takes 65,536 characters. */
const MOST_CHARS = 60_000;
const TITLE_CHARS = 200;

export function reportMarkdown(history: TicketHistory): string {
  const { ticket, title, state, live, tasks, integration, usage, cost, elapsed_ms } = history;
  const facts = [
    `**${live ? "still running" : state}**`,
    counted(
      tasks.reduce((n, task) => n + task.parts.length, 0),
      "part",
    ),
    counted(
      tasks.flatMap((task) => task.parts).reduce((n, part) => n + part.commits.length, 0),
      "commit",
    ),
    duration(elapsed_ms),
    ...(usage.total_tokens > 0 ? [`${tokens(usage.total_tokens)} tokens`] : []),
    ...(cost === null ? [] : [dollars(cost)]),
  ];
  const [first] = tasks;
  const where =
    integration && first
      ? `${code(integration.branch)} at ${code(integration.commit.slice(0, 10))}, from ${code(first.base.ref)} at ${code(first.base.commit.slice(0, 10))}`
      : "";
  const blocks = [
    `## ${plain(oneLine(title, TITLE_CHARS))}`,
    `Ticket ${code(ticket)}: ${facts.join(" · ")}${where === "" ? "" : `  \n${where}`}`,
    ...proposals(tasks),
    ...(live ? ["> Work is still going on: this is what happened so far."] : []),
    ...(tasks.some((task) => task.simulated.length > 0)
      ? ["> Models were simulated: the edits come from a script file."]
      : []),
    ...waiting(history),
    ...tasks.flatMap((task, i) => [
      ...(tasks.length > 1 ? [`### ${i + 1}. ${plain(oneLine(task.title, TITLE_CHARS))}`] : []),
      table(task),
      ...(task.budget ? [`Budget: ${plain(oneLine(budgetWords(task.budget), 2_000))}.`] : []),
    ]),
    ...criteria(tasks),
    ...evidence(tasks),
    ...words(tasks),
  ];
  return fitted(blocks);
}

function proposals(tasks: readonly HistoryTask[]): string[] {
  const urls = [...new Set(tasks.flatMap((task) => task.pull_request ?? []))];
  return urls.map((url) => `Pull request: ${code(url)}`);
}

/** What does not fit is left out from the end, and that is said. */
function fitted(blocks: readonly string[]): string {
  let text = "";
  for (const block of blocks) {
    if (text.length + block.length > MOST_CHARS)
      return `${text}The rest is too long: \`oxbow report\` shows it.\n`;
    text += `${block}\n\n`;
  }
  return `${text.trimEnd()}\n`;
}

function table({ parts }: HistoryTask): string {
  const rows = parts.map((part) => {
    const { agent, root, verdict, superseded, branch, commits, usage, cost, elapsed_ms } = part;
    return [
      `${plain(agent)}${root ? " (lead)" : ""}`,
      `${MARKS[verdict]} ${verdict.replace("_", " ")}${superseded && verdict !== "reworked" ? ", tried again" : ""}`,
      branch === null ? "–" : code(branch),
      String(commits.length),
      usage.total_tokens > 0 ? tokens(usage.total_tokens) : "–",
      cost === null ? "–" : dollars(cost),
      elapsed_ms === null ? "–" : duration(elapsed_ms),
    ];
  });
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["agent", "verdict", "branch", "commits", "tokens", "cost", "time"]),
    "|---|---|---|--:|--:|--:|--:|",
    ...rows.map(line),
  ].join("\n");
}

const MARKS: Readonly<Record<HistoryPart["verdict"], string>> = {
  merged: "✅",
  completed: "✅",
  conflict: "🔶",
  escalated: "🙋",
  reworked: "🔁",
  refused: "⛔",
  failed: "❌",
  timed_out: "⌛",
  cancelled: "➖",
  running: "▶️",
  awaiting_approval: "🙋",
  planned: "·",
};

function waiting({ tasks }: TicketHistory): string[] {
  const lines = tasks
    .flatMap((task) => task.parts)
    .filter((part) => !part.superseded)
    .flatMap(({ agent, verdict, conflicts, reason, error }) => {
      if (verdict === "conflict" || verdict === "escalated" || verdict === "refused") {
        const why = reason ?? counted(conflicts.length, "conflict");
        const paths = conflicts
          .slice(0, 10)
          .map(({ path, kind }) => `${code(path)} (${kind.replaceAll("_", "/")})`);
        return [
          `- **${plain(agent)}**: ${plain(oneLine(why, 300))}${paths.length > 0 ? `: ${paths.join(", ")}` : ""}`,
        ];
      }
      return error
        ? [`- **${plain(agent)}** ${verdict.replace("_", " ")}: ${plain(oneLine(error.message, 300))}`]
        : [];
    });
  return lines.length === 0 ? [] : ["### Not in it", lines.join("\n")];
}

function evidence(tasks: readonly HistoryTask[]): string[] {
  const runs = tasks
    .flatMap((task) => task.verifications)
    .flatMap(({ runs: all, commit }) =>
      all.map(
        ({ command, ok, exit_code, duration_ms }) =>
          `- ${ok ? "✅" : "❌"} ${code(oneLine(command, 200))} on ${code(commit.slice(0, 10))}: ${ok ? "passed" : `exit ${exit_code ?? "by signal"}`}, ${duration(duration_ms)}`,
      ),
    );
  return runs.length === 0 ? [] : ["### Verified", runs.join("\n")];
}

/** Of a plan: boxes for the one who reviews it. */
function criteria(tasks: readonly HistoryTask[]): string[] {
  const all = tasks.flatMap(({ plan }) => plan?.acceptance_criteria ?? []);
  const lines = [...new Set(all)].slice(0, 50).map((each) => `- [ ] ${plain(oneLine(each, 500))}`);
  return lines.length === 0 ? [] : ["### Done when", lines.join("\n")];
}

const SUMMARY_CHARS = 4_000;

/** Each agent's own words, as they are, in a block of code. */
function words(tasks: readonly HistoryTask[]): string[] {
  const said = tasks.flatMap((task) => task.parts).filter(({ summary }) => summary.trim() !== "");
  if (said.length === 0) return [];
  return [
    "### What the agents say",
    ...said.map(
      ({ agent, summary }) =>
        `<details><summary>${inTag(agent)}</summary>\n\n${fenced(Array.from(summary).slice(0, SUMMARY_CHARS).join(""))}\n\n</details>`,
    ),
  ];
}

/** On one line, with nothing in it that Markdown, HTML or GitHub (a mention, an issue, a link) would act on. */
export function plain(text: string): string {
  return visible(text)
    .replace(/\s+/g, " ")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/[\\`*_{}[\]()!|~$]/g, (char) => `\\${char}`)
    .replace(/[@#]/g, (char) => `${char}<!-- -->`)
    .replace(/^(?:[-+]|\d+(?=[.)]))/, (found) => (/\d/.test(found) ? `${found}\\` : `\\${found}`))
    .replace(/:\/\//g, ":<!-- -->//")
    .replace(/\b(www)\./gi, "$1<!-- -->.")
    .replace(/\b(GH)-(?=\d)/gi, "$1<!-- -->-");
}

/** Inside of an HTML tag Markdown does nothing; GitHub still looks for mentions. */
function inTag(text: string): string {
  return escaped(oneLine(text, TITLE_CHARS))
    .replace(/&#/g, "\0")
    .replace(/[@#]/g, (char) => `${char}<!-- -->`)
    .replaceAll("\0", "&#");
}

/** As code: with more back-ticks around than there are in it. */
export function code(text: string): string {
  const clean = visible(text).replace(/\s+/g, " ").replaceAll("|", "\u2502");
  const most = Math.max(0, ...[...clean.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(most + 1);
  return most > 0 ? `${fence} ${clean} ${fence}` : `${fence}${clean}${fence}`;
}

function fenced(text: string): string {
  const clean = visible(text).trimEnd();
  const most = Math.max(2, ...[...clean.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(most + 1);
  return `${fence}text\n${clean}\n${fence}`;
}
