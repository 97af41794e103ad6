/** What `oxbow orchestrate` and `oxbow execute` do and print. */
import { type App, type Execution, openApp, type TaskView } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";
import { readText } from "./files.ts";
import { interruption } from "./interruption.ts";
import { clip, columns, MARKS } from "./text.ts";

interface Flags {
  repo: string;
  team?: string;
  json?: boolean;
}

export async function orchestrate(file: string, flags: Flags): Promise<number> {
  const submission = await readJson(file);
  await using app = openApp({ repo: flags.repo, team: flags.team });
  using stop = interruption();
  const { created, view } = await app.orchestrate(submission, stop.signal);
  if (flags.json) process.stdout.write(`${JSON.stringify(view)}\n`);
  else {
    const next = view.status === "planned" ? `Begin it with:  oxbow execute ${view.task_id}\n` : "";
    process.stdout.write(`${created ? "" : "It is there already.\n"}${taskText(view)}${next}`);
  }
  return 0;
}

export async function execute(
  task: string,
  flags: Flags & { mode: Execution["mode"]; checkpoint?: string[] },
): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const { begun, view } = await app.execute(task, { mode: flags.mode, checkpoints: flags.checkpoint });
  if (flags.json) process.stdout.write(`${JSON.stringify(view)}\n`);
  else
    process.stdout.write(
      `${begun ? "" : "It had begun before.\n"}${taskText(view)}${await nextLines(app, view)}`,
    );
  return 0;
}

async function readJson(file: string): Promise<unknown> {
  const text = await readText(file);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OxbowError("usage", `${file === "-" ? "Stdin" : file} is not JSON: ${String(error)}`);
  }
}

function taskText({ task_id, ticket, status, priority, title, subtasks }: TaskView): string {
  const rows = subtasks.map(({ subtask_id, state, depends_on, approvals }) => [
    `  ${MARKS[state] ?? "·"}`,
    subtask_id,
    state,
    [
      ...(depends_on.length > 0 ? [`after ${depends_on.join(", ")}`] : []),
      ...approvals
        .filter((each) => each.kind === "gate" && (each.state === "open" || each.state === "planned"))
        .map(({ reason }) => `waits for a person: ${clip(reason, 120)}`),
    ].join("; "),
  ]);
  return `${task_id} (${ticket}) ${status}, ${priority}: ${clip(title, 80)}\n${columns(rows).join("\n")}\n`;
}

async function nextLines(app: App, { task_id, subtasks, ended_at }: TaskView): Promise<string> {
  const asked = subtasks.flatMap(({ approvals }) =>
    approvals.flatMap(({ state, approval_id }) =>
      state === "open" && approval_id !== null ? [approval_id] : [],
    ),
  );
  const answers = asked.map((id) => `Let it begin:  oxbow approvals grant ${id}   (or deny)\n`).join("");
  const carried = ended_at !== null || (await app.workers()).length > 0;
  return `${answers}${carried ? "" : `No worker is live; carry it out here:  oxbow resume ${task_id}\n`}`;
}
