/** Which refs of a subtask may go, and why: its branch, its attempts, where its branch started, what was settled of it. */
import type { KnownSubtask, WholeLedger } from "./ledger.ts";
import type { AttemptEntry, BaseEntry, BranchEntry, ConflictEntry, LedgerRef } from "./git/ledger.ts";
import { counted } from "./core/amounts.ts";
import { isLive } from "./core/model.ts";
import { DAY_MS, days, type Facts, KEEP_MS, type PlanOptions, type Thing } from "./gc-thing.ts";
import { keyOf } from "./ledger.ts";

/** All that refs hold of one subtask. */
export interface SubtaskPart {
  readonly known: KnownSubtask | null;
  readonly taskId: string | null;
  readonly ticket: string | null;
  /** Unix milliseconds of its newest commit; 0: none tells. */
  readonly at: number;
  readonly branches: readonly BranchEntry[];
  readonly attempts: readonly AttemptEntry[];
  readonly bases: readonly BaseEntry[];
  readonly conflicts: readonly ConflictEntry[];
}

export type JudgedRef = Thing & { readonly oid: string };

/** Nothing tells whether work on it goes on. */
const UNKNOWN_MS = DAY_MS;

export function bySubtask(whole: WholeLedger): readonly SubtaskPart[] {
  const { refs, rows } = whole;
  const owner = ownerOf(whole);
  const branches = Map.groupBy(refs.branches, owner);
  const attempts = Map.groupBy(refs.attempts, ({ key }) => key);
  const bases = Map.groupBy(refs.bases, ({ key }) => key);
  const conflicts = Map.groupBy(refs.conflicts, ({ key }) => key);
  const tickets = new Map(rows.tasks.map((task) => [task.task_id, task.ticket]));
  for (const { tip, name } of refs.branches)
    if (tip.task !== null && !tickets.has(tip.task)) tickets.set(tip.task, name.split("/")[1] ?? "");
  const keys = [branches, attempts, bases, conflicts].flatMap((group) => [...group.keys()]);
  return [...new Set(keys)].sort().map((key) => {
    const known = rows.subtasks.get(key) ?? null;
    const own = {
      branches: branches.get(key) ?? [],
      attempts: attempts.get(key) ?? [],
      bases: bases.get(key) ?? [],
      conflicts: conflicts.get(key) ?? [],
    };
    const works = [...own.branches.map(({ tip }) => tip), ...own.attempts.flatMap(({ work }) => work ?? [])];
    const taskId = known?.task.task_id ?? works.find(({ task }) => task !== null)?.task ?? null;
    const ticket = known?.task.ticket ?? (taskId === null ? null : (tickets.get(taskId) ?? null));
    const at = Math.max(0, ...[...works, ...own.conflicts].map((each) => each.at));
    return { known, taskId, ticket, at, ...own };
  });
}

/** The subtask whose branch it is: the one its tip names, else (nothing is on it yet) one of that branch, at work or newest. */
function ownerOf({ rows }: WholeLedger): (branch: BranchEntry) => string {
  const byBranch = Map.groupBy(rows.subtasks, ([, { subtask }]) => subtask.branch);
  return ({ name, tip }) => {
    const said = keyOf(tip.subtask);
    const named = byBranch.get(name) ?? [];
    if (said !== null && (named.length === 0 || named.some(([key]) => key === said))) return said;
    const [newest] = named.toSorted(
      ([, a], [, b]) =>
        Number(isLive(b.task)) - Number(isLive(a.task)) || b.task.created_at - a.task.created_at,
    );
    return newest?.[0] ?? name;
  };
}

/** What a ref comes to: why it stays, or what keeps its commits (null: nothing, and a person said so). */
type Verdict = { readonly stays: string } | { readonly goes: string; readonly keeper: LedgerRef | null };

/**
 * An attempt's ref fences its branch: while that is there, a worker that stood still for long could come back and write to
 * it, and the ref is what refuses. So attempts go with their branch or after it.
 */
export async function judgeRefs(
  { repo, whole }: Facts,
  options: PlanOptions,
  part: SubtaskPart,
): Promise<{ readonly judged: readonly JudgedRef[]; readonly keepers: readonly LedgerRef[] }> {
  const blocker = blockerOf(options, part);
  const keepers = new Map<string, LedgerRef>();
  const judged: JudgedRef[] = [];
  const at = part.at === 0 ? null : new Date(part.at).toISOString();
  const put = (kind: "branch" | "ref", { ref, oid }: LedgerRef, found: Verdict): boolean => {
    // What is merged nowhere stays at any age: that is the better reason.
    const own = "stays" in found && !(part.known !== null && isLive(part.known.task));
    const verdict = blocker === null || own ? found : { stays: blocker };
    const safe = "goes" in verdict;
    if (safe && verdict.keeper !== null) keepers.set(verdict.keeper.ref, verdict.keeper);
    const reason = safe ? verdict.goes : verdict.stays;
    judged.push({ kind, name: ref, ticket: part.ticket, safe, reason, at, oid });
    return safe;
  };
  let staying: string | null = null;
  for (const branch of part.branches) {
    const where = await repo.checkedOutAt(branch.ref);
    const verdict =
      where === null ? ofBranch(whole, options, branch) : { stays: `It is checked out in ${where}.` };
    if (!put("branch", branch, verdict)) staying = branch.name;
  }
  for (const attempt of part.attempts) put("ref", attempt, ofAttempt(whole, options, attempt, staying));
  for (const base of part.bases) put("ref", base, ofBase(whole, base, staying));
  const isForced = part.branches.some(({ ref }) => options.forced.has(ref));
  for (const conflict of part.conflicts)
    put("ref", conflict, isForced ? FORCED : ofConflict(whole, conflict, staying));
  return { judged, keepers: [...keepers.values()] };
}

const FORCED: Verdict = { goes: "Unmerged; let go of by --force.", keeper: null };

function ofBranch({ refs }: WholeLedger, { forced }: PlanOptions, { ref, commit }: BranchEntry): Verdict {
  const keeper = refs.reach.keeper(commit);
  if (keeper !== null) return { goes: `Merged: ${shown(keeper)} reaches it.`, keeper };
  if (forced.has(ref)) return FORCED;
  const commits = refs.reach.unmerged(commit).length;
  return {
    stays: `${counted(commits, "commit")} of it ${commits === 1 ? "is" : "are"} merged nowhere: oxbow salvage`,
  };
}

function ofAttempt(
  { refs }: WholeLedger,
  { forced }: PlanOptions,
  { ref, commit, work }: AttemptEntry,
  staying: string | null,
): Verdict {
  const keeper = refs.reach.keeper(commit);
  if (keeper === null && work !== null)
    // Its id may be that of the branch on which it stands.
    return forced.has(ref) || forced.has(commit)
      ? FORCED
      : { stays: "What it saved is merged nowhere: oxbow salvage" };
  if (staying !== null) return { stays: `It stays as long as ${staying}, which it fences.` };
  return {
    goes: work === null ? "It saved nothing." : `Merged: ${shown(keeper)} reaches what it saved.`,
    keeper,
  };
}

function ofBase({ refs }: WholeLedger, { commit, parents }: BaseEntry, staying: string | null): Verdict {
  if (staying !== null) return { stays: `It says where ${staying} started.` };
  const own = refs.reach.keeper(commit);
  // It may only join what others did: then what they did counts.
  const [first = null, ...others] = parents.map((parent) => refs.reach.keeper(parent));
  const keeper = own ?? (others.every((each) => each !== null) ? first : null);
  if (keeper === null) return { stays: "Nothing else reaches what it names." };
  return { goes: `Its branch is gone, and ${shown(keeper)} reaches what it names.`, keeper };
}

/** What a person settled is of use until the branch is merged, by it or in another way. */
function ofConflict({ refs }: WholeLedger, { sides }: ConflictEntry, staying: string | null): Verdict {
  if (staying !== null) return { stays: `It says how conflicts of ${staying} were settled.` };
  const keepers = sides.map((side) => refs.reach.keeper(side));
  const keeper = keepers.at(-1) ?? null;
  if (keeper === null || keepers.includes(null))
    return { stays: "It is open: nothing else reaches what it puts together." };
  return { goes: `Merged: ${shown(keeper)} reaches the branch that it settled.`, keeper };
}

/** Why nothing of a subtask may go, or null. */
export function blockerOf(
  { olderThanMs, now }: PlanOptions,
  { known, taskId, at }: SubtaskPart,
): string | null {
  if (known === null) {
    const limit = Math.max(olderThanMs ?? KEEP_MS, UNKNOWN_MS);
    if (now - at >= limit) return null;
    return `No row tells whether ${taskId ?? "its task"} is finished: kept for ${days(limit)}.`;
  }
  const { task, outcome } = known;
  if (isLive(task)) return `The task ${task.task_id} is ${task.state}.`;
  if (task.state === "needs_review") return `The task ${task.task_id} waits for a person.`;
  const completed = outcome?.outcome === "completed";
  const limit = olderThanMs ?? (completed ? 0 : KEEP_MS);
  if (now - at >= limit) return null;
  const why = completed
    ? ""
    : ` Its outcome is ${outcome?.outcome ?? "none"}, and somebody may look into it.`;
  return `It is younger than ${days(limit)}.${why}`;
}

function shown(keeper: LedgerRef | null): string {
  return keeper === null ? "nothing" : keeper.ref.replace(/^refs\/(?:heads|remotes|tags)\//, "");
}
