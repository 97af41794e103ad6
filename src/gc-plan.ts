/**
 * What Oxbow keeps in a repository, thing by thing: whether it is safe to let go of, and why. Nothing is changed here.
 * A commit is safe while something that stays reaches it; a branch goes only where nobody works or will go on with it.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { KnownSubtask, WholeLedger } from "./ledger.ts";
import type { Repository } from "./git/contract.ts";
import type { Ledger, LedgerRef } from "./git/ledger.ts";
import { isLive, keyOf } from "./ledger.ts";
import { isRestored, type SalvageItem } from "./salvage.ts";

export interface Thing {
  readonly kind: "branch" | "ref" | "workspace" | "kept" | "rows" | "log" | "file" | "lock";
  /** The ref, the path, or the task whose rows they are. */
  readonly name: string;
  readonly ticket: string | null;
  readonly safe: boolean;
  readonly reason: string;
  /** ISO 8601, UTC; null when nothing tells. */
  readonly at: string | null;
}

/** Refs of one subtask that go in one transaction, or not at all. */
export interface RefGroup {
  readonly taskId: string | null;
  readonly goes: readonly (Thing & { readonly oid: string })[];
  /** What reaches them has to be where it was. */
  readonly keepers: readonly LedgerRef[];
}

export interface Plan {
  readonly things: readonly Thing[];
  readonly groups: readonly RefGroup[];
}

export interface PlanOptions {
  /** Milliseconds; null: what is merged goes at any age, and what a person may want to look at is kept for 30 days. */
  readonly olderThanMs: number | null;
  readonly ticket: string | null;
  /** Ids, refs or paths of unmerged work that may go. */
  readonly forced: ReadonlySet<string>;
  readonly now: number;
  /** Some process of Oxbow works here. */
  readonly atWork: boolean;
}

export const DAY_MS = 24 * 60 * 60 * 1000;
const KEEP_MS = 30 * DAY_MS;
/** Nothing tells whether work on it goes on. */
const UNKNOWN_MS = DAY_MS;

export interface Facts {
  readonly repo: Repository;
  readonly whole: WholeLedger;
  readonly unmerged: readonly SalvageItem[];
  readonly locks: readonly Thing[];
  /** `<state>/logs` and scratch files: null where several repositories share the state directory. */
  readonly ownState: boolean;
}

export async function makePlan(facts: Facts, options: PlanOptions): Promise<Plan> {
  const groups: RefGroup[] = [];
  const things: Thing[] = [];
  for (const key of subtaskKeys(facts.whole.refs)) {
    const refs = await refThings(facts, options, key);
    things.push(...refs.things);
    if (refs.group.goes.length > 0) groups.push(refs.group);
  }
  things.push(...keptThings(facts, options), ...rowThings(facts, options));
  if (options.ticket === null)
    things.push(...(await workspaceThings(facts)), ...(await fileThings(facts, options)), ...facts.locks);
  const wanted = (thing: Thing) => options.ticket === null || thing.ticket === options.ticket;
  return {
    things: things.filter(wanted),
    groups: groups.filter(({ goes }) => goes.some(wanted)),
  };
}

function subtaskKeys({ attempts, bases, branches }: Ledger): readonly string[] {
  const keys = [...attempts, ...bases].map(({ key }) => key);
  return [...new Set([...keys, ...branches.map(({ name, tip }) => keyOf(tip.subtask) ?? name)])].sort();
}

async function refThings(facts: Facts, options: PlanOptions, key: string) {
  const { repo, whole } = facts;
  const { refs, rows } = whole;
  const known = rows.subtasks.get(key) ?? knownByBranch(whole, key);
  const branches = refs.branches.filter(
    ({ name, tip }) => (keyOf(tip.subtask) ?? name) === key || name === known?.subtask.branch,
  );
  const attempts = refs.attempts.filter((each) => each.key === key);
  const bases = refs.bases.filter((each) => each.key === key);
  const times = [...branches.map(({ tip }) => tip.at), ...attempts.map(({ work }) => work?.at ?? 0)];
  const at = Math.max(0, ...times);
  const taskId =
    known?.task.task_id ?? branches[0]?.tip.task ?? attempts.find((each) => each.work)?.work?.task ?? null;
  const ticket = known?.task.ticket ?? branches[0]?.name.split("/")[1] ?? ticketOf(whole, taskId);
  const wait = groupBlocker(options, known, taskId, at);
  const about = { ticket, at: at === 0 ? null : new Date(at).toISOString() };
  const keepers: LedgerRef[] = [];
  const judged: (Thing & { oid: string })[] = [];
  const judge = (
    kind: "branch" | "ref",
    { ref, oid, commit }: LedgerRef,
    verdict: string | LedgerRef | null,
    safe = "",
  ) => {
    const why = wait ?? (typeof verdict === "string" ? verdict : null);
    const keeper = typeof verdict === "object" ? verdict : null;
    const forced = isForced(options, ref, commit);
    if (why === null && keeper !== null && !forced) keepers.push(keeper);
    const reason = why ?? (forced ? "Unmerged; let go of by --force." : safe);
    judged.push({ ...about, kind, name: ref, oid, safe: why === null, reason });
  };
  let branchStays: string | null = null;
  for (const branch of branches) {
    const keeper = refs.reach.keeper(branch.commit);
    const forced = isForced(options, branch.ref, branch.commit);
    const where = await repo.checkedOutAt(branch.ref);
    const commits = refs.reach.unmerged(branch.commit).length;
    const unmerged = `${count(commits, "commit")} of it ${commits === 1 ? "is" : "are"} merged nowhere: oxbow salvage`;
    const verdict =
      where !== null ? `It is checked out in ${where}.` : (keeper ?? (forced ? null : unmerged));
    judge("branch", branch, verdict, `Merged: ${shown(keeper)} reaches it.`);
    if (judged.at(-1)?.safe === false) branchStays = branch.name;
  }
  for (const attempt of attempts) {
    const keeper = refs.reach.keeper(attempt.commit);
    const forced = isForced(options, attempt.ref, attempt.commit);
    const unmerged = `What it saved is merged nowhere: oxbow salvage`;
    const verdict =
      keeper === null && !forced && attempt.work !== null
        ? unmerged
        : branchStays !== null
          ? `It stays as long as ${branchStays}, which it fences.`
          : keeper;
    const safe =
      attempt.work === null ? "It saved nothing." : `Merged: ${shown(keeper)} reaches what it saved.`;
    judge("ref", attempt, verdict, safe);
  }
  for (const base of bases) {
    const held = [base.commit, ...base.parents].map((commit) => refs.reach.keeper(commit));
    const [own, ...parents] = held;
    const keeper = own ?? (parents.length > 0 && parents.every((each) => each !== null) ? parents[0] : null);
    const verdict =
      branchStays !== null
        ? `It says where ${branchStays} started.`
        : (keeper ?? "What it names is reached by nothing else.");
    judge("ref", base, verdict, `Its branch is gone, and ${shown(keeper ?? null)} reaches what it names.`);
  }
  const goes = judged.filter(({ safe }) => safe);
  const things = judged.map(({ oid: _, ...thing }): Thing => thing);
  return {
    things,
    group: { taskId, goes, keepers: [...new Map(keepers.map((each) => [each.ref, each])).values()] },
  };
}

/** Why nothing of a subtask may go, or null. */
function groupBlocker(
  options: PlanOptions,
  known: KnownSubtask | null,
  taskId: string | null,
  at: number,
): string | null {
  const { olderThanMs, now } = options;
  if (known === null) {
    const limit = Math.max(olderThanMs ?? KEEP_MS, UNKNOWN_MS);
    return now - at >= limit
      ? null
      : `No row tells whether ${taskId ?? "its task"} is finished: kept for ${days(limit)}.`;
  }
  const { task, outcome } = known;
  if (isLive(task)) return `The task ${task.task_id} is ${task.state}.`;
  if (task.state === "needs_review") return `The task ${task.task_id} waits for a person.`;
  const limit = olderThanMs ?? (outcome?.outcome === "completed" ? 0 : KEEP_MS);
  if (now - at >= limit) return null;
  const why =
    outcome?.outcome === "completed"
      ? ""
      : ` It ${outcome?.outcome ?? "has no outcome"}, and somebody may look into it.`;
  return `It is younger than ${days(limit)}.${why}`;
}

function knownByBranch({ rows }: WholeLedger, name: string): KnownSubtask | null {
  for (const known of rows.subtasks.values()) if (known.subtask.branch === name) return known;
  return null;
}

function ticketOf({ rows, refs }: WholeLedger, taskId: string | null): string | null {
  if (taskId === null) return null;
  const row = rows.tasks.find((task) => task.task_id === taskId);
  return row?.ticket ?? refs.branches.find(({ tip }) => tip.task === taskId)?.name.split("/")[1] ?? null;
}

const ID_CHARS = 10;

function isForced({ forced }: PlanOptions, ref: string, commit: string): boolean {
  return (
    forced.has(ref) ||
    forced.has(commit) ||
    forced.has(commit.slice(0, ID_CHARS)) ||
    forced.has(ref.replace(/^refs\/heads\//, ""))
  );
}

function keptThings({ whole, unmerged }: Facts, options: PlanOptions): Thing[] {
  return whole.kept.map((folder) => {
    const item = unmerged.find(({ where }) => where === folder.path);
    const forced = options.forced.has(folder.path) || (item !== undefined && options.forced.has(item.id));
    const young = options.now - folder.at < (options.olderThanMs ?? 0);
    const restored = isRestored(whole, folder);
    const safe = forced || (restored && !young);
    const reason = forced
      ? "Unmerged; let go of by --force."
      : !restored
        ? "Its files are in no commit: oxbow salvage restore"
        : young
          ? `It is younger than ${days(options.olderThanMs ?? 0)}.`
          : "All of it is in a commit that stays.";
    return {
      kind: "kept",
      name: folder.path,
      ticket: item?.ticket ?? null,
      safe,
      reason,
      at: iso(folder.at),
    };
  });
}

function rowThings({ whole, unmerged }: Facts, options: PlanOptions): Thing[] {
  const limit = options.olderThanMs ?? KEEP_MS;
  return whole.rows.tasks.map((task) => {
    const { task_id, state, updated_at, ticket } = task;
    const left = unmerged.filter((item) => item.task_id === task_id && !options.forced.has(item.id)).length;
    const why = isLive(task)
      ? `The task is ${state}.`
      : state === "needs_review"
        ? "The task waits for a person."
        : left > 0
          ? `They say why ${count(left, "piece")} of work ${left === 1 ? "is" : "are"} not merged.`
          : options.now - updated_at < limit
            ? `Rows are kept for ${days(limit)} after the end, for status and reports.`
            : null;
    const safe = why === null;
    return {
      kind: "rows",
      name: task_id,
      ticket,
      safe,
      reason: why ?? `The task ${state}, and nothing of it is unmerged.`,
      at: iso(updated_at),
    };
  });
}

async function workspaceThings({ repo }: Facts): Promise<Thing[]> {
  return (await repo.workspaces()).map(({ path, at, inUse }) => ({
    kind: "workspace",
    name: path,
    ticket: null,
    safe: !inUse,
    reason: inUse
      ? "Its process is alive."
      : "Its process is dead. What it holds is saved on its attempt's ref first.",
    at: iso(at),
  }));
}

/** Scratch files are used for moments. */
const SCRATCH_MS = 60 * 60 * 1000;

async function fileThings({ repo, ownState }: Facts, options: PlanOptions): Promise<Thing[]> {
  const limit = options.olderThanMs ?? KEEP_MS;
  const things: Thing[] = [];
  for (const { name, at } of await filesIn(join(repo.stateDir, "logs"))) {
    const why = !ownState
      ? "Other repositories may write to it."
      : options.atWork
        ? "A process of Oxbow is at work and may write to it."
        : options.now - at < limit
          ? `Logs are kept for ${days(limit)}.`
          : null;
    things.push({
      kind: "log",
      name,
      ticket: null,
      safe: why === null,
      reason: why ?? "Nobody writes to it.",
      at: iso(at),
    });
  }
  for (const { name, at } of await filesIn(join(repo.stateDir, "tmp"))) {
    const safe = options.now - at >= SCRATCH_MS;
    things.push({
      kind: "file",
      name,
      ticket: null,
      safe,
      reason: safe ? "A scratch file that nobody uses any more." : "It may be in use.",
      at: iso(at),
    });
  }
  return things;
}

async function filesIn(dir: string): Promise<readonly { name: string; at: number }[]> {
  const found: { name: string; at: number }[] = [];
  for (const name of (await readdir(dir).catch(none)).sort()) {
    const stats = await stat(join(dir, name)).catch(nothing);
    if (stats !== null) found.push({ name: join(dir, name), at: Math.round(stats.mtimeMs) });
  }
  return found;
}

function none(error: unknown): string[] {
  nothing(error);
  return [];
}

function nothing(error: unknown): null {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
  throw error;
}

function shown(keeper: LedgerRef | null): string {
  return keeper === null ? "nothing" : keeper.ref.replace(/^refs\/(?:heads|remotes|tags)\//, "");
}

function iso(at: number): string {
  return new Date(at).toISOString();
}

function days(ms: number): string {
  return count(Math.ceil(ms / DAY_MS), "day");
}

function count(n: number, one: string): string {
  return `${n} ${one}${n === 1 ? "" : "s"}`;
}
