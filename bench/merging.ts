/** N finished branches into one: Oxbow's merge without a checkout, and `git merge` in one. */
import { rmSync } from "node:fs";
import path from "node:path";
import type { MergeSource } from "../src/git/contract.ts";
import { openRepository } from "../src/git/repository.ts";
import {
  type Bench,
  git,
  GOAL_COLUMNS,
  goalRow,
  inMs,
  mediansOf,
  type Section,
  takeTurns,
  times,
} from "./measure.ts";
import { branchOf, editInOneStream } from "./stream.ts";
import { copyRepository, type Made, makeRepository, makeWork, type TreeName } from "./trees.ts";

const FILES = 5;
const TICKET = "bench";
const INTEGRATION = `integration/${TICKET}`;

interface Result {
  readonly tree: TreeName;
  readonly branches: number;
  readonly oxbow: number;
  readonly checkout: number;
}

/** From opening the repository to closing it, one branch after another as the fan-in does. */
async function mergeWithOxbow(dir: string, base: string, sources: readonly MergeSource[]): Promise<number> {
  const started = performance.now();
  await using repo = await openRepository({ path: dir });
  const results = await repo.mergeAll({ target: INTEGRATION, start: base, sources });
  for (const [i, { kind }] of results.entries())
    if (kind !== "merged") throw new Error(`${sources[i]?.branch}: ${kind}`);
  await repo[Symbol.asyncDispose]();
  return performance.now() - started;
}

/** The checkout is there already: making it is no part of the time. */
function mergeInCheckout(dir: string, sources: readonly MergeSource[]): number {
  git(dir, ["checkout", "-q", "-b", INTEGRATION, "main"]);
  git(dir, ["status"]);
  const started = performance.now();
  for (const { branch } of sources) git(dir, ["merge", "-q", "--no-ff", "-m", `Merge ${branch}`, branch]);
  return performance.now() - started;
}

/** The trees along the integration branch, oldest first. */
function historyOf(dir: string, base: string): string {
  const range = [`^${base}`, `refs/heads/${INTEGRATION}`];
  return git(dir, ["log", "--first-parent", "--reverse", "--format=%T", ...range]);
}

/** Copies are kept until the bench ends: what was just deleted slows down the making of files on some file systems. */
let copies = 0;

async function measure(bench: Bench, made: Made, branches: number): Promise<Result> {
  const ready = path.join(bench.dir, "ready");
  copyRepository(made, ready);
  const work = makeWork(made, branches, FILES);
  editInOneStream(ready, made.base, work, TICKET);
  const sources = work.map((child): MergeSource => {
    const branch = branchOf(child, TICKET);
    const commit = git(ready, ["rev-parse", `refs/heads/${branch}`]);
    return { branch, commit, agent: child.agent, subtaskId: `${child.agent}::t-bench::1`, taskId: "t-bench" };
  });
  const history = { oxbow: "", checkout: "" };
  const inCopy = async (name: keyof typeof history, merge: (dir: string) => Promise<number> | number) => {
    const dir = copyRepository({ ...made, dir: ready }, path.join(bench.dir, `merged-${copies++}`));
    const ms = await merge(dir);
    history[name] = historyOf(dir, made.base);
    return ms;
  };
  const taken = await takeTurns(
    bench.quick ? 2 : 5,
    {
      oxbow: () => inCopy("oxbow", (dir) => mergeWithOxbow(dir, made.base, sources)),
      checkout: () => inCopy("checkout", (dir) => mergeInCheckout(dir, sources)),
    },
    { checkout: bench.quick ? 1 : 3 },
  );
  rmSync(ready, { recursive: true, force: true });
  if (history.oxbow !== history.checkout)
    throw new Error(`The trees differ: ${made.name}, ${branches} branches.`);
  return { tree: made.name, branches, ...mediansOf(taken) };
}

export async function merging(bench: Bench): Promise<Section> {
  const results: Result[] = [];
  for (const name of ["small", "medium"] as const) {
    const made = await makeRepository(bench.dir, name);
    for (const branches of [10, 100]) {
      bench.say(`merging: ${name}, ${branches} branches`);
      results.push(await measure(bench, made, branches));
    }
    rmSync(made.dir, { recursive: true, force: true });
  }
  const medium = results.find((one) => one.tree === "medium" && one.branches === 100);
  const faster = medium ? medium.checkout / medium.oxbow : 0;
  return {
    title: "Merging: N branches into one",
    about:
      "Branches with disjoint edits (five files each) are merged in order. *Oxbow*: `merge` onto `integration/…` without a checkout, from opening the repository to closing it. *In a checkout*: `git merge --no-ff` per branch in a checkout that is there already.",
    tables: [
      {
        caption: "",
        columns: GOAL_COLUMNS,
        rows: [
          goalRow("100 branches on medium, against a checkout", "≥ 30× faster", times(faster), faster >= 30),
        ],
      },
      {
        caption: "Time:",
        columns: ["tree", "branches", "Oxbow", "in a checkout", "checkout / Oxbow"],
        rows: results.map((one) => [
          one.tree,
          String(one.branches),
          inMs(one.oxbow),
          inMs(one.checkout),
          times(one.checkout / one.oxbow),
        ]),
      },
    ],
    notes: [
      "Nothing is extrapolated.",
      "Checked in every run: after each of the merges the tree is the same, byte for byte, as that of `git merge`.",
    ],
  };
}
