/**
 * One history of a merge queue, played on a real repository and store: agents whose branches touch the same lines, a process
 * that dies between any two effects and is followed by another, a person who commits to the target meanwhile, and reworks
 * that resolve well, badly or not at all. What must hold in the end is in `violations`.
 */
import { execFileSync } from "node:child_process";
import type { MergeEntry } from "../../src/core/merging.ts";
import type { Subtask, Task } from "../../src/core/model.ts";
import type { MergeDesk } from "../../src/git/merge-desk.ts";
import type { Lease, Store } from "../../src/store/contract.ts";
import { makeChildren } from "../../src/team/children.ts";
import type { Engine } from "../../src/team/engine.ts";
import { mergeFinished } from "../../src/team/fan-in.ts";
import { makeOutcome, NOTHING_RAN } from "../../src/team/outcome.ts";
import { prepareBranch } from "../../src/team/prepare.ts";
import { allEvents } from "../../src/team/report.ts";
import { plainEnvironment } from "../support/cli.ts";
import { clockedEngine } from "../support/clocked-engine.ts";
import { makeShop, type Shop } from "../support/shop.ts";

export interface Edit {
  /** Of the files f0, f1, f2. */
  readonly file: number;
  /** Which of the base's lines is replaced, or after which one is added. */
  readonly line: number;
  readonly how: "replace" | "after" | "new_file";
}

export interface History {
  readonly branches: readonly {
    readonly edits: readonly Edit[];
    /** Commits something that `verify` refuses. */
    readonly bad: boolean;
    /** Stands on the branch before it. */
    readonly stacked: boolean;
    readonly completes: boolean;
  }[];
  /** Branches that fail together, by number. */
  readonly pair: readonly [number, number] | null;
  readonly reworks: readonly ("both" | "drop" | "nothing" | "fail")[];
  /** The process dies before its n-th effect, counted from its start; one number for each process. */
  readonly deaths: readonly number[];
  /** The person commits before these effects, counted over all processes. */
  readonly humans: readonly number[];
  readonly verify: boolean;
  readonly squash: boolean;
  readonly policy: "rework" | "owner" | "escalate";
}

const LINES = 8;
const FILES = ["f0.txt", "f1.txt", "f2.txt"];
const BASE = Array.from({ length: LINES }, (_, i) => `base ${i}\n`).join("");
const NAMES = ["A", "B", "C", "D", "E"];
const TARGET = "integration/t";
const LEASE_MS = 30_000;

/** Fails on a line `bad`, and where both halves of the pair are. */
const CHECK = `! grep -q -r '^bad' . --include='*.txt' && ! { grep -q -r '^half one' . --include='*.txt' && grep -q -r '^half two' . --include='*.txt'; }\n`;

function teamOf({ verify, squash, policy }: History): string {
  const agents = NAMES.map((name) => `  - { name: ${name} }`).join("\n");
  return `team: T
window_person: eve@example.com
workspace: { pool: 1 }
${verify ? "verify: [sh check.sh]" : ""}
merge: { conflicts: ${policy}, squash: ${squash}, max_reworks: 2 }
agents:
${agents}
`;
}

/** What the agents wrote, and what they took out again because `verify` refuses it. */
interface Notes {
  readonly removed: Set<string>;
  /** Lines by subtask. */
  readonly written: Map<string, readonly string[]>;
}

class Died extends Error {}

interface Life {
  effects: number;
  dead: boolean;
}

export async function play(history: History): Promise<readonly string[]> {
  const files = { ...Object.fromEntries(FILES.map((name) => [name, BASE])), "check.sh": CHECK };
  using shop = makeShop({ team: teamOf(history), files });
  const clock = { now: 1_700_000_000_000 };
  await using clocked = await clockedEngine(shop, clock, {
    TERMINAL_SANDBOX: "off",
    OXBOW_LEASE_MS: String(LEASE_MS),
  });
  const { engine } = clocked;
  const task = await submit(engine, history);
  const world = createWorld(engine, shop, history);
  const waiting = [...history.reworks];
  const notes: Notes = { removed: new Set(), written: new Map() };
  for (let process = 0; process < MOST_PROCESSES; process++) {
    try {
      const open = await world.work(task, waiting, notes);
      if (open) continue;
      await mergeFinished(world.born(history.deaths[process] ?? null), task, new AbortController().signal);
      if ((await engine.store.openSubtasks(task.task_id)) === 0)
        return await violations(engine, shop, task, world, notes, history);
    } catch (error) {
      if (!world.died()) throw error;
      // Nobody tells of its end: the lease runs out.
      clock.now += LEASE_MS + 1;
    }
  }
  return ["it never ends"];
}

const MOST_PROCESSES = 60;

async function submit(engine: Engine, { branches }: History): Promise<Task> {
  const now = engine.now();
  const task: Task = {
    task_id: "t",
    ticket: "t",
    title: "Play",
    state: "running",
    base_ref: "main",
    base_commit: await engine.repo.resolve("main"),
    team: "T",
    options: {},
    body_hash: "x",
    created_at: now,
    updated_at: now,
  };
  const parts = branches.map(({ stacked }, i) => ({
    agent: NAMES[i] ?? "A",
    brief: `Part ${i}`,
    responsibilities: [],
    allowedPaths: ["**"],
    dependsOn: stacked && i > 0 ? [i - 1] : [],
    approval: null,
  }));
  const birth = { taskId: "t", parent: null, root: false, base: null, siblings: [] };
  await engine.store.submit(task, makeChildren(engine, parts, birth), []);
  return task;
}

interface World {
  /** The engine of a new process, which dies before the effect of this number. */
  born(dies: number | null): Engine;
  died(): boolean;
  /** Works on what is open; true when there was any. */
  work(task: Task, reworks: string[], notes: Notes): Promise<boolean>;
  /** What the person committed. */
  readonly human: string[];
  /** Where the target was moved by the queue. */
  readonly landings: string[];
}

function createWorld(engine: Engine, shop: Shop, history: History): World {
  let life: Life = { effects: 0, dead: false };
  let effects = 0;
  const human: string[] = [];
  const landings: string[] = [];

  const commitByHand = async (): Promise<void> => {
    const desk = await engine.repo.mergeDesk();
    const tip = await desk.tip(TARGET);
    const onto = tip ?? (await engine.repo.resolve("main"));
    const name = `by-hand-${human.length}.txt`;
    const blob = shop.git("hash-object", "-w", "check.sh").trim();
    const list = shop.git("ls-tree", onto);
    const tree = makeTree(shop, `${list}100644 blob ${blob}\t${name}\n`);
    const commit = shop.git("commit-tree", tree, "-p", onto, "-m", name).trim();
    try {
      await engine.repo.updateRefs([{ ref: `refs/heads/${TARGET}`, old: tip, new: commit }]);
      human.push(commit);
    } catch {
      // The queue was faster; the person gives up.
    }
  };

  return {
    human,
    landings,
    died: () => life.dead,
    born(dies) {
      const mine: Life = (life = { effects: 0, dead: false });
      const effect = async (): Promise<void> => {
        if (mine.dead) throw new Died("dead");
        if (history.humans.includes(effects)) await commitByHand();
        effects += 1;
        mine.effects += 1;
        if (mine.effects === dies) {
          mine.dead = true;
          throw new Died("killed");
        }
      };
      const mortal = <T extends object>(thing: T, counted: readonly string[]): T =>
        new Proxy(thing, {
          get(target, key) {
            const value: unknown = Reflect.get(target, key);
            if (typeof value !== "function") return value;
            return async (...args: unknown[]) => {
              if (mine.dead) throw new Died("dead");
              if (counted.includes(String(key))) await effect();
              const result: unknown = await Reflect.apply(value, target, args);
              if (counted.includes(String(key))) await effect();
              return result;
            };
          },
        });
      const watched = (desk: MergeDesk): MergeDesk => ({
        ...desk,
        async land(move) {
          await desk.land(move);
          landings.push(move.to);
        },
      });
      const store = mortal({ ...engine.store }, ["append"]);
      const merges = mortal(engine.store.merges, ["take", "enqueue", "plan", "settle"]);
      const repo = {
        ...engine.repo,
        mergeDesk: async () =>
          mortal(watched(await engine.repo.mergeDesk()), ["fence", "stack", "land", "note", "draft"]),
      };
      // `approvals` is no call.
      const whole: Store = new Proxy(store, {
        get: (target, key) => (key === "merges" ? merges : Reflect.get(target, key)),
      });
      return { ...engine, store: whole, repo };
    },
    async work(task, reworks, notes) {
      let any = false;
      for (;;) {
        const lease = await engine.store.claim({ workerId: "w", taskId: task.task_id, leaseMs: 1_000 });
        if (!lease) return any;
        any = true;
        await workOn(engine, history, lease, reworks, notes);
      }
    },
  };
}

function makeTree(shop: Shop, listing: string): string {
  const options = { cwd: shop.dir, env: plainEnvironment(), input: listing, encoding: "utf8" } as const;
  return execFileSync("git", ["mktree"], options).trim();
}

const SIGNAL = new AbortController().signal;

async function workOn(
  engine: Engine,
  history: History,
  lease: Lease,
  reworks: string[],
  notes: Notes,
): Promise<void> {
  const { subtask } = lease;
  const { tree } = await prepareBranch(engine, lease);
  const first = subtask.supersedes === null;
  const how = first ? "part" : (reworks.shift() ?? "both");
  const part = history.branches[subtask.position];
  if (first && part) await doPart(tree, subtask, part, history, notes);
  else await doRework(tree, subtask, how, lease, notes);
  const made = await tree.commit(`Work of ${subtask.subtask_id}`, SIGNAL);
  const fails = first ? part?.completes === false : how === "fail";
  const error = fails ? { code: "max_turns", message: "Gave up." } : null;
  const outcome = makeOutcome(
    subtask,
    lease.attempt,
    {
      ...NOTHING_RAN,
      outcome: fails ? "failed" : "completed",
      branch: tree.branch,
      commit: made?.commit ?? null,
      summary: "",
      error,
    },
    engine.redact,
  );
  await engine.store.finish(lease, outcome, {}, []);
}

type Tree = Awaited<ReturnType<typeof prepareBranch>>["tree"];

/** A line that nobody else writes. */
const mark = (subtask: Subtask, n: number): string => `${subtask.agent} ${n}`;

async function doPart(
  tree: Tree,
  subtask: Subtask,
  { edits, bad }: History["branches"][number],
  { pair }: History,
  { written }: Notes,
): Promise<void> {
  const put = (path: string, text: string) => tree.write(path, Buffer.from(text));
  const lines: string[] = [];
  written.set(subtask.subtask_id, lines);
  for (const [n, { file, line, how }] of edits.entries()) {
    if (how === "new_file") {
      await put(`${subtask.agent}-${n}.txt`, `${mark(subtask, n)}\n`);
      lines.push(mark(subtask, n));
      continue;
    }
    const path = FILES[file % FILES.length] ?? "";
    const text = (await read(tree, path)).split("\n");
    const at = text.indexOf(`base ${line % LINES}`);
    if (at < 0) continue;
    text.splice(how === "replace" ? at : at + 1, how === "replace" ? 1 : 0, mark(subtask, n));
    lines.push(mark(subtask, n));
    await put(path, text.join("\n"));
  }
  if (bad) await put(`${subtask.agent}-bad.txt`, "bad\n");
  const half = pair?.indexOf(subtask.position) ?? -1;
  if (half >= 0) await put(`${subtask.agent}-half.txt`, `half ${half === 0 ? "one" : "two"}\n`);
}

async function read(tree: Tree, path: string): Promise<string> {
  return Buffer.from(await tree.read(path)).toString("utf8");
}

async function doRework(
  tree: Tree,
  subtask: Subtask,
  how: string,
  { message }: Lease,
  notes: Notes,
): Promise<void> {
  const { rework } = message.metadata;
  const code = JSON.stringify(rework ?? null);
  if (how === "nothing" || how === "fail") return;
  for (const { path } of await tree.list("*.txt")) {
    const text = await read(tree, path);
    if (/verify_failed/.test(code) && how === "both" && /^(?:bad|half)/.test(text)) {
      // Its own part that `verify` refuses.
      if (path.startsWith(`${subtask.agent}-`)) await tree.delete(path);
      notes.removed.add(text.trim());
    }
    if (!/^<{7} /m.test(text)) continue;
    await tree.write(path, Buffer.from(how === "both" ? keepBoth(text) : keepTheirs(text)));
  }
}

function keepBoth(text: string): string {
  return text.replace(/^(?:<{7} .*|={7}|>{7} .*)\n/gm, "");
}

function keepTheirs(text: string): string {
  return text.replace(/^<{7} .*\n[^]*?^={7}\n([^]*?)^>{7} .*\n/gm, "$1");
}

async function violations(
  engine: Engine,
  shop: Shop,
  task: Task,
  { human, landings }: World,
  { removed, written }: Notes,
  history: History,
): Promise<readonly string[]> {
  const { store, repo } = engine;
  const found: string[] = [];
  const must = (holds: boolean, what: string) => void (holds || found.push(what));
  const entries = await store.merges.list({ taskId: task.task_id });
  const byId = new Map(entries.map((entry) => [entry.subtask_id, entry]));
  const subtasks = await store.subtasks(task.task_id);
  const tip = await repo.readRef(`refs/heads/${TARGET}`);
  const reaches = async (commit: string) => tip !== null && repo.isAncestor(commit, tip);

  // Every branch has an end, and every end that is none has a reason.
  for (const outcome of await store.outcomes(task.task_id)) {
    const entry = byId.get(outcome.subtask_id);
    if (outcome.commit === null || outcome.branch === null) continue;
    must(entry !== undefined, `${outcome.subtask_id} committed ${outcome.commit} and is in no queue`);
    const kept = await repo.readRef(`refs/heads/${outcome.branch}`);
    must(kept === outcome.commit, `I2: ${outcome.branch} does not name what was acknowledged`);
  }
  for (const entry of entries) {
    const { subtask_id, state, reason } = entry;
    must(state !== "queued", `${subtask_id} is still queued`);
    must(state === "landed" || reason !== null, `${subtask_id} is ${state} without a reason`);
    if (state === "rework")
      must(
        subtasks.some((each) => each.subtask_id === entry.reworked_by && each.supersedes === subtask_id),
        `${subtask_id} was handed to nobody`,
      );
    if (state !== "landed") continue;
    must(
      entry.landed_commit !== null && (await reaches(entry.landed_commit)),
      `${subtask_id} is not in the target`,
    );
    if (!history.squash)
      must(await reaches(entry.commit), `I4: ${entry.commit} of ${subtask_id} is not in the target`);
  }
  for (const commit of human) must(await reaches(commit), `a person's commit ${commit} was dropped`);

  // What landed is what was verified.
  const events = await allEvents(engine, task.task_id);
  const verified = new Set(
    events.flatMap((event) =>
      event.event === "verify_finished" && event.verification.ok ? [event.verification.tree] : [],
    ),
  );
  for (const commit of landings) {
    const tree = shop.git("rev-parse", `${commit}^{tree}`).trim();
    must(!history.verify || verified.has(tree), `${commit} landed without having been verified`);
  }
  const merged = events.flatMap((event) => (event.event === "merged" ? [event.subtask_id ?? ""] : []));
  must(new Set(merged).size === merged.length, `told twice of landing: ${merged.join(", ")}`);
  must(merged.length === entries.filter(({ state }) => state === "landed").length, "a landing was not told");

  // No side was dropped: what a branch wrote is there, whatever else landed.
  const text = tip === null ? "" : shop.git("grep", "-h", "-e", ".", tip, "--", "*.txt");
  const present = new Set(text.split("\n"));
  for (const entry of entries) {
    if (entry.state !== "landed") continue;
    for (const line of written.get(firstOf(entry, subtasks)) ?? [])
      must(present.has(line) || removed.has(line), `the line "${line}" of ${entry.subtask_id} was dropped`);
  }
  must(!/^(?:<{7}|>{7})/m.test(text), "a marker landed");
  must((await repo.refs("refs/oxbow/queues/")).size === 0, "a fence was left");
  must((await repo.resolve("main")) === task.base_commit, "I3: main was moved");
  return found;
}

/** The first of the subtasks whose place it has taken. */
function firstOf(entry: MergeEntry, subtasks: readonly Subtask[]): string {
  const before = subtasks.find((each) => each.subtask_id === entry.subtask_id)?.supersedes;
  return before ? firstOf({ ...entry, subtask_id: before }, subtasks) : entry.subtask_id;
}
