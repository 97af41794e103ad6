/** `oxbow status`: tasks by their rows with what the refs say beside them, and tasks of which only the refs know. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AppOptions } from "./app.ts";
import type { Repository } from "./git/contract.ts";
import type { Ledger } from "./git/ledger.ts";
import type { Store, WorkerPresence } from "./store/contract.ts";
import type { TaskStatus } from "./team/status.ts";
import { integrationBranch, refComponent } from "./core/branch-name.ts";
import { type ErrorValue, hasCode, OxbowError } from "./core/errors.ts";
import { readLedger } from "./git/ledger.ts";
import { workerIsDead } from "./host/worker.ts";
import { keyOf, openLedger } from "./ledger.ts";
import { liveWorkers } from "./team/fleet.ts";
import { taskStatus } from "./team/status.ts";

/** What refs say of one subtask. */
export interface SubtaskRefs {
  /** Commits of its branch that nothing reaches which stays: no integration branch, no person's branch, tag or remote. */
  readonly unmerged: number;
  /** Work that attempts saved and that is neither on the branch nor merged. */
  readonly saved: readonly { readonly attempt: number; readonly commit: string; readonly ref: string }[];
}

export type RowStatus = Omit<TaskStatus, "subtasks"> & {
  readonly source: "rows";
  readonly subtasks: readonly (TaskStatus["subtasks"][number] & SubtaskRefs)[];
};

/** A task whose rows are gone: what its commits and branches say. */
export interface RefStatus {
  readonly source: "refs";
  readonly task: {
    readonly task_id: string;
    readonly ticket: string | null;
    readonly state: "unknown";
    /** Unix milliseconds of its oldest and newest commit here. */
    readonly created_at: number;
    readonly updated_at: number;
  };
  readonly subtasks: readonly (SubtaskRefs & {
    readonly subtask_id: string;
    readonly agent: string | null;
    readonly branch: string | null;
    readonly tip: string | null;
    readonly attempts: number;
  })[];
  readonly integration: { readonly branch: string; readonly commit: string } | null;
}

export interface WholeStatus {
  readonly tasks: readonly (RowStatus | RefStatus)[];
  readonly workers: readonly WorkerPresence[];
  /** Why the rows could not be read, or null. */
  readonly problem: ErrorValue | null;
}

/** One task (by id or ticket) or the newest. Throws task_unknown. */
export async function readStatus(
  options: Pick<AppOptions, "repo" | "env">,
  wanted: string | undefined,
): Promise<WholeStatus> {
  await using rooms = await openLedger(options);
  const { repo, store, problem } = rooms;
  const [rows, workers, ledger] = await Promise.all([
    store === null ? [] : byRows(repo, store, wanted),
    store === null ? [] : liveWorkers({ store, workerIsDead }),
    mayHaveRefs(repo) ? readLedger(repo) : null,
  ]);
  const withRefs = rows.map(
    ({ subtasks, ...status }): RowStatus => ({
      ...status,
      source: "rows",
      subtasks: subtasks.map((each) => ({ ...each, ...refsOf(ledger, refComponent(each.subtask_id)) })),
    }),
  );
  const known = async (taskId: string) => store !== null && (await store.task(taskId)) !== null;
  const others = ledger === null ? [] : await byRefs(repo, ledger, wanted, known);
  if (wanted !== undefined && withRefs.length + others.length === 0)
    throw new OxbowError("task_unknown", `No task or ticket here is called ${wanted}.`);
  return { tasks: [...withRefs, ...others], workers, problem };
}

async function byRows(
  repo: Repository,
  store: Store,
  wanted: string | undefined,
): Promise<readonly TaskStatus[]> {
  try {
    return await taskStatus(repo, store, wanted);
  } catch (error) {
    // The refs may know it.
    if (hasCode(error, "task_unknown")) return [];
    throw error;
  }
}

/** Without a process, for the repository in which nothing has been done. */
function mayHaveRefs({ commonDir }: Repository): boolean {
  if (existsSync(join(commonDir, "refs", "oxbow")) || existsSync(join(commonDir, "reftable"))) return true;
  const packed = join(commonDir, "packed-refs");
  return existsSync(packed) && readFileSync(packed, "latin1").includes(" refs/oxbow/");
}

function refsOf(ledger: Ledger | null, key: string): SubtaskRefs {
  if (ledger === null) return { unmerged: 0, saved: [] };
  const { branches, attempts, reach } = ledger;
  const tips = branches.filter(({ tip }) => keyOf(tip.subtask) === key);
  const onBranch = new Set(tips.flatMap(({ commit }) => reach.unmerged(commit)));
  const saved = attempts.filter(
    ({ key: of, work, commit }) =>
      of === key && work !== null && !onBranch.has(commit) && reach.unmerged(commit).length > 0,
  );
  return {
    unmerged: onBranch.size,
    saved: saved.map(({ attempt, commit, ref }) => ({ attempt, commit, ref })),
  };
}

async function byRefs(
  repo: Repository,
  ledger: Ledger,
  wanted: string | undefined,
  isKnown: (taskId: string) => Promise<boolean>,
): Promise<readonly RefStatus[]> {
  const work = [
    ...ledger.attempts.flatMap((each) => (each.work === null ? [] : [each.work])),
    ...ledger.branches.map(({ tip }) => tip),
  ];
  const byTask = Map.groupBy(work, ({ task }) => task);
  const found: RefStatus[] = [];
  for (const [taskId, commits] of byTask) {
    if (taskId === null || (await isKnown(taskId))) continue;
    const branches = ledger.branches.filter(({ tip }) => tip.task === taskId);
    const ticket = branches[0]?.name.split("/")[1] ?? null;
    if (wanted !== undefined && wanted !== taskId && wanted !== ticket) continue;
    const integration = await integrationOf(repo, ticket);
    const times = commits.map(({ at }) => at);
    const task = {
      task_id: taskId,
      ticket,
      state: "unknown",
      created_at: Math.min(...times),
      updated_at: Math.max(...times),
    } as const;
    const names = [...new Set(commits.flatMap(({ subtask }) => subtask ?? []))].sort();
    const subtasks = names.map((subtask_id) => {
      const key = keyOf(subtask_id) ?? "";
      const branch = branches.find(({ tip }) => tip.subtask === subtask_id);
      const own = ledger.attempts.filter((each) => each.key === key);
      return {
        subtask_id,
        agent: commits.find(({ subtask }) => subtask === subtask_id)?.agent ?? null,
        branch: branch?.name ?? null,
        tip: branch?.commit ?? null,
        attempts: Math.max(0, ...own.map(({ attempt }) => attempt)),
        ...refsOf(ledger, key),
      };
    });
    found.push({ source: "refs", task, subtasks, integration });
  }
  return found.sort((a, b) => b.task.created_at - a.task.created_at);
}

async function integrationOf(repo: Repository, ticket: string | null): Promise<RefStatus["integration"]> {
  if (ticket === null) return null;
  const branch = integrationBranch(ticket);
  const commit = await repo.readRef(`refs/heads/${branch}`);
  return commit === null ? null : { branch, commit };
}
