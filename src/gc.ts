/**
 * `oxbow gc`: shows what Oxbow keeps and what of it may go, and lets that go. Refs go by compare-and-swap, those of one
 * subtask in one transaction that also checks that what reaches them is where it was. What dies half-way is repeated.
 */
import { isLive } from "./core/model.ts";
import { rm } from "node:fs/promises";
import type { AppOptions } from "./app.ts";
import type { RefChange } from "./git/contract.ts";
import type { LedgerRooms } from "./ledger.ts";
import type { Store } from "./store/contract.ts";
import { readSettings, shown } from "./app.ts";
import { hasCode, OxbowError } from "./core/errors.ts";
import { makePlan, type Plan, type RefGroup } from "./gc-plan.ts";
import { planRemote, type RemoteGroup } from "./gc-remote.ts";
import { DAY_MS, type PlanOptions, type Thing } from "./gc-thing.ts";
import { workerIsDead } from "./host/worker.ts";
import { openLedger, readWhole, type WholeLedger } from "./ledger.ts";
import { loadTeam } from "./load-team.ts";
import { unmergedWork } from "./salvage.ts";

export type { Thing } from "./gc-thing.ts";

export interface GcOptions {
  /** Days. Without it: what is merged goes at any age; rows, logs and what did not complete are kept for 30. */
  readonly olderThan?: number;
  readonly ticket?: string;
  /** Ids of `oxbow salvage`, refs or folders: unmerged work that may go. */
  readonly force?: readonly string[];
}

export interface Gone extends Thing {
  /** Null: it is gone; else why it is still there. */
  readonly problem: string | null;
}

export interface Gc extends AsyncDisposable {
  look(): Promise<readonly Thing[]>;
  /** Saves what dead processes left, looks again, and deletes what is safe. */
  collect(): Promise<{
    readonly gone: readonly Gone[];
    readonly stays: readonly Thing[];
    readonly compacted: boolean;
  }>;
}

/** Throws store_failed (without rows nothing tells what is still worked on), salvage_unknown (of `force`). */
export async function openGc(
  options: Pick<AppOptions, "repo" | "env" | "team" | "mirror">,
  wanted: GcOptions,
): Promise<Gc> {
  const rooms = await openLedger(options);
  const { store } = rooms;
  if (store === null) {
    await rooms[Symbol.asyncDispose]();
    throw new OxbowError(
      "store_failed",
      `${rooms.problem?.message ?? ""} Without it nothing tells what is worked on.`,
    );
  }
  const shared = readSettings(options.env).oxbowHome !== undefined;
  const mirror = options.mirror === true;
  if (mirror && rooms.repo.remote === null) {
    await rooms[Symbol.asyncDispose]();
    throw new OxbowError(
      "usage",
      "There is no mirror here: the team has no repo.url, or its tasks are not in Postgres.",
    );
  }
  const base = rooms.repo.remote === null ? null : ((await loadTeam(options)).team.repo.base ?? null);
  const plan = async () => {
    // What the mirror's branches were merged into is on the remote.
    if (mirror) await rooms.repo.remote?.survey.follow(base);
    const { local, options: given, whole } = await planNow({ ...rooms, store }, wanted, shared);
    const { remote } = rooms.repo;
    if (remote === null || mirror) return { ...local, remote: [] };
    const there = await planRemote(remote, base, whole, given);
    return { things: [...local.things, ...there.things], groups: local.groups, remote: there.groups };
  };
  return {
    look: async () => shown((await plan()).things),
    async collect() {
      // Also so that a wrong --force is refused before anything is done.
      const before = await plan();
      await saveLeftovers(rooms, store);
      const { things, groups, remote } = await plan();
      const left = new Set(things.map(({ name }) => name));
      const swept = before.things.filter(
        ({ kind, safe, name }) => SWEPT.has(kind) && safe && !left.has(name),
      );
      const gone: Gone[] = swept.map((thing) => ({ ...thing, problem: null }));
      for (const group of groups) gone.push(...(await removeRefs(rooms, store, group)));
      for (const group of remote) gone.push(...(await removeThere(rooms, group)));
      const rest = things.filter(({ kind, safe }) => safe && !REFS.has(kind));
      for (const thing of rest)
        gone.push({ ...thing, problem: await problemOf(() => removeOne(rooms, store, thing)) });
      const compacted = rest.some(({ kind }) => kind === "rows") && (await store.compact());
      return shown({ gone, stays: things.filter(({ safe }) => !safe), compacted });
    },
    [Symbol.asyncDispose]: () => rooms[Symbol.asyncDispose](),
  };
}

const REFS: ReadonlySet<Thing["kind"]> = new Set(["branch", "ref", "remote"]);
/** What every run takes away too. */
const SWEPT: ReadonlySet<Thing["kind"]> = new Set(["workspace", "file", "lock"]);

async function planNow(
  { repo, store }: LedgerRooms & { readonly store: Store },
  wanted: GcOptions,
  shared: boolean,
): Promise<{ local: Plan; options: PlanOptions; whole: WholeLedger }> {
  const whole = await readWhole(repo, store);
  const unmerged = await unmergedWork(repo, store, whole);
  const forced = new Set<string>();
  for (const id of wanted.force ?? []) {
    const item = unmerged.find(({ id: short, commit, where }) =>
      [short, commit, where].some((name) => name === id || name === `refs/heads/${id}`),
    );
    if (item === undefined)
      throw new OxbowError("salvage_unknown", `No unmerged work is called ${id}.`, { details: { id } });
    for (const name of [item.id, item.where, item.commit]) if (name !== null) forced.add(name);
  }
  const options: PlanOptions = {
    olderThanMs: wanted.olderThan === undefined ? null : wanted.olderThan * DAY_MS,
    ticket: wanted.ticket ?? null,
    forced,
    now: Date.now(),
    atWork: await isAtWork(store),
  };
  const facts = { repo, whole, unmerged, locks: await lockThings(repo), ownState: !shared };
  return { local: await makePlan(facts, options), options, whole };
}

async function lockThings(repo: LedgerRooms["repo"]): Promise<Thing[]> {
  return (await repo.locks()).map(({ file, at, dead }) => ({
    kind: "lock",
    name: file,
    ticket: null,
    safe: dead,
    reason: dead
      ? "Its git process, one of Oxbow's, died in the middle of its work."
      : `A git may hold it, or left it when it died. If none is at work here: rm '${file}'`,
    at: new Date(at).toISOString(),
  }));
}

async function isAtWork(store: Store): Promise<boolean> {
  const [workers, holders, tasks] = await Promise.all([store.workers(), store.holders(), store.liveTasks()]);
  const drivers = tasks.flatMap(({ driver }) => (driver === null ? [] : [driver]));
  const names = [...[...workers, ...holders].map((each) => each.worker_id), ...drivers];
  return names.some((name) => !workerIsDead(name));
}

/** As every run does: what programs of dead processes had changed becomes a commit, or a kept folder. */
async function saveLeftovers({ repo }: LedgerRooms, store: Store): Promise<void> {
  const { saved } = await repo.sweep();
  if (saved.length > 0)
    await store.append(
      saved.map(({ taskId, subtaskId, conversationId, agent, commit, files }) => ({
        event: "work_saved",
        task_id: taskId,
        subtask_id: subtaskId,
        conversation_id: conversationId,
        source: agent,
        commit,
        files,
      })),
    );
  await store.relay();
}

async function removeRefs({ repo }: LedgerRooms, store: Store, group: RefGroup): Promise<Gone[]> {
  const problem = await problemOf(async () => {
    const task = group.taskId === null ? null : await store.task(group.taskId);
    if (task !== null && isLive(task))
      throw new OxbowError("task_active", `The task ${task.task_id} is ${task.state} again.`);
    const keepers = group.keepers.map(({ ref, oid }): RefChange => ({ ref, old: oid }));
    for (const { name } of group.goes) {
      const where = await repo.checkedOutAt(name);
      if (where !== null) throw new OxbowError("branch_checked_out", `It is checked out in ${where}.`);
    }
    await repo.updateRefs([
      ...keepers,
      ...group.goes.map(({ name, oid }) => ({ ref: name, old: oid, new: null })),
    ]);
  });
  return group.goes.map(({ oid: _, ...thing }) => ({ ...thing, problem }));
}

/** What was merged there may have been undone since it was looked at; what is deleted is as it was. */
async function removeThere({ repo }: LedgerRooms, { goes }: RemoteGroup): Promise<Gone[]> {
  const refs = goes.map(({ name, oid }) => ({ ref: name, oid }));
  const problem = await problemOf(async () => repo.remote?.survey.remove(refs));
  return goes.map(({ oid: _, ...thing }) => ({ ...thing, problem }));
}

async function removeOne({ repo }: LedgerRooms, store: Store, { kind, name }: Thing): Promise<void> {
  if (kind === "rows") await store.forget(name);
  else if (kind === "kept") await repo.kept.remove(name);
  else if (kind === "workspace") await repo.removeWorkspace(name);
  else if (kind === "log" || kind === "file") await rm(name, { recursive: true, force: true });
}

/** What keeps one thing from going does not keep the others. */
async function problemOf(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (!hasCode(error)) throw error;
    return error.message;
  }
}
