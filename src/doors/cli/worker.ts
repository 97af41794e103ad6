/** `oxbow worker`: takes conversations of any live task here until it is asked to stop; a line for each, or events with --json. */
import { openApp, type WorkerEvent } from "../../app.ts";
import { interruption } from "./interruption.ts";
import { listText, shortName } from "./worker-text.ts";

export interface WorkerFlags {
  repo: string;
  team?: string;
  agent?: string[];
  concurrency?: number;
  list?: boolean;
  json?: boolean;
}

export async function worker(flags: WorkerFlags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team, mirror: true });
  if (flags.list) {
    const workers = await app.workers();
    if (flags.json) process.stdout.write(`${JSON.stringify(workers)}\n`);
    else process.stdout.write(listText(workers));
    return 0;
  }
  const json = flags.json === true;
  using stop = interruption((name) => {
    const again = name === "SIGINT" ? " Press Ctrl-C again to leave at once." : "";
    if (!json) process.stderr.write(`${name}: handing back what runs.${again}\n`);
  });
  await app.work(
    {
      agents: flags.agent,
      concurrency: flags.concurrency,
      followTeamFile: true,
      onEvent: (event) => {
        const line = json ? JSON.stringify(event) : text(event);
        process.stdout.write(`${line}\n`);
      },
    },
    stop.signal,
  );
  return 0;
}

function text(event: WorkerEvent): string {
  switch (event.event) {
    case "worker_started": {
      const places = event.places === 1 ? "one conversation" : `${event.places} conversations`;
      return `Worker ${shortName(event.worker_id)} of team ${event.team}: ${event.agents.join(", ")}; ${places} at once. Waiting for tasks; Ctrl-C ends it.`;
    }
    case "conversation_taken":
      return `[${event.agent}] takes ${event.subtask_id}${event.attempt > 1 ? ` (attempt ${event.attempt})` : ""}`;
    case "conversation_ended":
      return `[${event.agent}] ${event.end.replace("_", " ")} ${event.subtask_id}`;
    case "declined":
      return `Cannot run ${event.agents.join(", ")} of ${event.task_id} here: ${event.message}`;
    case "task_ended":
      return `Task ${event.task_id} was carried by nobody and is ended: ${event.state}`;
    case "schedule_fired":
      return `[${event.agent}] schedule fired, due ${event.due_at}${event.task === null ? "" : `: ${event.task}`}`;
    case "schedule_missed":
      return `[${event.agent}] schedule: ${event.message}`;
    case "team_reloaded":
      return `The team file has changed: ${event.agents.join(", ")}`;
    case "problem":
      return `Problem: ${event.error.message}${event.error.hint ? ` ${event.error.hint}` : ""}`;
    case "worker_stopped":
      return `Stopped after ${event.ended} conversation${event.ended === 1 ? "" : "s"}.`;
  }
}
