/** A ticket's history as a river: each part that had a branch, or is to have one, is a branch of it. */
import type { HistoryPart, TicketHistory } from "./team/handover-results.ts";
import type { RiverBranch, RiverInput } from "./river-layout.ts";
import { counted, dollars, tokens } from "./core/amounts.ts";
import { oneLine } from "./markup.ts";

const NAME_CHARS = 26;
/** Beyond this many branches only names are written along them. */
const MANY = 24;

/** The lead's own part is told beside the river unless it has commits of its own. */
export function isDrawn(part: HistoryPart): boolean {
  return !part.root || part.commits.length > 0 || part.commit !== null;
}

export function riverInput(history: TicketHistory): RiverInput {
  const end = history.generated_at;
  const drawn = history.tasks.flatMap(({ parts }) => parts.filter(isDrawn));
  const ids = new Set(drawn.map((part) => part.subtask_id));
  const spans = history.tasks.map(({ created_at, ended_at }) => ({
    from: created_at,
    to: Math.max(created_at + 1, ended_at ?? end),
  }));
  const brief = drawn.length > MANY;
  const branches = history.tasks.flatMap((task) =>
    task.parts.filter(isDrawn).map((part) => branchOf(part, task.created_at, end, ids, brief)),
  );
  return { spans, branches };
}

function branchOf(
  part: HistoryPart,
  created: number,
  now: number,
  ids: ReadonlySet<string>,
  brief: boolean,
): RiverBranch {
  const start = part.started_at ?? part.announced_at ?? created;
  const last = part.commits.at(-1)?.at ?? start;
  const end = Math.max(start, part.ended_at ?? (part.verdict === "running" ? now : last));
  const merged = part.verdict === "merged" && part.merged_at !== null ? Math.max(end, part.merged_at) : null;
  const from = [...part.depends_on, ...(part.supersedes === null ? [] : [part.supersedes])];
  return {
    id: part.subtask_id,
    name: oneLine(part.agent, NAME_CHARS),
    note: noteOf(part, brief),
    start,
    end,
    merged,
    commits: part.commits.map(({ at }) => at),
    weight: part.commits.reduce((sum, { files }) => sum + Math.max(1, files), 0),
    from: from.filter((id) => ids.has(id)),
  };
}

function noteOf({ commits, usage, cost, verdict }: HistoryPart, brief: boolean): string {
  const what = commits.length > 0 ? [counted(commits.length, "commit")] : [];
  const used = usage.total_tokens > 0 ? [`${tokens(usage.total_tokens)} tok`] : [];
  const price = cost !== null && cost > 0 ? [dollars(cost)] : [];
  const fate = verdict === "merged" ? [] : [verdict.replace("_", " ")];
  if (brief) return fate.join("");
  return [...fate, ...what, ...used, ...price].join(" · ");
}
