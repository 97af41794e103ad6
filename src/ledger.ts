/** Refs and rows together: what `salvage`, `gc` and `status` go by. The refs alone will do; rows say why. */
import { resolve } from "node:path";
import type { AppOptions } from "./app.ts";
import type { Outcome, Subtask, Task } from "./core/model.ts";
import type { KeptFolder, Repository } from "./git/contract.ts";
import type { KnownBranches, Ledger } from "./git/ledger.ts";
import type { Store } from "./store/contract.ts";
import { readSettings } from "./app.ts";
import { openRooms } from "./rooms.ts";
import { BASE_REFS, refComponent } from "./core/branch-name.ts";
import { type ErrorValue, hasCode, toErrorValue } from "./core/errors.ts";
import { environment } from "./host/env.ts";
import { readLedger } from "./git/ledger.ts";
import { openRepository } from "./git/repository.ts";

export interface LedgerRooms extends AsyncDisposable {
  readonly repo: Repository;
  /** Null: it cannot be opened, and `problem` says why. */
  readonly store: Store | null;
  readonly problem: ErrorValue | null;
}

/** What the rows know of one subtask. */
export interface KnownSubtask {
  readonly task: Task;
  readonly subtask: Subtask;
  readonly outcome: Outcome | null;
}

export interface Rows {
  readonly tasks: readonly Task[];
  /** By the name that refs give the subtask. */
  readonly subtasks: ReadonlyMap<string, KnownSubtask>;
}

export interface WholeLedger {
  readonly refs: Ledger;
  readonly rows: Rows;
  readonly kept: readonly KeptFolder[];
}

const ALL = 1_000_000;

/** Opens what is there: a database that cannot be read does not keep the refs from being read. */
export async function openLedger(
  options: Pick<AppOptions, "repo" | "env" | "team" | "mirror">,
): Promise<LedgerRooms> {
  const settings = readSettings(options.env);
  try {
    const { repo, store } = await openRooms(options, settings, options.env ?? environment());
    return { repo, store, problem: null, [Symbol.asyncDispose]: () => close(repo, store) };
  } catch (error) {
    if (!hasCode(error, "store_failed")) throw error;
    const repo = await openRepository({ path: resolve(options.repo ?? "."), stateDir: settings.oxbowHome });
    const problem = toErrorValue(error);
    return { repo, store: null, problem, [Symbol.asyncDispose]: () => close(repo, null) };
  }
}

async function close(repo: Repository, store: Store | null): Promise<void> {
  await store?.[Symbol.asyncDispose]();
  await repo[Symbol.asyncDispose]();
}

export async function readWhole(repo: Repository, store: Store | null): Promise<WholeLedger> {
  // Rows first: a branch that comes into being meanwhile is then nobody's, and is left alone.
  const rows = store === null ? { tasks: [], subtasks: new Map() } : await readRows(store);
  const kept = await repo.kept.list();
  const also = kept.flatMap(({ restored }) => restored ?? []);
  const refs = await readLedger(repo, { known: await knownBranches(repo, rows), also });
  return { refs, rows, kept };
}

async function readRows(store: Store): Promise<Rows> {
  const tasks = await store.tasks({ limit: ALL });
  const subtasks = new Map<string, KnownSubtask>();
  for (const task of tasks) {
    const outcomes = new Map((await store.outcomes(task.task_id)).map((each) => [each.subtask_id, each]));
    for (const subtask of await store.subtasks(task.task_id))
      subtasks.set(refComponent(subtask.subtask_id), {
        task,
        subtask,
        outcome: outcomes.get(subtask.subtask_id) ?? null,
      });
  }
  return { tasks, subtasks };
}

/** A branch with nothing of its agent on it is the agent's while it is where it was made. */
async function knownBranches(repo: Repository, { subtasks }: Rows): Promise<KnownBranches> {
  const bases = await repo.refs(BASE_REFS);
  const known = new Map<string, readonly string[]>();
  for (const [key, { task, subtask }] of subtasks) {
    if (subtask.branch === null) continue;
    const base = bases.get(BASE_REFS + key) ?? task.base_commit;
    // A name may be taken again once its first branch is gone.
    known.set(subtask.branch, [...(known.get(subtask.branch) ?? []), base]);
  }
  return known;
}

/** The subtask a commit says it is of, as refs name it. */
export function keyOf(subtask: string | null): string | null {
  if (subtask === null) return null;
  try {
    return refComponent(subtask);
  } catch (error) {
    if (hasCode(error, "branch_name_rejected")) return null;
    throw error;
  }
}
