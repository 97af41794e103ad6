/** Real files for a program: a clone that is used again, a new one, and `git worktree add`. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { PoolRequest } from "../src/git/contract.ts";
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
  timed,
  times,
} from "./measure.ts";
import { copyRepository, makeRepository, type TreeName } from "./trees.ts";

/** What differs between the branches, and what each program leaves behind. */
const EDITED = 20;

const POOL: PoolRequest = {
  most: null,
  keep: 1,
  prepare: null,
  links: [],
  places: [],
  waiting: (wait) => wait(),
  clearUp: () => Promise.resolve(),
};

async function measure(bench: Bench, name: TreeName, rounds: number) {
  const made = await makeRepository(bench.dir, name);
  const dir = copyRepository(made, path.join(bench.dir, `workspaces-${name}`));
  const { base, paths } = made;
  const spread = paths.filter((_, i) => i % Math.ceil(paths.length / EDITED) === 0);
  const branches = [base, editedCommit(dir, base, spread)];
  await using repo = await openRepository({ path: dir });
  const open = (round: number, pool?: PoolRequest) =>
    repo.workspace({
      commit: branches[round % 2] ?? base,
      branch: "bench",
      ...(pool === undefined ? {} : { pool }),
    });
  await (await open(0, POOL))[Symbol.asyncDispose]();
  const held = await takeTurns(rounds, {
    async reuse(round) {
      const started = performance.now();
      const workspace = await open(round + 1, POOL);
      const took = performance.now() - started;
      for (const file of spread) appendFileSync(path.join(workspace.dir, file), "more\n");
      mkdirSync(path.join(workspace.dir, "build"));
      for (let i = 0; i < EDITED; i++) writeFileSync(path.join(workspace.dir, "build", `${i}.o`), "x");
      const back = performance.now();
      await workspace[Symbol.asyncDispose]();
      return took + performance.now() - back;
    },
    async fresh(round) {
      return timed(async () => {
        const workspace = await open(round);
        await workspace[Symbol.asyncDispose]();
      });
    },
    worktree(round) {
      const started = performance.now();
      git(dir, [
        "worktree",
        "add",
        "-q",
        "--detach",
        path.join(bench.dir, "work"),
        branches[round % 2] ?? base,
      ]);
      git(dir, ["worktree", "remove", "--force", path.join(bench.dir, "work")]);
      return performance.now() - started;
    },
  });
  return { name, files: paths.length, ...mediansOf(held) };
}

function editedCommit(dir: string, base: string, paths: readonly string[]): string {
  const edits = paths.map((file) => `M 100644 inline ${file}\ndata 8\nchanged\n\n`).join("");
  const text = `commit refs/heads/edited\ncommitter B <b@example.com> 0 +0000\ndata 4\nEdit\nfrom ${base}\n${edits}`;
  git(dir, ["fast-import", "--quiet"], text);
  return git(dir, ["rev-parse", "refs/heads/edited"]);
}

export async function workspaces(bench: Bench): Promise<Section> {
  const sizes: readonly (readonly [TreeName, number])[] = bench.quick
    ? [["small", 3]]
    : [
        ["small", 9],
        ["medium", 5],
      ];
  const results = [];
  for (const [name, rounds] of sizes) {
    bench.say(`workspaces: ${name}`);
    results.push(await measure(bench, name, rounds));
  }
  const last = results.at(-1);
  return {
    title: "Real files for a program",
    about: `From asking for a workspace to having given it back, one after the other. \`again\`: a clone of the pool, from one branch to another that differs in ${EDITED} files, after a program that changed ${EDITED} files and left ${EDITED} more. \`new\`: a private clone and its removal. \`worktree\`: \`git worktree add\` and \`remove\`. In brackets: times \`again\`.`,
    tables: [
      {
        caption: "",
        columns: ["tree", "files", "again", "new", "worktree"],
        rows: results.map(({ name, files, reuse, fresh, worktree }) => [
          name,
          String(files),
          inMs(reuse),
          `${inMs(fresh)} (${times(fresh / reuse)})`,
          `${inMs(worktree)} (${times(worktree / reuse)})`,
        ]),
      },
      {
        caption: "",
        columns: GOAL_COLUMNS,
        rows:
          last === undefined
            ? []
            : [
                goalRow(
                  `a clone used again, against \`git worktree add\` (${last.name})`,
                  "≥ 5×",
                  times(last.worktree / last.reuse),
                  last.worktree / last.reuse >= 5,
                ),
              ],
      },
    ],
    notes: [],
  };
}
