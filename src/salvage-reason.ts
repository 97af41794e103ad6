/** Why a piece of work is not merged: from its outcome and the task's events, or as far as refs tell. */
import type { KnownSubtask, WholeLedger } from "./ledger.ts";
import type { OxbowEvent } from "./core/events.ts";
import type { Store } from "./store/contract.ts";
import { isLive } from "./core/model.ts";

export interface Reason {
  readonly code:
    | "running"
    | "superseded"
    | "failed"
    | "cancelled"
    | "timed_out"
    | "out_of_scope"
    | "conflict"
    | "kept"
    | "not_committed"
    | "not_merged"
    | "unknown";
  readonly message: string;
}

const PAGE = 1_000;

export interface Asked {
  readonly known: KnownSubtask | null;
  readonly attempt: number | null;
  readonly key: string | null;
}

/** The events of a task are read once. */
export function createReasons(store: Store | null, { refs }: WholeLedger): (about: Asked) => Promise<Reason> {
  const attempts = Map.groupBy(refs.attempts, ({ key }) => key);
  const stories = new Map<string, Promise<ReadonlyMap<string, Reason>>>();
  const storyOf = async (
    events: Store,
    { task, subtask, outcome }: KnownSubtask,
    attempt: number | null,
  ): Promise<Reason> => {
    const asked = stories.get(task.task_id) ?? mergeStories(events, task.task_id);
    stories.set(task.task_id, asked);
    const told = (await asked).get(subtask.subtask_id);
    if (told !== undefined) return told;
    return attempt === null && outcome?.commit ? unmerged(task) : UNCOMMITTED;
  };
  return async ({ known, attempt, key }) => {
    if (known !== null && isLive(known.task))
      return { code: "running", message: `Task ${known.task.task_id} is not finished.` };
    const own = attempts.get(key ?? "") ?? [];
    if (
      attempt !== null &&
      own.some((each) => each.attempt > attempt || (each.attempt === attempt && each.sealed))
    )
      return { code: "superseded", message: `Attempt ${attempt} was taken over by a later one.` };
    if (known === null || known.outcome === null)
      return { code: "unknown", message: "The refs do not say why: its task has no rows here." };
    const { outcome, error } = known.outcome;
    const message = error?.message ?? "";
    if (error?.code === "out_of_scope") return { code: "out_of_scope", message };
    if (outcome !== "completed")
      return { code: outcome, message: message === "" ? `It ended as ${outcome}.` : message };
    return store === null
      ? { code: "not_merged", message: "It was not merged." }
      : storyOf(store, known, attempt);
  };
}

/** Its task ended before anything was merged. */
function unmerged({ state, task_id }: KnownSubtask["task"]): Reason {
  return { code: "not_merged", message: `It was not merged, since its task ${task_id} was ${state}.` };
}

const UNCOMMITTED: Reason = {
  code: "not_committed",
  message: "Its run completed without committing it.",
};

/** What the merge last said of each subtask. */
async function mergeStories(store: Store, taskId: string): Promise<ReadonlyMap<string, Reason>> {
  const told = new Map<string, Reason>();
  for (let after: string | null = null; ; ) {
    const page = await store.events(taskId, after, PAGE);
    for (const event of page) {
      const reason = storyIn(event);
      if (reason !== null) told.set(event.subtask_id ?? "", reason);
    }
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE || after === null) return told;
  }
}

function storyIn(event: OxbowEvent): Reason | null {
  if (event.event === "merge_conflict") {
    const paths = event.conflicts.map(({ path }) => path).join(", ");
    return { code: "conflict", message: `It conflicts in ${paths}.` };
  }
  if (event.event === "merged")
    return { code: "not_merged", message: `What was merged into ${event.into} is not on it any more.` };
  // A tool's refusal is no reason.
  if (event.event !== "refused" || event.tool !== undefined) return null;
  return { code: event.code === "out_of_scope" ? "out_of_scope" : "not_merged", message: event.message };
}
