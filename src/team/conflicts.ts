/**
 * Conflicts that wait for a person: what stands between a finished branch and its target, settled path by path. Once all of
 * it is settled, the merge that says so enters the queue in the branch's place and lands as any other: verified, one writer.
 */
import type { EventBody } from "../core/events.ts";
import type { MergeEntry, MergeReason } from "../core/merging.ts";
import type { Subtask, Task } from "../core/model.ts";
import type { ResolutionCheck } from "../core/resolution.ts";
import type { Choice, ConflictDesk } from "../git/conflict-desk.ts";
import type { ConflictCase, ConflictFilter, SettledConflict, ShownConflict } from "./conflict-case.ts";
import type { Engine } from "./engine.ts";
import { isLive } from "../core/model.ts";
import { OxbowError } from "../core/errors.ts";
import { aboutEntry, SETTLED, sourceOf } from "./merge-settle.ts";
import { openMergeWriter } from "./merge-writer.ts";
import { bringWork } from "./remote.ts";
import { words } from "./rework-check.ts";

interface Waiting {
  readonly task: Task;
  readonly subtasks: readonly Subtask[];
  /** The entry that waits, and the one whose branch is merged: another one where a rework of it failed. */
  readonly entry: MergeEntry;
  readonly source: MergeEntry;
}

/** Of a task or ticket, or of all. Throws task_unknown, conflict_unknown (a filter that nothing fits). */
export async function showConflicts(
  engine: Engine,
  wanted: string | undefined,
  filter: ConflictFilter,
): Promise<readonly ConflictCase[]> {
  const waiting = await waitingOf(engine, wanted, filter);
  const desk = await engine.repo.conflictDesk();
  const cases: ConflictCase[] = [];
  for (const each of waiting) cases.push(await caseOf(engine, desk, each, filter.path));
  const found = filter.path === undefined ? cases : cases.filter(({ conflicts }) => conflicts.length > 0);
  if (found.length === 0 && (filter.path !== undefined || filter.branch !== undefined))
    throw new OxbowError(
      "conflict_unknown",
      `Nothing of ${wanted ?? "this repository"} waits at ${filter.path ?? filter.branch}.`,
    );
  return found;
}

async function waitingOf(
  { store }: Engine,
  wanted: string | undefined,
  { branch }: ConflictFilter,
): Promise<readonly Waiting[]> {
  const tasks = wanted === undefined ? null : await named(store, wanted);
  const found: Waiting[] = [];
  for (const entry of await store.merges.list({ state: "escalated" })) {
    const task =
      tasks === null ? await store.task(entry.task_id) : tasks.find((each) => each.task_id === entry.task_id);
    if (!task || (branch !== undefined && entry.branch !== branch)) continue;
    const subtasks = await store.subtasks(task.task_id);
    const source = await sourceFor(store, subtasks, entry);
    if (source !== null) found.push({ task, subtasks, entry, source });
  }
  return found;
}

async function named(store: Engine["store"], wanted: string): Promise<readonly Task[]> {
  const byId = await store.task(wanted);
  const tasks = byId ? [byId] : await store.tasksByTicket(wanted);
  if (tasks.length > 0) return tasks;
  throw new OxbowError("task_unknown", `No task or ticket here is called ${wanted}.`);
}

/** The branch that conflicts: its own, or that which its rework was to settle. Null when it waits for another reason. */
async function sourceFor(
  store: Engine["store"],
  subtasks: readonly Subtask[],
  entry: MergeEntry,
): Promise<MergeEntry | null> {
  const entries = await store.merges.list({ taskId: entry.task_id });
  for (let at: MergeEntry | undefined = entry; at; ) {
    if (at.conflicts.length > 0) return at;
    const before = subtasks.find(({ subtask_id }) => subtask_id === at?.subtask_id)?.supersedes;
    at = entries.find(({ subtask_id, state }) => subtask_id === before && state === "rework");
  }
  return null;
}

async function caseOf(
  engine: Engine,
  desk: ConflictDesk,
  { task, subtasks, entry, source }: Waiting,
  path: string | undefined,
): Promise<ConflictCase> {
  const pair = await pairOf(engine, task, subtasks, source);
  const settled = await desk.settled(entry.subtask_id, pair);
  const known = new Map(source.conflicts.map((each) => [each.path, each]));
  const conflicts = (await desk.look(pair)).map((one): ShownConflict => {
    const owner = engine.registry.ownerIfAny(one.path);
    const how = settled.find((each) => each.path === one.path);
    const hunks = one.hunks.map((hunk) => ({
      ...hunk,
      ours: engine.redact(hunk.ours),
      theirs: engine.redact(hunk.theirs),
    }));
    return {
      ...one,
      hunks,
      agents: known.get(one.path)?.agents ?? [source.agent],
      owners: owner ? [owner.agent] : [],
      settled: how ? { how: how.how, waived: how.waived, by: how.by } : null,
    };
  });
  return {
    ticket: task.ticket,
    task_id: task.task_id,
    subtask_id: entry.subtask_id,
    agent: entry.agent,
    branch: entry.branch,
    target: entry.target,
    ...pair,
    person: engine.registry.windowPerson(engine.team.team) ?? null,
    reason: entry.reason,
    conflicts: path === undefined ? conflicts : conflicts.filter((one) => one.path === path),
  };
}

/** With the target as it is now: it may have moved since. */
async function pairOf(engine: Engine, task: Task, subtasks: readonly Subtask[], source: MergeEntry) {
  await bringWork(engine, subtasks);
  const tip = await (await engine.repo.mergeDesk()).tip(source.target);
  return { onto: tip ?? task.base_commit, commit: source.commit };
}

/**
 * Settles one path; with the last one the branch is in the queue again, and its task live. Throws task_unknown,
 * conflict_unknown, side_dropped (`details: { dropped, markers }`), usage (several branches wait), path_rejected, branch_moved.
 */
export async function settleConflict(
  engine: Engine,
  wanted: string,
  choice: Choice,
  filter: ConflictFilter,
  by: string,
  signal: AbortSignal,
): Promise<SettledConflict> {
  const waiting = await oneOf(engine, wanted, { ...filter, path: choice.path });
  const { task, subtasks, entry, source } = waiting;
  const desk = await engine.repo.conflictDesk();
  const pair = await pairOf(engine, task, subtasks, source);
  const made = await desk.settle(entry.subtask_id, pair, choice, by);
  if (made.kind === "refused") throw dropped(engine, choice.path, made.check);
  const { path, how, waived } = made.settled;
  const { branch, task_id, subtask_id } = entry;
  const told: EventBody = {
    event: "conflict_settled",
    ...aboutEntry({ subtasks }, entry),
    branch,
    path,
    how,
    waived,
    by,
  };
  const resolved = await desk.resolve(pair, entry.target, { ...sourceOf(source), subtaskId: subtask_id });
  if (resolved.kind === "refused") throw dropped(engine, branch, resolved.check);
  const about = { ticket: task.ticket, task_id, subtask_id, branch, path, how, waived };
  if (resolved.kind === "open") {
    await engine.store.append([told]);
    return { ...about, open: resolved.conflicts.map((one) => one.path), resolution: null, carried: false };
  }
  const commit = resolved.kind === "clean" ? source.commit : resolved.commit;
  await enqueueAgain(engine, waiting, commit, by, [told], signal);
  return { ...about, open: [], resolution: commit, carried: await goesOn(engine, task_id) };
}

/** The branch that waits at this path. */
async function oneOf(engine: Engine, wanted: string, filter: ConflictFilter): Promise<Waiting> {
  const cases = await showConflicts(engine, wanted, filter);
  const [only, ...others] = cases;
  if (others.length > 0)
    throw new OxbowError("usage", `${cases.length} branches wait at ${filter.path}.`, {
      hint: `Name one with --branch: ${cases.map(({ branch }) => branch).join(", ")}.`,
    });
  const waiting = await waitingOf(engine, wanted, filter);
  const found = waiting.find(({ entry }) => entry.subtask_id === only?.subtask_id);
  if (found) return found;
  throw new OxbowError("conflict_unknown", `Nothing of ${wanted} waits at ${filter.path}.`);
}

/** The merge takes the branch's place in the queue, of a task that is live. */
async function enqueueAgain(
  engine: Engine,
  { task, entry }: Waiting,
  commit: string,
  by: string,
  events: readonly EventBody[],
  signal: AbortSignal,
): Promise<void> {
  const { store } = engine;
  // First what may be refused: another live task may have the ticket by now.
  const about = { event: "task_reopened", task_id: task.task_id, parts: [] } as const;
  if (!isLive((await store.task(task.task_id)) ?? task)) await store.reopen(task.task_id, [], [about]);
  const reason: MergeReason = { code: SETTLED, message: `Settled by ${by}.` };
  await using writer = await openMergeWriter(engine, entry.target, task.base_commit, signal);
  await store.merges.settle(
    writer.lease,
    [{ subtask_id: entry.subtask_id, state: "queued", commit, reason, landed_commit: null }],
    { events },
  );
}

async function goesOn({ store, workerIsDead }: Engine, taskId: string): Promise<boolean> {
  const live = (await store.liveTasks()).find((each) => each.task.task_id === taskId);
  const driver = live?.driver ?? null;
  return driver !== null && !workerIsDead(driver);
}

const MOST_SHOWN = 5;

function dropped({ redact }: Engine, path: string, check: ResolutionCheck): OxbowError {
  const lost = [...check.dropped, ...check.markers];
  const more = lost.length > MOST_SHOWN ? `; and ${lost.length - MOST_SHOWN} more` : "";
  return new OxbowError(
    "side_dropped",
    redact(`This does not settle ${path}: ${lost.slice(0, MOST_SHOWN).map(words).join("; ")}${more}.`),
    { details: { dropped: check.dropped, markers: check.markers } },
  );
}
