/** `oxbow gc`: what is kept and why; with --yes what is safe goes. */
import { type Gone, openGc, type Thing } from "../../gc.ts";
import { clip } from "./text.ts";

interface Flags {
  readonly repo: string;
  readonly team?: string;
  readonly mirror?: boolean;
  readonly yes?: boolean;
  readonly olderThan?: number;
  readonly ticket?: string;
  readonly force?: string[];
  readonly json?: boolean;
}

/** Exit 1 when something that is safe could not be deleted. */
export async function gc({
  repo,
  team,
  mirror,
  yes,
  olderThan,
  ticket,
  force,
  json,
}: Flags): Promise<number> {
  await using found = await openGc(
    { repo, team, mirror },
    {
      ...(olderThan === undefined ? {} : { olderThan }),
      ...(ticket === undefined ? {} : { ticket }),
      ...(force === undefined ? {} : { force }),
    },
  );
  if (yes !== true) {
    const things = await found.look();
    if (json) process.stdout.write(`${JSON.stringify({ deleted: false, things })}\n`);
    else process.stdout.write(planText(things));
    return 0;
  }
  const { gone, stays, compacted } = await found.collect();
  if (json) process.stdout.write(`${JSON.stringify({ deleted: true, gone, stays, compacted })}\n`);
  else process.stdout.write(endText(gone, stays));
  return gone.some(({ problem }) => problem !== null) ? 1 : 0;
}

function planText(things: readonly Thing[]): string {
  const safe = things.filter((thing) => thing.safe);
  const stays = things.filter((thing) => !thing.safe);
  if (things.length === 0) return "Oxbow keeps nothing here.\n";
  const end =
    safe.length === 0
      ? "Nothing is safe to delete now.\n"
      : "Nothing was deleted. Delete what is safe: oxbow gc --yes\n";
  return `${part("Safe to delete", safe)}${part("Stays", stays)}${end}`;
}

function endText(gone: readonly Gone[], stays: readonly Thing[]): string {
  const deleted = gone.filter(({ problem }) => problem === null);
  const failed = gone.flatMap(({ problem, ...thing }) =>
    problem === null ? [] : [{ ...thing, reason: problem }],
  );
  const text = `${part("Deleted", deleted)}${part("Could not be deleted; run it again", failed)}${part("Stays", stays)}`;
  return text === "" ? "Oxbow keeps nothing here.\n" : text;
}

function part(title: string, things: readonly Thing[]): string {
  if (things.length === 0) return "";
  const lines = things.map(
    ({ kind, name, reason }) => `  ${kind.padEnd(9)} ${clip(name, 120)}\n            ${clip(reason, 160)}\n`,
  );
  return `${title} (${things.length}):\n${lines.join("")}`;
}
