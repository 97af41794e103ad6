/**
 * Landing: the branches that are ready are put together without moving anything, the whole is verified once, and the target
 * moves to exactly that commit from exactly where it was looked at. When the whole fails, halving finds the branch with
 * which it begins to; what was good before it lands, and the rest is tried again without it.
 */
import type { EventBody } from "../core/events.ts";
import type { MergeEntry, Verification } from "../core/merging.ts";
import type { MergeResult } from "../git/contract.ts";
import type { Stacked, StackSource } from "../git/merge-stack.ts";
import { failPoint } from "../host/fail-point.ts";
import { hasCode } from "../core/errors.ts";
import { aboutEntry, nameConflicts, setBack, SETTLED, settle, sourceOf } from "./merge-settle.ts";
import { type Fits, judge, type Judging } from "./merge-verify.ts";
import { failureOf, noteOf } from "./verify.ts";

export interface Landing extends Judging {
  /** Where the target begins when there is none. */
  readonly start: string;
  /** Where the changes of a branch begin that stands on others of the task; undefined for one that does not. */
  baseOf(entry: MergeEntry): Promise<string | undefined>;
  /** The subtasks whose branches it holds the changes of, as they are to land. */
  standsOn(subtaskId: string): readonly string[];
  /** Reworks whose resolution was looked at here, and has both sides. */
  readonly passed: Set<string>;
}

/** Somebody else moves the target meanwhile: done again on where it is then, this often in a row. */
const MAX_TRIES = 20;

/**
 * Lands as many as it can, in order, each of which depends on none but what has landed or comes before it, and settles what
 * cannot. Returns when something has changed; the caller looks again. Throws fenced, cancelled, branch_checked_out.
 */
export async function landSome(landing: Landing, ready: readonly MergeEntry[]): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { writer, start } = landing;
    const target = ready[0]?.target ?? "";
    const tip = await writer.desk.tip(target);
    if (tip !== null && (await settleLanded(landing, ready, tip))) return;
    try {
      return await landOnto(landing, ready, { target, tip, onto: tip ?? start });
    } catch (error) {
      if (!hasCode(error, "branch_moved") || tries === MAX_TRIES) throw error;
    }
  }
}

interface Place {
  readonly target: string;
  readonly tip: string | null;
  /** The tip, or where the target is to begin. */
  readonly onto: string;
}

/** What was to land when its process died, and did. True when there was any. */
async function settleLanded(landing: Landing, entries: readonly MergeEntry[], tip: string): Promise<boolean> {
  const { desk } = landing.writer;
  const landed: MergeEntry[] = [];
  for (const entry of entries)
    if (entry.landed_commit !== null && (await desk.reaches(tip, entry.landed_commit))) landed.push(entry);
  if (landed.length === 0) return false;
  await addNotes(landing, landed);
  await settleAs(landing, landed);
  return true;
}

async function landOnto(landing: Landing, ready: readonly MergeEntry[], place: Place): Promise<void> {
  const { fits, conflicts, stacked } = await putTogether(landing, ready, place);
  const news = fits.filter(({ result }) => result.kind === "merged");
  if (fits.length === 0) {
    // Nothing more can land before them, so this is what they conflict with.
    for (const [entry, found] of conflicts) await conflicted(landing, entry, found, place.onto);
    return;
  }
  const good = news.length === 0 ? news : await verifiedOf(landing, news, stacked, place);
  if (good.length < news.length) return;
  await land(landing, fits, stacked.tip, place);
}

/** Entries that stand on one which does not fit are left for later: they hold its changes too. */
async function putTogether(landing: Landing, ready: readonly MergeEntry[], { target, onto }: Place) {
  const { engine, writer } = landing;
  const { squash } = engine.team.merge;
  let left = ready;
  for (;;) {
    const sources = await Promise.all(left.map((entry) => sourceIn(landing, entry, squash)));
    const stacked = await writer.desk.stack({ onto, into: target, sources, squash });
    const fits: Fits[] = [];
    const conflicts: [MergeEntry, Extract<MergeResult, { kind: "conflict" }>["conflicts"]][] = [];
    for (const [i, entry] of left.entries()) {
      const result = stacked.results[i];
      if (result?.kind === "conflict") conflicts.push([entry, result.conflicts]);
      else if (result) fits.push({ entry, result });
    }
    const out = new Set(conflicts.map(([{ subtask_id }]) => subtask_id));
    const stays = left.filter(({ subtask_id }) => {
      const held = landing.standsOn(subtask_id).some((id) => out.has(id));
      if (held) out.add(subtask_id);
      return !held;
    });
    if (stays.length === left.length) return { fits, conflicts, stacked };
    left = stays;
  }
}

async function sourceIn(landing: Landing, entry: MergeEntry, squash: boolean): Promise<StackSource> {
  return { ...sourceOf(entry), base: squash ? await landing.baseOf(entry) : undefined };
}

/** All of them when they pass; else none: those at the front that do have landed then, and the next one is set back. */
async function verifiedOf(
  landing: Landing,
  news: readonly Fits[],
  stacked: Stacked,
  place: Place,
): Promise<readonly Fits[]> {
  const found = await judge(landing, news, stacked, place);
  if (found.kind === "passed") return news;
  if (found.kind === "target") {
    await blameNobody(landing, news, found.bare, place.onto);
    return [];
  }
  const { good, guilty, failure } = found;
  // What is good lands first, so that the one that is not goes on from there.
  const last = good.at(-1);
  if (last) await land(landing, good, last.result.commit, place);
  await setBack(landing, guilty, guiltOf(guilty, failure, good), last?.result.commit ?? place.onto);
  return [];
}

function guiltOf(guilty: MergeEntry, failure: Verification, good: readonly Fits[]) {
  const beside = good.map(({ entry }) => entry.branch);
  const others = beside.length === 0 ? "" : ` Without it, with ${beside.slice(-5).join(", ")}, they succeed.`;
  const message = `With ${guilty.branch} the commands of \`verify\` fail: ${failureOf(failure)}${others}`;
  return { reason: { code: "verify_failed", message }, conflicts: [], verification: failure };
}

/** The target itself fails: no branch is to blame, and none of them corrects it. */
async function blameNobody(
  landing: Landing,
  news: readonly Fits[],
  bare: Verification,
  onto: string,
): Promise<void> {
  const message = `The commands of \`verify\` fail on ${bare.target} without any of the branches too: ${failureOf(bare)}`;
  const reason = { code: "verify_failed", message };
  const person = landing.engine.registry.windowPerson(landing.engine.team.team) ?? null;
  const events = news.map(({ entry }): EventBody => {
    const { branch, commit } = entry;
    return { event: "merge_escalated", ...aboutEntry(landing, entry), branch, commit, reason, person };
  });
  const change = { state: "escalated", reason, verification: bare, onto } as const;
  await settle(
    landing,
    news.map(({ entry: { subtask_id } }) => ({ subtask_id, ...change })),
    events,
  );
}

/** Notes first by which commits they land, so that whoever comes after a crash knows them; then the target moves. */
async function land(
  landing: Landing,
  fits: readonly Fits[],
  to: string,
  { target, tip }: Place,
): Promise<void> {
  const { engine, writer } = landing;
  const landings = fits.map(({ entry, result }) => ({ ...entry, landed_commit: result.commit }));
  await engine.store.merges.plan(writer.lease, landings);
  failPoint("land.planned");
  if (to !== tip) await writer.desk.land({ target, from: tip, to, fence: writer.fence });
  failPoint("target.moved");
  await addNotes(landing, landings);
  await settleAs(landing, landings);
}

async function settleAs(landing: Landing, landed: readonly MergeEntry[]): Promise<void> {
  const events = landed.map((entry): EventBody => {
    const { branch, commit, target, landed_commit } = entry;
    const about = { ...aboutEntry(landing, entry), branch, commit };
    return { event: "merged", ...about, into: target, merge_commit: landed_commit ?? "" };
  });
  await settle(
    landing,
    landed.map(({ subtask_id, reason }) => ({
      subtask_id,
      state: "landed" as const,
      ...(reason === null ? {} : { reason: null }),
    })),
    events,
  );
  // What a person settled is in the target now: nothing else has to keep it.
  const settled = landed.filter(({ reason }) => reason?.code === SETTLED);
  for (const { subtask_id } of settled) await (await landing.engine.repo.conflictDesk()).forget(subtask_id);
}

/** The evidence is in the event stream before the target moves; a note is made of it once it has. */
async function addNotes(landing: Landing, landed: readonly MergeEntry[]): Promise<void> {
  const { engine, task, writer } = landing;
  if (engine.team.verify.length === 0) return;
  const commits = new Set(landed.map(({ landed_commit }) => landed_commit));
  const found = new Map<string, Verification>();
  for (let after: string | null = null; ; ) {
    const page = await engine.store.events(task.task_id, after, PAGE, ["verify_finished"]);
    for (const event of page)
      if (event.event === "verify_finished" && event.verification.ok)
        found.set(event.verification.commit, event.verification);
    after = page.at(-1)?.id ?? null;
    if (page.length < PAGE || after === null) break;
  }
  for (const [commit, verification] of found)
    if (commits.has(commit)) await writer.desk.note(commit, noteOf(task, verification));
}

const PAGE = 1_000;

async function conflicted(
  landing: Landing,
  entry: MergeEntry,
  bare: Extract<MergeResult, { kind: "conflict" }>["conflicts"],
  onto: string,
): Promise<void> {
  const conflicts = await nameConflicts(landing, entry, bare);
  const paths = conflicts.slice(0, 5).map(({ path }) => path);
  const more = conflicts.length > paths.length ? ` and ${conflicts.length - paths.length} more` : "";
  const message = `It conflicts with ${entry.target} in ${paths.join(", ")}${more}.`;
  await setBack(
    landing,
    entry,
    { reason: { code: "merge_conflict", message }, conflicts, verification: null },
    onto,
  );
}
