/** Why a piece of work is not merged: from its outcome and the task's events, or as far as refs tell. */
import type { KnownSubtask, WholeLedger } from "./ledger.ts";
import type { Store } from "./store/contract.ts";
import { isLive } from "./ledger.ts";

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

export async function reasonOf(
  store: Store | null,
  { refs }: WholeLedger,
  about: {
    readonly known: KnownSubtask | null;
    readonly attempt: number | null;
    readonly key: string | null;
  },
): Promise<Reason> {
  const { known, attempt, key } = about;
  const newest = Math.max(0, ...refs.attempts.map((each) => (each.key === key ? each.attempt : 0)));
  const sealed = refs.attempts.some((each) => each.key === key && each.attempt === attempt && each.sealed);
  if (known !== null && isLive(known.task))
    return { code: "running", message: `Task ${known.task.task_id} is not finished.` };
  if (attempt !== null && (attempt < newest || sealed))
    return { code: "superseded", message: `Attempt ${attempt} was taken over by a later one.` };
  if (known === null || known.outcome === null)
    return { code: "unknown", message: "The refs do not say why: its task has no rows here." };
  const { outcome, error } = known.outcome;
  const message = error?.message ?? "";
  if (error?.code === "out_of_scope") return { code: "out_of_scope", message };
  if (outcome !== "completed") return { code: outcome, message: message === "" ? `It ${outcome}.` : message };
  if (store === null) return { code: "not_merged", message: "It was not merged." };
  return mergeStory(store, known);
}

/** What the merge said of a completed child. */
async function mergeStory(store: Store, { task, subtask }: KnownSubtask): Promise<Reason> {
  let told: Reason = { code: "not_committed", message: "Its run completed without committing it." };
  for (let after: string | null = null; ; ) {
    const page = await store.events(task.task_id, after, PAGE);
    for (const event of page) {
      if (event.subtask_id !== subtask.subtask_id) continue;
      if (event.event === "merge_conflict") {
        const paths = event.conflicts.map(({ path }) => path).join(", ");
        told = { code: "conflict", message: `It conflicts in ${paths}.` };
      } else if (event.event === "refused" && event.tool === undefined)
        told = {
          code: event.code === "out_of_scope" ? "out_of_scope" : "not_merged",
          message: event.message,
        };
      else if (event.event === "merged")
        told = { code: "not_merged", message: `What was merged into ${event.into} is not on it any more.` };
    }
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE || after === null) return told;
  }
}
