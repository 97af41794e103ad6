import { openApp, type ShownSchedule, shown } from "../../app.ts";
import { clip, columns } from "./text.ts";

interface ScheduleFlags {
  repo: string;
  team?: string;
  json?: boolean;
}

export async function list(flags: ScheduleFlags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const all = await shown(await app.schedules());
  if (flags.json) process.stdout.write(`${JSON.stringify(all)}\n`);
  else process.stdout.write(listText(all));
  return 0;
}

export async function run(agent: string, flags: ScheduleFlags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const fired = await shown(await app.fireSchedule(agent));
  if (flags.json) process.stdout.write(`${JSON.stringify(fired)}\n`);
  else {
    const { topic, task_id, still_running, error } = fired;
    const task =
      task_id === null
        ? still_running
          ? "The task of the firing before is still running, so no other was submitted.\n"
          : ""
        : error === null
          ? `Submitted ${task_id}: workers do it (\`oxbow worker\`), \`oxbow status ${task_id}\` shows it.\n`
          : `${task_id} is not submitted yet, workers try again: ${error.message}\n`;
    process.stdout.write(`Fired: a signal is on ${topic}.\n${task}`);
  }
  return fired.still_running ? 1 : 0;
}

function listText(all: readonly ShownSchedule[]): string {
  const [first] = all;
  if (first === undefined) return "The team has no `schedule:`.\n";
  const rows = all.map((each) => [
    each.agent,
    timingText(each),
    nextText(each),
    each.last_due_at === null ? "never fired" : `last ${local(each.last_due_at, each)}`,
    each.missed === 0 ? "" : `missed ${each.missed}, last ${local(each.last_missed_at, each)}`,
    clip([each.last_task ?? "", each.pending ? "(to be submitted)" : ""].join(" ").trim(), 80),
  ]);
  const nobody =
    first.workers === 0 ? "No worker is live, so nothing fires: start one with `oxbow worker`.\n" : "";
  return `${columns(rows).join("\n")}\n${nobody}`;
}

function timingText({ timing }: ShownSchedule): string {
  switch (timing.kind) {
    case "cron":
      return `${timing.cron} (${timing.tz})`;
    case "at":
      return "once";
    case "after":
      return `once, after ${timing.after_ms} ms`;
  }
}

function nextText(each: ShownSchedule): string {
  if (each.next_at === null) return "over";
  const at = local(each.next_at, each);
  if (each.registered_at !== null) return `${each.overdue ? "due since" : "next"} ${at}`;
  return each.overdue ? `was ${at}` : `next ${at}, once a worker has read it`;
}

/** `2026-05-01 06:00:00 CEST`, in the schedule's own zone. */
function local(time: string | null, { timing }: ShownSchedule): string {
  if (time === null) return "";
  const timeZone = timing.kind === "after" ? "UTC" : timing.tz;
  return new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    dateStyle: "short",
    timeStyle: "long",
  }).format(new Date(time));
}
