/** `oxbow salvage`: lists work that is merged nowhere, shows it, and makes branches of it. */
import { openSalvage, type SalvageItem } from "../../salvage.ts";
import { clip, duration } from "./text.ts";

interface Flags {
  readonly repo: string;
  readonly json?: boolean;
}

export async function list(flags: Flags): Promise<number> {
  await using salvage = await openSalvage({ repo: flags.repo });
  const items = await salvage.list();
  if (flags.json) process.stdout.write(`${JSON.stringify(items)}\n`);
  else {
    if (salvage.problem !== null)
      process.stderr.write(`oxbow: from the refs alone, for the tasks cannot be read: ${salvage.problem}\n`);
    if (items.length === 0) process.stdout.write("Nothing to salvage: all work of agents is merged.\n");
    else process.stdout.write(`${items.map(text).join("\n")}\n${FOOT}`);
  }
  return 0;
}

const FOOT =
  "Look at one with `oxbow salvage show ID`, make a branch of it with `oxbow salvage restore ID`.\n";

export async function show(id: string, flags: Flags): Promise<number> {
  await using salvage = await openSalvage({ repo: flags.repo });
  const item = await salvage.show(id);
  if (flags.json) process.stdout.write(`${JSON.stringify(item)}\n`);
  else process.stdout.write(`${text(item)}\n${item.stat}More: ${item.command}\n`);
  return 0;
}

export async function restore(id: string, flags: Flags & { readonly branch?: string }): Promise<number> {
  await using salvage = await openSalvage({ repo: flags.repo });
  const { branch } = flags;
  const made = await salvage.restore(id, branch === undefined ? {} : { branch });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(made)}\n`);
    return 0;
  }
  const verb = made.created ? "is" : "was already";
  process.stdout.write(`The branch ${made.branch} ${verb} at ${made.commit.slice(0, 10)}.\n`);
  for (const { path, reason } of made.refused)
    process.stdout.write(`Not on it: ${clip(path, 200)} (${clip(reason, 200)})\n`);
  process.stdout.write(`Look at it: git log -p ${made.branch}\n`);
  return 0;
}

function text(item: SalvageItem): string {
  const { id, agent, task_id, ticket, attempt, at, commits, files, kind } = item;
  const ago = duration(Date.now() - Date.parse(at));
  const work = [
    ...(commits > 0 ? [`${commits} commit${commits === 1 ? "" : "s"}`] : []),
    `${files} file${files === 1 ? "" : "s"}`,
    `${ago} ago`,
  ];
  const whose = [
    agent ?? "somebody",
    ...(ticket === null ? [] : [`ticket ${ticket}`]),
    ...(task_id === null ? [] : [task_id]),
    ...(attempt === null ? [] : [`attempt ${attempt}`]),
  ];
  return [
    `${id}  ${kind}  ${whose.join(", ")}: ${work.join(", ")}`,
    `  ${clip(item.subject, 100)}`,
    `  ${item.reason.code}: ${clip(item.reason.message, 200)}`,
    `  ${item.where}`,
  ].join("\n");
}
