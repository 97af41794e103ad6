/** What several runs agreed on, for a person: a line for each barrier, and what they did not agree on. */
import type { EvidenceBundle } from "../../core/evidence-bundle.ts";
import type { Report } from "../../core/events.ts";
import { clip, duration, tokens } from "./text.ts";

const MOST_SHOWN = 5;

export function evidenceLine(bundle: EvidenceBundle): string {
  const { answers, runs, agreement, confidence, stopped_early, usage, cost, elapsed_ms } = bundle;
  const early = stopped_early ? ", stopped early" : "";
  const used = usage.total_tokens > 0 ? `, ${tokens(usage.total_tokens)} tokens` : "";
  const money = cost === null || cost === 0 ? "" : `, $${cost.toFixed(4)}`;
  const said =
    answers === 0
      ? "no answer"
      : `agreement ${agreement.toFixed(2)}, confidence ${confidence.toFixed(2)}: ${clip(JSON.stringify(bundle.consensus), 120)}`;
  return `evidence from ${answers} of ${runs.length} runs${early}, ${duration(elapsed_ms)}${used}${money}: ${said}`;
}

export function evidenceLines({ evidence }: Pick<Report, "evidence">): string[] {
  const lines = evidence.flatMap((bundle) => {
    const shown = bundle.disagreements
      .slice(0, MOST_SHOWN)
      .map(({ path, consensus, source, tied, answers }) => {
        const others = answers.map(({ state, value, runs }) => {
          const what = state === "value" ? clip(JSON.stringify(value), 60) : state;
          return `${what} (${runs.length})`;
        });
        const how = source === "check" ? "checked" : tied ? "taken, though tied" : "taken";
        return `    ${path || "/"}: ${others.join(", ")}; ${how}: ${clip(JSON.stringify(consensus), 60)}`;
      });
    const more = bundle.disagreements.length - shown.length;
    const rest = more > 0 ? [`    and ${more} more`] : [];
    return [`  ${bundle.subtask_id}: ${evidenceLine(bundle)}`, ...shown, ...rest];
  });
  return lines.length === 0 ? [] : ["", "Asked several times:", ...lines];
}
