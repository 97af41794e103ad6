/** N children × 5 files: Oxbow's branches without a checkout, one raw fast-import stream, and a work tree per child. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { TeamRegistry } from "../src/core/registry.ts";
import { parseSettings } from "../src/core/settings.ts";
import { parseTeamFile } from "../src/core/team-file.ts";
import { openRepository } from "../src/git/repository.ts";
import { prepareBranch } from "../src/team/prepare.ts";
import { type Bench, diskUse, git, mediansOf, type Section, takeTurns } from "./measure.ts";
import { editingReport, type EditingResult as Result, WORK_TREES } from "./editing-report.ts";
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

/** From opening the repository to closing it, with exactly what the engine does to prepare an attempt. */
export async function editWithOxbow(dir: string, base: string, work: readonly ChildWork[]): Promise<number> {
  const never = new AbortController().signal;
  const rooms = roomsFor(work);
  const started = performance.now();
  await using repo = await openRepository({ path: dir });
  const engine = { ...rooms, repo } as Engine;
  await Promise.all(
    work.map(async ({ agent, edits }) => {
      const { tree } = await prepareBranch(engine, leaseFor(agent, base));
      for (const { path, content } of edits) await tree.write(path, Buffer.from(content));
      await tree.commit(`Edit as ${agent}`, never);
    }),
  );
  await repo[Symbol.asyncDispose]();
  return performance.now() - started;
}

type Engine = Parameters<typeof prepareBranch>[0];

/** An engine and a lease as far as preparing a branch looks at them; the store is left out, as the peers have none. */
function roomsFor(work: readonly ChildWork[]): Omit<Engine, "repo"> {
  const agents = work.map((child) => ({ name: child.agent }));
  const team = parseTeamFile(JSON.stringify({ team: "Bench", agents }), "team.yaml");
  const store = {
    subtasks: async () => [],
    branches: async () => [],
    setBranch: async () => true,
    approvals: { list: async () => [] },
  };
  const registry = TeamRegistry.fromTeamFile(team);
  const redact = (text: string) => text;
  return { store, team, registry, redact, settings: parseSettings({}) } as any;
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
let copies = 0;

async function inCopy(
  bench: Bench,
  made: Made,
  round: {
    work(dir: string): Promise<number> | number;
    look(dir: string, addedBytes: number): void;
  },
): Promise<number> {
  // Kept until the bench ends: what was just deleted slows down the making of files on some file systems.
  const dir = copyRepository(made, path.join(bench.dir, `copy-${copies++}`));
  const before = diskUse(path.join(dir, ".git"));
  const ms = await round.work(dir);
  round.look(dir, diskUse(path.join(dir, ".git")) - before);
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
  return editingReport(results);
}
