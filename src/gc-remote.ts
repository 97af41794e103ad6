/**
 * What `oxbow gc` may let go of on the remote of a fleet. The rules are those of the refs here, on what is seen there: a ref of
 * an ended subtask goes when the base or an integration branch of the remote reaches what it holds. Whatever no row here knows,
 * or is not merged, stays.
 */
import type { KnownSubtask, WholeLedger } from "./ledger.ts";
import type { RemoteRef, SharedRemote } from "./git/shared-remote.ts";
import type { PlanOptions, Thing } from "./gc-thing.ts";
import { isLive } from "./core/model.ts";
import { START_REFS } from "./core/branch-name.ts";
import { hasCode } from "./core/errors.ts";
import { blockerOf } from "./gc-refs.ts";

/** Refs that go in one push, or not at all. */
export interface RemoteGroup {
  readonly goes: readonly (Thing & { readonly oid: string })[];
}

export interface RemotePlan {
  readonly things: readonly Thing[];
  readonly groups: readonly RemoteGroup[];
}

const HEADS = "refs/heads/";

/** A remote that cannot be asked is one thing that stays, and says why. */
export async function planRemote(
  { survey, identity }: SharedRemote,
  base: string | null,
  whole: WholeLedger,
  options: PlanOptions,
): Promise<RemotePlan> {
  let refs: readonly RemoteRef[];
  try {
    refs = await survey.refs(base);
  } catch (error) {
    if (!hasCode(error, "remote_unreachable") && !hasCode(error, "remote_refused")) throw error;
    const thing: Thing = {
      kind: "remote",
      name: identity,
      ticket: null,
      safe: false,
      reason: error.message,
      at: null,
    };
    return { things: options.ticket === null ? [thing] : [], groups: [] };
  }
  const byBranch = new Map(
    [...whole.rows.subtasks].flatMap(([key, { subtask }]) =>
      subtask.branch === null ? [] : [[HEADS + subtask.branch, key] as const],
    ),
  );
  const keyOfRef = (ref: string) =>
    byBranch.get(ref) ?? /^refs\/oxbow\/[a-z]+\/([^/]+)/.exec(ref)?.[1] ?? ref;
  const ours = refs.filter(
    ({ ref }) => !ref.startsWith(`${HEADS}integration/`) && ref !== HEADS + (base ?? ""),
  );
  const [starts, rest] = [
    ours.filter(({ ref }) => ref.startsWith(START_REFS)),
    ours.filter(({ ref }) => !ref.startsWith(START_REFS)),
  ];
  const judged = [
    ...[...Map.groupBy(rest, ({ ref }) => keyOfRef(ref))].map(([key, group]) =>
      judge(whole.rows.subtasks.get(key) ?? null, group, options),
    ),
    ...starts.map((ref) => [judgeStart(whole, ref)]),
  ];
  const wanted = judged.map((group) =>
    group.filter(({ ticket }) => options.ticket === null || ticket === options.ticket),
  );
  return {
    things: wanted.flat().map(({ oid: _, ...thing }) => thing),
    groups: wanted.flatMap((group) => {
      const goes = group.filter(({ safe }) => safe);
      return goes.length === 0 ? [] : [{ goes }];
    }),
  };
}

type Judged = Thing & { readonly oid: string };

/** An attempt's ref fences its branch there too: it goes with it or after it. */
function judge(known: KnownSubtask | null, refs: readonly RemoteRef[], options: PlanOptions): Judged[] {
  const at = known?.task.updated_at ?? 0;
  const parts = { branches: [], attempts: [], bases: [], conflicts: [] };
  const blocker =
    known === null
      ? "No row here tells whose it is."
      : blockerOf(options, { known, taskId: known.task.task_id, ticket: known.task.ticket, at, ...parts });
  const branch = refs.find(({ ref }) => ref.startsWith(HEADS));
  const stays = branch === undefined ? null : (blocker ?? unmerged(branch) ?? persons(branch, known));
  return refs.map((each): Judged => {
    const why =
      each === branch
        ? stays
        : (blocker ?? unmerged(each) ?? (stays === null ? null : "It guards its branch, which stays."));
    const reason = why ?? "Merged: the base or an integration branch of the remote reaches it.";
    return thing(each, known?.task.ticket ?? null, why === null, reason, at);
  });
}

function unmerged({ merged }: RemoteRef): string | null {
  return merged
    ? null
    : "Merged nowhere on the remote: its base and its integration branches do not reach it.";
}

function persons({ oid }: RemoteRef, known: KnownSubtask | null): string | null {
  const commit = known?.outcome?.commit ?? null;
  return commit === null || commit === oid
    ? null
    : "Its tip is not the agent's: somebody put a commit on it.";
}

/** What work started from; it was pushed only so that workers find it. */
function judgeStart({ rows }: WholeLedger, ref: RemoteRef): Judged {
  const live = rows.tasks.find((task) => isLive(task) || task.state === "needs_review");
  const commit = ref.ref.slice(START_REFS.length);
  const ticket = rows.tasks.find((task) => task.base_commit === commit)?.ticket ?? null;
  if (live) return thing(ref, ticket, false, `The task ${live.task_id} is ${live.state}.`, 0);
  if (!ref.here) return thing(ref, ticket, false, "No branch there or here reaches it.", 0);
  return thing(ref, ticket, true, "No task is at work, and a branch there or here reaches it.", 0);
}

function thing(
  { ref, oid }: RemoteRef,
  ticket: string | null,
  safe: boolean,
  reason: string,
  at: number,
): Judged {
  return {
    kind: "remote",
    name: ref,
    oid,
    ticket,
    safe,
    reason,
    at: at === 0 ? null : new Date(at).toISOString(),
  };
}
