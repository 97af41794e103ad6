/**
 * What Oxbow keeps in a repository, thing by thing: whether it is safe to let go of, and why. Nothing is changed here.
 * A commit is safe while something that stays reaches it; a branch goes only where nobody works or will go on with it.
 */
import { isLive } from "./core/model.ts";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { LedgerRef } from "./git/ledger.ts";
import { bySubtask, judgeRefs } from "./gc-refs.ts";
import { counted } from "./core/amounts.ts";
import { days, type Facts, KEEP_MS, type PlanOptions, type Thing } from "./gc-thing.ts";
import { isRestored } from "./salvage.ts";

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

export async function makePlan(facts: Facts, options: PlanOptions): Promise<Plan> {
  const groups: RefGroup[] = [];
  const things: Thing[] = [];
  for (const part of bySubtask(facts.whole)) {
    const { judged, keepers } = await judgeRefs(facts, options, part);
    things.push(...judged.map(({ oid: _, ...thing }): Thing => thing));
    const goes = judged.filter(({ safe }) => safe);
    if (goes.length > 0) groups.push({ taskId: part.taskId, goes, keepers });
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
          ? `They say why ${counted(left, "piece")} of work ${left === 1 ? "is" : "are"} not merged.`
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
  return (await repo.workspaces()).map(({ path, at, inUse, idle }) => ({
    kind: "workspace",
    name: path,
    ticket: null,
    safe: !inUse,
    reason: inUse
      ? "Its process is alive."
      : idle
        ? "A prepared clone that nobody uses now; the next run makes a new one."
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

function iso(at: number): string {
  return new Date(at).toISOString();
}
