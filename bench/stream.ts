/** The floor that Oxbow's editing is held against: all commits in one `git fast-import` stream, all branches in one transaction. */
import { git } from "./measure.ts";
import type { ChildWork } from "./trees.ts";

/** The branch of a child, as Oxbow names it too. */
export function branchOf(child: ChildWork, ticket: string): string {
  return `feature/${ticket}/${child.agent}`;
}

/** Writes one commit per child on `base`, and a branch on each. Gives the milliseconds it took. */
export function editInOneStream(
  dir: string,
  base: string,
  work: readonly ChildWork[],
  ticket: string,
): number {
  const started = performance.now();
  const temporary = "refs/tmp/bench";
  const parts: string[] = [];
  for (const [i, { agent, edits }] of work.entries()) {
    const message = `Edit as ${agent}\n`;
    parts.push(
      `commit ${temporary}\nmark :${i + 1}\nauthor ${agent} <${agent}@example.com> 1700000000 +0000\n`,
      `committer Bench <bench@example.com> 1700000000 +0000\ndata ${message.length}\n${message}\nfrom ${base}\n`,
    );
    for (const { path, content } of edits) {
      parts.push(`M 100644 inline ${path}\ndata ${content.length}\n${content}\n`);
    }
    parts.push(`\nget-mark :${i + 1}\n`);
  }
  parts.push(`reset ${temporary}\nfrom ${"0".repeat(base.length)}\n\ndone\n`);
  const args = ["fast-import", "--quiet", "--done", "--date-format=raw", "--depth=0"];
  const ids = git(dir, ["-c", "pack.compression=1", ...args], parts.join("")).split("\n");
  const creations = work.map((child, i) => `create refs/heads/${branchOf(child, ticket)} ${ids[i]}\n`);
  git(dir, ["update-ref", "--stdin"], `start\n${creations.join("")}prepare\ncommit\n`);
  return performance.now() - started;
}
