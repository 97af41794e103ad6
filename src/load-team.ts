/** Where the team file is, and what it says. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { TeamFile } from "./core/team-file.ts";
import { OxbowError } from "./core/errors.ts";

export interface LoadedTeam {
  readonly file: string;
  readonly team: TeamFile;
}

/** Throws team_file_missing, team_file_invalid, team_config. */
export async function loadTeam(options: {
  team?: string | undefined;
  repo?: string | undefined;
}): Promise<LoadedTeam> {
  const { parseTeamFile } = await import("./core/team-file.ts");
  const { file, text } = readTeamFile(options);
  return { file, team: parseTeamFile(text, options.team ?? file) };
}

/** Throws team_file_missing. */
export function readTeamFile(options: { team?: string | undefined; repo?: string | undefined }): {
  readonly file: string;
  readonly text: string;
} {
  const file = options.team === undefined ? findTeamFile(options.repo) : resolve(options.team);
  if (file === null || !existsSync(file)) {
    const where =
      options.team === undefined ? "There is no team.yaml here or above." : `There is no ${options.team}.`;
    throw new OxbowError("team_file_missing", where);
  }
  return { file, text: readText(file) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("team_file_missing", `The team file ${file} cannot be read: ${why}`, {
      cause: error,
    });
  }
}

/** From the directory upwards, not past the top of the repository. */
function findTeamFile(from: string | undefined): string | null {
  for (let folder = resolve(from ?? "."); ; folder = dirname(folder)) {
    const file = join(folder, "team.yaml");
    if (existsSync(file)) return file;
    if (existsSync(join(folder, ".git")) || dirname(folder) === folder) return null;
  }
}
