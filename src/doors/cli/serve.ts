/** `oxbow serve`: the service in the foreground, until it is asked to stop. */
import { openApp } from "../../app.ts";
import type { Doors, ServeOptions } from "./doors.ts";
import { interruption } from "./interruption.ts";

export interface ServeFlags extends ServeOptions {
  repo: string;
  team?: string;
  json?: boolean;
}

export async function serve(flags: ServeFlags, doors: Doors): Promise<number> {
  const { repo, team } = flags;
  // What a request begins is left to workers too where this process only serves.
  const workers = flags.work ? undefined : "only";
  await using app = openApp({ repo, team, mirror: true, logStderr: true, followTeamFile: true, workers });
  using stop = interruption((name) => {
    process.stderr.write(`${name}: finishing what is under way; once more ends it at once.\n`);
  });
  const { serve: listen } = await doors.http();
  await listen(
    app,
    flags,
    (at) => {
      process.stderr.write(`listening on ${at.url}\n`);
      if (flags.json) process.stdout.write(`${JSON.stringify(at)}\n`);
    },
    stop.signal,
  );
  return 0;
}
