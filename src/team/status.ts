/** What a repository's tasks are doing: from rows and refs. */
import type { Repository } from "../git/contract.ts";
import type { Store } from "../store/contract.ts";
import type { OxbowEvent } from "../core/events.ts";
import type { MergeEntry } from "../core/merging.ts";
import type { Outcome, Subtask, Task } from "../core/model.ts";
import { isLive } from "../core/model.ts";
import { integrationBranch } from "../core/branch-name.ts";
import { OxbowError } from "../core/errors.ts";
import { workerIsDead } from "../host/worker.ts";

export interface TaskStatus {
  readonly task: Task;
  readonly subtasks: readonly (Subtask & {
    readonly outcome: Outcome | null;
    readonly tip: string | null;
    /** The process that works on it now. */
    readonly worker: string | null;
  })[];
  readonly integration: { readonly branch: string; readonly commit: string } | null;
  /** Processes that work on it now. */
  readonly workers: readonly string[];
  /** The process that carries it to its end: that of its run, as a rule. */
  readonly driver: string | null;
  /** Its finished branches in the merge queue. */
  readonly merges: readonly MergeEntry[];
  /** Parts that may write the same files (no branches), and branches at work whose commits would conflict; the last ones. */
  readonly overlaps: readonly Overlap[];
}

export type Overlap = Pick<Extract<OxbowEvent, { event: "overlap_found" }>, "agents" | "branches" | "paths">;

const SHOWN = 20;

/** One task (by id or ticket, all of a ticket's) or the newest. Throws task_unknown. */
export async function taskStatus(
  repo: Repository,
  store: Store,
  wanted: string | undefined,
): Promise<TaskStatus[]> {
  const tasks = wanted === undefined ? await store.tasks({ limit: SHOWN }) : await find(store, wanted);
  if (tasks.length === 0) return [];
  const [heads, live, held] = await Promise.all([
    repo.refs("refs/heads/"),
    store.liveTasks(),
    store.holders(),
  ]);
  const holders = held.filter((each) => !workerIsDead(each.worker_id));
  const alive = (worker: string | null) => (worker !== null && workerIsDead(worker) ? null : worker);
  return Promise.all(
    tasks.map(async (task) => {
      const outcomes = new Map((await store.outcomes(task.task_id)).map((each) => [each.subtask_id, each]));
      const subtasks = await store.subtasks(task.task_id);
      const branch = integrationBranch(task.ticket);
      const commit = heads.get(`refs/heads/${branch}`);
      return {
        task,
        integration: commit === undefined ? null : { branch, commit },
        workers: [
          ...new Set(holders.flatMap((each) => (each.task_id === task.task_id ? [each.worker_id] : []))),
        ].sort(),
        merges: await store.merges.list({ taskId: task.task_id }),
        // Of many tasks only those that go on: it means reading their events.
        overlaps: wanted !== undefined || isLive(task) ? await overlapsOf(store, task.task_id) : [],
        driver: alive(live.find((each) => each.task.task_id === task.task_id)?.driver ?? null),
        subtasks: subtasks.map((subtask) => ({
          ...subtask,
          outcome: outcomes.get(subtask.subtask_id) ?? null,
          worker: holders.find((each) => each.subtask_id === subtask.subtask_id)?.worker_id ?? null,
          tip: subtask.branch === null ? null : (heads.get(`refs/heads/${subtask.branch}`) ?? null),
        })),
      };
    }),
  );
}

const MOST_OVERLAPS = 20;
const PAGE = 1_000;

async function overlapsOf(store: Store, taskId: string): Promise<readonly Overlap[]> {
  let last: Overlap[] = [];
  for (let after: string | null = null; ; ) {
    const page = await store.events(taskId, after, PAGE, ["overlap_found"]);
    for (const event of page) {
      if (event.event !== "overlap_found") continue;
      const { agents, branches, paths } = event;
      last = [...last, { agents, branches, paths }].slice(-MOST_OVERLAPS);
    }
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE || after === null) return last;
  }
}

async function find(store: Store, wanted: string): Promise<readonly Task[]> {
  const byId = await store.task(wanted);
  if (byId) return [byId];
  const byTicket = await store.tasksByTicket(wanted);
  if (byTicket.length === 0)
    throw new OxbowError("task_unknown", `No task or ticket here is called ${wanted}.`);
  return byTicket;
}
