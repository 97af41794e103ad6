/** Parts of the report's page that are there only when there is something to say. */
import type { HistoryPart, TicketHistory } from "./team/handover-results.ts";
import type { Conflict } from "./core/model.ts";
import { counted, duration } from "./core/amounts.ts";
import { escaped, oneLine } from "./markup.ts";
import { moment } from "./report-moment.ts";

/** What a person has to settle, with the command to begin with. */
export function waiting({ ticket, tasks, live }: TicketHistory): string {
  const parts = tasks.flatMap((task) => task.parts.filter((part) => !part.superseded));
  const items = parts.flatMap(held);
  const asked = tasks
    .flatMap((task) => task.approvals)
    .filter(({ state }) => state === "open")
    .map(
      ({ agent, kind, paths, reason, approval_id }) =>
        `<p><b><bdi>${escaped(agent)}</bdi></b> ${kind === "gate" ? `waits to begin (<bdi>${escaped(oneLine(reason, 200))}</bdi>)` : `asks for ${paths.map((path) => `<code>${escaped(path)}</code>`).join(" ")}`}: <code>oxbow approvals grant ${escaped(approval_id)}</code></p>`,
    );
  const all = [...items, ...asked];
  if (all.length === 0) return "";
  const next =
    live || items.length === 0
      ? ""
      : `<p><code>oxbow conflicts show ${escaped(ticket)}</code> · <code>oxbow merge ${escaped(ticket)} --partial</code> takes what is there so far.</p>`;
  return `<section><h2>Waits for a person</h2><div class="note warn">${all.join("")}${next}</div></section>`;
}

function held({ agent, verdict, conflicts, reason, branch }: HistoryPart): string[] {
  if (verdict !== "conflict" && verdict !== "escalated" && verdict !== "refused") return [];
  const why = reason ?? `${counted(conflicts.length, "conflict")} with what was merged before`;
  const where = branch === null ? "" : ` (<code>${escaped(branch)}</code>)`;
  return [
    `<p dir="auto"><b><bdi>${escaped(agent)}</bdi></b>${where}: ${escaped(oneLine(why, 400))}</p>${conflictList(conflicts)}`,
  ];
}

const MOST_CONFLICTS = 30;

function conflictList(conflicts: readonly Conflict[]): string {
  if (conflicts.length === 0) return "";
  const rows = conflicts.slice(0, MOST_CONFLICTS).map(({ path, kind, agents, owners }) => {
    const who =
      agents.length > 0
        ? `, changed by ${agents.map((each) => `<bdi>${escaped(each)}</bdi>`).join(", ")}`
        : "";
    const owner =
      owners.length > 0 ? `, owner ${owners.map((each) => `<bdi>${escaped(each)}</bdi>`).join(", ")}` : "";
    return `<li><code>${escaped(path)}</code> ${escaped(kind.replaceAll("_", "/"))}${who}${owner}</li>`;
  });
  const more = conflicts.length - rows.length;
  return `<ul class="plain">${rows.join("")}${more > 0 ? `<li>and ${more} more</li>` : ""}</ul>`;
}

/** What `verify:` said of the trees that were to land. */
export function evidence({ tasks }: TicketHistory): string {
  const all = tasks.flatMap((task) => task.verifications);
  if (all.length === 0) return "";
  const rows = all.flatMap(({ commit, branches, runs, at }) =>
    runs.map(
      ({ command, ok, exit_code, timed_out, duration_ms, tail }) =>
        `<tr><td>${moment(at)}</td><td><code>${escaped(commit.slice(0, 10))}</code> with ${counted(branches.length, "branch", "branches")}</td><td><code>${escaped(command)}</code></td><td><span class="verdict v-${ok ? "merged" : "failed"}">${ok ? "✓ passed" : `✕ ${timed_out ? "timed out" : `exit ${exit_code ?? "by signal"}`}`}</span></td><td class="n">${escaped(duration(duration_ms))}</td><td class="said">${tail === "" ? "" : `<details><summary>The end of its log</summary><pre>${escaped(tail)}</pre></details>`}</td></tr>`,
    ),
  );
  return `<section><h2>Verified</h2><div class="wide"><table><thead><tr><th>When</th><th>Tree</th><th>Command</th><th>Verdict</th><th class=n>Time</th><th></th></tr></thead><tbody>${rows.join("\n")}</tbody></table></div></section>`;
}

/** What happened to the ticket as a whole, and what was said along the way. */
export function timeline({ tasks }: TicketHistory): string {
  const moments = tasks.flatMap((task) => task.moments).toSorted((a, b) => a.at - b.at);
  const notices = [...new Set(tasks.flatMap((task) => task.notices))];
  const answered = tasks.flatMap((task) => task.approvals).filter(({ state }) => state !== "open");
  if (moments.length + notices.length + answered.length === 0) return "";
  const lines = [
    ...moments.map(
      ({ at, text, ok }) =>
        `<li>${moment(at)} ${ok ? "" : "✕ "}<bdi>${escaped(oneLine(text, 300))}</bdi></li>`,
    ),
    ...answered.map(
      ({ agent, kind, paths, state, decided_by }) =>
        `<li><bdi>${escaped(agent)}</bdi> asked ${kind === "gate" ? "to begin" : `for <code>${escaped(oneLine(paths.join(", "), 200))}</code>`}: ${escaped(state)}${decided_by === null ? "" : ` by <bdi>${escaped(decided_by)}</bdi>`}</li>`,
    ),
    ...notices.map((notice) => `<li><bdi>${escaped(oneLine(notice, 400))}</bdi></li>`),
  ];
  return `<section><h2>Along the way</h2><ul class="plain">${lines.join("")}</ul></section>`;
}
