/** What an agent committed to its branch since a commit of it, as the commits' trailers tell. */
import type { Oid } from "./contract.ts";
import { type GitSite, runGitOrThrow } from "./command.ts";
import { type AgentCommit, parseCommits } from "./ledger-commits.ts";

/** More are never made in one turn. */
const MOST = 200;

/** The oldest first. */
export async function commitsSince(site: GitSite, since: Oid, tip: Oid): Promise<readonly AgentCommit[]> {
  if (since === tip) return [];
  const format = "--format=%H%x00%T%x00%ct%x00%P%x00%B%x00";
  const wanted = ["--first-parent", `--max-count=${MOST}`, "--no-commit-header", format, `^${since}`, tip];
  const text = await runGitOrThrow(site, ["rev-list", ...wanted]);
  return [...parseCommits(text.toString("utf8")).values()].toReversed();
}
