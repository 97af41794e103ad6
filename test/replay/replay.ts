/**
 * Replays the merges of a real history: the parents of each merge commit are merged again through the repository's own
 * merging, and what comes out is held against plain `git merge-tree` and against the tree that the maintainers made. Where Git
 * alone cannot merge, their own resolution goes through the checker. The repository is only read: all objects that are made
 * go into a temporary clone that shares its objects.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRepository } from "../../src/git/repository.ts";

export interface Tally {
  merges: number;
  /** Of Git and of Oxbow alike. */
  clean: number;
  conflicts: number;
  /** Clean merges with the tree that the maintainers committed. */
  asCommitted: number;
  /** Clean for Git, a conflict here: names that differ in case, paths with a merge attribute. */
  stricter: number;
  /** Resolutions of maintainers that have both sides, as the checker sees it. */
  honoured: number;
  kinds: Map<string, number>;
  wrong: string[];
}

export async function replay(source: string, count: number): Promise<Tally> {
  const home = mkdtempSync(join(tmpdir(), "oxbow-replay-"));
  const dir = join(home, "clone.git");
  const git = (...args: string[]): string =>
    execFileSync("git", args, {
      cwd: home,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  const here = (...args: string[]) => git("--git-dir", dir, ...args);
  try {
    git("clone", "--quiet", "--bare", "--shared", source, dir);
    const tally: Tally = {
      merges: 0,
      clean: 0,
      conflicts: 0,
      asCommitted: 0,
      stricter: 0,
      honoured: 0,
      kinds: new Map(),
      wrong: [],
    };
    const list = here(
      "rev-list",
      "--min-parents=2",
      "--max-parents=2",
      `--max-count=${count}`,
      "--parents",
      "HEAD",
    );
    await using repo = await openRepository({ path: dir });
    const desk = await repo.conflictDesk();
    for (const line of list.split("\n").filter(Boolean)) {
      const [commit = "", onto = "", branch = ""] = line.split(" ");
      if ((await repo.mergeBase(onto, branch)) === null) continue;
      tally.merges++;
      const made = await repo.merge({
        target: `replay/${commit}`,
        start: onto,
        source: {
          branch: "theirs",
          commit: branch,
          agent: "Replay",
          subtaskId: `Replay::t::${tally.merges}`,
          taskId: "t",
        },
      });
      const plain = plainMerge(here, onto, branch);
      const committed = here("rev-parse", `${commit}^{tree}`);
      if (made.kind === "conflict") {
        if (plain !== null) tally.stricter++;
        tally.conflicts++;
        for (const { kind } of made.conflicts) tally.kinds.set(kind, (tally.kinds.get(kind) ?? 0) + 1);
        const check = await desk.check({ onto, commit: branch, resolved: commit });
        if (check.ok) tally.honoured++;
        continue;
      }
      tally.clean++;
      const tree = here("rev-parse", `${made.commit}^{tree}`);
      if (tree !== plain) tally.wrong.push(`${commit}: ${tree}, Git ${plain ?? "has a conflict"}`);
      if (tree === committed) tally.asCommitted++;
    }
    return tally;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The tree of Git's own merge; null for a conflict. */
function plainMerge(here: (...args: string[]) => string, onto: string, branch: string): string | null {
  try {
    return here("merge-tree", "--write-tree", onto, branch);
  } catch {
    return null;
  }
}
