/** `workspace.setup`: commands of the team file in a new clone of the base commit, with network; their log is kept. */
import { basename, dirname } from "node:path";
import type { Workspace } from "../git/contract.ts";
import type { Bind } from "../host/program-files.ts";
import type { Engine } from "./engine.ts";
import { OxbowError } from "../core/errors.ts";
import { runTeamCommand } from "./team-command.ts";

/** Throws setup_failed, with the command and the end of what it said; cancelled. */
export async function runSetup(
  engine: Engine,
  place: Pick<Workspace, "dir" | "name" | "sources" | "runs">,
  { command, binds }: { readonly command: string; readonly binds: readonly Bind[] },
  signal: AbortSignal | undefined,
): Promise<void> {
  // One file for each clone; the last set-ups' are in it.
  const log = `setup-${basename(dirname(place.dir))}.log`;
  const ran = await runTeamCommand(engine, place, { command, binds, network: true, log }, signal);
  if (ran.why === null) return;
  throw new OxbowError(
    "setup_failed",
    `The set-up command \`${ran.shown}\` ${ran.why}${ran.tail === "" ? "." : `: ${ran.tail}`}`,
    {
      hint: `Its log is ${ran.log}. Correct workspace.setup in the team file, or what it needs.`,
      details: { command: ran.shown, exit_code: ran.exitCode, log: ran.log },
    },
  );
}
