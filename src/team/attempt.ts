/**
 * One attempt at one subtask: fence → branch → run → what is left is kept → outcome and done signal.
 * Whatever goes wrong in between becomes an outcome too; only a lost lease ends without one (the newer attempt has it).
 */
import { failPoint } from "../host/fail-point.ts";
import { taskSpan } from "../host/telemetry.ts";
import type { BudgetMeter } from "../core/budget.ts";
import type { EventBody } from "../core/events.ts";
import type { Outcome } from "../core/model.ts";
import type { BranchTree } from "../git/contract.ts";
import type { Lease } from "../store/contract.ts";
import type { Engine, EventSink } from "./engine.ts";
import type { Slots } from "./slots.ts";
import { type ErrorValue, hasCode, OxbowError, toErrorValue } from "../core/errors.ts";
import { goesOnElsewhere, STOP } from "../core/stop.ts";
import { blockFor } from "./blocked.ts";
import { exceededEvents, leftAbove, openBudget, outOfTime } from "./budget.ts";
import { clearUp } from "./clear-up.ts";
import { endOf, isCrash, noteCrash } from "./crashes.ts";
import { agentNamed, runOptions, runtimeOf } from "./engine.ts";
import { donePayload, type Finding, makeOutcome, NOTHING_RAN } from "./outcome.ts";
import { committedTip } from "./leftovers.ts";
import { prepareBranch } from "./prepare.ts";
import { bringWork, handIn } from "./remote.ts";
import { relaySoon } from "./relay.ts";
import { runProgram } from "./run-program.ts";
import { runModel } from "./run-model.ts";
import { aboutLease } from "./about.ts";
import { committedOn } from "./scope-check.ts";
import { untoldOf } from "./untold.ts";

export interface Attempt {
  readonly engine: Engine;
  readonly lease: Lease;
  readonly slots: Slots;
  readonly sink: EventSink;
  /** Aborts with one of {@link STOP}'s reasons. */
  readonly signal: AbortSignal;
  /** What the calls of its models are counted by. */
  readonly budget?: BudgetMeter | undefined;
  /** Reads from the rows whether it is to stop; then `signal` has aborted. */
  look(): Promise<void>;
}

/** How an attempt ended: with the subtask's outcome, or without, because others go on with it. */
export type AttemptEnd =
  | { readonly kind: "finished"; readonly outcome: Outcome }
  | { readonly kind: "handed_back" }
  /** It broke without an outcome, and that is noted: another attempt follows. */
  | { readonly kind: "crashed"; readonly error: ErrorValue }
  | { readonly kind: "lost" };

export async function runAttempt(given: Attempt): Promise<AttemptEnd> {
  const { engine, lease } = given;
  const { subtask } = lease;
  const about = {
    "oxbow.subtask_id": subtask.subtask_id,
    "oxbow.conversation_id": subtask.conversation_id,
    "gen_ai.agent.name": subtask.agent,
    "oxbow.attempt": lease.attempt,
  };
  return taskSpan(engine.telemetry, subtask.task_id, "oxbow.subtask", about, async (note) => {
    const end = await attemptOnce(given);
    const outcome = end.kind === "finished" ? end.outcome : null;
    const error = end.kind === "crashed" ? end.error : outcome?.error;
    note({
      "oxbow.end": outcome?.outcome ?? end.kind,
      "oxbow.branch": outcome?.branch,
      "error.type": error?.code,
    });
    return end;
  });
}

async function attemptOnce(given: Attempt): Promise<AttemptEnd> {
  const { engine, lease, sink } = given;
  const started = engine.now();
  using limit = withinSla(given);
  failPoint("lease.after");
  const end = endOf(engine, lease);
  if (end?.code === "agent_disabled" && !lease.blocked)
    return { kind: (await blockFor(engine, lease, end)) ? "handed_back" : "lost" };
  using budget = await openBudget(engine, end === null ? lease.subtask : null, limit.signal);
  const { signal, meter, refusal } = budget;
  const found = await performOrFail({ ...given, signal, budget: meter }, end ?? refusal);
  await budget.counted();
  // Who was woken by the end of a child that was cancelled with it comes to an end before it hears of that itself.
  if (!signal.aborted) await given.look();
  const { reason } = signal;
  if (found.error?.code === "fenced" || reason === STOP.leaseLost) return { kind: "lost" };
  const broke = crashOf(engine, lease, found, reason);
  if (broke) {
    await sink.flush();
    return (await noteCrash(engine, lease, broke)) ? { kind: "crashed", error: broke } : { kind: "lost" };
  }
  if (goesOnElsewhere(signal) && found.outcome !== "completed") {
    await sink.flush();
    const event: EventBody = { event: "handed_back", ...aboutLease(lease), attempt: lease.attempt };
    await engine.store.release(lease, [event]);
    return { kind: "handed_back" };
  }
  const outcome = makeOutcome(
    lease.subtask,
    lease.attempt,
    { ...found, ...stoppedBy(found, reason), elapsed_ms: engine.now() - started },
    engine.redact,
  );
  const left = await leftAbove(engine, lease.subtask);
  const finished: EventBody = {
    event: "child_finished",
    ...aboutLease(lease),
    outcome: outcome.outcome,
    result: outcome,
  };
  await sink.flush();
  failPoint("outcome.before");
  const ours = await engine.store.finish(lease, outcome, donePayload(outcome, left), [
    finished,
    ...exceededEvents(lease, outcome, budget, left),
  ]);
  failPoint("outcome.after");
  await relaySoon(engine);
  return ours ? { kind: "finished", outcome } : { kind: "lost" };
}

/** An attempt that takes longer than its agent's `sla_ms` is stopped. */
function withinSla({ engine, lease, signal }: Attempt): Disposable & { readonly signal: AbortSignal } {
  const slaMs = engine.registry.get(lease.subtask.agent)?.slaMs ?? null;
  if (slaMs === null) return { signal, [Symbol.dispose]: () => undefined };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(STOP.late), slaMs);
  return { signal: AbortSignal.any([signal, late.signal]), [Symbol.dispose]: () => clearTimeout(timer) };
}

/** The error with which the attempt broke; null when it came to an outcome, or was stopped in order. */
function crashOf(engine: Engine, lease: Lease, found: Finding, reason: unknown): ErrorValue | null {
  if (found.outcome === "completed") return null;
  if (reason === STOP.late) return toErrorValue(STOP.late);
  if (reason !== undefined) return null;
  return isCrash(engine, lease, found) ? found.error : null;
}

/** A cancellation that came before the outcome is the outcome; what was committed stays named. */
function stoppedBy(found: Finding, reason: unknown): Partial<Finding> {
  if (reason === STOP.wallTime) return outOfTime(found);
  if (reason === STOP.critical) return { outcome: "cancelled", error: toErrorValue(STOP.critical) };
  if (reason !== STOP.cancelled || found.outcome === "cancelled") return {};
  return { outcome: "cancelled", error: toErrorValue(STOP.cancelled) };
}

/** Whatever is thrown becomes a finding that still names the branch and what is on it. */
async function performOrFail(attempt: Attempt, end: OxbowError | null): Promise<Finding> {
  const { engine, lease, sink, signal } = attempt;
  if (end) return await endUnbegun(engine, lease, end);
  let tree: BranchTree | null = null;
  try {
    const agent = agentNamed(engine, lease.subtask.agent);
    await refuseAfterFailedDependency(engine, lease);
    signal.throwIfAborted();
    // The process that had it may have died: its program is ended and its files are saved before this one begins.
    if (lease.attempt > 1) await clearUp(engine);
    const prepared = await prepareBranch(engine, lease);
    tree = prepared.tree;
    const { branch, base } = tree;
    sink.emit({
      event: "child_started",
      ...aboutLease(lease),
      agent: agent.name,
      attempt: lease.attempt,
      branch,
    });
    if (prepared.created)
      sink.emit({ event: "branch_allocated", ...aboutLease(lease), branch, base, created: true });
    else
      for (const event of await untoldOf(engine, lease.task, { ...lease.subtask, branch })) sink.emit(event);
    const run = runtimeOf(runOptions(lease.task), agent) === "command" ? runProgram : runModel;
    const found = await handIn(attempt, tree, await run(attempt, agent, tree, prepared.scope));
    return lease.subtask.root ? await dropEmptyBranch(engine, tree, found) : found;
  } catch (error) {
    const branch = tree?.branch ?? lease.subtask.branch;
    const commit = tree && committedTip(tree);
    const outcome = failureKind(error, signal);
    const found = { ...NOTHING_RAN, outcome, branch, commit, summary: "", error: toErrorValue(error) };
    return tree ? await handIn(attempt, tree, found) : found;
  }
}

/** No attempt is begun any more. What earlier ones committed stays theirs, and is named. */
async function endUnbegun(engine: Engine, lease: Lease, error: OxbowError): Promise<Finding> {
  const { repo } = engine;
  const { subtask, task } = lease;
  const { branch } = subtask;
  if (lease.attempt > 1) {
    await clearUp(engine);
    await repo.sealAttempts(subtask.subtask_id, lease.attempt, task.base_commit);
  }
  await bringWork(engine, [subtask]);
  await engine.store.append(await untoldOf(engine, task, subtask));
  const tip = branch === null ? null : await repo.readRef(`refs/heads/${branch}`);
  const commit = await committedOn(engine, subtask, task);
  const late = error.code === "attempts_exhausted" && lease.failure?.code === "timed_out";
  const unrouted = error.code === "agent_disabled";
  const outcome = error.code === "cancelled" ? "cancelled" : late || unrouted ? "timed_out" : "failed";
  const made = tip === null ? null : branch;
  return { ...NOTHING_RAN, outcome, branch: made, commit, summary: "", error: toErrorValue(error) };
}

function failureKind(error: unknown, signal: AbortSignal): Finding["outcome"] {
  const stopped = [STOP.cancelled, STOP.critical].includes(signal.reason);
  if (stopped || hasCode(error, "cancelled")) return "cancelled";
  return hasCode(error, "timed_out") ? "timed_out" : "failed";
}

async function refuseAfterFailedDependency(engine: Engine, { subtask }: Lease): Promise<void> {
  if (subtask.depends_on.length === 0) return;
  const outcomes = await engine.store.outcomes(subtask.task_id);
  const failed = subtask.depends_on.filter(
    (id) => outcomes.find((outcome) => outcome.subtask_id === id)?.outcome !== "completed",
  );
  if (failed.length > 0)
    throw new OxbowError("dependency_failed", `It depends on ${failed.join(", ")}, which did not complete.`);
}

/** A lead that only handed out work leaves no branch behind. */
async function dropEmptyBranch(engine: Engine, tree: BranchTree, found: Finding): Promise<Finding> {
  if (found.commit !== null) return found;
  try {
    await engine.repo.updateRefs([{ ref: `refs/heads/${tree.branch}`, old: tree.base, new: null }]);
  } catch (error) {
    if (hasCode(error, "branch_moved")) return found;
    throw error;
  }
  await engine.repo.remote?.drop(tree.branch, tree.base);
  return { ...found, branch: null };
}
