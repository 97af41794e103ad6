import { readStatus, type RefStatus, type RowStatus } from "../../ledger-status.ts";
import { waitsForPerson } from "../../core/gates.ts";
import { exitCode, showError } from "./failure.ts";
import { listText, shortName } from "./worker-text.ts";
import { clip, columns, duration, MARKS, tokens } from "./text.ts";

export async function status(
  wanted: string | undefined,
  options: { repo: string; json?: boolean },
): Promise<number> {
  const { tasks, workers, problem } = await readStatus({ repo: options.repo }, wanted);
  if (options.json) process.stdout.write(`${JSON.stringify(tasks)}\n`);
  else if (tasks.length === 0 && problem === null)
    process.stdout.write('No task yet. Begin with `oxbow run "…"`.\n');
  else
    process.stdout.write(
      tasks
        .map((each) => (each.source === "rows" ? taskText(each, workers.length) : refText(each)))
        .join("\n"),
    );
  if (workers.length > 0 && !options.json) process.stdout.write(`\nWorkers:\n${listText(workers)}`);
  if (problem === null) return 0;
  if (!options.json) process.stderr.write("oxbow: what is shown is from the refs alone.\n");
  await showError(problem, options.json === true);
  return exitCode(problem);
}

/** Of a task whose rows are gone. */
function refText({ task, subtasks, integration }: RefStatus): string {
  const rows = subtasks.map((part) => [
    "  ·",
    part.subtask_id,
    part.tip ? part.tip.slice(0, 10) : "-",
    part.branch ?? "-",
    leftText(part),
  ]);
  const ago = duration(Date.now() - task.updated_at);
  const target = integration ? `  → ${integration.branch} at ${integration.commit.slice(0, 10)}\n` : "";
  return `${task.task_id} (${task.ticket ?? "?"}) from the refs alone, last commit ${ago} ago\n${columns(rows).join("\n")}\n${target}`;
}

function leftText({ unmerged, saved }: Pick<RefStatus["subtasks"][number], "unmerged" | "saved">): string {
  const commits = unmerged === 0 ? [] : [`${unmerged} commit${unmerged === 1 ? "" : "s"} not merged`];
  const work = saved.map(({ attempt, commit }) => `attempt ${attempt} saved ${commit.slice(0, 10)}`);
  return [...commits, ...work].join(", ");
}

/** The branches that did not land, and what is going to conflict. */
function mergeText({ merges, overlaps, subtasks }: RowStatus): string {
  const replaced = new Set(subtasks.map(({ supersedes }) => supersedes));
  const stuck = merges.filter(
    ({ state, subtask_id }) => (state === "escalated" || state === "failed") && !replaced.has(subtask_id),
  );
  const open = subtasks.some(({ outcome }) => outcome === null);
  const lines = [
    ...stuck.map(
      ({ branch, state, reason }) => `  ! ${branch} ${state}: ${clip(reason?.message ?? "", 160)}`,
    ),
    ...(open ? overlaps : []).map(({ agents, branches, paths }) => {
      const who = (branches.length > 0 ? branches : agents).join(" and ");
      const what = branches.length > 0 ? "would conflict in" : "may both write";
      return `  ! ${who} ${what} ${clip(paths.join(", "), 120)}`;
    }),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function taskText(status: RowStatus, live: number): string {
  const { task, subtasks, integration, workers, driver } = status;
  const since = duration(Date.now() - task.created_at);
  const planned = task.state === "planned" ? `, not begun: oxbow execute ${task.task_id}` : "";
  const waits = waitsForPerson(subtasks);
  const nobody = task.state === "running" && workers.length === 0 && !waits;
  const idle = !nobody
    ? waits
      ? ", waits for a person: oxbow approvals list"
      : ""
    : driver !== null
      ? ", waits for a worker"
      : live === 0
        ? `, no process works on it: oxbow run --resume ${task.task_id}`
        : "";
  const rows = subtasks.map((part) => [
    `  ${MARKS[part.state] ?? "·"}`,
    part.subtask_id,
    part.state,
    part.outcome && part.outcome.usage.total_tokens > 0
      ? `${tokens(part.outcome.usage.total_tokens)} tok`
      : "-",
    part.tip ? part.tip.slice(0, 10) : "-",
    part.branch ?? "-",
    [...(part.worker === null ? [] : [`worked on by ${shortName(part.worker)}`]), leftText(part)]
      .filter((text) => text !== "")
      .join(", "),
  ]);
  const target = integration ? `  → ${integration.branch} at ${integration.commit.slice(0, 10)}\n` : "";
  const table = rows.length > 0 ? `${columns(rows).join("\n")}\n` : "";
  return `${task.task_id} (${task.ticket}) ${task.state}, ${since} ago${planned}${idle}: ${clip(task.title, 80)}\n${table}${mergeText(status)}${target}`;
}
