/** The tables of the editing part. */
import { GOAL_COLUMNS, goalRow, inBytes, inMs, type Section, times } from "./measure.ts";
import type { TreeName } from "./trees.ts";

/** Work trees timed on the medium and on the large tree. */
export const WORK_TREES = 3;

export interface EditingResult {
  readonly tree: TreeName;
  readonly children: number;
  readonly oxbow: number;
  readonly stream: number;
  /** Of all children: mean × children. */
  readonly workTrees: number;
  readonly oxbowBytes: number;
  readonly streamBytes: number;
  readonly workTreeBytes: number;
}

export function editingReport(results: readonly EditingResult[]): Section {
  const find = (tree: TreeName, children: number) =>
    results.find((one) => one.tree === tree && one.children === children);
  const medium = find("medium", 100);
  const [small, large] = [find("small", 100), find("large", 100)];
  const goals: string[][] = [];
  if (medium) {
    const faster = medium.workTrees / medium.oxbow;
    const disk = (100 * medium.oxbowBytes) / medium.workTreeBytes;
    const stream = medium.oxbow / medium.stream;
    goals.push(
      goalRow("100 children on medium, against work trees", "≥ 1,000× faster", times(faster), faster >= 1000),
      goalRow("its disk, against work trees", "< 1 %", `${disk.toFixed(2)} %`, disk < 1),
      goalRow("100 children on medium, against one stream", "≤ 1.5×", times(stream), stream <= 1.5),
    );
  }
  if (small && large) {
    const slower = large.oxbow / small.oxbow;
    const stream = large.oxbow / large.stream;
    goals.push(
      goalRow("100 children on large, against one stream", "≤ 1.5×", times(stream), stream <= 1.5),
      goalRow("100 children: large against small", "≤ 5×", times(slower), slower <= 5),
    );
  }
  return {
    title: "Editing: N children × 5 files",
    about:
      "Each child gets a branch, changes five files drawn from the whole tree, and commits. *Oxbow*: from opening the repository to closing it, all children at once, with the calls the engine makes (fence, base, branch, writes, commit). *One stream*: a single raw `git fast-import` with the same commits and one `update-ref --stdin` transaction; no fences, no compare-and-swap. *Work trees*: `git worktree add`, write, `git add`, `git commit`, one child after another.",
    tables: [
      { caption: "", columns: GOAL_COLUMNS, rows: goals },
      {
        caption: "Time:",
        columns: [
          "tree",
          "children",
          "Oxbow",
          "one stream",
          "Oxbow / stream",
          "work trees",
          "work trees / Oxbow",
        ],
        rows: results.map((one) => [
          one.tree,
          String(one.children),
          inMs(one.oxbow),
          inMs(one.stream),
          times(one.oxbow / one.stream),
          inMs(one.workTrees),
          times(one.workTrees / one.oxbow),
        ]),
      },
      {
        caption: "Disk, as allocated:",
        columns: ["tree", "children", "Oxbow", "one stream", "work trees", "Oxbow / work trees"],
        rows: results.map((one) => [
          one.tree,
          String(one.children),
          inBytes(one.oxbowBytes),
          inBytes(one.streamBytes),
          inBytes(one.workTreeBytes),
          `${((100 * one.oxbowBytes) / one.workTreeBytes).toFixed(2)} %`,
        ]),
      },
    ],
    notes: [
      `Extrapolated: work trees. Ten were timed on the small tree, ${WORK_TREES} on each of the others, each removed before the next; the table shows their mean times the number of children.`,
      "Checked in every run: the trees of all branches equal those of the one stream, and `git fsck --full` finds nothing.",
    ],
  };
}
