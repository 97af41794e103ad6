import { openApp, type TaskStatus } from "../../app.ts";
import { listText, shortName } from "./worker-text.ts";
import { clip, columns, duration, MARKS, tokens } from "./text.ts";

export async function status(
  wanted: string | undefined,
  options: { repo: string; json?: boolean },
): Promise<number> {
  await using app = openApp({ repo: options.repo });
  const tasks = await app.status(wanted);
  const workers = options.json ? [] : await app.workers();
  if (options.json) process.stdout.write(`${JSON.stringify(tasks)}\n`);
  else if (tasks.length === 0) process.stdout.write('No task yet. Begin with `oxbow run "…"`.\n');
  else process.stdout.write(tasks.map((each) => taskText(each, workers.length)).join("\n"));
  if (workers.length > 0) process.stdout.write(`\nWorkers:\n${listText(workers)}`);
  return 0;
}

function taskText({ task, subtasks, integration, workers, driver }: TaskStatus, live: number): string {
  const since = duration(Date.now() - task.created_at);
  const nobody = task.state === "running" && workers.length === 0;
  const idle = !nobody
    ? ""
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
    part.worker === null ? "" : `worked on by ${shortName(part.worker)}`,
  ]);
  const target = integration ? `  → ${integration.branch} at ${integration.commit.slice(0, 10)}\n` : "";
  const table = rows.length > 0 ? `${columns(rows).join("\n")}\n` : "";
  return `${task.task_id} (${task.ticket}) ${task.state}, ${since} ago${idle}: ${clip(task.title, 80)}\n${table}${target}`;
}
