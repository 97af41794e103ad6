/** The team's ownership as a CODEOWNERS file, tried on the files of HEAD. */
import { type AppOptions, openApp } from "./app.ts";
import { codeownersText, type Difference, differences } from "./core/codeowners-export.ts";
import { TeamRegistry } from "./core/registry.ts";
import { loadTeam } from "./load-team.ts";

export interface ExportedOwners {
  readonly text: string;
  /** Files of HEAD whose owners it names otherwise: CODEOWNERS cannot tell a file from a directory of its name. */
  readonly differs: readonly Difference[];
}

/** Throws codeowners_invalid (an agent without `code_owners`, a pattern that CODEOWNERS cannot say), team_file_missing, not_a_repository. */
export async function exportOwners(
  options: Pick<AppOptions, "repo" | "team" | "env">,
): Promise<ExportedOwners> {
  const { team } = await loadTeam(options);
  const registry = TeamRegistry.fromTeamFile(team);
  const text = codeownersText(registry.list());
  await using app = openApp(options);
  const { files } = await app.files();
  const owner = (path: string) => registry.get(registry.findOwner(path)?.agent ?? "");
  return { text, differs: differences(text, files, owner) };
}
