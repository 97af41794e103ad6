/**
 * `oxbow salvage`: the work that agents made and that nothing which stays reaches, why it is not merged, and branches made
 * of it. From refs alone; rows add the reasons.
 */
import type { AppOptions } from "./app.ts";
import type { KnownSubtask, WholeLedger } from "./ledger.ts";
import type { AgentCommit } from "./git/ledger.ts";
import type { KeptFolder, KeptWork, Repository } from "./git/contract.ts";
import type { Store } from "./store/contract.ts";
import { shown } from "./app.ts";
import { hasCode, OxbowError } from "./core/errors.ts";
import { diffStat, isBranchName } from "./git/ledger-show.ts";
import { keyOf, openLedger, readWhole } from "./ledger.ts";
import { type Asked, createReasons, type Reason } from "./salvage-reason.ts";

export interface SalvageItem {
  /** What `restore` and `show` take: the beginning of the commit, or the folder's last name. */
  readonly id: string;
  readonly kind: "attempt" | "branch" | "kept";
  /** The ref that holds it, or the folder. */
  readonly where: string;
  readonly commit: string | null;
  /** What it is to be compared with. */
  readonly base: string | null;
  readonly agent: string | null;
  readonly task_id: string | null;
  readonly ticket: string | null;
  readonly subtask_id: string | null;
  readonly attempt: number | null;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly subject: string;
  readonly commits: number;
  readonly files: number;
  readonly reason: Reason;
}

export interface Restored {
  readonly branch: string;
  readonly commit: string;
  /** False: it was there already, at this very commit. */
  readonly created: boolean;
  /** Files of a kept folder that no branch can hold. */
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
}

export interface Salvage extends AsyncDisposable {
  list(): Promise<readonly SalvageItem[]>;
  /** Throws salvage_unknown. */
  show(id: string): Promise<SalvageItem & { readonly stat: string; readonly command: string }>;
  /** Throws salvage_unknown, branch_conflict (another commit is there), branch_name_rejected, file_not_found. */
  restore(id: string, options: { branch?: string }): Promise<Restored>;
  /** Why the rows cannot be read, or null. */
  readonly problem: string | null;
}

export async function openSalvage(options: Pick<AppOptions, "repo" | "env">): Promise<Salvage> {
  const rooms = await openLedger(options);
  const { repo, store } = rooms;
  const all = async () => unmergedWork(repo, store, await readWhole(repo, store));
  return {
    list: async () => shown(await all()),
    problem: rooms.problem?.message ?? null,
    async show(id) {
      const item = find(await all(), id);
      if (item.commit === null) return shown({ ...item, stat: "", command: `ls -lA ${item.where}` });
      const range =
        item.base === null ? item.commit : `${item.base.slice(0, 12)}..${item.commit.slice(0, 12)}`;
      const command = item.base === null ? `git show ${range}` : `git diff ${range}`;
      return shown({ ...item, stat: await diffStat(repo, item.base, item.commit), command });
    },
    async restore(id, { branch }) {
      const item = find(await all(), id);
      const work = await workOf(repo, item);
      const name = branch ?? `salvage/${item.id}`;
      if (!(await isBranchName(repo, name)))
        throw new OxbowError(
          "branch_name_rejected",
          `Git does not take ${JSON.stringify(name)} as a branch.`,
        );
      const created = await makeBranch(repo, name, work.commit);
      if (item.kind === "kept" && work.refused.length === 0)
        await repo.kept.restored(item.where, work.commit);
      return { branch: name, commit: work.commit, created, refused: work.refused };
    },
    [Symbol.asyncDispose]: () => rooms[Symbol.asyncDispose](),
  };
}

async function workOf(
  repo: Repository,
  item: SalvageItem,
): Promise<{ commit: string; refused: KeptWork["refused"] }> {
  if (item.commit !== null) return { commit: item.commit, refused: [] };
  const { commit, refused } = await repo.kept.commit(item.where);
  if (commit !== null) return { commit, refused };
  throw new OxbowError("file_not_found", `No branch can hold anything of ${item.where}.`, {
    hint: "Take the files from there by hand.",
    details: { refused },
  });
}

/** Never moves one that is there. */
async function makeBranch(repo: Repository, name: string, commit: string): Promise<boolean> {
  const ref = `refs/heads/${name}`;
  try {
    await repo.updateRefs([{ ref, old: null, new: commit }]);
    return true;
  } catch (error) {
    if (!hasCode(error, "branch_moved")) throw error;
    if ((await repo.readRef(ref)) === commit) return false;
    throw new OxbowError("branch_conflict", `The branch ${name} is there, at another commit.`, {
      hint: "Name another with --branch.",
      details: { branch: name },
      cause: error,
    });
  }
}

const LEAST_PREFIX = 4;

/** By its id, a longer or shorter beginning of its commit, or the ref or folder itself. */
function find(items: readonly SalvageItem[], id: string): SalvageItem {
  const named = (item: SalvageItem) =>
    item.where === id || item.where === `refs/heads/${id}` || item.id === id || item.commit === id;
  const begins = (item: SalvageItem) =>
    id.length >= LEAST_PREFIX && (item.commit?.startsWith(id) === true || item.id.startsWith(id));
  const exact = items.filter(named);
  const found = exact.length > 0 ? exact : items.filter(begins);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const what =
    found.length > 1 ? `More than one thing is called ${id}` : `There is nothing to salvage called ${id}`;
  throw new OxbowError("salvage_unknown", `${what}.`);
}

/** Newest first. */
export async function unmergedWork(
  repo: Repository,
  store: Store | null,
  whole: WholeLedger,
): Promise<readonly SalvageItem[]> {
  const { refs, kept } = whole;
  const onBranches = new Set(refs.branches.flatMap(({ commit }) => refs.reach.unmerged(commit)));
  const items = new Map<string, SalvageItem>();
  const given: Given = { repo, whole, reasonOf: createReasons(store, whole) };
  for (const { ref, commit, tip } of refs.branches) {
    const commits = refs.reach.unmerged(commit).length;
    if (commits === 0) continue;
    const base = refs.reach.start(commit);
    items.set(commit, await fromCommit(given, { kind: "branch", ref, work: tip, base, commits }));
  }
  for (const { ref, commit, work, attempt, key } of refs.attempts) {
    if (work === null || items.has(commit) || onBranches.has(commit)) continue;
    const commits = refs.reach.unmerged(commit).filter((each) => !onBranches.has(each)).length;
    if (commits === 0) continue;
    const [parent] = work.parents;
    // Work in progress is one commit on top of its branch.
    const base = parent !== undefined && onBranches.has(parent) ? parent : refs.reach.start(commit);
    items.set(commit, await fromCommit(given, { kind: "attempt", ref, work, base, commits, attempt, key }));
  }
  for (const folder of kept)
    if (!isRestored(whole, folder)) items.set(folder.path, await fromFolder(given, folder));
  return [...items.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : a.id < b.id ? -1 : 1));
}

export function isRestored({ refs }: WholeLedger, { restored }: KeptFolder): boolean {
  return restored !== null && refs.reach.keeper(restored) !== null;
}

interface Given {
  readonly repo: Repository;
  readonly whole: WholeLedger;
  readonly reasonOf: (about: Asked) => Promise<Reason>;
}

interface Found {
  readonly kind: "attempt" | "branch";
  readonly ref: string;
  readonly work: AgentCommit;
  readonly base: string | null;
  readonly commits: number;
  readonly attempt?: number;
  readonly key?: string;
}

const ID_CHARS = 10;

async function fromCommit(
  { repo, whole, reasonOf }: Given,
  { kind, ref, work, base, commits, attempt, key }: Found,
): Promise<SalvageItem> {
  const known = knownOf(whole, key ?? keyOf(work.subtask));
  const files =
    base === null ? await repo.listFiles(work.commit) : await repo.changedPaths(base, work.commit);
  return {
    id: work.commit.slice(0, ID_CHARS),
    kind,
    where: ref,
    commit: work.commit,
    base,
    agent: work.agent,
    task_id: work.task,
    ticket: known?.task.ticket ?? ticketIn(ref),
    subtask_id: work.subtask,
    attempt: attempt ?? work.attempt,
    at: new Date(work.at).toISOString(),
    subject: work.subject,
    commits,
    files: files.length,
    reason: await reasonOf({
      known,
      attempt: attempt ?? null,
      key: key ?? keyOf(work.subtask),
    }),
  };
}

async function fromFolder(
  { whole, reasonOf }: Given,
  { name, path, at, files, owner }: KeptFolder,
): Promise<SalvageItem> {
  const key = keyOf(owner?.subtaskId ?? null);
  const known = knownOf(whole, key);
  const reason = await reasonOf({ known, attempt: owner?.attempt ?? null, key });
  return {
    id: name.split(".").at(-1) ?? name,
    kind: "kept",
    where: path,
    commit: null,
    base: owner?.from ?? null,
    agent: owner?.agent ?? null,
    task_id: owner?.taskId ?? null,
    ticket: known?.task.ticket ?? (owner && ticketIn(`refs/heads/${owner.branch}`)),
    subtask_id: owner?.subtaskId ?? null,
    attempt: owner?.attempt ?? null,
    at: new Date(at).toISOString(),
    subject: "Files that no branch could hold, and all others of that run",
    commits: 0,
    files,
    reason: reason.code === "unknown" ? { code: "kept", message: "No branch could hold all of it." } : reason,
  };
}

function knownOf({ rows }: WholeLedger, key: string | null): KnownSubtask | null {
  return key === null ? null : (rows.subtasks.get(key) ?? null);
}

function ticketIn(ref: string): string | null {
  return /^refs\/heads\/feature\/([^/]+)\//.exec(ref)?.[1] ?? null;
}
