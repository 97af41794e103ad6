/**
 * Finished branches meet on `integration/<ticket>`: in dependency order, one writer, without a checkout, verified as a whole
 * before the target moves. A branch that does not land becomes a rework, or waits for a person; the others go on.
 */
import type { EventBody } from "../core/events.ts";
import type { MergeEntry } from "../core/merging.ts";
import type { Subtask, Task } from "../core/model.ts";
import type { Engine } from "./engine.ts";
import { integrationBranch } from "../core/branch-name.ts";
import { fillQueue } from "./merge-gate.ts";
import { type Landing, landSome } from "./merge-land.ts";
import { mergeOrder } from "./merge-order.ts";
import { aboutEntry, escalation, settle } from "./merge-settle.ts";
import { openMergeWriter } from "./merge-writer.ts";
import { bringWork } from "./remote.ts";
import { refuseDropped } from "./rework-check.ts";
import { baseOf } from "./scope-check.ts";

/**
 * Merges what finished. Afterwards nothing of the task is queued but what waits for a rework. Safe to repeat after a crash
 * anywhere. Throws fenced (another process merges there now), cancelled (`signal`; `verify` takes its time).
 */
export async function mergeFinished(engine: Engine, task: Task, signal: AbortSignal): Promise<void> {
  const { store } = engine;
  const subtasks = await store.subtasks(task.task_id);
  await bringWork(engine, subtasks);
  await fillQueue(engine, task, subtasks);
  const target = integrationBranch(task.ticket);
  const queued = await store.merges.list({ taskId: task.task_id, state: "queued" });
  // A writer that died when all had landed left its fence: it is taken over, and taken away.
  if (queued.length === 0 && !(await (await engine.repo.mergeDesk()).isFenced(target))) return;
  const start = task.base_commit;
  await using writer = await openMergeWriter(engine, target, start, signal);
  const landing: Landing = {
    engine,
    task,
    subtasks,
    writer,
    start,
    signal,
    verified: new Map(),
    passed: new Set(),
    baseOf: (entry) => startOf(engine, task, subtasks, entry),
    standsOn: () => [],
  };
  for (;;) {
    const entries = await store.merges.list({ taskId: task.task_id });
    const { ready, lost, again, needs } = sortOut(entries, subtasks);
    const now = { ...landing, standsOn: (id: string) => needs.get(id) ?? [] };
    if (again.length > 0) {
      const change = { state: "queued", reason: null } as const;
      await settle(
        now,
        again.map(({ subtask_id }) => ({ subtask_id, ...change })),
        [],
      );
      continue;
    }
    if (await refuseDropped(now, ready, entries)) continue;
    if (ready.length > 0) await landSome(now, ready);
    else if (lost.length > 0) await giveUp(now, lost);
    else return;
  }
}

/** A task that is cancelled while it merges: what has not landed never will. */
export async function cancelMerges(engine: Engine, task: Task, signal: AbortSignal): Promise<void> {
  const { store } = engine;
  const left = await store.merges.list({ taskId: task.task_id, state: "queued" });
  if (left.length === 0) return;
  const target = integrationBranch(task.ticket);
  await using writer = await openMergeWriter(engine, target, task.base_commit, signal);
  const subtasks = await store.subtasks(task.task_id);
  const reason = { code: "cancelled", message: "The task was cancelled while it was merged." };
  await settle(
    { engine, task, subtasks, writer },
    left.map(({ subtask_id }) => ({ subtask_id, state: "failed", reason })),
    left.map((entry) => ({
      event: "merge_skipped",
      ...aboutEntry({ subtasks }, entry),
      branch: entry.branch,
      reason: "cancelled",
    })),
  );
}

/** Of one that stands on others: where its own changes begin. */
async function startOf(
  engine: Engine,
  task: Task,
  subtasks: readonly Subtask[],
  { subtask_id }: MergeEntry,
): Promise<string | undefined> {
  const subtask = subtasks.find((each) => each.subtask_id === subtask_id);
  return subtask && subtask.depends_on.length > 0 ? baseOf(engine, subtask, task) : undefined;
}

const NOT_LANDED = "dependency_not_landed";

interface Lost {
  readonly entry: MergeEntry;
  /** What it stands on, and has not landed. */
  readonly on: MergeEntry;
}

/** What can land now, in order; and what never will by itself, because what it stands on does not. */
export function sortOut(
  entries: readonly MergeEntry[],
  subtasks: readonly Subtask[],
): {
  readonly ready: readonly MergeEntry[];
  readonly lost: readonly Lost[];
  /** What waited for a person because of what it stands on, which has landed since. */
  readonly again: readonly MergeEntry[];
  /** By subtask, those whose branches it stands on. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
} {
  const byId = new Map(entries.map((entry) => [entry.subtask_id, entry]));
  /** The one that speaks for a subtask: that of its rework, if there is one. */
  const speaker = (id: string): MergeEntry | null => {
    const entry = byId.get(id) ?? null;
    if (entry?.state !== "rework" || entry.reworked_by === null) return entry;
    return speaker(entry.reworked_by) ?? entry;
  };
  const ready: MergeEntry[] = [];
  const lost: Lost[] = [];
  const again: MergeEntry[] = [];
  const stands = new Map<string, readonly string[]>();
  const passing = new Set<string>();
  for (const subtask of mergeOrder(subtasks)) {
    const entry = byId.get(subtask.subtask_id);
    const waits = entry?.state === "escalated" && entry.reason?.code === NOT_LANDED;
    if (!entry || (entry.state !== "queued" && !waits)) continue;
    // What committed nothing has no entry, and is nothing to wait for.
    const needs = subtask.depends_on.flatMap((id) => speaker(id) ?? []);
    stands.set(
      subtask.subtask_id,
      needs.map((on) => on.subtask_id),
    );
    const missing = needs.filter((on) => on.state !== "landed" && !passing.has(on.subtask_id));
    if (waits) {
      if (needs.every(({ state }) => state === "landed")) again.push(entry);
      continue;
    }
    const dead = missing.find(({ state }) => state === "escalated" || state === "failed");
    if (dead) lost.push({ entry, on: dead });
    else if (missing.length === 0) {
      ready.push(entry);
      passing.add(entry.subtask_id);
    }
  }
  return { ready, lost, again, needs: stands };
}

/** They hold the changes of what did not land: a person settles that first, or both have failed. */
async function giveUp(landing: Landing, lost: readonly Lost[]): Promise<void> {
  const events: EventBody[] = [];
  const changes = lost.map(({ entry, on }) => {
    const message = `It stands on ${on.branch}, which has not landed. ${on.reason?.message ?? ""}`.trim();
    const reason = { code: NOT_LANDED, message };
    const { branch, commit, subtask_id } = entry;
    const escalated = on.state === "escalated";
    events.push(
      escalated
        ? escalation(landing, entry, reason)
        : { event: "refused", ...aboutEntry(landing, entry), ...reason },
    );
    return { subtask_id, state: escalated ? "escalated" : "failed", reason, branch, commit } as const;
  });
  await settle(landing, changes, events);
}
