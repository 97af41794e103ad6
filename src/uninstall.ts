/**
 * `oxbow uninstall`: what of Oxbow is in a repository, and its removal. Branches are the user's and stay; so does what the
 * user placed elsewhere (OXBOW_STORE_URL, OXBOW_LOG_FILE) and whatever in a state directory is not Oxbow's.
 */
import { lstat, readdir, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { AppOptions } from "./app.ts";
import type { Repository } from "./git/contract.ts";
import type { OnlyHere } from "./git/only-here.ts";
import { readSettings } from "./app.ts";
import { openRooms, type Rooms } from "./rooms.ts";
import { hasCode, OxbowError } from "./core/errors.ts";
import { withoutPassword } from "./core/settings.ts";
import { onlyInOxbowRefs } from "./git/only-here.ts";
import { workerIsDead } from "./host/worker.ts";
import { onlyInMirrors } from "./uninstall-mirrors.ts";
import { shownStore, STORE_ID, storeUrl } from "./store-url.ts";

export interface UninstallPlan {
  readonly repository: string;
  readonly state: {
    readonly dir: string;
    /** Bytes of what goes. */
    readonly bytes: number;
    /** Entries of `dir` that go, and those that stay because they are not Oxbow's, or another repository's too. */
    readonly goes: readonly string[];
    readonly stays: readonly string[];
  };
  /** How many refs below refs/oxbow/ go. */
  readonly refs: number;
  /** Work that would be lost: commits on no branch, commits of mirrors that no remote has, and folders of files that no branch could hold. */
  readonly unmerged: readonly OnlyHere[];
  readonly kept: readonly string[];
  /** Tasks that are not finished; nobody works on them now. */
  readonly unfinished: readonly string[];
  /** Branches of agents and integration branches; they stay. */
  readonly branches: number;
  /** What OXBOW_STORE_URL and REDIS_URL name, without passwords; it stays, for other repositories may use it too. */
  readonly elsewhere: readonly string[];
}

export interface Uninstall extends AsyncDisposable {
  readonly plan: UninstallPlan;
  /** Removes it. Throws unmerged_work (without `force`), task_active (somebody has begun to work). */
  remove(options: { force: boolean }): Promise<void>;
}

/** What workers of a fleet that were started in this clone keep; elsewhere than in a clone it stays. */
const MIRRORS = "mirrors";
/** What `oxbow init` and every run put below a state directory. */
const OURS = /^(?:git|git-sha256|logs|tmp|workspaces|kept|plugins)$/;
const DATABASE = /^oxbow(?:-[0-9a-f]{12})?\.db(?:-wal|-shm|-journal)?$/;

/** Looks, and clears up after dead processes as every run does. Throws task_active while somebody works here. */
export async function openUninstall(options: Pick<AppOptions, "repo" | "env">): Promise<Uninstall> {
  const settings = readSettings(options.env);
  const rooms = await openRooms(options, settings, options.env ?? {});
  const { repo } = rooms;
  let closing: Promise<void> | null = null;
  const close = () => (closing ??= closeRooms(rooms));
  try {
    await refuseWhileAtWork(rooms);
    await repo.sweep();
    const own = settings.oxbowStoreUrl === undefined ? basename(storeUrl(settings, repo)) : null;
    const refs = await repo.refs("refs/oxbow/");
    const found = await makePlan(rooms, { own, shared: settings.oxbowHome !== undefined, refs: refs.size });
    const elsewhere = own === null ? [await shownStore(storeUrl(settings, repo))] : [];
    if (settings.redisUrl !== undefined) elsewhere.push(withoutPassword(settings.redisUrl));
    const identity = repo.remote?.identity ?? null;
    if (identity !== null) elsewhere.push(`the remote ${identity} (oxbow gc says what of it may go)`);
    const mirrors = found.state.goes.includes(MIRRORS)
      ? await onlyInMirrors(repo.stateDir, { identity, options, settings })
      : [];
    const plan: UninstallPlan = { ...found, unmerged: [...found.unmerged, ...mirrors], elsewhere };
    return {
      plan,
      async remove({ force }) {
        if (!force) refuseLoss(plan);
        await refuseWhileAtWork(rooms);
        await removeRefs(repo, refs);
        await refuseWhileAtWork(rooms);
        await close();
        for (const name of plan.state.goes)
          await rm(join(plan.state.dir, name), { recursive: true, force: true, maxRetries: 3 });
        if (plan.state.stays.length === 0) await removeEmpty(plan.state.dir);
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function closeRooms({ repo, store }: Rooms): Promise<void> {
  await store[Symbol.asyncDispose]();
  await repo[Symbol.asyncDispose]();
}

async function refuseWhileAtWork({ store }: Rooms): Promise<void> {
  const [workers, holders, tasks] = await Promise.all([store.workers(), store.holders(), store.liveTasks()]);
  const names = [...workers, ...holders].map((each) => each.worker_id);
  const drivers = tasks.flatMap(({ driver }) => (driver === null ? [] : [driver]));
  const alive = [...new Set([...names, ...drivers])].filter((name) => !workerIsDead(name));
  if (alive.length === 0) return;
  const which = tasks.map(({ task }) => task.task_id).join(", ");
  throw new OxbowError(
    "task_active",
    `Oxbow is at work here (${alive.join(", ")}${which === "" ? "" : `; ${which}`}).`,
    { hint: "Let it end, or stop it, and try again.", details: { workers: alive } },
  );
}

async function makePlan(
  { repo, store }: Rooms,
  about: { own: string | null; shared: boolean; refs: number },
): Promise<Omit<UninstallPlan, "elsewhere">> {
  const { stateDir } = repo;
  const names = (await readdir(stateDir)).sort();
  const ownFile = (name: string) => about.own !== null && name.startsWith(about.own) && DATABASE.test(name);
  // A store id: some repository here keeps its tasks in a database elsewhere.
  const others =
    about.own === null || names.some((name) => name === STORE_ID || (DATABASE.test(name) && !ownFile(name)));
  // A directory that OXBOW_HOME names may hold other things, and other repositories' state.
  const goes = names.filter((name) => !about.shared || ownFile(name) || (!others && OURS.test(name)));
  const heads = [...(await repo.refs("refs/heads/")).keys()];
  const kept = goes.includes("kept") ? (await readdir(join(stateDir, "kept"))).filter(isFolder) : [];
  return {
    repository: repo.root,
    state: {
      dir: stateDir,
      bytes: (await Promise.all(goes.map((name) => sizeOf(join(stateDir, name))))).reduce((a, b) => a + b, 0),
      goes,
      stays: names.filter((name) => !goes.includes(name)),
    },
    refs: about.refs,
    unmerged: await onlyInOxbowRefs(repo),
    kept: kept.map((name) => join(stateDir, "kept", name)),
    unfinished: (await store.liveTasks()).map(({ task }) => task.task_id),
    branches: heads.filter((ref) => /^refs\/heads\/(?:feature|integration)\//.test(ref)).length,
  };
}

/** Beside each kept folder lies a note of whose it is. */
function isFolder(name: string): boolean {
  return !name.endsWith(".json");
}

async function sizeOf(path: string): Promise<number> {
  const stats = await lstat(path);
  if (!stats.isDirectory()) return stats.size;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (file) => (await lstat(join(file.parentPath, file.name))).size),
  );
  return sizes.reduce((a, b) => a + b, 0);
}

/** Throws unmerged_work when the removal would lose what is nowhere else. */
export function refuseLoss({ unmerged, kept }: UninstallPlan): void {
  const names = [...unmerged.map((each) => each.ref), ...kept];
  if (names.length === 0) return;
  const some = names.slice(0, 5).join(", ");
  throw new OxbowError(
    "unmerged_work",
    `Work would be lost that is nowhere else: ${some}${names.length > 5 ? `, and ${names.length - 5} more` : ""}.`,
    { details: { refs: unmerged.map((each) => each.ref), kept } },
  );
}

/** All or none: each ref goes only while it is what the plan saw. */
async function removeRefs(repo: Repository, refs: ReadonlyMap<string, string>): Promise<void> {
  if (refs.size === 0) return;
  try {
    await repo.updateRefs([...refs].map(([ref, old]) => ({ ref, old, new: null })));
  } catch (error) {
    if (!hasCode(error, "fenced") && !hasCode(error, "branch_moved")) throw error;
    throw new OxbowError("task_active", `${error.message} Nothing was removed.`, { cause: error });
  }
}

async function removeEmpty(dir: string): Promise<void> {
  if ((await readdir(dir)).length === 0) await rmdir(dir);
}
