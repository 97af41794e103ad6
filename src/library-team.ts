/** The registry with its way in from a file; the rules themselves do no I/O. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { OxbowError } from "./core/errors.ts";
import { TeamRegistry as Registry } from "./core/registry.ts";
import { parseTeamFile } from "./core/team-file.ts";

export class TeamRegistry extends Registry {
  /** The agents of a team file. Throws team_file_missing, team_file_invalid (with line and column), team_config. */
  static load(file = "team.yaml"): TeamRegistry {
    return TeamRegistry.fromTeamFile(parseTeamFile(readText(file), file));
  }
}

function readText(file: string): string {
  try {
    return readFileSync(resolve(file), "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("team_file_missing", `The team file ${file} cannot be read: ${why}`, {
      cause: error,
    });
  }
}
