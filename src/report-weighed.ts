/** What barriers came back with: one question, asked several times, and what the answers amount to. */
import type { TicketHistory } from "./team/handover-results.ts";
import { counted, dollars, duration, tokens } from "./core/amounts.ts";
import { escaped, oneLine } from "./markup.ts";

export function weighed({ tasks }: TicketHistory): string {
  const agents = new Map(tasks.flatMap((task) => task.parts.map((part) => [part.subtask_id, part.agent])));
  const bundles = tasks.flatMap((task) => task.evidence);
  if (bundles.length === 0) return "";
  const blocks = bundles.map((bundle) => {
    const {
      subtask_id,
      k,
      answers,
      confidence,
      agreement,
      stopped_early,
      consensus,
      disagreements,
      by_agent,
    } = bundle;
    const facts = [
      `${answers} of ${counted(k, "run")} answered`,
      `confidence ${percent(confidence)}`,
      `agreement ${percent(agreement)}`,
      ...(stopped_early ? ["stopped early"] : []),
      ...(bundle.usage.total_tokens > 0 ? [`${tokens(bundle.usage.total_tokens)} tokens`] : []),
      ...(bundle.cost === null ? [] : [dollars(bundle.cost)]),
      duration(bundle.elapsed_ms),
    ];
    const apart =
      disagreements.length === 0
        ? ""
        : `<p>${counted(disagreements.length, "disagreement")}: ${disagreements.map(({ path }) => `<code>${escaped(path)}</code>`).join(" ")}</p>`;
    const shares = Object.entries(by_agent).map(
      ([agent, share]) =>
        `<li><bdi>${escaped(agent)}</bdi>: ${counted(share.runs, "run")}, ${counted(share.answers, "answer")}, ${tokens(share.usage.total_tokens)} tokens${share.cost === null ? "" : `, ${dollars(share.cost)}`}, ${escaped(duration(share.elapsed_ms))}</li>`,
    );
    const text = JSON.stringify(consensus, null, 2) ?? "null";
    return `<h3><bdi>${escaped(oneLine(agents.get(subtask_id) ?? subtask_id, 80))}</bdi> asked for evidence</h3><p>${escaped(facts.join(" · "))}</p>${apart}<ul class="plain">${shares.join("")}</ul><details><summary>What they agree on</summary><pre>${escaped(text)}</pre></details>`;
  });
  return `<section><h2>Weighed</h2>${blocks.join("")}</section>`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
