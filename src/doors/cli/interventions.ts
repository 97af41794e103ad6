import { type AgentState, openApp, type WorkersMode } from "../../app.ts";
import { run } from "./run.ts";
import { clip, columns, duration } from "./text.ts";

interface Flags {
  repo: string;
  team?: string;
  json?: boolean;
}

interface CarryFlags extends Flags {
  workers?: WorkersMode;
  wait?: boolean;
  detach?: boolean;
}

export async function cancel(what: string, flags: Flags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const result = await app.cancel(what);
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    const name = result.subtask_id ?? result.task_id;
    const text = !result.changed
      ? `${name} had ended already: ${result.state}.`
      : result.state === "cancelling"
        ? `${name} is to be cancelled; the process that works on it has been asked.`
        : `${name}: ${result.state}.`;
    const below = result.parts.filter((part) => part !== result.subtask_id);
    const also = below.length === 0 ? "" : ` Below it also: ${below.join(", ")}.`;
    process.stdout.write(`${text}${also}\n`);
  }
  return result.changed ? 0 : 1;
}

export function resume(task: string, flags: CarryFlags): Promise<number> {
  return run(undefined, { ...flags, resume: task });
}

export async function retry(what: string, flags: CarryFlags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const result = await app.retry(what);
  return goOn(result, flags, () =>
    result.parts.map((part) => `${part.subtask_id} tries again what ${part.supersedes} did not complete.`),
  );
}

export async function assign(subtask: string, agent: string, flags: CarryFlags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const result = await app.assign(subtask, agent);
  // One that had not begun waits as before: nobody asked to run its task.
  const detach = flags.detach === true || result.parts.length === 0;
  return goOn(result, { ...flags, detach }, () =>
    result.parts.length === 0
      ? [`${subtask} is ${agent}'s now.`]
      : result.parts.map((part) => `${part.subtask_id} takes the place of ${part.supersedes}.`),
  );
}

/** Where another process carries the task, there is nothing more to do here. */
async function goOn(
  result: { readonly task_id: string; readonly carried: boolean },
  flags: CarryFlags,
  told: () => readonly string[],
): Promise<number> {
  const stays = flags.detach === true || result.carried;
  if (!flags.json) process.stdout.write(`${told().join("\n")}\n`);
  if (!stays) return resume(result.task_id, flags);
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else if (!result.carried)
    process.stdout.write(`No process carries the task: oxbow resume ${result.task_id}\n`);
  return 0;
}

export async function agents(task: string | undefined, flags: Flags): Promise<number> {
  await using app = openApp({ repo: flags.repo, team: flags.team });
  const states = await app.agents(task);
  if (flags.json) process.stdout.write(`${JSON.stringify(states)}\n`);
  else process.stdout.write(`${columns(states.map(row)).join("\n")}\n`);
  return 0;
}

function row(each: AgentState): string[] {
  const crashes = each.crashes === 1 ? "1 crash" : `${each.crashes} crashes`;
  const last =
    each.last_crash === null ? "" : `, the last ${duration(Date.now() - Date.parse(each.last_crash))} ago`;
  return [
    `  ${each.agent}`,
    each.state,
    each.group === null ? "-" : `${each.group}${each.critical ? " (critical)" : ""}`,
    each.open > 0 ? `${each.working} of ${each.open} open at work` : "",
    each.crashes > 0 ? `${crashes}${last}` : "",
    clip(each.reason ?? "", 120),
  ];
}
