/** What a commit changes, for people; and whether a text can name a branch. */
import { gitText, gitTextOrThrow } from "./command.ts";
import type { Oid, Repository } from "./contract.ts";
import { ledgerSite } from "./ledger.ts";

/** As `git diff --stat`, without anything a repository's configuration might run. */
export async function diffStat(
  repo: Pick<Repository, "commonDir">,
  base: Oid | null,
  commit: Oid,
): Promise<string> {
  const from = base === null ? ["--root", "--no-commit-id", commit] : [base, commit];
  const args = ["diff-tree", "-r", "--stat=100", "--no-ext-diff", "--no-textconv", ...from];
  return gitTextOrThrow(ledgerSite(repo), args);
}

export async function isBranchName(repo: Pick<Repository, "commonDir">, name: string): Promise<boolean> {
  if (name.startsWith("-") || name === "HEAD" || /[\0\n]/.test(name)) return false;
  return (await gitText(ledgerSite(repo), ["check-ref-format", `refs/heads/${name}`])).exitCode === 0;
}
