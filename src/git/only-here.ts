/** What would be lost with Oxbow's refs: commits that no branch, tag, remote branch or HEAD reaches. */
import type { Oid, Repository } from "./contract.ts";
import { type GitSite, gitTextOrThrow } from "./command.ts";

export interface OnlyHere {
  readonly ref: string;
  readonly commit: Oid;
  readonly subject: string;
}

/** The refs below `refs/oxbow/` whose commit nothing else in the repository reaches, sorted by name. */
export async function onlyInOxbowRefs({
  commonDir,
}: Pick<Repository, "commonDir">): Promise<readonly OnlyHere[]> {
  const site: GitSite = { cwd: commonDir, gitDir: commonDir };
  const ours = "refs/oxbow/*";
  const [refs, commits] = await Promise.all([
    gitTextOrThrow(site, [
      "for-each-ref",
      "--format=%(objectname) %(objecttype) %(refname) %(contents:subject)",
      "refs/oxbow/",
    ]),
    gitTextOrThrow(site, ["rev-list", `--glob=${ours}`, "--not", `--exclude=${ours}`, "--all"]),
  ]);
  const lost = new Set(commits.split("\n"));
  return refs.split("\n").flatMap((line) => {
    const [commit = "", type = "", ref = "", ...words] = line.split(" ");
    return type === "commit" && lost.has(commit) ? [{ ref, commit, subject: words.join(" ") }] : [];
  });
}
