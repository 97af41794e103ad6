/** Where the work on a task starts. */
import type { Engine } from "./engine.ts";
import { integrationBranch } from "../core/branch-name.ts";

/** `--base`, else what the ticket came to so far, else the team's `repo.base` where it exists, else HEAD. Throws rev_not_found. */
export async function startOf(
  { repo, team }: Engine,
  given: string | undefined,
  ticket: string | undefined,
): Promise<{ readonly baseRef: string; readonly commit: string }> {
  if (given !== undefined) return { baseRef: given, commit: await repo.resolve(given) };
  const integration = ticket === undefined ? null : integrationBranch(ticket);
  const ref = `refs/heads/${integration}`;
  const earlier = integration === null ? undefined : (await repo.refs(ref)).get(ref);
  if (integration !== null && earlier !== undefined) return { baseRef: integration, commit: earlier };
  if (team.repo.base !== null) return { baseRef: team.repo.base, commit: await repo.resolve(team.repo.base) };
  const head = await repo.head();
  // The branch by its name: HEAD may be another one when the work is to land.
  if (head.ref !== null && head.commit !== null)
    return { baseRef: head.ref.replace(/^refs\/heads\//, ""), commit: head.commit };
  return { baseRef: "HEAD", commit: head.commit ?? (await repo.resolve("HEAD")) };
}
