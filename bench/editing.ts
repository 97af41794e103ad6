/** N children × 5 files: Oxbow's branches without a checkout, one raw fast-import stream, and a work tree per child. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { openRepository } from "../src/git/repository.ts";
import { prepareBranch } from "../src/team/prepare.ts";
import {
  type Bench,
  diskUse,
  git,
  GOAL_COLUMNS,
  goalRow,
  inBytes,
  inMs,
  mediansOf,
  type Section,
  takeTurns,
  times,
} from "./measure.ts";
import { branchOf, editInOneStream } from "./stream.ts";
import {
  type ChildWork,
  copyRepository,
  type Made,
  makeRepository,
  makeWork,
  type TreeName,
} from "./trees.ts";

const FILES = 5;
const TICKET = "bench";
const WORK_TREES = 3;

interface Result {
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

/** From opening the repository to closing it, with exactly what the engine does to prepare an attempt. */
async function editWithOxbow(dir: string, base: string, work: readonly ChildWork[]): Promise<number> {
  const started = performance.now();
  const never = new AbortController().signal;
  await using repo = await openRepository({ path: dir });
  await Promise.all(
    work.map(async ({ agent, edits }) => {
      const { tree } = await prepareBranch(engineFor(repo), leaseFor(agent, base));
      for (const { path, content } of edits) await tree.write(path, Buffer.from(content));
      await tree.commit(`Edit as ${agent}`, never);
    }),
  );
  await repo[Symbol.asyncDispose]();
  return performance.now() - started;
}

/** An engine and a lease as far as preparing a branch looks at them; the store is left out, as the peers have none. */
function engineFor(repo: Awaited<ReturnType<typeof openRepository>>): Parameters<typeof prepareBranch>[0] {
  const store = { subtasks: async () => [], setBranch: async () => true };
  const registry = { get: () => undefined, findOwner: () => null };
  const redact = (text: string) => text;
  return { repo, store, registry, redact, settings: { scopeReads: null } } as any;
}

function leaseFor(agent: string, base: string): Parameters<typeof prepareBranch>[1] {
  const id = `${agent}::t-bench::1`;
  const subtask = {
    subtask_id: id,
    conversation_id: id,
    agent,
    allowed_paths: ["**"],
    depends_on: [],
    branch: null,
  };
  const task = { task_id: "t-bench", ticket: TICKET, base_commit: base };
  return { subtask, task, token: 1, attempt: 1, message: { metadata: {} } } as any;
}

/** One child's work tree: added, edited, committed; removed again outside the time. */
function editInWorkTree(made: Made, home: string, child: ChildWork): { ms: number; bytes: number } {
  const dir = path.join(home, "work-tree");
  const gitDir = path.join(made.dir, ".git");
  const before = diskUse(gitDir);
  const started = performance.now();
  git(made.dir, ["worktree", "add", "-q", "-b", `work-tree/${child.agent}`, dir, made.base]);
  for (const { path: file, content } of child.edits) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), content);
  }
  git(dir, ["add", "--", ...child.edits.map((edit) => edit.path)]);
  git(dir, ["commit", "-q", "-m", `Edit as ${child.agent}`]);
  const ms = performance.now() - started;
  const bytes = diskUse(dir) + diskUse(gitDir) - before;
  git(made.dir, ["worktree", "remove", "--force", dir]);
  git(made.dir, ["branch", "-q", "-D", `work-tree/${child.agent}`]);
  return { ms, bytes };
}

/** A round of a contestant in a copy of its own, so that none finds the objects of another. */
async function inCopy(
  bench: Bench,
  made: Made,
  round: {
    work(dir: string): Promise<number> | number;
    look(dir: string, addedBytes: number): void;
  },
): Promise<number> {
  const dir = copyRepository(made, path.join(bench.dir, "copy"));
  const before = diskUse(path.join(dir, ".git"));
  const ms = await round.work(dir);
  round.look(dir, diskUse(path.join(dir, ".git")) - before);
  rmSync(dir, { recursive: true, force: true });
  return ms;
}

function treesOf(dir: string, work: readonly ChildWork[]): string {
  return git(dir, ["rev-parse", ...work.map((child) => `refs/heads/${branchOf(child, TICKET)}^{tree}`)]);
}

type Sample = ReturnType<typeof editInWorkTree>;

/** Takes samples of work trees into `samples` only while there are none: their cost per child does not depend on the number. */
async function measure(bench: Bench, made: Made, children: number, samples: Sample[]): Promise<Result> {
  const work = makeWork(made, children, FILES);
  const rounds = bench.quick ? 2 : 5;
  const perRound = made.name === "small" ? 2 : 1;
  const sampled = samples.length > 0 ? 0 : bench.quick ? 1 : made.name === "small" ? rounds : WORK_TREES;
  const bytes = { oxbow: 0, stream: 0 };
  const trees = { oxbow: "", stream: "" };
  const taken = await takeTurns(
    rounds,
    {
      oxbow: (round) =>
        inCopy(bench, made, {
          work: (dir) => editWithOxbow(dir, made.base, work),
          look(dir, added) {
            bytes.oxbow = added;
            trees.oxbow = treesOf(dir, work);
            if (round === rounds - 1) git(dir, ["fsck", "--full", "--no-dangling", "--no-progress"]);
          },
        }),
      stream: () =>
        inCopy(bench, made, {
          work: (dir) => editInOneStream(dir, made.base, work, TICKET),
          look(dir, added) {
            bytes.stream = added;
            trees.stream = treesOf(dir, work);
          },
        }),
      workTree(round) {
        const some = work.slice(round * perRound, (round + 1) * perRound);
        samples.push(...some.map((child) => editInWorkTree(made, bench.dir, child)));
        return 0;
      },
    },
    { workTree: sampled },
  );
  if (trees.oxbow !== trees.stream) throw new Error(`The trees differ: ${made.name}, ${children} children.`);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const { oxbow, stream } = mediansOf(taken);
  return {
    tree: made.name,
    children,
    oxbow,
    stream,
    workTrees: mean(samples.map((one) => one.ms)) * children,
    oxbowBytes: bytes.oxbow,
    streamBytes: bytes.stream,
    workTreeBytes: mean(samples.map((one) => one.bytes)) * children,
  };
}

export async function editing(bench: Bench): Promise<Section> {
  const results: Result[] = [];
  const names: readonly TreeName[] = bench.quick ? ["small", "medium"] : ["small", "medium", "large"];
  for (const name of names) {
    bench.say(`editing: making the ${name} tree`);
    const made = await makeRepository(bench.dir, name);
    const samples: Sample[] = [];
    for (const children of [10, 100]) {
      bench.say(`editing: ${name}, ${children} children`);
      results.push(await measure(bench, made, children, samples));
    }
    rmSync(made.dir, { recursive: true, force: true });
  }
  return report(results);
}

function report(results: readonly Result[]): Section {
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
