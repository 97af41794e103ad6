/**
 * What enters the merge queue: of each subtask that has its outcome the commit it names. What did not complete, or leaves
 * its scope, enters it as failed, with the reason; nothing of it is merged.
 */
import type { EventBody } from "../core/events.ts";
import type { MergeEntry, MergeReason } from "../core/merging.ts";
import type { Outcome, Subtask, Task } from "../core/model.ts";
import type { NewMerge } from "../store/merges.ts";
import type { Engine } from "./engine.ts";
import { failPoint } from "../host/fail-point.ts";
import { integrationBranch } from "../core/branch-name.ts";
import { aboutLease } from "./about.ts";
import { currentOf, lineOf } from "./lines.ts";
import { mergeOrder } from "./merge-order.ts";
import { grantsOf, outOfScope, scopeOf } from "./scope.ts";
import { baseOf, changesOutside } from "./scope-check.ts";

/** One that enters, with what is told of it. */
interface Admission {
  readonly entry: NewMerge;
  readonly events: readonly EventBody[];
}

/** Puts what finished into the queue of the task's target, in dependency order; what is in it stays as it is. */
export async function fillQueue(engine: Engine, task: Task, all: readonly Subtask[]): Promise<void> {
  const { store } = engine;
  const known = new Map(
    (await store.merges.list({ taskId: task.task_id })).map((each) => [each.subtask_id, each]),
  );
  const outcomes = new Map((await store.outcomes(task.task_id)).map((each) => [each.subtask_id, each]));
  const granted = await store.approvals.list({ taskId: task.task_id, state: "granted" });
  const told = await skippedSoFar(engine, task);
  const admitted: Admission[] = [];
  const skipped: EventBody[] = [];
  for (const subtask of mergeOrder(currentOf(all))) {
    const outcome = outcomes.get(subtask.subtask_id);
    if (!outcome || known.has(subtask.subtask_id)) continue;
    const line = lineOf(all, subtask);
    const reworks = line.flatMap(({ subtask_id }) => known.get(subtask_id) ?? []);
    const before = reworks.find(({ state }) => state === "rework");
    const gate = createGate(engine, task, subtask, reworks.filter(({ state }) => state === "rework").length);
    const scope = scopeOf(engine, subtask, grantsOf(granted, line));
    const found = before ? await gate.rework(outcome, before, scope) : await gate.admit(outcome, scope);
    if ("entry" in found) admitted.push(found);
    else if (!told.has(subtask.subtask_id)) skipped.push(found);
  }
  if (skipped.length > 0) await store.append(skipped);
  if (admitted.length > 0) await store.merges.enqueue(admitted);
  failPoint("queue.filled");
}

async function skippedSoFar({ store }: Engine, { task_id }: Task): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let after: string | null = null; ; ) {
    const page = await store.events(task_id, after, PAGE, ["merge_skipped"]);
    for (const { subtask_id } of page) found.add(subtask_id ?? "");
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE || after === null) return found;
  }
}

const PAGE = 1_000;

function createGate(engine: Engine, task: Task, subtask: Subtask, round: number) {
  const about = aboutLease({ subtask });
  const enter = (
    work: { readonly branch: string; readonly commit: string },
    state: NewMerge["state"] = "queued",
    reason: MergeReason | null = null,
  ): NewMerge => ({
    subtask_id: subtask.subtask_id,
    task_id: task.task_id,
    agent: subtask.agent,
    target: integrationBranch(task.ticket),
    ...work,
    round,
    state,
    reason,
  });
  const leaves = async (commit: string, scope: ReturnType<typeof scopeOf>) => {
    const { outside } = await changesOutside(engine, scope, await baseOf(engine, subtask, task), commit);
    if (outside.length === 0) return null;
    const paths = outside.map(({ path }) => path);
    const { code, message } = outOfScope(engine, subtask, paths);
    return { reason: { code, message }, event: { event: "refused", ...about, code, message } as const };
  };

  return {
    async admit(outcome: Outcome, scope: ReturnType<typeof scopeOf>): Promise<Admission | EventBody> {
      const { branch, commit } = outcome;
      const completed = outcome.outcome === "completed";
      const skipped: EventBody = {
        event: "merge_skipped",
        ...about,
        branch,
        reason: completed ? "nothing committed" : outcome.outcome,
      };
      if (branch === null || commit === null) return skipped;
      const work = { branch, commit };
      if (!completed) {
        const { code, message } = outcome.error ?? { code: outcome.outcome, message: "It did not complete." };
        return { entry: enter(work, "failed", { code, message }), events: [skipped] };
      }
      const left = await leaves(commit, scope);
      if (left) return { entry: enter(work, "failed", left.reason), events: [left.event] };
      return { entry: enter(work), events: [] };
    },

    /** Also one that changed nothing has an end: what it began with is what it came to. */
    async rework(
      outcome: Outcome,
      before: MergeEntry,
      scope: ReturnType<typeof scopeOf>,
    ): Promise<Admission> {
      const work = {
        branch: outcome.branch ?? before.branch,
        commit: outcome.commit ?? before.draft ?? before.commit,
      };
      const person = engine.registry.windowPerson(engine.team.team) ?? null;
      const escalated = (reason: MergeReason, more: readonly EventBody[]): Admission => ({
        entry: enter(work, "escalated", reason),
        events: [...more, { event: "merge_escalated", ...about, ...work, reason, person }],
      });
      if (outcome.outcome !== "completed") {
        const why = outcome.error?.message ?? "";
        const message = `The rework of ${before.branch} ended as ${outcome.outcome}. ${why}`.trim();
        return escalated({ code: "rework_failed", message }, []);
      }
      const left = await leaves(work.commit, scope);
      return left ? escalated(left.reason, [left.event]) : { entry: enter(work), events: [] };
    },
  };
}
