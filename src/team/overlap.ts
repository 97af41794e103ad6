/**
 * Overlap seen before branches are finished: paths that several parts of a split may write, and live branches whose last
 * commits would conflict. Both are events; of the second both agents hear on `signal:<conversation>:overlap`.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { EventBody, OxbowEvent } from "../core/events.ts";
import type { Json, Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { hasCode, toErrorValue } from "../core/errors.ts";
import { createMatcher } from "../core/ownership.ts";

/** Paths that an event names. */
const MOST_PATHS = 20;
/** Files times patterns that are tried at a split: beyond it, it would hold the process up. */
const MOST_TRIED = 200_000;

/** What of the files several of these parts may write; null when there is nothing, or too much to look at. */
export function sharedPaths(
  files: readonly string[],
  parts: readonly Pick<Subtask, "agent" | "allowed_paths">[],
): { readonly agents: readonly string[]; readonly paths: readonly string[] } | null {
  const sets = Map.groupBy(parts, ({ allowed_paths }) => JSON.stringify(allowed_paths));
  if (parts.length < 2 || files.length * sets.size > MOST_TRIED) return null;
  const rules = [...sets.values()].map((same) => ({
    matches: createMatcher(same[0]?.allowed_paths ?? []),
    same,
  }));
  const agents = new Set<string>();
  const paths: string[] = [];
  for (const file of files) {
    const may = rules.filter(({ matches }) => matches(file)).flatMap(({ same }) => same);
    if (may.length < 2) continue;
    for (const { agent } of may) agents.add(agent);
    paths.push(file);
  }
  return paths.length === 0 ? null : { agents: [...agents].sort(), paths };
}

/** The event of a split whose parts may write the same files, or none. */
export async function overlapOfSplit(
  { repo }: Pick<Engine, "repo">,
  task: Pick<Task, "task_id" | "base_commit">,
  parts: readonly Subtask[],
): Promise<readonly EventBody[]> {
  if (parts.length < 2) return [];
  const files = (await repo.listFiles(task.base_commit)).map(({ path }) => path);
  const shared = sharedPaths(files, parts);
  if (shared === null) return [];
  const { agents, paths } = shared;
  return [
    {
      event: "overlap_found",
      task_id: task.task_id,
      agents,
      branches: [],
      paths: paths.slice(0, MOST_PATHS),
    },
  ];
}

interface Live {
  readonly subtask_id: string;
  readonly conversation_id: string;
  readonly agent: string;
  readonly branch: string;
  readonly commit: string;
  readonly paths: ReadonlySet<string>;
}

/**
 * Looks at each commit of the task's agents as it comes, until closed. Merges are tried only between branches that share a
 * path. Where other machines work too, their commits are not here, and nothing is looked at.
 */
export async function watchOverlaps(
  engine: Engine,
  task: Task,
  signal: AbortSignal,
): Promise<{ close(): Promise<void> }> {
  if (engine.repo.remote !== null) return { close: () => Promise.resolve() };
  const closed = new AbortController();
  const until = AbortSignal.any([signal, closed.signal]);
  const feed = await engine.store.openFeed(["commit"]);
  const branches = new Map<string, Live>();
  const told = new Set<string>();
  const look = async (waitMs: number, abort?: AbortSignal): Promise<void> => {
    for (const event of await feed.next(waitMs, abort))
      if (event.task_id === task.task_id) await meet(engine, task, event, branches, told);
  };
  const follow = async (): Promise<void> => {
    while (!until.aborted) {
      await look(FEED_MS, until);
      // Every event of whichever task wakes it.
      await delay(PAUSE_MS, undefined, { signal: until });
    }
  };
  const noted = (error: unknown): void => {
    if (!until.aborted) engine.log.error({ error: toErrorValue(error) }, "overlaps_not_watched");
  };
  const following = follow().catch(noted);
  return {
    async close() {
      closed.abort();
      await following;
      // What came last is told too: status and report show it.
      if (!signal.aborted) await look(0).catch(noted);
      feed[Symbol.dispose]();
    },
  };
}

const FEED_MS = 30_000;
const PAUSE_MS = 250;

async function meet(
  engine: Engine,
  task: Task,
  event: OxbowEvent,
  branches: Map<string, Live>,
  told: Set<string>,
): Promise<void> {
  if (event.event !== "commit" || event.subtask_id === undefined || event.conversation_id === undefined)
    return;
  const { subtask_id, conversation_id, branch, commit, source = "" } = event;
  const changed = await engine.repo.changedPaths(task.base_commit, commit);
  const paths = new Set(changed.map(({ path }) => path));
  const self: Live = { subtask_id, conversation_id, agent: source, branch, commit, paths };
  branches.set(subtask_id, self);
  for (const other of branches.values()) {
    const key = [subtask_id, other.subtask_id].sort().join(" ");
    if (other === self || told.has(key) || ![...paths].some((path) => other.paths.has(path))) continue;
    const conflicts = await conflictsOf(engine, self, other);
    if (conflicts.length === 0) continue;
    told.add(key);
    await tell(engine, task, self, other, conflicts);
  }
}

async function conflictsOf({ repo }: Engine, one: Live, other: Live): Promise<readonly string[]> {
  try {
    const desk = await repo.conflictDesk();
    const found = await desk.look({ onto: one.commit, commit: other.commit });
    return found.map(({ path }) => path);
  } catch (error) {
    // Histories without a common start: merging will say so.
    if (hasCode(error, "git_failed")) return [];
    throw error;
  }
}

async function tell(
  engine: Engine,
  task: Task,
  one: Live,
  other: Live,
  all: readonly string[],
): Promise<void> {
  const { store } = engine;
  const paths = all.slice(0, MOST_PATHS);
  await store.append([
    {
      event: "overlap_found",
      task_id: task.task_id,
      agents: [one.agent, other.agent],
      branches: [one.branch, other.branch],
      paths,
    },
  ]);
  for (const [to, from] of [
    [one, other],
    [other, one],
  ] as const) {
    const payload: Json = { event: "overlap", agent: from.agent, branch: from.branch, paths: [...paths] };
    const id = `overlap:${to.conversation_id}:${from.conversation_id}`;
    await store.topics.publishOnce(id, `signal:${to.conversation_id}:overlap`, payload);
  }
}
